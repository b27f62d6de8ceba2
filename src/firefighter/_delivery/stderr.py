"""Writes to stderr, and never waits long for whoever reads it. Nothing here raises an Exception."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from typing import TextIO

from firefighter._delivery.logged_by_delivery import as_own_output

__all__ = ['STALL_SECONDS', 'write_bytes', 'write_text']

# Where the other end of a pipe takes nothing for so long, it hangs. From then on nothing waits for it, until it takes something.
STALL_SECONDS = 1.0
# A pipe that is ready takes so much without blocking: Python's documentation of `select.PIPE_BUF`, which Windows does not have.
_PIECE_BYTES = getattr(select, 'PIPE_BUF', 512)
_MOST_BYTES_OF_A_CHARACTER = 4

_stalled = False


# A program may have put a logger in stderr's place. Without this our line would come back as an event.
@as_own_output
def write_text(text: str) -> bool:
    """Write a text; return whether all of it was written."""
    try:
        return _write_text(sys.stderr, text)
    except Exception:  # no stderr, or a broken one: the counters show the same
        return False


@as_own_output
def write_bytes(data: bytes) -> bool:
    """Write bytes as they are, or as text where stderr is a stream of text alone; return whether all of them were written."""
    try:
        stream = sys.stderr
        binary = getattr(stream, 'buffer', None)
        if binary is None:
            return _write_text(stream, data.decode('utf-8', 'backslashreplace'))
        for start in range(0, len(data), _PIECE_BYTES):
            if not _takes_more(stream):
                return False
            stream.flush()
            binary.write(data[start : start + _PIECE_BYTES])
            binary.flush()
    except Exception:
        return False
    return True


def _write_text(stream: TextIO, text: str) -> bool:
    for piece in _pieces(text):
        if not _takes_more(stream):
            return False
        try:
            stream.write(piece)
        except UnicodeEncodeError:  # the stream is strict, and of an encoding without the character
            stream.write(piece.encode('ascii', 'backslashreplace').decode('ascii'))
        stream.flush()
    return True


def _pieces(text: str) -> Iterator[str]:
    characters = _PIECE_BYTES // _MOST_BYTES_OF_A_CHARACTER
    return (text[start : start + characters] for start in range(0, len(text), characters))


def _takes_more(stream: TextIO) -> bool:
    """Wait until the stream takes a piece; return False where it takes none in time.

    Another writer of the same pipe may come between this and our writing. Only a descriptor that does not block would rule
    that out, and that would be so for the whole program.
    """
    global _stalled  # noqa: PLW0603
    if sys.platform == 'win32':
        return True
    try:
        descriptor = stream.fileno()
        poll = select.poll()
    except Exception:  # it is no file, or eventlet has removed `poll`
        return True
    poll.register(descriptor, select.POLLOUT)
    _stalled = not poll.poll(0 if _stalled else STALL_SECONDS * 1000)
    return not _stalled
