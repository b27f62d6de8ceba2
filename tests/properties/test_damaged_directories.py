"""Whatever has become of a spool directory, its commands and its next handler end with a word, and lose and invent nothing.

The directory is that of real handlers whose processes were killed. Then its files are changed, as a broken disk, a power loss or a person
with a shell may change them.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from doubles import DEADLINE_SECONDS
from firefighter._spool.layout import HEADER_BYTES
from firefighter.cli.main import main
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler
from hangs import within

pytestmark = [
    pytest.mark.once,
    pytest.mark.fuzz,
    # Once, on a busy machine, the process of the tests has died in it, and 32 rounds alone have not shown why.
    pytest.mark.skipif('FUZZ' not in os.environ, reason='by make fuzz'),
]

SETTLED, LOGGED = 20, 150
# Has events that are delivered, and events that wait, in several segments, when it is killed: no request is answered any more by then.
PROGRAM = f"""
import logging, sys
from firefighter.logging import FirehoseHandler

name, stream, spool_dir, url = sys.argv[1:]
handler = FirehoseHandler(
    stream, spool_dir=spool_dir, endpoint_url=url, region_name='eu-west-1', max_spool_bytes=65536, event_ids=name == 'b'
)
logger = logging.getLogger('x')
logger.addHandler(handler)
for number in range({LOGGED}):
    if number == {SETTLED}:
        assert handler.flush(40)
        print('settled', flush=True)
        sys.stdin.readline()
    logger.warning({{'message': f'{{name}}-{{number}}', 'padding': 'x' * (number % 200)}})
assert handler.stats().backing == 'disk', handler.stats().last_error
print('ready', flush=True)
sys.stdin.readline()
"""
ENVIRONMENT = {
    'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE',
    'AWS_SECRET_ACCESS_KEY': 'example-secret',
    'AWS_CONFIG_FILE': os.devnull,
    'AWS_SHARED_CREDENTIALS_FILE': os.devnull,
}
SECRET = b'{"message":"nobody has logged this"}\n'
MINE = b'mine\n'


class Spool:
    """A spool directory of dead producers, and a copy of it for each example.

    Attributes:
        waiting: the events that wait, by the path of their segment.
        logged: all events.
    """

    def __init__(self, directory: Path, endpoint: LocalFirehose) -> None:
        self._directory = directory
        with contextlib.ExitStack() as programs:
            # All of them live at once: none takes over what another has left.
            started = [
                programs.enter_context(
                    subprocess.Popen(
                        [sys.executable, '-c', PROGRAM, name, stream, directory, endpoint.url],
                        env={**os.environ, **ENVIRONMENT},
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for name, stream in (('a', 'bar'), ('b', 'bar'), ('c', 'foo'))
            ]
            for program in started:
                programs.callback(program.kill)
                assert program.stdout.readline() == 'settled\n'
            endpoint.inject('no-answer', stored=False)
            for program in started:
                program.stdin.write('go on\n')
                program.stdin.flush()
                assert program.stdout.readline() == 'ready\n'
        endpoint.clear_faults()
        self.waiting = {
            path.relative_to(directory): [line for line in lines_in(path) if number_of(line) >= SETTLED]
            for path in directory.rglob('*.spool')
        }
        self.logged = {line for path in directory.rglob('*.spool') for line in lines_in(path)}
        assert sum(map(len, self.waiting.values())) == 3 * (LOGGED - SETTLED)
        assert len(self.waiting) >= 6

    def copy(self, place: Path) -> Path:
        return Path(shutil.copytree(self._directory, place))


def lines_in(segment: Path) -> list[bytes]:
    return segment.read_bytes()[HEADER_BYTES:].rstrip(b'\0').splitlines(keepends=True)


def number_of(line: bytes) -> int:
    return int(json.loads(line)['message'].partition('-')[2])


@pytest.fixture(scope='module')
def endpoint(tmp_path_factory):
    with LocalFirehose(tmp_path_factory.mktemp('delivered'), streams=['bar', 'foo']) as endpoint:
        yield endpoint


@pytest.fixture(scope='module')
def spool(tmp_path_factory, endpoint):
    return Spool(tmp_path_factory.mktemp('spool'), endpoint)


class Damage:
    """What is done to a directory.

    Attributes:
        touched: the paths of which nothing is promised any more, with all that is below.
        foreign: what is in the directory that no handler has made.
        written: the content of files in which bytes were replaced: of such bytes nobody knows that they were no events.
    """

    def __init__(self, directory: Path, victim: Path) -> None:
        self.directory = directory
        self.victim = victim
        self.touched: set[Path] = set()
        self.foreign: dict[Path, bytes] = {}
        self.written: list[bytes] = []

    def do(self, action: str, first: int, second: int, amount: int, data: bytes) -> None:
        """Do one of the methods below to a file, or to two; nothing where what was done before forbids it, unless to root."""
        with contextlib.suppress(PermissionError):
            files = sorted(
                path
                for path in self.directory.rglob('*')
                if path not in self.foreign and stat.S_ISREG(path.lstat().st_mode)
            )
            if files:
                path, other = files[first % len(files)], files[second % len(files)]
                self.touched |= {path}
                getattr(self, action)(path, other, amount, data)

    def replace(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        content = path.read_bytes()
        # Mostly in the header or in the first lines; there is more to be broken.
        start = amount % max(1, len(content))
        path.write_bytes(content[:start] + data[: len(content) - start] + content[start + len(data) :])
        self.written.append(path.read_bytes())

    def flip(self, path: Path, other: Path, amount: int, data: bytes) -> None:
        content = path.read_bytes()
        if content:
            flipped = content[amount % len(content)] ^ (1 << len(data) % 8)
            self.replace(path, other, amount, bytes([flipped]))

    def zero(self, path: Path, other: Path, amount: int, data: bytes) -> None:
        self.replace(path, other, amount, bytes(len(data) * 100))

    def cut(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        os.truncate(path, amount % (path.stat().st_size + 1))

    def extend(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        with path.open('ab') as file:
            file.write(data)
        os.truncate(path, path.stat().st_size + (amount if amount % 2 else amount << 20))
        self.written.append(data)

    def empty(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        os.truncate(path, 0)

    def delete(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        path.unlink()

    def swap(self, path: Path, other: Path, amount: int, data: bytes) -> None:
        between = self.directory / 'between'
        path.rename(between)
        # One may have been swapped with itself.
        if other.exists():
            other.rename(path)
        between.rename(other)
        self.touched |= {other}

    def copy(self, path: Path, other: Path, amount: int, data: bytes) -> None:
        self.written.append(path.read_bytes())
        other.write_bytes(path.read_bytes())
        self.touched |= {other}

    def link(self, path: Path, other: Path, amount: int, data: bytes) -> None:
        path.unlink()
        path.symlink_to([self.victim, other, path, self.victim.parent, Path('/dev/zero')][amount % 5])

    def join(self, path: Path, other: Path, amount: int, data: bytes) -> None:
        if path != other:
            path.unlink()
            path.hardlink_to(other)
            self.touched |= {other}

    def strange(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        path.unlink()
        (path.mkdir if amount % 2 else lambda: os.mkfifo(path))()

    def rename(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        names = [
            'x.spool',
            f'{amount:016x}.spool',
            f'.tmp-{amount:016x}',
            'alive',
            'destination.json',
            '\n\x1b[2J',
            'x',
        ]
        new = path.with_name(names[len(data) % len(names)])
        if not new.exists():
            path.rename(new)
            self.touched |= {new}

    def mode(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        path.chmod([0, 0o777, 0o4755, 0o200][amount % 4])

    def folder_mode(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        path.parent.chmod([0o755, 0o777, 0o1777, 0o500][amount % 4])
        self.touched |= {path.parent}

    def rename_folder(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        folder = [path.parent, path.parent.parent][amount % 2]
        if folder != self.directory and self.directory in folder.parents:
            new = folder.with_name(['0', 'notes', 'f' * 32, 'bar-0'][len(data) % 4])
            if not new.exists():
                folder.rename(new)
                self.touched |= {folder, new}
                self.foreign = {self._moved(there, folder, new): body for there, body in self.foreign.items()}

    def stranger(self, path: Path, _: Path, amount: int, data: bytes) -> None:
        place = [path.parent, path.parent.parent, self.directory][amount % 3]
        name = ['notes.txt', 'x.json', 'f' * 32 + '/system.journal', 'photos/2026/cat.jpg', 'quarantine.old'][
            len(data) % 5
        ]
        new = place / name
        if not new.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(MINE + data)
            self.foreign[new] = MINE + data

    @staticmethod
    def _moved(path: Path, folder: Path, new: Path) -> Path:
        return new / path.relative_to(folder) if folder in path.parents else path

    def allow_reading(self) -> None:
        """Take back what was done to the modes of folders, so that what is in them can be looked at."""
        for folder in [self.directory, *sorted(path for path in self.touched if path.is_dir())]:
            folder.chmod(0o700)

    def is_whole(self, segment: Path) -> bool:
        """Return whether a segment, its locks and the way to it are as they were."""
        needed = {segment, segment.with_name('alive'), segment.with_name('reader'), *segment.parents}
        return not needed & self.touched


ACTIONS = (
    'replace', 'flip', 'flip', 'zero', 'cut', 'extend', 'empty', 'delete', 'swap', 'copy', 'link', 'join', 'strange', 'rename',
    'mode', 'folder_mode', 'rename_folder', 'stranger', 'stranger',
)  # fmt: skip
damages = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, 40),
        st.integers(0, 40),
        st.integers(0, 300) | st.integers(0, 20_000) | st.sampled_from([64, 128, 192, 200, 4096]),
        st.binary(max_size=20) | st.sampled_from([b'\n' * 9, bytes(600), SECRET[:20]]),
    ),
    max_size=5,
)


def run(*words: object) -> bytes:
    """Run a command in this process; return what it writes."""
    out, err = io.TextIOWrapper(io.BytesIO(), 'utf-8'), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), within(DEADLINE_SECONDS):
        status = main(['spool', *map(str, words)])
        out.flush()
    printed = out.buffer.getvalue()
    note(f'{words[0]}: {status}, {printed[-300:]!r}, {err.getvalue()[-500:]}')
    assert status in {0, 1, 2}
    assert 'Traceback' not in err.getvalue()
    assert printed.endswith(b'\n') or not printed
    return printed


def look(directory: Path) -> list[object]:
    """Return what nobody may change who only looks."""
    found = []
    for path in sorted(directory.rglob('*')):
        status = path.lstat()
        found.append((path, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns))
    return found


def adopt(directory: Path, endpoint: LocalFirehose) -> None:
    """Have a handler log one event there, take over what it can, and end."""
    with within(3 * DEADLINE_SECONDS):
        handler = FirehoseHandler(
            'bar',
            spool_dir=directory,
            endpoint_url=endpoint.url,
            region_name='eu-west-1',
            shutdown_timeout_seconds=DEADLINE_SECONDS,
        )
        logger = logging.Logger('x')
        logger.addHandler(handler)
        logger.warning('new')
        assert handler.flush(DEADLINE_SECONDS)
        handler.close()
        stats = handler.stats()
    assert stats.pending == 0
    assert stats.accepted + stats.adopted == stats.delivered


def take_delivered(endpoint: LocalFirehose) -> list[bytes]:
    """Return the lines that have arrived, and forget them."""
    arrived = endpoint.delivered()
    shutil.rmtree(endpoint.folder / 'logs', ignore_errors=True)
    assert arrived.endswith(b'\n') or not arrived
    return arrived.splitlines(keepends=True)


def is_of_a_newer_version(path: Path) -> bool:
    """Return whether a file says so of itself."""
    if not path.is_file() or not os.access(path, os.R_OK):
        return False
    with path.open('rb') as file:
        magic, version = file.read(8), file.read(8)
    return magic == b'\x89FSPOOL\n' and int.from_bytes(version, sys.byteorder) > 1


@given(damages, st.sampled_from(['replay', 'adopt', 'purge']))
def test_no_damage_breaks_a_command_or_a_handler(spool, endpoint, done, last):
    """No traceback, no hang, no torn line, no foreign file touched, no event that nobody logged; what is whole arrives."""
    take_delivered(endpoint)
    with tempfile.TemporaryDirectory() as place:
        victim = Path(place, 'outside', 'secret')
        victim.parent.mkdir()
        victim.write_bytes(SECRET)
        directory = spool.copy(Path(place, 'spool'))
        damage = Damage(directory, victim)
        # Modes last: what may not be read any more cannot be damaged either.
        for action in sorted(done, key=lambda action: 'mode' in action[0]):
            damage.do(*action)
        newer = {path.parent for path in directory.rglob('*') if is_of_a_newer_version(path)}
        before = look(directory)
        for row in (run('ls', '--json', directory) + run('verify', '--json', directory)).splitlines():
            assert json.loads(row)['producer']
        run('ls', directory)
        waiting = run('cat', directory).splitlines(keepends=True)
        assert look(directory) == before
        if last == 'adopt':
            adopt(directory, endpoint)
        else:
            run(last, '--yes', *(['--patience', '5'] if last == 'replay' else []), directory)
        arrived = take_delivered(endpoint)
        if last == 'adopt':
            assert [line for line in arrived if b'"message":"new"' in line]
            arrived = [line for line in arrived if b'"message":"new"' not in line]
        for line in {*waiting, *arrived} - spool.logged:
            assert any(line in content for content in damage.written), line
        streams = {'replay': ('bar-', 'foo-'), 'adopt': ('bar-',), 'purge': ()}[last]
        for segment, lines in spool.waiting.items():
            if damage.is_whole(directory / segment):
                assert set(lines) <= set(waiting)
                # Of a newer version nothing is taken, nor anything else of its producer.
                if segment.parts[1].startswith(streams) and (directory / segment).parent not in newer:
                    assert set(lines) <= set(arrived)
        damage.allow_reading()
        assert last != 'purge' or not arrived
        assert victim.read_bytes() == SECRET
        for path, content in damage.foreign.items():
            assert path.read_bytes() == content
        run('ls', directory)
