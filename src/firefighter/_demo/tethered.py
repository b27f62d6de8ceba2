"""Runs an entry point that cannot outlive the demo.

    python -m firefighter._demo.tethered MODULE:FUNCTION ARGUMENT...

The demo holds the other end of stdin and never writes to it. However the demo ends, SIGKILL included, the kernel
closes that end; this process then ends at once. An orderly end would wait for an endpoint that is gone as well.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import threading

STDIN = 0


def main() -> int:
    """Call the entry point that the command line names with the words that follow it."""
    entry_point, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_the_demo, name='tether', daemon=True).start()
    status: int = pkgutil.resolve_name(entry_point)(arguments)
    return status


def _end_with_the_demo() -> None:
    # Not sys.stdin.read: a daemon thread that holds a file object's lock at exit is a fatal error of the interpreter.
    while os.read(STDIN, 1):
        pass
    os._exit(1)


if __name__ == '__main__':
    sys.exit(main())
