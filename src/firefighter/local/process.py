"""The endpoint as a process of its own, started from here."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from firefighter.local.arguments import check, texts
from firefighter.local.client import EndpointError, LocalFirehoseClient, Running

if TYPE_CHECKING:
    from typing_extensions import Self

# The one line that the command prints on its standard output when it answers.
READY_LINE = 'firefighter local: listening on {url}, delivering into {folder}'
_READY = re.compile(r'.* listening on (\S+), delivering into (.*)')
# Not a console script, which need not be on PATH, nor a file, whose folder would come first on sys.path.
_COMMAND = 'import sys; from firefighter.cli.main import main; sys.exit(main())'
# It writes what is buffered within that, or there is something wrong.
STOP_SECONDS = 30


class LocalFirehoseProcess(Running, LocalFirehoseClient):
    """An embedded Firehose in a process of its own while the `with` block lasts, and a client of it.

    It shares neither the interpreter's lock nor a crash with this process.

    Args:
        folder: objects arrive in `<folder>/<bucket>/<key>`; made if it is missing.
        streams: delivery streams to create at once, to S3, in the bucket `logs`.
        port: the port to listen on; 0 takes a free one.
        buffer_seconds: how long a stream without hints of its own gathers records.
        faults: faults to arm at once, such as `partial:share=0.3,probability=0.1`.
        seed: for the faults' dice; None for other strikes each time.
        create_on_put: make streams as puts name them.

    Raises:
        TypeError: an argument is of another type; the message says what to write.
        ValueError: there is no such port.
        EndpointError: in `start` and `with`: it could not start; the message is its own.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        streams: Iterable[str] = (),
        port: int = 0,
        buffer_seconds: float = 1,
        faults: Iterable[str] = (),
        seed: int | None = None,
        create_on_put: bool = False,
    ) -> None:
        check(port=port, buffer_seconds=buffer_seconds, seed=seed, create_on_put=create_on_put)
        self.folder = pathlib.Path(folder).resolve()
        options = ['--port', str(port), '--buffer-seconds', str(buffer_seconds)]
        options += [word for name in texts('streams', streams) for word in ('--stream', name)]
        options += [word for fault in texts('faults', faults) for word in ('--fault', fault)]
        options += [] if seed is None else ['--seed', str(seed)]
        options += ['--create-on-put'] if create_on_put else []
        self._arguments = [sys.executable, '-c', _COMMAND, 'local', str(self.folder), *options]
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The id of the process."""
        if self._process is None:
            raise EndpointError('the local endpoint has not been started')
        return self._process.pid

    def start(self) -> Self:
        """Start the process, and return when it answers."""
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        ready = _READY.match(self._process.stdout.readline())
        if ready is None:
            _, message = self._process.communicate()
            raise EndpointError(message.strip())
        super().__init__(ready[1])
        return self

    def stop(self) -> None:
        """End the process, after it has written what is buffered.

        Raises:
            EndpointError: it could not write everything, did not end in time, or was killed before.
        """
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        try:
            _, message = process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise EndpointError(f'the local endpoint did not end within {STOP_SECONDS} s') from None
        if process.returncode != 0:
            said = message.strip().removeprefix('firefighter local: ')
            raise EndpointError(said or f'the local endpoint ended with status {process.returncode}')
