"""Child processes that end with the demo, whatever ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

# For a process to start or to end on a machine that is busy with other things. An ending worker may take the
# shutdown_timeout_seconds of its handler, 10.
PATIENCE_SECONDS = 30
# asyncio's own limit, 64 KiB, would end the reading of stderr at a long complaint.
MAX_LINE_BYTES = 1024 * 1024

Result = TypeVar('Result')


class ChildError(Exception):
    """A child process ended, or fell silent, when it should not have."""


class Child:
    """A child process while the `async with` block lasts; whoever is still there at its end is killed.

    Args:
        name: what to call it in messages.
        entry_point: what it runs, as `module:function`.
        *arguments: the words of its command line.
        complain: is given each line that it writes to stderr.
    """

    def __init__(self, name: str, entry_point: str, *arguments: str, complain: Callable[[str], None]) -> None:
        self.name = name
        self._command = (sys.executable, '-m', 'firefighter._demo.tethered', entry_point, *arguments)
        self._complain = complain

    async def __aenter__(self) -> Self:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(os.environ),
            # Ctrl-C is for the demo, which ends its children in order.
            start_new_session=True,
            limit=MAX_LINE_BYTES,
        )
        self._complaints = asyncio.create_task(self._pass_on_complaints())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill it, unless it has ended."""
        self.kill()
        await self._process.wait()
        await self._complaints

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def line(self) -> str:
        """Return the next line that it prints.

        Raises:
            ChildError: it ended instead, or said nothing for 30 s.
        """
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            raise ChildError(f'{self.name} has said nothing for {PATIENCE_SECONDS} s') from None
        if not line:
            raise ChildError(await self.death())
        return line.decode().rstrip('\n')

    def ask_to_end(self) -> None:
        """Send what a supervisor sends first: SIGTERM."""
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        """Have the system end it at this moment, as `kill -9` does: it runs no further code."""
        if self._process.returncode is None:
            self._process.kill()

    async def ended(self) -> None:
        """Wait until it has ended well.

        Raises:
            ChildError: it ended with an error, or is still there after 30 s.
        """
        try:
            status = await asyncio.wait_for(self._process.wait(), PATIENCE_SECONDS)
        except asyncio.TimeoutError:
            raise ChildError(f'{self.name} did not end within {PATIENCE_SECONDS} s of SIGTERM') from None
        if status:
            raise ChildError(await self.death())

    async def death(self) -> str:
        """Wait until it has ended, and return how."""
        status = await self._process.wait()
        # What it said last explains it best. Not awaited itself, which would pass a cancellation on to it.
        await asyncio.wait([self._complaints])
        how = f'was killed by {signal.Signals(-status).name}' if status < 0 else f'ended with status {status}'
        return f'{self.name} {how}'

    async def _pass_on_complaints(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - a pipe was asked for
        async for line in self._process.stderr:
            self._complain(f'{self.name}: {line.decode(errors="replace").rstrip()}')


async def while_all_live(children: Iterable[Child], work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of the work, unless one of the children ends before.

    Raises:
        ChildError: one did; the work is cancelled.
    """
    working = asyncio.create_task(work)
    deaths = [asyncio.create_task(child.death()) for child in children]
    try:
        await asyncio.wait([working, *deaths], return_when=asyncio.FIRST_COMPLETED)
        for death in deaths:
            if death.done():
                raise ChildError(f'{death.result()} in the middle of the demo')
        return await working
    finally:
        for task in (working, *deaths):
            task.cancel()
        await asyncio.gather(working, *deaths, return_exceptions=True)


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return a child's environment: nothing in it leads to AWS, to a proxy or to another stream."""
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.upper().startswith(('AWS_', 'FIREFIGHTER_')) and not name.lower().endswith('_proxy')
    }
    return kept | {
        'AWS_ACCESS_KEY_ID': 'demo',
        'AWS_SECRET_ACCESS_KEY': 'demo',
        'AWS_CONFIG_FILE': os.devnull,
        'AWS_SHARED_CREDENTIALS_FILE': os.devnull,
        # `python -m` would import from the current folder first, whatever lies there.
        'PYTHONSAFEPATH': '1',
    }
