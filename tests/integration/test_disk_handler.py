"""`spool_dir` through the door: where the events are, who delivers them, and what happens when the directory is no good."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient, DownClient
from firefighter._spool.disk import filesystem, spool_directory
from firefighter.logging import FirehoseHandler, FirehoseWarning
from firefighter.stats import DropReason

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

TESTS = Path(__file__).parents[1]
ENOUGH_SECONDS = 45
UID = os.geteuid()

PREAMBLE = """
import logging, os, signal, sys, threading, time, warnings
from pathlib import Path
from doubles import AcceptingClient, BlockingClient, DownClient
from firefighter.logging import FirehoseHandler

spool_dir = Path(sys.argv[1])
logger = logging.Logger('foo')

def handler(client, stream='bar', **options):
    options.setdefault('shutdown_timeout_seconds', 20)
    made = FirehoseHandler(stream, boto3_client=client, spool_dir=spool_dir, **options)
    logger.addHandler(made)
    return made

def log(*numbers):
    for number in numbers:
        logger.info(str(number))

def received(client):
    import json
    return [json.loads(event)['message'] for event in client.events]
"""

NAMESPACE = ('unshare', '-m', '-r')


@pytest.fixture
def run(tmp_path):
    """Run a program that has the spool directory as its argument, and return what it printed."""

    def run_program(code, *, spool_dir=None, status=0, before=None, complaints=''):
        # That a fork beside a thread is warned of is known; from Python 3.15 on the error would come out of `os.fork`.
        warnings = ['-W', 'error', '-W', 'ignore:This process:DeprecationWarning']
        command = [sys.executable, *warnings, '-c', PREAMBLE + code, str(spool_dir or tmp_path / 'spool')]
        if before:
            command = [*NAMESPACE, 'sh', '-ec', f'{before}; exec "$@"', 'sh', *command]
        ended = subprocess.run(
            command,
            env={**os.environ, 'PYTHONPATH': str(TESTS)},
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
        )
        assert ended.returncode == status, ended.stderr or ended.stdout
        if complaints is not None:
            assert ended.stderr == complaints
        return ended.stdout

    return run_program


@pytest.fixture
def leave_behind(run):
    """Have a process log so many events, and die of SIGKILL, with its endpoint down."""

    def leave(*numbers, stream='bar', options='', size=0):
        run(
            f"""
handler(DownClient(), {stream!r}, {options})
for number in {numbers!r}:
    logger.info('%s' % number + ' ' * {size})
os.kill(os.getpid(), signal.SIGKILL)
""",
            status=-signal.SIGKILL,
            complaints=None,
        )

    return leave


@pytest.fixture
def disk_handler(make_handler, tmp_path):
    def make(client, stream='bar', **options):
        return make_handler(stream, boto3_client=client, spool_dir=tmp_path / 'spool', **options)

    return make


def producers(spool_dir):
    """Return the directories of producers, finished or not."""
    return [path for path in Path(spool_dir).glob('*/*/*') if path.is_dir()]


def messages(client):
    return [json.loads(event)['message'].strip() for event in client.events]


def add_up(stats):
    return stats.accepted + stats.adopted == stats.delivered + sum(stats.dropped.values()) + stats.pending


# Where the events are.


def test_the_backing_is_disk_and_a_clean_close_leaves_no_directory(disk_handler, make_logger, tmp_path):
    """`stats().backing` says where the spool is; nothing stays behind of what is settled."""
    client = AcceptingClient()
    handler = disk_handler(client)
    make_logger(handler).info('Ahoy')
    assert handler.stats().backing == 'disk'
    (directory,) = producers(tmp_path / 'spool')
    assert list(directory.glob('*.spool'))
    handler.close()
    assert messages(client) == ['Ahoy']
    assert not producers(tmp_path / 'spool')


def test_a_closed_handler_that_is_used_again_is_on_disk_again(disk_handler, make_logger, tmp_path):
    """A handler opens again, and its spool with it."""
    client = AcceptingClient()
    handler = disk_handler(client)
    logger = make_logger(handler)
    for turn in ('one', 'two'):
        logger.info(turn)
        assert handler.stats().backing == 'disk'
        handler.close()
        assert not producers(tmp_path / 'spool')
    assert messages(client) == ['one', 'two']


def test_the_environment_names_the_directory(make_handler, make_logger, monkeypatch, tmp_path):
    """FIREFIGHTER_SPOOL_DIR is the default of spool_dir."""
    monkeypatch.setenv('FIREFIGHTER_SPOOL_DIR', str(tmp_path / 'named'))
    handler = make_handler('bar', boto3_client=AcceptingClient())
    assert handler.stats().backing == 'disk'
    make_logger(handler).info('Ahoy')
    assert producers(tmp_path / 'named')


# Directories that are no good.


def a_file_is_the_directory(spool_dir):
    spool_dir.write_text('mine')


def a_file_is_in_it(spool_dir):
    spool_dir.mkdir()
    (spool_dir / str(UID)).write_text('mine')


def a_link_is_in_it(spool_dir):
    spool_dir.mkdir()
    (spool_dir / str(UID)).symlink_to('/')


def no_parent(spool_dir):
    shutil.rmtree(spool_dir.parent)


def somebody_elses(spool_dir):
    if UID != 0:
        pytest.skip('only root gives files away')
    (spool_dir / str(UID)).mkdir(parents=True)
    os.chown(spool_dir / str(UID), 12345, 12345)


@pytest.mark.parametrize(
    'prepare', [a_file_is_the_directory, a_file_is_in_it, a_link_is_in_it, no_parent, somebody_elses]
)
def test_an_unusable_directory_is_one_warning_and_memory(prepare, tmp_path, make_logger):
    """The constructor does not raise for what the environment lacks; the events are delivered from memory."""
    spool_dir = tmp_path / 'parent' / 'spool'
    spool_dir.parent.mkdir()
    prepare(spool_dir)
    client = AcceptingClient()
    with pytest.warns(FirehoseWarning) as caught:
        handler = FirehoseHandler('bar', boto3_client=client, spool_dir=spool_dir)
    (warning,) = caught
    assert str(spool_dir) in str(warning.message)
    assert warning.filename == __file__
    make_logger(handler).info('Ahoy')
    stats = handler.stats()
    assert stats.backing == 'memory'
    assert str(spool_dir) in stats.last_error
    handler.close()
    assert messages(client) == ['Ahoy']


def a_loop_of_links(spool_dir):
    spool_dir.symlink_to(spool_dir)
    return spool_dir


def a_name_too_long(spool_dir):
    return spool_dir / ('x' * 300)


def a_path_that_leaves_no_room_for_what_is_below(spool_dir):
    missing = 4_060 - len(str(spool_dir))
    path = spool_dir / '/'.join(['x' * 99] * (missing // 100)) / ('x' * (missing % 100))
    path.parent.mkdir(parents=True)
    return path


def no_working_directory(spool_dir):
    os.chdir(spool_dir.parent)
    (spool_dir.parent / 'gone').mkdir()
    os.chdir(spool_dir.parent / 'gone')
    (spool_dir.parent / 'gone').rmdir()
    return 'spool'


@pytest.mark.parametrize('given', ['argument', 'environment'])
@pytest.mark.parametrize(
    'prepare',
    [a_loop_of_links, a_name_too_long, a_path_that_leaves_no_room_for_what_is_below, no_working_directory],
)
def test_a_path_that_leads_nowhere_is_one_warning_and_memory(
    prepare, given, tmp_path, make_logger, monkeypatch
):
    """What the environment lacks never raises, neither in the constructor nor in a logging call."""
    monkeypatch.chdir(tmp_path)
    path = prepare(tmp_path / 'spool')
    monkeypatch.setenv('FIREFIGHTER_SPOOL_DIR', str(path) if given == 'environment' else '')
    options = {'spool_dir': path} if given == 'argument' else {}
    client = AcceptingClient()
    with pytest.warns(
        FirehoseWarning, match='spool_dir cannot be used, so events are kept in memory: '
    ) as said:
        handler = FirehoseHandler('bar', boto3_client=client, **options)
    assert len(said) == 1
    make_logger(handler).info('Ahoy')
    assert handler.stats().backing == 'memory'
    handler.close()
    assert messages(client) == ['Ahoy']


def test_a_destination_too_long_for_a_segment_is_one_warning_and_memory(tmp_path, make_handler, make_logger):
    """Not an exception of the logging call that needs the first segment."""
    with pytest.warns(FirehoseWarning, match='events are kept in memory: endpoint_url') as said:
        handler = make_handler(
            'bar',
            endpoint_url='http://127.0.0.1:9/' + 'x' * 4000,
            spool_dir=tmp_path / 'spool',
            shutdown_timeout_seconds=0,
        )
    assert len(said) == 1
    make_logger(handler).info('Ahoy')
    assert handler.stats().backing == 'memory'
    assert handler.stats().pending == 1
    handler.close()


def test_a_network_file_system_is_one_warning_and_memory(tmp_path, monkeypatch):
    """What is not known to keep what it has allocated is never mapped."""
    device = filesystem.device_of(str(tmp_path))
    mountinfo = f'36 35 {device} / {tmp_path} rw - nfs4 server:/export rw\n'
    monkeypatch.setattr(
        filesystem,
        '_linux_file_system',
        lambda path: filesystem.file_system(mountinfo, str(path), filesystem.device_of),
    )
    with pytest.warns(FirehoseWarning, match='nfs4') as caught:
        handler = FirehoseHandler('bar', boto3_client=AcceptingClient(), spool_dir=tmp_path)
    assert len(caught) == 1
    assert handler.stats().backing == 'memory'
    assert not list(tmp_path.iterdir())


def unshare_works():
    return shutil.which('unshare') and not subprocess.run([*NAMESPACE, 'true'], check=False).returncode


needs_a_namespace = pytest.mark.skipif(not unshare_works(), reason='no user namespaces here')


@needs_a_namespace
def test_a_read_only_parent_is_one_warning_and_memory(run, tmp_path):
    """As in a container whose root is read-only."""
    (tmp_path / 'parent').mkdir()
    said = run(
        """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    client = AcceptingClient()
    made = handler(client)
log('Ahoy')
made.close()
print(len(caught), caught[0].category.__name__, made.stats().backing, *received(client))
""",
        spool_dir=tmp_path / 'parent' / 'spool',
        before=f'mount --bind {tmp_path}/parent {tmp_path}/parent; mount -o remount,ro,bind {tmp_path}/parent',
    )
    assert said == '1 FirehoseWarning memory Ahoy\n'


SURROUNDINGS = {
    'open to all': ('mount -t tmpfs -o mode=0777 tmpfs spool', '0 disk Ahoy'),
    'things of others beside ours': (
        'mount -t tmpfs -o mode=1777 tmpfs spool; mkdir spool/12345; echo mine > spool/notes; mkfifo spool/pipe',
        '0 disk Ahoy',
    ),
    'a link that leads to it': ('mkdir real; rmdir spool; ln -s real spool', '0 disk Ahoy'),
    'a link where ours should be': ('mkdir real; ln -s ../real spool/$(id -u)', '1 memory Ahoy'),
    'a read-only file system where ours should be': (
        'mkdir -m 700 spool/$(id -u); mount -t tmpfs -o mode=0700,ro tmpfs spool/$(id -u)',
        '1 memory Ahoy',
    ),
    'no room at all': ('mount -t tmpfs -o size=4k tmpfs spool; echo full > spool/full', '1 memory Ahoy'),
}


@needs_a_namespace
@pytest.mark.parametrize(('before', 'expected'), SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_whatever_the_directory_is_like_the_event_arrives(before, expected, run, tmp_path):
    """On disk where that is safe, from memory otherwise, with one warning; what others have there stays as it is."""
    (tmp_path / 'spool').mkdir()
    said = run(
        """
def content():
    return {str(path) for path in spool_dir.rglob('*') if f'/spool/{os.getuid()}' not in str(path)}

before = content()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    client = AcceptingClient()
    made = handler(client)
log('Ahoy')
made.close()
print(len(caught), made.stats().backing, *received(client))
assert content() == before
assert not list(spool_dir.parent.glob('real/*/*/*/*.spool'))
""",
        before=f'cd {tmp_path}; {before}',
    )
    assert said == f'{expected}\n'


@needs_a_namespace
@pytest.mark.parametrize('overflow', ['drop_oldest', 'drop_newest', 'block'])
def test_a_full_disk_costs_no_event_and_no_wait_and_files_are_used_again_when_there_is_room(
    run, tmp_path, overflow
):
    """What has no room there waits in memory; stderr says it once; then it goes on on disk, and stderr says that."""
    (tmp_path / 'spool').mkdir()
    said = run(
        f"""
from firefighter._spool.disk import spool_directory
spool_directory._MOMENT_SECONDS = 0.0  # so that each flush looks
client = BlockingClient()
made = handler(client, overflow={overflow!r}, block_timeout_seconds=3600, send_interval=0, max_in_flight=1)  # in their order
log(0)
with open(spool_dir / 'others', 'wb', buffering=0) as others:
    try:
        while others.write(bytes(4096)):
            pass
    except OSError:
        pass
for number in range(1, 3000):
    logger.info('%d%s', number, ' ' * 900)
stats = made.stats()
assert stats.backing == 'memory', stats
assert (stats.accepted, stats.pending, stats.dropped) == (3000, 3000, {{}}), stats
(spool_dir / 'others').unlink()
client.release()
assert made.flush()
# The room is there when the last thread has let go of the old segments, an instant later.
deadline = time.monotonic() + 20
probes = 0
while made.stats().backing == 'memory':
    assert time.monotonic() < deadline, 'there is room, and it is not used'
    logger.info('probe')
    probes += 1
    assert made.flush()
for number in range(100):
    logger.info('again')
assert list(spool_dir.glob('*/*/*/*.spool'))
assert made.flush()
after = made.stats()
assert (after.delivered, after.dropped, after.backing) == (3100 + probes, {{}}, 'disk'), after
messages = [message.strip() for message in received(client)]
assert messages == [*map(str, range(3000)), *['probe'] * probes, *['again'] * 100]
made.close()
print([str(path) for path in spool_dir.glob('*/*/*') if path.is_dir()])
""",
        before=f'mount -t tmpfs -o size=2m tmpfs {tmp_path}/spool; exec 2>&1',
        complaints=None,
    )
    full, again, left = said.splitlines()
    assert 'No space left on device; make room there' in full
    assert 'Events are kept in memory from now on' in full
    assert 'again, after: ' in again
    assert left == '[]'


def test_a_directory_that_is_removed_is_not_the_applications_trouble(
    disk_handler, make_logger, tmp_path, capsys
):
    """A cleaner of /tmp takes everything: no exception, and the events are delivered all the same."""
    client = BlockingClient()
    handler = disk_handler(client, send_interval=0, max_in_flight=1)  # in their order
    logger = make_logger(handler)
    for number in range(400):
        logger.info('%d%s', number, ' ' * 900)  # more than one segment, and the next one ready
    client.wait_for_requests(1)
    while (tmp_path / 'spool').exists():  # the delivery thread may make a segment meanwhile
        shutil.rmtree(tmp_path / 'spool', ignore_errors=True)
    for number in range(400, 1200):
        logger.info('%d%s', number, ' ' * 900)
    client.release()
    assert handler.flush()
    stats = handler.stats()
    assert add_up(stats)
    assert stats.dropped == {}
    assert messages(client) == [str(number) for number in range(1200)]
    assert 'firefighter' in capsys.readouterr().err


# What the dead have left.


def test_flush_in_a_process_that_logs_nothing_delivers_the_orphans(leave_behind, disk_handler, tmp_path):
    """A cron job, or `flush()` at the start: no event has to be logged first."""
    leave_behind(1, 2, 3)
    client = AcceptingClient()
    handler = disk_handler(client)
    assert handler.flush()
    assert messages(client) == ['1', '2', '3']
    stats = handler.stats()
    assert (stats.accepted, stats.adopted, stats.delivered, stats.pending) == (0, 3, 3, 0)
    handler.close()
    assert not producers(tmp_path / 'spool')


@pytest.mark.parametrize('times', [1, 3])
def test_flush_in_a_running_process_waits_for_its_look_for_the_dead(
    leave_behind, disk_handler, make_logger, monkeypatch, times
):
    """Its thread makes that look. What it finds is delivered, and counted, before the call returns."""
    monkeypatch.setattr(spool_directory, '_MOMENT_SECONDS', 0.0)
    monkeypatch.setattr(spool_directory, 'LOOK_INTERVAL_SECONDS', 3600.0)
    client = AcceptingClient()
    handler = disk_handler(client)
    make_logger(handler).info('new')
    assert handler.flush()
    for time in range(times):
        leave_behind(*range(3 * time, 3 * time + 3))
        assert handler.flush()
        assert handler.stats().adopted == 3 * time + 3
    assert messages(client) == ['new', *map(str, range(3 * times))]


@pytest.mark.parametrize('logs', [False, True])
def test_flush_is_not_through_where_what_it_has_adopted_is_given_back(
    leave_behind, disk_handler, make_logger, logs
):
    """The endpoint is down: nothing is out, whoever may have it next. And nothing of it waits here any more."""
    leave_behind(1, 2, 3)
    handler = disk_handler(DownClient(), shutdown_timeout_seconds=0)
    if logs:
        make_logger(handler).info('4')
    assert not any(handler.flush(0.1) for _ in range(10))
    stats = handler.stats()
    assert stats.pending or stats.queue_age_seconds == 0.0


def test_a_kill_while_a_header_is_written_leaves_nothing_in_quarantine(run, disk_handler, tmp_path):
    """There is no event in that segment yet, and what has been stored of its header is nobody's."""
    run(
        """
from firefighter._spool.disk import segment_file

def kill(frame, event, argument):
    if frame.f_code is segment_file.write_header.__code__:
        if frame.f_locals.get('index') == 100:
            os.kill(os.getpid(), signal.SIGKILL)
        return kill

threading.settrace(kill)
sys.settrace(kill)
handler(AcceptingClient())
log(1)
""",
        status=-signal.SIGKILL,
    )
    assert any((tmp_path / 'spool').rglob('.tmp-*'))
    made = disk_handler(AcceptingClient())
    assert made.flush()
    assert made.stats().quarantined_bytes == 0
    assert not any((tmp_path / 'spool').rglob('.tmp-*'))


def test_orphans_are_delivered_beside_the_events_of_the_process(leave_behind, disk_handler, make_logger):
    """The first event of a new process brings the old ones along."""
    leave_behind(1, 2, 3)
    client = AcceptingClient()
    handler = disk_handler(client)
    make_logger(handler).info('new')
    assert handler.flush()
    assert sorted(messages(client)) == ['1', '2', '3', 'new']


def test_a_running_handler_finds_who_died_beside_it(leave_behind, disk_handler, make_logger, monkeypatch):
    """Every 30 seconds it looks; nothing waits for a restart."""
    monkeypatch.setattr(spool_directory, '_MOMENT_SECONDS', 3600.0)
    monkeypatch.setattr(
        spool_directory, 'LOOK_INTERVAL_SECONDS', 3600.0
    )  # a process may take 30 seconds to start and die
    client = AcceptingClient()
    handler = disk_handler(client)
    logger = make_logger(handler)
    logger.info('first')
    assert handler.flush()
    leave_behind(1, 2, 3)
    logger.info('second')
    assert handler.flush()
    assert messages(client) == ['first', 'second'], 'it has looked a moment ago'
    monkeypatch.setattr(spool_directory, 'LOOK_INTERVAL_SECONDS', 0.0)
    logger.info('third')
    assert handler.flush()
    assert sorted(messages(client)) == ['1', '2', '3', 'first', 'second', 'third']


def test_the_next_segment_is_ready_when_the_one_in_use_is_half_full(disk_handler, make_logger, tmp_path):
    """Delivery makes it, so that no logging call has to."""
    handler = disk_handler(AcceptingClient())
    logger = make_logger(handler)
    logger.info('Ahoy')
    (directory,) = producers(tmp_path / 'spool')
    for ready in (0, 1):
        for _ in range(80):
            logger.info('x' * 1000)
        assert handler.flush()
        assert len(list(directory.glob('*.spool'))) == 1
        # A flush waits for the events, not for this.
        deadline = monotonic() + DEADLINE_SECONDS
        while len(list(directory.glob('.tmp-*'))) < ready and monotonic() < deadline:
            pass
        assert len(list(directory.glob('.tmp-*'))) == ready


def test_close_with_the_endpoint_down_leaves_the_events_for_the_next_process(run, disk_handler, tmp_path):
    """What cannot be sent by the end of the process stays, and stderr says where."""
    run(
        """
handler(DownClient(), shutdown_timeout_seconds=0)
log(1, 2, 3)
logging.shutdown()
""",
        complaints=None,
    )
    assert producers(tmp_path / 'spool')
    client = AcceptingClient()
    assert disk_handler(client).flush()
    assert messages(client) == ['1', '2', '3']


@pytest.mark.parametrize(
    ('ours', 'theirs'),
    [
        (('bar', {}), ('bar2', {})),
        (('bar', {'endpoint_url': 'http://127.0.0.1:1'}), ('bar', {'endpoint_url': 'http://127.0.0.1:2'})),
        (('bar', {'region_name': 'eu-west-1'}), ('bar', {'region_name': 'us-east-1'})),
        (('bar', {'profile': 'one'}), ('bar', {'profile': 'other'})),
    ],
    ids=['another stream', 'another endpoint', 'another region', 'another profile'],
)
def test_nobody_adopts_what_goes_elsewhere(run, tmp_path, make_handler, ours, theirs, monkeypatch):
    """A spool is adopted only by a handler of exactly its destination."""
    stream, options = theirs
    monkeypatch.setenv('AWS_DEFAULT_PROFILE', options.pop('profile', ''))
    run(
        f"""
made = FirehoseHandler({stream!r}, spool_dir=spool_dir, **{options!r})
logger.addHandler(made)
log(1, 2, 3)
os.kill(os.getpid(), signal.SIGKILL)
""",
        status=-signal.SIGKILL,
        complaints=None,
    )
    stream, options = ours
    monkeypatch.setenv('AWS_DEFAULT_PROFILE', options.pop('profile', ''))
    handler = make_handler(stream, spool_dir=tmp_path / 'spool', **options)
    assert handler.flush()
    assert handler.stats().adopted == 0
    handler.close()
    (directory,) = producers(tmp_path / 'spool')
    assert list(directory.glob('*.spool'))


def test_beyond_the_bound_of_the_directory_the_oldest_orphans_give_way(
    leave_behind, disk_handler, make_logger, tmp_path
):
    """The newest orphans and what is logged now are kept; what is dropped is counted."""
    for process in range(4):
        leave_behind(*range(process * 100, process * 100 + 100), options='max_spool_bytes=1 << 20')
    (_, *_) = producers(tmp_path / 'spool')
    client = BlockingClient()
    handler = disk_handler(client, max_directory_bytes=7 * 128 * 1024, max_spool_bytes=1 << 18)
    make_logger(handler).info('new')
    client.release()
    assert handler.flush()
    stats = handler.stats()
    assert add_up(stats)
    arrived = messages(client)
    assert 'new' in arrived
    assert stats.adopted == 400
    lost = stats.dropped[DropReason.OVERFLOW]
    assert 0 < lost <= 200
    assert lost + len(arrived) == 401
    assert '0' not in arrived, 'the oldest were kept'
    assert '399' in arrived, 'the newest were dropped'


def test_a_directory_full_of_orphans_does_not_silence_the_next_process(
    leave_behind, disk_handler, make_logger
):
    """Orphans give way to what is logged now, not the other way round."""
    for process in range(4):
        leave_behind(*range(process * 100, process * 100 + 100), options='max_spool_bytes=1 << 20')
    client = BlockingClient()
    bound = 4 * 256 * 1024 + 64 * 1024
    handler = disk_handler(client, max_directory_bytes=bound, max_spool_bytes=1 << 18, send_interval=0)
    logger = make_logger(handler)
    logger.info('first')
    client.wait_for_requests(1)
    for number in range(250):
        logger.info('new %d%s', number, ' ' * 500)
    client.release()
    assert handler.flush()
    assert add_up(handler.stats())
    new = [message for message in messages(client) if message.startswith('new')]
    assert Counter(new) == Counter(f'new {number}' for number in range(250))


def test_a_newer_format_is_left_untouched_and_said(leave_behind, disk_handler, tmp_path, capsys):
    """Rolling deploys mix versions: what an older one cannot read it leaves, and says."""
    leave_behind(1, 2, 3)
    (directory,) = producers(tmp_path / 'spool')
    (segment,) = directory.glob('*.spool')
    data = bytearray(segment.read_bytes())
    data[8:16] = (2).to_bytes(8, sys.byteorder)
    segment.write_bytes(data)
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    client = AcceptingClient()
    handler = disk_handler(client)
    assert handler.flush()
    handler.close()
    assert client.events == []
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    stats = handler.stats()
    assert (stats.adopted, stats.quarantined_bytes, stats.newer_producers) == (0, 0, 1)
    assert 'newer' in stats.last_error
    assert 'newer' in capsys.readouterr().err


# Forks and daemons.


def test_a_forked_child_has_its_own_directory_and_the_parents_events_are_sent_once_by_the_parent(run):
    """The child begins with nothing; what the parent has pending stays the parent's."""
    said = run(
        """
client = BlockingClient()
made = handler(client, send_interval=0, max_in_flight=1)  # in their order
log(1, 2, 3)
client.wait_for_requests(1)
here = str(made._pipeline.place.path)
read, write = os.pipe()
pid = os.fork()
if not pid:
    child = AcceptingClient()
    made._client._given = made._client._ready = child
    assert made.stats().accepted == 0
    log('child')
    assert str(made._pipeline.place.path) != here
    made.close()
    os.write(write, ' '.join(received(child)).encode())
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert os.read(read, 100) == b'child'
client.release()
made.close()
print(received(client), list(spool_dir.glob('*/*/*/')))
""",
        complaints=None,
    )
    assert said.startswith("['1', '2', '3'] ")
    assert 'alive' not in said


def test_a_killed_parents_events_are_adopted_while_its_child_lives(run, disk_handler, tmp_path):
    """The child keeps nothing open that would keep the parent's spool from adoption."""
    pid = int(
        run(
            """
made = handler(DownClient(), send_interval=0)
log(1, 2, 3)
pid = os.fork()
if not pid:
    for stream in (0, 1, 2):
        os.close(stream)
    while True:
        time.sleep(60)
print(pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
            status=-signal.SIGKILL,
            complaints=None,
        )
    )
    try:
        client = AcceptingClient()
        assert disk_handler(client).flush()
        assert messages(client) == ['1', '2', '3']
    finally:
        os.kill(pid, signal.SIGKILL)


CLOSE_ALL = """
def close_all():
    os.closerange(3, 1024)
"""


def test_a_daemon_that_closes_all_descriptors_loses_nothing(run):
    """Its spool goes on; nothing is sent twice, nothing stays behind."""
    said = run(
        CLOSE_ALL
        + """
client = BlockingClient()
made = handler(client, send_interval=0, max_in_flight=1)  # in their order
for number in range(300):
    logger.info('%d%s', number, ' ' * 900)
client.wait_for_requests(1)
close_all()
for number in range(300, 1000):
    logger.info('%d%s', number, ' ' * 900)
client.release()
assert made.flush()
assert [message.strip() for message in received(client)] == [str(number) for number in range(1000)]
stats = made.stats()
assert stats.dropped == {}, stats
assert (stats.adopted, stats.backing) == (0, 'disk'), stats
made.close()
print([path.name for path in spool_dir.glob('*/*/*') if path.is_dir()])
""",
        complaints=None,
    )
    assert said == '[]\n'


def test_no_descriptor_of_the_programs_is_ever_closed_after_all_were_closed(run):
    """Numbers that the program has got since are the program's: segments of before leave them alone."""
    run(
        CLOSE_ALL
        + """
client = BlockingClient()
made = handler(client, send_interval=0)
for number in range(1000):
    logger.info('%d%s', number, ' ' * 900)
client.wait_for_requests(1)
close_all()
opened = [os.open('/dev/null', os.O_RDONLY) for _ in range(60)]
folder = Path(spool_dir) / 'foreign'
folder.mkdir()
foreign = [os.open(folder, os.O_RDONLY) for _ in range(60)]
for number in range(1000):
    logger.info('%d%s', number, ' ' * 900)
client.release()
assert made.flush()
made.close()
logger.handlers.clear()
del made, client
import gc
gc.collect()
for fd in opened + foreign:
    os.fstat(fd)
assert not list(folder.iterdir())
""",
        complaints=None,
    )


def test_a_directory_that_could_not_be_when_the_handler_was_made_is_used_once_it_can_be(
    tmp_path, make_logger, capsys
):
    """A volume that comes a moment after the program: tried again at the first event, and said."""
    spool_dir = tmp_path / 'volume' / 'spool'
    client = AcceptingClient()
    with pytest.warns(FirehoseWarning, match='No such file or directory'):
        handler = FirehoseHandler('bar', boto3_client=client, spool_dir=spool_dir)
    assert handler.stats().backing == 'memory'
    spool_dir.parent.mkdir()
    make_logger(handler).info('Ahoy')
    assert handler.stats().backing == 'disk'
    assert list(spool_dir.glob('*/*/*/*.spool'))
    handler.close()
    assert messages(client) == ['Ahoy']
    assert f'events are kept in {spool_dir}' in capsys.readouterr().err
