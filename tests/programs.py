"""Programs that log, run in processes of their own, and what of it reached an endpoint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep
from typing import Any

from firefighter.local import LocalFirehose

__all__ = [
    'ENOUGH_SECONDS',
    'MOST_KIB',
    'PATIENT',
    'SHORT_PAUSES',
    'delivered',
    'end_of',
    'flush_as_the_next_process',
    'program',
    'run',
    'wait_until',
    'without_waiting',
]

# Far beyond what any program here takes, and below the suite's limit for a test.
ENOUGH_SECONDS = 45

# For a program that is to notice by itself that an outage is over: how long the pause is then has its own tests, and it
# is the longer, up to half a minute, the longer the outage was, which on a slow machine is long.
SHORT_PAUSES = """
from firefighter._delivery import pace
pace.FAILURE = pace.Backoff(base_seconds=0.25, cap_seconds=1.0)
"""

# Begins a program. What flush, close, exit and synchronous calls wait by default, 10 s and 5, is enough for a person's machine; on a
# busy one boto3 may take as long to import, and then the event stays behind. A program that names its time-outs keeps those.
PATIENT = """
from firefighter.logging import FirehoseHandler
FirehoseHandler.__init__.__kwdefaults__.update(shutdown_timeout_seconds=40, sync_timeout_seconds=40)
"""

PREAMBLE = f"""{PATIENT}
import logging, os, signal, sys, threading

logger = logging.getLogger('foo')
logger.setLevel(logging.DEBUG)
handler = FirehoseHandler('bar', **OPTIONS)
logger.addHandler(handler)
"""

# A function for a program: how much memory it has had at most.
MOST_KIB = """
def most_kib():
    try:
        with open('/proc/self/status') as status:
            return next(int(line.split()[1]) for line in status if line.startswith('VmHWM'))
    except OSError:  # no Linux
        return 0
"""


def program(code: str, **options: object) -> list[str]:
    """Return the command of a program whose `logger` has a `handler`, made with these options."""
    return [sys.executable, '-c', f'OPTIONS = {options!r}\n{PREAMBLE}{textwrap.dedent(code)}']


def run(
    code: str, endpoint: LocalFirehose, environment: Mapping[str, str], **options: object
) -> subprocess.CompletedProcess[str]:
    """Run such a program, its events going to the endpoint; return its end.

    Args:
        code: what it does.
        endpoint: where its events go.
        environment: what it finds in its environment beside ours.
        options: the handler's.
    """
    return _run(program(code, **options), {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **environment})


def end_of(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command; return its end, with what it said `without_waiting`.

    Args:
        command: its words.
        environment: what it finds in its environment beside ours.
    """
    ended = _run(command, environment)
    ended.stderr = without_waiting(ended.stderr)
    return ended


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )


def delivered(endpoint: LocalFirehose) -> list[Any]:
    """Return the events in the endpoint's folder, in the order of their delivery."""
    endpoint.flush()
    return [
        json.loads(line)
        for path in sorted(endpoint.folder.rglob('*'))
        if path.is_file()
        for line in path.read_text('utf-8').splitlines()
    ]


def flush_as_the_next_process(environment: Mapping[str, str]) -> None:
    """Be the next start of a program with the same destination: deliver what earlier ones have left in their `spool_dir`.

    Args:
        environment: what it finds in its environment beside ours.
    """
    flush = "from firefighter.logging import FirehoseHandler; assert FirehoseHandler('bar').flush(40)"
    ended = _run([sys.executable, '-c', flush], environment)
    assert ended.returncode == 0, ended.stderr


def wait_until(condition: Callable[[], object], said: Callable[[], object] = lambda: '') -> None:
    """Wait until something is so, and leave the processor to the programs meanwhile.

    Args:
        condition: whether it is.
        said: gives what is to be said where it is not so in time.
    """
    deadline = monotonic() + ENOUGH_SECONDS
    while not condition():
        assert monotonic() < deadline, said()
        sleep(0.02)


def without_waiting(said: str) -> str:
    """Return what a program said, without the line that it is still delivering at its end.

    On a busy machine that takes longer than a person would wait in silence; that it says so is right.
    """
    return re.sub(r'firefighter: .*: the process ends; still delivering.*\n', '', said)
