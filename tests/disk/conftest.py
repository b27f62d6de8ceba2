"""Small file systems for tests, and programs that log to them; skipped where the machine does not let us make them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

if sys.platform == 'win32':
    collect_ignore_glob = ['test_*.py']
else:
    from disk.filesystems import Kind, SmallFileSystem, enter_own_namespace, missing

PROGRAM = Path(__file__).with_name('program.py')


class Program:
    """A running `program.py`."""

    def __init__(self, keywords: dict[str, Any], complaints: Path) -> None:
        self._complaints = complaints
        with complaints.open('wb') as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps(keywords)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def do(self, command: str) -> Any:
        """Have it do something, and return its answer."""
        with suppress(BrokenPipeError):
            self.process.stdin.write(command + '\n')
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f'it has ended with {self.process.wait()}: {self.complaints}')
        return json.loads(answer)

    def end(self) -> int:
        """Let it come to its end; return its status."""
        self.process.stdin.close()
        return self.process.wait()

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @property
    def complaints(self) -> str:
        """What it has said on stderr."""
        return self._complaints.read_text()


@pytest.fixture
def make_file_system() -> Iterator[Callable[..., SmallFileSystem]]:
    """Make file systems that are gone when the test ends."""
    made: list[SmallFileSystem] = []

    def make(kind: Kind, *, tools: tuple[str, ...] = (), inodes: int | None = None) -> SmallFileSystem:
        lacking = missing(kind, tools=tools)
        if lacking is not None:
            pytest.skip(lacking)
        enter_own_namespace()
        file_system = SmallFileSystem(kind, inodes=inodes).__enter__()
        made.append(file_system)
        return file_system

    yield make
    for file_system in made:
        file_system.__exit__(None, None, None)


@pytest.fixture
def start_program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start programs that end with the test; before the file systems, which they use."""
    started: list[Program] = []

    def start(**keywords: Any) -> Program:
        program = Program(
            {'delivery_stream_name': 'bar', 'shutdown_timeout_seconds': 0, **keywords},
            tmp_path / f'complaints-{len(started)}',
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        if not program.process.stdin.closed:
            os.set_blocking(program.process.stdin.fileno(), False)
            with suppress(BrokenPipeError):
                program.process.stdin.close()
