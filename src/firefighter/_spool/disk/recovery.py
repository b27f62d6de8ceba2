r"""Decide which events of a dead producer's segment can be delivered, from the bytes alone.

**After a crash of the process** (the same boot) the kernel has kept every page, so head and tail are what the producer
and its delivery stored last. Everything in `[head, tail)` is delivered, and what lies before the head is settled and never
read again. Beyond the tail there is at most the one line that was being copied when the process died. Its logging call had
not returned: it is delivered when it is whole, and ignored when it is not. The check is that `[head, tail)` has no NUL,
ends with a newline and begins after one, and that beyond the tail there is no more than one line.

The last part of the check finds a file system that died and was mounted again within one boot (a volume that was detached). Its
header page may be older than the other pages, and so its tail older than whole lines.

**After another boot**, or when that check fails, or when the file has not the size that its header says or has no readable
header, neither word is trusted. A disk writes pages in any order: of each there may be what was written last, what was written
earlier (a prefix, then zeros), or zeros. So:

* a line is good when it is whole and begins where lines begin: after the header, or after a newline that is there;
* the first NUL ends what is good. After a stretch of zeros it is not known where in a line the bytes go on, so they are torn
  up to the next newline, and what follows that is good again;
* all other bytes that are not zero are torn, except a newline right after a zero. Such a newline is left by whoever delivers after a
  reboot, or gives back a segment in which events are settled after others that are not: that process overwrites settled events with
  zeros, but for the last newline, so that the next line still begins after one. Lines that were settled before the power loss are
  among the good ones: they are delivered again.

A line of the spool never contains a NUL (`firefighter._event.escaping`), so zeros cannot hide in one. If pages are lost in the
ways above, exactly those lines are good that are whole and come after the header or a surviving newline.
Bytes overwritten with anything but zeros look like a line, and are delivered as one if they lie between newlines.

A header that is torn, or never reached the disk, costs no line: the folder shows where they go. Only where no line is whole
either, nothing shows that the file ever was a segment, and all of it is torn. A header that was being written when the process died
is none of these: its magic, which comes last, is missing, or there from the header of the spare segment; and there is nothing behind it.

Every step is a search or a comparison that C makes, over pieces of at most 64 KiB where it copies, so that the
interpreter lock is never held for long.
"""

from __future__ import annotations

import mmap
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from firefighter._spool.disk.segment_file import MAGIC_BYTES, Header, read_progress
from firefighter._spool.layout import HEADER_BYTES

__all__ = ['Good', 'Recovery', 'Torn', 'boot_id', 'recover']

_PIECE_BYTES = 64 * 1024
_FIRST_PIECE_BYTES = 64
_ZEROS = bytes(_PIECE_BYTES)

# A disk that forgets sectors of 512 bytes leaves at most 4,096 gaps in a segment of 4 MiB. More torn stretches than
# this are not an accident: the rest is torn as one, so that a hostile file cannot fill the memory with a list.
MOST_TORN = 65_536

_BOOT_ID_FILE = Path('/proc/sys/kernel/random/boot_id')


class Good(NamedTuple):
    """Whole lines, one after the other: `[start, end)` in the file, newlines included."""

    start: int
    end: int
    events: int


class Torn(NamedTuple):
    """Bytes that belong to no whole line: `[start, end)` in the file."""

    start: int
    end: int


@dataclass(frozen=True)
class Recovery:
    """What to do with a dead producer's segment."""

    exact: bool
    """Whether head and tail were trusted: then there is one good stretch at most, and nothing torn."""
    good: tuple[Good, ...]
    """To be delivered, in order."""
    torn: tuple[Torn, ...]
    """To be put into quarantine, in order."""

    @property
    def events(self) -> int:
        """The events to be delivered."""
        return sum(stretch.events for stretch in self.good)

    @property
    def torn_bytes(self) -> int:
        """The bytes to be put into quarantine."""
        return sum(stretch.end - stretch.start for stretch in self.torn)


def recover(
    data: bytes | mmap.mmap, header: Header | None, *, same_boot: bool, alive: bool = False
) -> Recovery:
    """Decide what of a segment is delivered. Never raises, whatever the bytes are.

    Args:
        data: the file from its first byte, header page included. Read it (`os.pread`) rather than map it when it
            may not be in memory: a page fault waits for the disk with the interpreter lock held, and a broken disk
            answers it with SIGBUS.
        header: what `parse_header` made of it. None, when it refused.
        same_boot: whether the machine has not been booted since the segment was made; False when nobody knows.
        alive: whether its producer may be writing to it: what is beyond the tail is not looked at then.
    """
    exact = _exact(data, header, alive=alive) if header and same_boot else None
    if exact is None:
        found = _search(data)
        if header or found.good or _is_being_made(data):
            return found
        return Recovery(exact=False, good=(), torn=tuple(_torn(data, 0, len(data), MOST_TORN)))
    head, tail = exact
    good = (Good(head, tail, _lines(data, head, tail)),) if head < tail else ()
    return Recovery(exact=True, good=good, torn=())


def boot_id() -> bytes | None:
    """Return 16 bytes that are another value after each boot, or None where that cannot be known.

    With None nothing that a dead process left is trusted, so some of it may be delivered twice. The same in all
    containers of a machine, since they share its kernel. It is read anew each time: call it once.
    """
    try:
        return uuid.UUID(_boot_name().strip()).bytes
    except Exception:
        # No /proc in this container, no ctypes in this build, not a UUID: all the same, the boot is not known.
        return None


def _is_being_made(data: bytes | mmap.mmap) -> bool:
    """Return whether it is an empty segment whose header was not written to its end."""
    is_empty = len(data) > HEADER_BYTES and _skip_zeros(data, HEADER_BYTES, len(data)) == len(data)
    return is_empty and data[: len(MAGIC_BYTES)] in {bytes(len(MAGIC_BYTES)), MAGIC_BYTES}


def _exact(data: bytes | mmap.mmap, header: Header, *, alive: bool) -> tuple[int, int] | None:
    """Return the range of the events that wait, or None when the two words do not agree with the bytes."""
    if len(data) != header.size_bytes:
        return None
    _, tail, head = read_progress(data[:HEADER_BYTES])
    in_order = HEADER_BYTES <= head <= tail <= len(data)
    if not in_order or not _begins_line(data, head) or not _begins_line(data, tail):
        return None
    if data.find(b'\0', head, tail) >= 0:
        return None
    end = tail if alive else _end_of_last(data, tail)
    return None if end is None else (head, end)


def _end_of_last(data: bytes | mmap.mmap, tail: int) -> int | None:
    """Return the end of the line after the tail, or the tail where that line is not whole; None when there is more than one line."""
    end = min(_find(data, b'\n', tail, len(data)) + 1, len(data))
    if _skip_zeros(data, end, len(data)) < len(data):
        return None
    whole = data.find(b'\0', tail, end) < 0 and _begins_line(data, end)
    return end if whole else tail


def _begins_line(data: bytes | mmap.mmap, offset: int) -> bool:
    return offset == HEADER_BYTES or data[offset - 1 : offset] == b'\n'


def _search(data: bytes | mmap.mmap) -> Recovery:
    """Find the whole lines after the header, wherever they are."""
    good: list[Good] = []
    torn: list[Torn] = []
    # Always the beginning of a line.
    position, end = HEADER_BYTES, len(data)
    while position < end and len(torn) < MOST_TORN and len(good) < MOST_TORN:
        zero = _find(data, b'\0', position, end)
        behind_lines = max(position, data.rfind(b'\n', position, zero) + 1)
        if position < behind_lines:
            good.append(Good(position, behind_lines, _lines(data, position, behind_lines)))
        position = min(_find(data, b'\n', zero, end) + 1, end)
        torn.extend(_torn(data, behind_lines, position, MOST_TORN - len(torn)))
        position = _skip_ended_zeros(data, position, end)
    if position < end:
        torn.append(Torn(position, end))
    return Recovery(exact=False, good=tuple(good), torn=tuple(torn))


def _torn(data: bytes | mmap.mmap, position: int, end: int, most: int) -> Iterator[Torn]:
    """Yield what is not zero in `[position, end)`, as stretches; from so many on what is left is one."""
    for _ in range(most):
        position = _skip_zeros(data, position, end)
        if position == end:
            return
        zero = _find(data, b'\0', position, end)
        if data[position:zero] != b'\n':
            yield Torn(position, zero)
        position = zero
    if position < end:
        yield Torn(position, end)


def _skip_zeros(data: bytes | mmap.mmap, position: int, end: int) -> int:
    """Return the offset of the first byte in `[position, end)` that is not zero, or `end`."""
    # Pieces begin small and double, so that a short stretch costs little and a long one few steps.
    size = _FIRST_PIECE_BYTES
    while position < end:
        piece = data[position : min(position + size, end)]
        if piece != _ZEROS[: len(piece)]:
            return position + len(piece) - len(piece.lstrip(b'\0'))
        position += len(piece)
        size = min(size * 2, _PIECE_BYTES)
    return end


def _skip_ended_zeros(data: bytes | mmap.mmap, position: int, end: int) -> int:
    """From the beginning of a line, skip stretches of zeros that end with a newline; return where the next line begins.

    There may be one for each two bytes, and nothing is found in them that would end the search.
    """
    size = _FIRST_PIECE_BYTES  # as above
    while True:
        piece = data[position : min(position + size, end)]
        skipped = len(piece) - len(piece.replace(b'\0\n', b'\0\0').lstrip(b'\0'))
        behind = piece.rfind(b'\n', 0, skipped) + 1
        position += behind
        # A long stretch of zeros without a newline is left to the search.
        if skipped < size or (size == _PIECE_BYTES and not behind):
            return position
        size = min(size * 2, _PIECE_BYTES)


def _lines(data: bytes | mmap.mmap, start: int, end: int) -> int:
    """Count the newlines in `[start, end)`."""
    pieces = range(start, end, _PIECE_BYTES)
    return sum(data[piece : min(piece + _PIECE_BYTES, end)].count(b'\n') for piece in pieces)


def _find(data: bytes | mmap.mmap, what: bytes, start: int, end: int) -> int:
    """Return where the byte is in `[start, end)`, or `end`."""
    found = data.find(what, start, end)
    return end if found < 0 else found


def _boot_name() -> str:
    if sys.platform == 'linux':
        return _BOOT_ID_FILE.read_text('utf-8')  # the codec is there already; 'ascii' would be imported
    if sys.platform == 'darwin':
        return _macos_boot_session()
    raise OSError(f'{sys.platform} does not name its boots')


def _macos_boot_session() -> str:
    # Not the boot time, `kern.boottime`: that moves whenever the clock is set. No subprocess either: starting one
    # from an application that has threads and signal handlers of its own is a risk for a log line.
    import ctypes  # noqa: PLC0415 - macOS alone needs it, and some builds of Python lack it

    library = ctypes.CDLL(None)
    value = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(value))
    if library.sysctlbyname(b'kern.bootsessionuuid', value, ctypes.byref(size), None, 0):
        raise OSError('this macOS has no kern.bootsessionuuid')
    return value.value.decode('ascii')
