"""Locks: whose they are, and when they are no longer."""

from __future__ import annotations

import builtins
import errno
import fcntl
import gc
import os
from pathlib import Path

import pytest

from firefighter._spool.disk import producer_directory
from firefighter._spool.disk.errors import SpoolUnusable
from firefighter._spool.disk.private_directory import open_shared
from firefighter._spool.disk.producer_directory import take_lock
from spool_files import is_locked


@pytest.fixture
def directory(tmp_path):
    with open_shared(tmp_path, make=False) as directory:
        yield directory


def test_a_lock_is_had_by_one_at_a_time_within_one_process_too(directory):
    """Two handlers of one program are two producers."""
    lock = take_lock(directory, 'alive')
    assert take_lock(directory, 'alive') is None
    lock.release()
    again = take_lock(directory, 'alive')
    assert again.still_ours()
    again.release()


def test_opening_and_closing_the_file_elsewhere_does_not_lose_the_lock(directory, tmp_path):
    """As lockf's would be."""
    lock = take_lock(directory, 'alive')
    (tmp_path / 'alive').read_bytes()
    assert is_locked(directory, 'alive')
    lock.release()


def test_a_lock_on_a_removed_file_is_no_lock(directory, tmp_path, monkeypatch):
    """Between opening and locking somebody may remove the file, and the next one makes another."""
    flock = fcntl.flock

    def remove_first(fd, operation):
        (tmp_path / 'alive').unlink()
        (tmp_path / 'alive').touch()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, 'flock', remove_first)
    assert take_lock(directory, 'alive') is None
    monkeypatch.undo()
    lock = take_lock(directory, 'alive')
    assert lock is not None
    lock.release()


def test_a_lock_is_ours_as_long_as_the_path_leads_to_it(directory, tmp_path):
    """Then nobody else can have it."""
    lock = take_lock(directory, 'alive')
    assert lock.still_ours()
    (tmp_path / 'alive').rename(tmp_path / 'away')
    assert not lock.still_ours()
    (tmp_path / 'alive').touch()
    assert not lock.still_ours()
    lock.release()
    assert not lock.still_ours()


def test_releasing_unlocks_although_a_child_still_has_the_file_open(directory):
    """A child forked in C has run no hook of ours. What it has is a duplicate of the descriptor."""
    lock = take_lock(directory, 'alive')
    childs = os.dup(lock._descriptor.fd)
    lock.release()
    assert not is_locked(directory, 'alive')
    os.close(childs)


def test_abandoning_leaves_the_lock_to_who_still_has_the_file_open(directory):
    """Unlocking in the child would free the parent's."""
    lock = take_lock(directory, 'alive')
    parents = os.dup(lock._descriptor.fd)
    lock.abandon()
    assert is_locked(directory, 'alive')
    os.close(parents)
    assert not is_locked(directory, 'alive')


def test_a_childs_copy_that_is_collected_leaves_the_parent_its_lock(directory):
    """It is closed, and not unlocked."""
    lock = take_lock(directory, 'alive')
    parents = os.dup(lock._descriptor.fd)
    del lock
    gc.collect()
    assert is_locked(directory, 'alive')
    os.close(parents)
    assert not is_locked(directory, 'alive')


def test_a_number_that_another_file_has_got_is_neither_trusted_nor_closed(directory, tmp_path):
    """A daemoniser closes all descriptors, and the program's next file gets the number."""
    lock = take_lock(directory, 'alive')
    fd = lock._descriptor.fd
    with (tmp_path / 'other').open('wb') as other:
        os.close(fd)
        assert not lock.still_ours()
        # By itself a file gets the lowest number that is free, which may be of something just collected.
        os.dup2(other.fileno(), fd)
    assert not lock.still_ours()
    lock.release()
    lock.abandon()
    os.write(fd, b'still open')
    os.close(fd)
    assert (tmp_path / 'other').read_bytes() == b'still open'


def test_descriptors_do_not_reach_programs_that_are_started(directory):
    """Else a long-lived helper would keep a dead producer alive."""
    lock = take_lock(directory, 'alive')
    assert not os.get_inheritable(lock._descriptor.fd)
    lock.release()


def test_asking_whether_a_lock_is_held_leaves_it_as_it_was(directory):
    """For a list of producers."""
    assert not is_locked(directory, 'alive')
    assert directory.names() == [], 'asking makes no file'
    lock = take_lock(directory, 'alive')
    assert is_locked(directory, 'alive')
    lock.release()
    assert not is_locked(directory, 'alive')
    again = take_lock(directory, 'alive')
    assert again is not None
    again.release()


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks_is_a_clear_reason(
    directory, descriptors_as_they_were, monkeypatch, number
):
    """There the dead cannot be told from the living."""

    def refuse(fd, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, 'flock', refuse)
    with pytest.raises(SpoolUnusable, match='has no locks') as caught:
        take_lock(directory, 'alive')
    assert caught.value.errno == number


def test_any_other_error_of_a_lock_is_said_in_the_systems_words(directory, monkeypatch):
    """Nothing but SpoolUnusable ever leaves."""

    def refuse(fd, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, 'flock', refuse)
    with pytest.raises(SpoolUnusable, match=os.strerror(errno.EIO)):
        take_lock(directory, 'alive')


def test_a_python_without_fcntl_is_a_clear_reason(directory, monkeypatch):
    """Some builds have none."""
    genuine = builtins.__import__

    def without_fcntl(name, *args, **kwargs):
        if name == 'fcntl':
            raise ImportError(name)
        return genuine(name, *args, **kwargs)

    producer_directory._fcntl.cache_clear()
    monkeypatch.setattr(builtins, '__import__', without_fcntl)
    with pytest.raises(SpoolUnusable, match='fcntl'):
        take_lock(directory, 'alive')


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_a_lock_file_is_refused_without_waiting(directory, tmp_path):
    """Opening one waits for its other end, unless told not to."""
    os.mkfifo(tmp_path / 'alive')
    with pytest.raises(SpoolUnusable, match=r'alive: .*remove it'):
        take_lock(directory, 'alive')


@pytest.mark.parametrize(
    'put', [Path.mkdir, lambda path: path.symlink_to('/etc/passwd'), lambda path: path.symlink_to('nowhere')]
)
def test_anything_else_in_place_of_a_lock_file_is_refused(directory, tmp_path, put):
    """Also a link, wherever it leads."""
    put(tmp_path / 'alive')
    with pytest.raises(SpoolUnusable, match=r'alive: .*remove it'):
        take_lock(directory, 'alive')
    assert not (tmp_path / 'nowhere').exists()
