"""Do the processes of a `spool_dir` find what one of them has found, and nothing that anything else has put there?"""

from __future__ import annotations

import json
import os
import threading

import pytest

from firefighter._advice.finding import Finding
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.finding_file import FindingFile
from firefighter.cli.main import main

BAR = Destination('bar')
FOUND = Finding(1.7e9, None)


@pytest.fixture
def folder(make_producer):
    """The destination's folder, with a producer in it."""
    return make_producer().path.parent


@pytest.fixture
def file(folder, spool_dir):
    return FindingFile(spool_dir, lambda: BAR)


@pytest.mark.parametrize('finding', [FOUND, Finding(1.7e9 + 0.25, 500), Finding(0, 1)])
def test_what_one_writes_another_reads(file, folder, spool_dir, finding) -> None:
    """It is private, as all files there are."""
    assert file.read() is None
    file.write(FOUND)
    file.write(finding)
    assert FindingFile(spool_dir, lambda: BAR).read() == finding
    assert FindingFile(spool_dir, lambda: Destination('foo')).read() is None
    assert (folder / 'finding.json').stat().st_mode & 0o777 == 0o600
    assert not (folder / '.finding.json').exists()


def test_without_a_spool_there_is_nothing_to_share(descriptors_as_they_were, spool_dir) -> None:
    """The directory could not be made. It is not made for this."""
    file = FindingFile(spool_dir, lambda: BAR)
    file.write(FOUND)
    assert file.read() is None
    assert not spool_dir.exists()


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'\0' * 100,
        b'\xff',
        b'null',
        b'[]',
        b'{}',
        b'{"asked_at": 1.7e9}',
        b'{"asked_at": 1.7e9, "most_events": null',
        b'{"asked_at": 1.7e9, "most_events": null}}\n',
        b'{"asked_at": 1.7e9, "most_events": null, "more": 1}',
        b'{"asked_at": "1.7e9", "most_events": null}',
        b'{"asked_at": true, "most_events": null}',
        b'{"asked_at": NaN, "most_events": null}',
        b'{"asked_at": -Infinity, "most_events": null}',
        b'{"asked_at": 1e999, "most_events": null}',
        b'{"asked_at": 1.7e9, "most_events": 0}',
        b'{"asked_at": 1.7e9, "most_events": -1}',
        b'{"asked_at": 1.7e9, "most_events": true}',
        b'{"asked_at": 1.7e9, "most_events": 2.5}',
        b'{"asked_at": 1.7e9, "most_events": "all"}',
        b'{"asked_at": 1.7e9, "most_events": []}',
        b'{"asked_at": ' + b'9' * 5000 + b', "most_events": null}',
        b'{"asked_at": ' + b'9' * 200 + b', "most_events": ' + b'9' * 20 + b'}',
        b'[' * 250,
        b'[' * 100_000,
        json.dumps(FOUND._asdict()).encode() + b' ' * 1_000_000,
    ],
    ids=lambda content: repr(content[:60]),
)
def test_what_is_no_finding_is_none(file, folder, content) -> None:
    """A broken disk, another program, a later version: it costs a question, and the next finding replaces it."""
    (folder / 'finding.json').write_bytes(content)
    found = file.read()
    assert found is None or found.asked_at > 1e100  # an integer that long is a number, of a time to come
    file.write(FOUND)
    assert file.read() == FOUND


def a_link(path):
    other = path.with_name('other')
    other.write_text(json.dumps(FOUND._asdict()))
    path.symlink_to(other)


def a_pipe(path):
    os.mkfifo(path)


def a_directory(path):
    path.mkdir()


def somebody_elses(path):
    if os.geteuid() != 0:
        pytest.skip('only root gives files away')
    path.write_text(json.dumps(FOUND._asdict()))
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize('make', [a_link, a_pipe, a_directory, somebody_elses])
@pytest.mark.parametrize('name', ['finding.json', '.finding.json'])
def test_what_is_not_our_file_is_neither_read_nor_written(file, folder, make, name) -> None:
    """Nor waited for."""
    path = folder / name
    make(path)
    before = path.lstat()
    assert file.read() is None
    file.write(FOUND)
    if name == '.finding.json':
        assert file.read() is None
        assert (path.lstat().st_ino, path.lstat().st_uid) == (before.st_ino, before.st_uid)
    elif make is not a_directory:
        assert file.read() == FOUND  # by a rename, which touches nothing of what was there
    if make is a_link:
        assert json.loads((folder / 'other').read_text()) == FOUND._asdict()


def test_what_a_kill_has_left_is_used_again(file, folder) -> None:
    """So there is one such file at most."""
    (folder / '.finding.json').write_bytes(b'{"asked_at": 1.')
    file.write(FOUND)
    assert file.read() == FOUND
    assert not (folder / '.finding.json').exists()


def test_many_that_write_at_once_leave_one_of_their_findings_or_none(file, folder) -> None:
    """And no reader finds anything else."""
    written = {Finding(1.7e9 + number / 8, most) for number in range(40) for most in (None, 1, 500)}
    read = []
    at_once = threading.Barrier(5)

    def write(findings):
        at_once.wait()
        for finding in findings:
            file.write(finding)

    shares = [sorted(written, key=lambda finding: finding.asked_at)[start::4] for start in range(4)]
    threads = [threading.Thread(target=write, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    at_once.wait()
    while any(thread.is_alive() for thread in threads):
        read.append(file.read())
    assert set(read) <= written | {None}
    file.write(FOUND)
    assert file.read() == FOUND


@pytest.mark.parametrize('action', ['ls', 'cat', 'verify', 'purge'])
def test_the_tools_leave_it_where_it_is(file, folder, spool_dir, capsys, action) -> None:
    """It is no producer's, and none of them complains of it."""
    file.write(FOUND)
    (folder / '.finding.json').write_bytes(b'left by a kill')
    more = ['--yes'] if action == 'purge' else []
    assert main(['spool', action, *more, str(spool_dir)]) == 0
    assert capsys.readouterr().err == ''
    assert file.read() == FOUND
