"""A process that forks programs on demand, so that hundreds of them cost no hundreds of starts of Python.

    python nursery.py DESCRIPTOR

It reads one request at a time from the socket that is its descriptor, and answers each with one number. It has one thread and no
handler: what it forks is as new as any process that has just imported firefighter and boto3.

    {"script": path}    with three descriptors (report, alive, stderr): forks; the answer is the process's id
    {"reap": pid}       waits for its end; the answer is its exit code

When the socket ends it ends.
"""

from __future__ import annotations

import atexit
import sys

living = None


@atexit.register
def at_the_end() -> None:
    """Let the program, if this is one, have the last word: registered before all others, it runs behind them."""
    if living is not None:
        living.end()


import json  # noqa: E402  # logging, which this brings along at last, has an exit function too
import os  # noqa: E402
import socket  # noqa: E402
from contextlib import suppress  # noqa: E402
from pathlib import Path  # noqa: E402

import boto3  # noqa: E402, F401  # what the children would import, each for itself

# Beside what Python puts there for a program: its own folder.
sys.path.append(str(Path(__file__).parents[1]))

from model.program import ChildEnds, Program  # noqa: E402

REQUEST_BYTES = 4096


def main(control: socket.socket) -> None:
    """Answer requests until there are no more; in a child, live."""
    global living  # noqa: PLW0603  # it outlives every frame
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 3)
        if not request:
            return
        asked = json.loads(request)
        if 'reap' in asked:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked['reap'], 0)[1])
        elif (answer := os.fork()) == 0:
            control.close()
            os.setpgid(0, 0)
            report, alive, stderr = descriptors
            os.dup2(stderr, 2)
            os.close(stderr)
            living = Program(json.loads(Path(asked['script']).read_text()), report, alive)
            with suppress(ChildEnds):  # which ends by the way that is behind this, as any other
                living.run()
            return
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(b'%d\n' % answer)


if __name__ == '__main__':
    main(socket.socket(fileno=int(sys.argv[1])))
