"""What others may put in the way, at every level: refused, in words that say what to do; nothing of theirs is touched."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer, lock_dead_producers
from firefighter._spool.disk.directory_size import used_bytes
from firefighter._spool.disk.errors import SpoolUnusable
from firefighter._spool.disk.inspection import find_producers

BAR = Destination('bar')
SOMEBODY = 12345

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can give a file to somebody else')


@pytest.fixture(params=['spool_dir', 'uid', 'stream'])
def level(request, spool_dir):
    """Each directory that we would make."""
    path = {
        'spool_dir': spool_dir,
        'uid': spool_dir / str(os.geteuid()),
        'stream': spool_dir / str(os.geteuid()) / BAR.folder_name,
    }[request.param]
    for parent in reversed(path.relative_to(spool_dir.parent).parents[:-1]):
        (spool_dir.parent / parent).mkdir(0o700)
    return path


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def refused(spool_dir, path):
    for use in (
        lambda: create_producer(spool_dir, BAR),
        lambda: lock_dead_producers(spool_dir, BAR),
        lambda: used_bytes(spool_dir, BAR),
    ):
        with pytest.raises(SpoolUnusable) as caught:
            use()
        assert str(path) in str(caught.value)
        assert 'remove it, or choose another spool_dir' in str(caught.value)


def test_on_windows_the_reason_is_windows(spool_dir, monkeypatch):
    """And nothing is made there."""
    monkeypatch.setattr('sys.platform', 'win32')
    for use in (
        lambda: create_producer(spool_dir, BAR),
        lambda: lock_dead_producers(spool_dir, BAR),
        lambda: used_bytes(spool_dir, BAR),
    ):
        with pytest.raises(SpoolUnusable, match='Windows'):
            use()
    assert not spool_dir.exists()


def test_a_link_is_never_followed(level, spool_dir, tmp_path, descriptors_as_they_were):
    """Not even to a directory of our own."""
    (tmp_path / 'elsewhere').mkdir()
    level.symlink_to(tmp_path / 'elsewhere')
    refused(spool_dir, level)
    assert names(tmp_path / 'elsewhere') == []


def test_a_link_to_nowhere_makes_nothing_there(level, spool_dir, tmp_path, descriptors_as_they_were):
    """The attack that mkdir and open by path fall for."""
    level.symlink_to(tmp_path / 'nowhere')
    refused(spool_dir, level)
    assert not (tmp_path / 'nowhere').exists()


def test_a_file_is_refused(level, spool_dir, descriptors_as_they_were):
    """And stays as it is."""
    level.write_text('mine')
    refused(spool_dir, level)
    assert level.read_text() == 'mine'


def test_a_pipe_is_refused_without_waiting(level, spool_dir, descriptors_as_they_were):
    """It might never have another end."""
    os.mkfifo(level)
    refused(spool_dir, level)


@needs_root
def test_somebody_elses_directory_is_refused(level, spool_dir, descriptors_as_they_were):
    """Its owner could read the events, and exchange them. The spool directory itself may be anybody's."""
    level.mkdir(0o777)
    os.chown(level, SOMEBODY, SOMEBODY)
    if level == spool_dir:
        create_producer(spool_dir, BAR).release()
    else:
        refused(spool_dir, level)
        with pytest.raises(SpoolUnusable, match=f'belongs to uid {SOMEBODY}, not to {os.geteuid()}'):
            create_producer(spool_dir, BAR)
        assert names(level) == []


@needs_root
@pytest.mark.parametrize('make', [Path.mkdir, Path.touch, os.mkfifo, lambda path: path.symlink_to('/tmp')])
def test_who_made_our_directory_first_is_named_and_so_is_what_helps(make, spool_dir):
    """Where all may write, anybody can, whatever it is; their own people may know them by name."""
    nobody = pwd.getpwnam('nobody')
    ours = spool_dir / str(os.geteuid())
    spool_dir.mkdir()
    make(ours)
    os.chown(ours, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    with pytest.raises(SpoolUnusable) as caught:
        create_producer(spool_dir, BAR)
    said = str(caught.value)
    assert f'{ours}: belongs to uid {nobody.pw_uid} (nobody), not to {os.geteuid()}; remove it' in said
    assert 'root can make this in it beforehand' in said


@needs_root
def test_a_directory_that_root_has_prepared_is_used(spool_dir):
    """Nobody else can make anything in it then, the user's own directory included."""
    spool_dir.mkdir(0o555)
    (spool_dir / str(os.geteuid())).mkdir(0o700)
    producer = create_producer(spool_dir, BAR)
    assert producer.is_held()
    assert sorted(names(spool_dir)) == [str(os.geteuid())]
    producer.release()


@needs_root
def test_somebody_elses_file_is_not_opened(make_producer):
    """It may be a lock, or a segment with words that lead astray."""
    producer = make_producer()
    path = producer.path / '1.spool'
    path.touch(0o666)
    os.chown(path, SOMEBODY, SOMEBODY)
    with pytest.raises(SpoolUnusable, match=f'belongs to uid {SOMEBODY}'):
        producer.open_file('1.spool', os.O_RDWR)


@pytest.mark.parametrize('mode', [0o777, 0o1777, 0o2777, 0o755])
def test_a_spool_directory_may_be_open_to_others(spool_dir, mode, descriptors_as_they_were):
    """An emptyDir is 0777, one with fsGroup 2777, /tmp 1777. It keeps its mode; what is below it is ours."""
    spool_dir.mkdir()
    spool_dir.chmod(mode)
    producer = create_producer(spool_dir, BAR)
    assert stat.S_IMODE(spool_dir.stat().st_mode) == mode
    assert stat.S_IMODE(producer.path.stat().st_mode) & 0o777 == 0o700
    producer.release()


@pytest.mark.parametrize('mode', [0o2770, 0o777, 0o755, 0o000])
def test_a_directory_of_ours_that_is_open_to_others_is_closed_again(make_producer, spool_dir, mode):
    """Kubernetes opens a volume to the group of `fsGroup` each time that it mounts it, what we have made included."""
    if mode == 0 and os.geteuid() != 0:
        pytest.skip('only root can open a directory that nobody may read')
    ours = make_producer().path.parents[1]
    ours.chmod(mode)
    assert make_producer().is_held()
    assert stat.S_IMODE(ours.stat().st_mode) & 0o777 == 0o700


@pytest.mark.parametrize(
    'put',
    [
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to('/etc/passwd'),
        lambda path: path.symlink_to('nowhere'),
    ],
)
def test_only_regular_files_are_opened(make_producer, put):
    """Whatever is called like a segment."""
    producer = make_producer()
    put(producer.path / '1.spool')
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT):
        with pytest.raises(SpoolUnusable, match=r'1\.spool: .*remove it'):
            producer.open_file('1.spool', flags)
    assert not (producer.path / 'nowhere').exists()


def test_what_is_not_ours_beside_producers_is_left_alone(make_producer, spool_dir):
    """Adopting and listing go on past it."""
    producer = make_producer(segments=1)
    producer.release()
    folder = producer.path.parent
    (folder / ('0' * 32)).symlink_to(producer.path)
    (folder / ('1' * 32)).write_text('a file')
    (folder / 'notes').mkdir()
    (folder / '.new-link').symlink_to('/')
    os.mkfifo(folder / '.new-pipe')
    (folder / ('2' * 32)).mkdir()
    os.mkfifo(folder / ('2' * 32) / 'alive')
    before = names(folder)
    (adopted,) = lock_dead_producers(spool_dir, BAR)
    assert adopted.id == producer.id
    assert [found.path for found in find_producers(spool_dir, None, lambda _: None)] == [producer.path]
    adopted.release()
    assert names(folder) == before
