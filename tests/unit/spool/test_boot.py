"""Is one boot of the machine told from another?"""

from __future__ import annotations

import pathlib
import sys
import uuid

import pytest

from firefighter._spool.disk import recovery


@pytest.mark.skipif(not pathlib.Path('/proc/sys/kernel/random/boot_id').exists(), reason='no such file here')
def test_linux_says_which_boot_it_is():
    """Sixteen bytes, the same for every process that asks."""
    text = pathlib.Path('/proc/sys/kernel/random/boot_id').read_text()
    assert recovery.boot_id() == uuid.UUID(text.strip()).bytes


@pytest.mark.parametrize('text', ['', 'not a uuid', '\xff'])
def test_a_boot_id_that_makes_no_sense_is_none(tmp_path, monkeypatch, text):
    """Some containers show something else there: then nothing is trusted."""
    path = tmp_path / 'boot_id'
    path.write_text(text, 'utf-8')
    monkeypatch.setattr(recovery, '_BOOT_ID_FILE', path)
    monkeypatch.setattr(sys, 'platform', 'linux')
    assert recovery.boot_id() is None


def test_without_proc_the_boot_is_not_known(tmp_path, monkeypatch):
    """A chroot without /proc is no reason to fail."""
    monkeypatch.setattr(recovery, '_BOOT_ID_FILE', tmp_path / 'missing')
    monkeypatch.setattr(sys, 'platform', 'linux')
    assert recovery.boot_id() is None


@pytest.mark.parametrize('platform', ['win32', 'freebsd14'])
def test_other_systems_do_not_know_their_boot(monkeypatch, platform):
    """So nothing is trusted there."""
    monkeypatch.setattr(sys, 'platform', platform)
    assert recovery.boot_id() is None


class Darwin:
    """A libc that answers one question as macOS does."""

    def __init__(self, answer, status=0):
        self.answer = answer
        self.status = status

    def sysctlbyname(self, name, value, size, new, new_size):
        assert name == b'kern.bootsessionuuid'
        value.value = self.answer
        return self.status


@pytest.mark.parametrize(('status', 'known'), [(0, True), (-1, False)])
def test_macos_is_asked_through_its_own_libc(monkeypatch, status, known):
    """Without a subprocess; a kernel that has no such entry is a boot not known."""
    answer = uuid.UUID('0E1F6CDA-3D5E-4A0F-9D04-3B1D8D1F2F60')
    monkeypatch.setattr('ctypes.CDLL', lambda name: Darwin(str(answer).upper().encode(), status))
    monkeypatch.setattr(sys, 'platform', 'darwin')
    assert recovery.boot_id() == (answer.bytes if known else None)
