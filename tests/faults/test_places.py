"""A disk that is ill for a while: new events go to memory and back to files, as often as it takes, and none is lost or doubled.

On the real thing where that can be had: mounts in a namespace of our own, the limits of the process. Where not, `os.open` is
replaced by one that says what such a disk says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

# Of processes and file systems, not of a Python.
pytestmark = pytest.mark.once

ENOUGH_SECONDS = 50
TESTS = str(Path(__file__).parents[1])

PREAMBLE = """
import errno, gc, os, resource, shutil, subprocess, sys
from pathlib import Path
from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.spool_directory import LOOK_INTERVAL_SECONDS, SpoolDirectory
from firefighter._spool.spool import Spool
from spool_files import let_die

BAR = Destination('bar')
place = Path(sys.argv[1])
spool_dir = place / 'spool'
MAX_BYTES = 64 << 20  # as it is by default
numbers = iter(range(10**9))
appended, said, now = [], [], 0.0

def mount(*arguments):
    subprocess.run(['mount', *map(str, arguments)], check=True)

def append(count):
    for _ in range(count):
        line = (b'%d ' % next(numbers)).ljust(999, b'x') + b'\\n'
        appended.append(line)
        spool.append(line)

def tidy(*, look=False):
    global now
    now += LOOK_INTERVAL_SECONDS * look
    news = disk.tidy(spool, now)
    if news is not None:
        assert news not in said, 'the same again is no news'
        said.append(news)

def deliver(count=10**6):
    events = spool.take(count, 8 << 20)
    delivered.extend(event.data for event in events)
    spool.acknowledge(events)

def is_ill_and_well_again_and_again(ill, well, reason):
    "Three times, with events waiting all the time; `block` is to wait for nothing."
    for round in range(3):
        append(300)
        tidy()
        assert disk.next_event_in_file(spool)
        ill()
        append(700)  # beyond what the segment in use has room for
        tidy()
        assert not disk.next_event_in_file(spool), round
        assert reason in said[0] and 'kept in memory' in said[0], said
        append(20)
        tidy(look=True)
        tidy(look=True)
        assert len(said) <= 2, said  # adoption may have met it too
        well()
        tidy()
        append(10)
        assert not disk.next_event_in_file(spool)  # files are tried again when it is time to look, not with each event
        tidy(look=True)
        assert 'again, after' in said[-1], said
        assert disk.next_event_in_file(spool)
        append(10)
        tidy()
        assert 'again, after' in said[-1], said
        said.clear()
        account = spool.account()
        assert account.dropped == {}, account
        assert account.accepted == account.pending + account.delivered == len(appended)
        deliver(500)
    deliver()
    assert delivered == appended, (len(delivered), len(appended))
    disk.close(spool)
    assert not disk.is_open
    assert [str(path) for path in spool_dir.glob('*/*/*') if path.is_dir()] == []

delivered = []
spool, disk = Spool(MAX_BYTES, 'block', 20), SpoolDirectory(spool_dir, BAR, MAX_BYTES, 1 << 30)
"""


@cache
def namespace() -> tuple[str, ...]:
    """Return the command that makes a namespace in which we may mount; empty where there is none."""
    for command in (('unshare', '-m'), ('unshare', '-mr')):
        attempt = [*command, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']
        if (
            shutil.which('unshare')
            and not subprocess.run(attempt, capture_output=True, check=False).returncode
        ):
            return command
    return ()


@cache
def without_privileges() -> tuple[str, ...] | None:
    """Return the command that takes from root what lets it pass modes; None where there is none."""
    if os.geteuid() != 0:
        return ()
    command = ('setpriv', '--bounding-set', '-dac_override,-dac_read_search')
    works = shutil.which('setpriv') and not subprocess.run([*command, 'true'], check=False).returncode
    return command if works else None


@pytest.fixture
def run(tmp_path):
    """Run a script in a process of its own, with a directory as its argument."""

    def run_script(script: str, *, mounts: bool = False, modes_bind: bool = False) -> None:
        if mounts and not namespace():
            pytest.skip('this machine lets us make no namespace (unshare -m)')
        if modes_bind and without_privileges() is None:
            pytest.skip('we are root, and cannot give that up (setpriv)')
        place = tmp_path / 'place'
        place.mkdir()
        prefix = (*(namespace() if mounts else ()), *((without_privileges() or ()) if modes_bind else ()))
        done = subprocess.run(
            [*prefix, sys.executable, '-c', PREAMBLE + script, str(place)],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join([TESTS, os.environ.get('PYTHONPATH', '')])},
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    return run_script


def test_another_program_fills_the_disk(run):
    """And makes room again."""
    run(
        """
mount('-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', place)
disk.open(spool)
ballast = place / 'ballast'

def ill():
    with open(ballast, 'wb', buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC

is_ill_and_well_again_and_again(ill, ballast.unlink, 'No space left on device')
""",
        mounts=True,
    )


def test_another_program_uses_up_the_inodes(run):
    """There are bytes enough."""
    run(
        """
mount('-t', 'tmpfs', '-o', 'size=64m,nr_inodes=60', 'tmpfs', place)
disk.open(spool)
others = place / 'others'
others.mkdir()

def ill():
    try:
        for number in range(1000):
            (others / str(number)).touch()
    except OSError as error:
        assert error.errno == errno.ENOSPC

def well():
    for path in others.iterdir():
        path.unlink()

is_ill_and_well_again_and_again(ill, well, 'No space left on device')
""",
        mounts=True,
    )


def test_the_program_uses_up_its_descriptors(run):
    """EMFILE, which is nobody's disk."""
    run("""
disk.open(spool)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
before = os.listdir('/proc/self/fd')

def ill():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))

def well():
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))

is_ill_and_well_again_and_again(ill, well, 'raise the limit of open files')
""")


def test_the_program_may_write_no_file_of_that_size(run):
    """RLIMIT_FSIZE, which a shell sets with `ulimit -f`: EFBIG, and a signal that Python ignores."""
    run("""
disk.open(spool)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

def ill():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

def well():
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

is_ill_and_well_again_and_again(ill, well, 'File too large')
""")


@pytest.mark.parametrize('name', ['EIO', 'EROFS', 'EDQUOT', 'EACCES', 'ENOMEM', 'ESTALE'])
def test_nothing_can_be_made_on_the_disk(name, run):
    """What it says is said, and nothing depends on which number it is."""
    run(f"""
disk.open(spool)
really_open = os.open

def refuse(path, flags, *arguments, **options):
    if flags & os.O_CREAT:
        raise OSError(errno.{name}, os.strerror(errno.{name}))
    return really_open(path, flags, *arguments, **options)

def ill():
    os.open = refuse

def well():
    os.open = really_open

is_ill_and_well_again_and_again(ill, well, os.strerror(errno.{name}))
""")


def test_a_disk_that_is_ill_again_and_again_uses_up_no_room(run):
    """Each change ends a segment where it stands: with an endpoint that is down, sixty of them must not fill the bound."""
    run("""
disk.open(spool)
append(20_000)  # by now segments are as large as they get
really_open = os.open

def refuse(path, flags, *arguments, **options):
    if flags & os.O_CREAT:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return really_open(path, flags, *arguments, **options)

for _ in range(30):
    os.open = refuse
    while disk.next_event_in_file(spool):
        append(20)
        spool.tidy()
        tidy()
    append(20)
    os.open = really_open
    tidy(look=True)
    assert disk.next_event_in_file(spool)
    said.clear()
assert spool.account().dropped == {}
for _ in range(20):
    deliver()
assert delivered == appended
assert spool.allocated_bytes < 1 << 20
""")


def test_a_directory_that_others_have_filled_is_as_a_disk_that_is_full(run):
    """Of a newer version, say, so that nobody here can make room: `block` waits for nothing, and files are tried again at each look."""
    run("""
from firefighter._spool.disk.segment_file import MAGIC, VERSION
spool, disk = Spool(MAX_BYTES, 'block', 20), SpoolDirectory(spool_dir, BAR, MAX_BYTES, 4 << 20)
disk.open(spool)
append(300)
other = disk.path.parent / ('ab' * 16)
other.mkdir(mode=0o700)
newer = b''.join(number.to_bytes(8, sys.byteorder) for number in (MAGIC, VERSION + 1))
(other / '0000000000000000.spool').write_bytes(newer.ljust(4 << 20, b'x'))
append(1000)
assert not disk.next_event_in_file(spool)
for _ in range(5):
    tidy(look=True)
of_the_version, line = said
assert 'max_directory_bytes is reached' in line and str(other) in line and 'kept in memory' in line, said
shutil.rmtree(other)
append(10)
assert not disk.next_event_in_file(spool)
tidy(look=True)
assert 'again, after' in said[-1], said
append(10)
assert disk.next_event_in_file(spool)
assert spool.account().dropped == {}
deliver()
assert delivered == appended
""")


def test_the_bound_of_the_directory_is_no_illness_of_who_is_alone_in_it(run):
    """There `overflow` decides, as ever: else there would be no bound."""
    run("""
spool, disk = Spool(MAX_BYTES, 'drop_newest'), SpoolDirectory(spool_dir, BAR, MAX_BYTES, 1 << 20)
disk.open(spool)
append(2000)
tidy(look=True)
assert disk.next_event_in_file(spool)
assert spool.account().dropped['overflow'] > 0
assert said == []
""")


LOSSES = {
    'removed': 'shutil.rmtree(spool_dir / str(os.geteuid()))',
    'renamed': "(spool_dir / str(os.geteuid())).rename(place / f'away-{number}')",
    'without its locks': "[path.unlink() for path in spool_dir.glob('*/*/*/alive')]",
    'a file in its place': "path = disk.path; path.rename(place / f'away-{number}'); path.touch()",
}


@pytest.mark.parametrize('loss', LOSSES)
def test_a_place_that_is_lost_again_and_again_leaks_nothing(loss, run):
    """Also while all that was logged still waits: no descriptor, no event, and none twice."""
    run(f"""
disk.open(spool)
append(10)
before = os.listdir('/proc/self/fd')
for number in range(60):
    {LOSSES[loss]}
    append(20)
    tidy(look=True)
    assert disk.is_open and disk.next_event_in_file(spool), said
    append(20)
assert len(os.listdir('/proc/self/fd')) == len(before), os.listdir('/proc/self/fd')
assert len(said) == 60, said
assert all('goes on in' in news for news in said), said
deliver()
assert delivered == appended
assert spool.account().dropped == {{}}
disk.close(spool)
assert len(os.listdir('/proc/self/fd')) == len(before) - 3, 'the directory and its locks'
""")


@pytest.mark.parametrize('put_back', [True, False])
def test_what_waits_moves_along_where_the_place_is_renamed(put_back, run):
    """It outlives the process in the new place; in the old one, put back, nobody finds it a second time."""
    run(f"""
disk.open(spool)
for _ in range(3):
    append(400)
    (spool_dir / str(os.geteuid())).rename(place / 'away')
    tidy(look=True)
    if {put_back}:
        (folder,) = (place / 'away').iterdir()
        for old in filter(Path.is_dir, folder.iterdir()):
            old.rename(disk.path.parent / old.name)
    shutil.rmtree(place / 'away')
append(400)
other, heir = Spool(MAX_BYTES), SpoolDirectory(spool_dir, BAR, MAX_BYTES, 1 << 30)
heir.tidy(other, 0.0)
assert other.account().adopted == 0, 'they are in the first one still'
let_die(disk.store.directory)
heir.look_at_once()
heir.tidy(other, 0.0)
spool = other
deliver()
assert sorted(delivered) == sorted(appended), (len(delivered), len(appended))
assert other.account().adopted == len(appended)
""")


def test_a_place_that_is_away_for_a_moment_is_found_again(run):
    """A volume that is mounted anew, a parent that is renamed and back: tried at each look, and said once."""
    run("""
disk.open(spool)
for _ in range(3):
    append(300)
    place.rename(place.with_name('away'))
    tidy()
    assert not disk.next_event_in_file(spool) and not disk.is_open
    append(300)
    tidy(look=True)
    tidy(look=True)
    assert len(said) == 1 and 'kept in memory' in said[0], said
    place.with_name('away').rename(place)
    tidy()
    assert not disk.next_event_in_file(spool)
    tidy(look=True)
    assert disk.next_event_in_file(spool) and disk.is_open
    assert len(said) == 2 and 'again, after' in said[1], said
    said.clear()
    append(300)
    assert len([path for path in spool_dir.glob('*/*/*') if path.is_dir()]) == 1
deliver()
assert delivered == appended
assert spool.account().dropped == {}
disk.close(spool)
assert [path for path in spool_dir.glob('*/*/*') if path.is_dir()] == []
""")


@pytest.mark.parametrize('reopened', [True, False])
def test_a_place_that_could_not_be_made_is_made_later(reopened, run):
    """At the next look, and when the handler is opened again; until then it is memory, as without a directory."""
    run(f"""
place.rename(place.with_name('away'))
said.append(disk.try_to_open(spool))
append(50)
tidy(look=True)
tidy(look=True)
assert len(said) == 1 and 'No such file' in said[0] and 'kept in memory' in said[0], said
assert not disk.next_event_in_file(spool)
place.with_name('away').rename(place)
if {reopened}:
    deliver()
    disk.close(spool)
    tidy(look=True)
    assert not disk.is_open, 'nobody wants it open'
    said.append(disk.try_to_open(spool))
else:
    tidy()
    assert not disk.is_open
    tidy(look=True)
assert disk.is_open and disk.next_event_in_file(spool)
assert len(said) == 2 and 'again, after' in said[1], said
append(50)
assert list(spool_dir.glob('*/*/*/*.spool'))
deliver()
assert delivered == appended
""")


def test_what_nothing_on_a_disk_can_change_is_not_tried_at_each_look(run):
    """A destination that has no room in a header: once it is refused, nothing is looked at for it."""
    run("""
disk = SpoolDirectory(spool_dir, Destination('bar', endpoint_url='http://' + 'x' * 4000), MAX_BYTES, 1 << 30)
said.append(disk.try_to_open(spool))
assert 'endpoint_url' in said[0]
disk._make_store = None
tidy(look=True)
append(10)
assert len(said) == 1 and not disk.next_event_in_file(spool)
""")


def test_the_directory_loses_its_mode(run):
    """It is ours, so it gets the mode back; and where a parent has lost it, the next looks find out when that is over."""
    run(
        """
disk.open(spool)
here = disk.path
for _ in range(3):
    append(300)
    here.chmod(0)
    append(700)
    tidy()
    assert disk.path == here and disk.next_event_in_file(spool)
    append(10)
    assert here.stat().st_mode & 0o777 == 0o700
    assert all('again, after' in news for news in said), said
    said.clear()
is_ill_and_well_again_and_again(lambda: place.chmod(0), lambda: place.chmod(0o700), 'Permission denied')
""",
        modes_bind=True,
    )


@pytest.mark.parametrize('umask', ['0o777', '0o400', '0o277', '0o022'])
def test_a_umask_takes_nothing_from_what_is_made(umask, run):
    """Directories are 0700 and files 0600; the next process, and the next segment, find them so."""
    run(
        f"""
os.umask({umask})
disk.open(spool)
append(600)
tidy(look=True)
assert disk.next_event_in_file(spool)
paths = [spool_dir, *spool_dir.rglob('*')]
modes = {{path.relative_to(place): oct(path.stat().st_mode & 0o777) for path in paths}}
for path in paths:
    assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), modes
assert [path for path in paths if path.suffix == '.spool'], modes
let_die(disk.store.directory)
other, heir = Spool(MAX_BYTES), SpoolDirectory(spool_dir, BAR, MAX_BYTES, 1 << 30)
heir.tidy(other, 0.0)
assert other.account().adopted == 600
""",
        modes_bind=True,
    )


def test_a_bare_chroot_has_no_zeros_and_no_list_of_mounts_and_python_no_ctypes(run):
    """Zeros are copied then; and the type of a file system is that of its device, wherever else it is mounted."""
    run(
        """
mount('-t', 'tmpfs', 'tmpfs', place)
root = place / 'root'
for name in ('proc', 'data'):
    (root / name).mkdir(parents=True)
mount('--rbind', '/proc', root / 'proc')
mount('--bind', root / 'data', root / 'data')
import fcntl
os.chroot(root)
os.chdir('/')
sys.modules['ctypes'] = None
assert not os.path.exists('/dev/zero')
memory = Spool(1 << 20)
spool = memory
for _ in range(10):
    append(600)
    deliver()
    spool.tidy()
assert delivered == appended
spool, disk = Spool(MAX_BYTES), SpoolDirectory(Path('/spool'), BAR, MAX_BYTES, 1 << 30)
disk.open(spool)
while spool._allocator._spare is None:
    append(10)
    spool.tidy()
    assert spool.account().accepted < 2000
tidy(look=True)
assert disk.next_event_in_file(spool) and not said, said
deliver()
assert delivered == appended
""",
        mounts=True,
    )


def test_an_error_of_close_is_counted_and_said_and_never_raised(run):
    """A disk may tell of an earlier write there. The descriptor is gone all the same, and so is the event."""
    run("""
really_close = os.close

def close(fd):
    really_close(fd)
    if '/firefighter/' in sys._getframe(1).f_code.co_filename:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

leaver, left = Spool(MAX_BYTES), SpoolDirectory(spool_dir, BAR, MAX_BYTES, 1 << 30)
left.open(leaver)
leaver.append(b'left\\n')
let_die(left.store.directory)
os.close = close
descriptors = os.listdir('/proc/self/fd')
disk.open(spool)
append(600)
tidy(look=True)
assert disk.next_event_in_file(spool)
disk.dead_letters.put(b'refused\\n', 'refused')
disk.quarantine.put('segment', [(0, b'torn')], 'torn')
append(600)
tidy()
assert disk.next_event_in_file(spool)
deliver()
assert delivered == [*appended[:1200], b'left\\n']
disk.close(spool)
assert not disk.is_open
assert os.listdir('/proc/self/fd') == descriptors
assert all('closing a file failed: Input/output error' in news for news in said) and said, said
assert spool.account().dropped == {}
""")


def test_a_rename_that_fails_is_said_and_tried_again(run):
    """Once, for lack of a block; until then the segment is there whole, under its temporary name."""
    run("""
really_rename = os.rename
refusals = [2]

def rename(old, new, **options):
    if new.endswith('.spool') and refusals[0]:
        refusals[0] -= 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return really_rename(old, new, **options)

disk.open(spool)
os.rename = rename
append(10)
assert refusals == [1]
assert [path.name for path in disk.path.glob('*.spool')] == []
(unnamed,) = disk.path.glob('.tmp-*')
assert appended[-1] in unnamed.read_bytes()
tidy()
spool.tidy()
assert refusals == [0]
assert len(said) == 1 and 'No space left' in said[0] and 'gets its name later' in said[0], said
tidy()
spool.tidy()
assert [path.name for path in disk.path.glob('*.spool')] == ['0' * 16 + '.spool']
assert disk.next_event_in_file(spool) and len(said) == 1, said
append(600)
assert len(list(disk.path.glob('*.spool'))) > 1
let_die(disk.store.directory)
other, heir = Spool(MAX_BYTES), SpoolDirectory(spool_dir, BAR, MAX_BYTES, 1 << 30)
heir.tidy(other, 0.0)
assert other.account().adopted == len(appended)
""")


def test_a_removal_that_fails_is_tried_again(run):
    """A disk that is read-only for a while must not keep what is delivered."""
    run("""
really_unlink = os.unlink

def refuse(name, **options):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))

disk.open(spool)
append(1000)
os.unlink = refuse
deliver()
spool.tidy()
names = sorted(path.name for path in disk.path.glob('*.spool'))
assert len(names) > 2
os.unlink = really_unlink
tidy(look=True)
assert [path.name for path in disk.path.glob('*.spool')] == names[-1:]
""")


def test_a_disk_that_refuses_removals_gets_no_more_files_and_no_event_is_dropped(run):
    """`chattr +a`, or a policy: what is delivered takes room all the same, and the bound of the directory is for that, too."""
    run("""
really_unlink = os.unlink

def refuse(name, **options):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))

disk = SpoolDirectory(spool_dir, BAR, MAX_BYTES, 2 << 20)
disk.open(spool)
os.unlink = refuse
for _ in range(20):
    append(300)
    deliver()
    tidy()
assert delivered == appended
assert spool.account().dropped == {}, spool.account()
assert not disk.next_event_in_file(spool)
assert sum(path.stat().st_size for path in disk.path.iterdir()) <= (2 << 20) + (4 << 20)
tidy(look=True)
assert not disk.next_event_in_file(spool)
os.unlink = really_unlink
tidy(look=True)
append(1)
assert disk.next_event_in_file(spool)
assert len([*disk.path.glob('*.spool')]) == 1
""")


@pytest.mark.parametrize('replaces', [False, True])
def test_a_segment_whose_file_somebody_removes_or_replaces_is_written_to_no_more(replaces, run):
    """From the next look on; what was in it is memory. Whoever restores a copy writes it beside, and renames it."""
    replace = """
copy = file.with_name('copy')
copy.write_bytes(file.read_bytes())
copy.rename(file)
"""
    run(f"""
disk.open(spool)
append(10)
(file,) = disk.path.glob('*.spool')
{replace if replaces else 'file.unlink()'}
tidy(look=True)
assert 'somebody has removed or replaced it' in said[-1], said
append(10)
(file,) = set(disk.path.glob('*.spool')) - {{file}}
assert file.read_bytes().count(b'\\n') >= 10
tidy(look=True)
assert len(said) == 1, said
deliver()
assert delivered == appended
""")


def test_a_place_that_is_out_of_reach_for_a_while_is_taken_by_nobody_else(run):
    """Something is mounted over it, and unmounted again: its events are pending here, and must not be sent twice."""
    run(
        """
from firefighter._spool.disk.destination_folder import lock_dead_producers
spool_dir.mkdir()
disk.open(spool)
append(10)
tidy()
mount('-t', 'tmpfs', 'tmpfs', spool_dir)
tidy()
append(10)
subprocess.run(['umount', '-l', spool_dir], check=True)
(before,) = [path.parent for path in spool_dir.glob('*/*/*/*.spool')]
assert [directory.path for directory in lock_dead_producers(spool_dir, BAR)] == []
deliver()
tidy()
assert delivered == appended
assert [directory.path for directory in lock_dead_producers(spool_dir, BAR)] == []
""",
        mounts=True,
    )


def test_the_file_system_that_counts_is_that_of_the_users_own_folder(run):
    """An administrator may give each user a volume of their own there, as the docs prepare a directory for each."""
    run(
        """
from firefighter._spool.disk.errors import SpoolUnusable
ours = spool_dir / str(os.geteuid())
ours.mkdir(mode=0o700, parents=True)
mount('-t', 'proc', 'proc', ours)
try:
    disk.open(spool)
except SpoolUnusable as error:
    assert 'it is on proc' in error.reason, error.reason
else:
    raise AssertionError('it is taken for a file system of files')
subprocess.run(['umount', ours], check=True)
layers = spool_dir.parent / 'layers'
layers.mkdir()
mount('-t', 'tmpfs', 'tmpfs', layers)
for name in ('lower', 'upper', 'work'):
    (layers / name).mkdir(mode=0o700)
mount('-t', 'overlay', 'overlay', '-o', ','.join(f'{name}dir={layers / name}' for name in ('lower', 'upper', 'work')), ours)
subprocess.run(['umount', '--lazy', layers], check=True)  # so nobody sees what is below
disk.open(spool)
append(10)
assert spool.own_segments[-1].copied is not None
deliver()
tidy()
assert delivered == appended
""",
        mounts=True,
    )


@pytest.mark.parametrize('undelivered', ['count', 'stderr'])
def test_what_waits_in_memory_is_not_said_to_be_kept_in_the_directory(undelivered, run):
    """At the end of the process the next one finds what is in files, and only that; the rest is lost, or goes to stderr."""
    run(f"""
import io, json, logging
from doubles import DownClient
from firefighter.logging import FirehoseHandler

sys.stderr = said = io.StringIO()
handler = FirehoseHandler('bar', boto3_client=DownClient(), spool_dir=spool_dir, undelivered={undelivered!r}, shutdown_timeout_seconds=0)
logger = logging.Logger('foo')
logger.addHandler(handler)
really_open = os.open

def refuse(path, flags, *arguments, **options):
    if flags & os.O_CREAT:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return really_open(path, flags, *arguments, **options)

logger.info('0')
os.open = refuse
for number in range(1, 600):
    logger.info('%d%s', number, ' ' * 900)
stats = handler.stats()
assert (stats.pending, stats.backing, stats.dropped) == (600, 'memory', {{}}), stats
where = str(handler._pipeline.place.path)
kept = handler._pipeline.spool.pending_in(handler._pipeline.place.store)
assert 0 < kept < 600
import atexit
atexit._run_exitfuncs()
lines = said.getvalue()
sys.stderr = sys.__stderr__
if {undelivered == 'count'}:
    assert f'closed with 600 events undelivered, kept in {{where}} for the next process, but for {{600 - kept}} in memory, lost' in lines, lines[-500:]
else:
    written = [json.loads(line)['message'].strip() for line in lines.splitlines() if line.startswith('{{')]
    assert written == [str(number) for number in range(kept, 600)], lines[:500]
    assert f'closed with {{kept}} events undelivered, kept in {{where}} for the next process' in lines, lines[-500:]
""")
