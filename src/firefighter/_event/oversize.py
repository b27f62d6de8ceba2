"""The policy for events above MAX_RECORD_SIZE; and how a line is truncated, and says in itself how long it was.

A line that is a JSON object stays one. Where cutting its long strings is enough, everything else is kept:
they are cut to one common length, the largest that fits, so the largest strings give first and short ones
nothing. Where the bulk is elsewhere (a list of numbers, a deep tree, a thousand keys), the largest fields
give: a list or an object becomes its JSON text and is cut like a string; only when the keys alone are too
much are fields left out, later ones first, and counted.

Whatever was cut ends in an ellipsis. The new last key `truncated` holds `{"original_bytes": n}`, and
`dropped_fields` where fields were left out. When the event has a key of that name, ours gets an underscore
behind it: `truncated_`.

A line of one of the layouts keeps its layout (`firefighter._event.layouts`).

Every step is linear in the length of the line, but for the sorting of the sizes of its strings.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from firefighter._event.encoder import orjson
from firefighter._event.json_values import degrade
from firefighter._process.exit_and_forks import not_forking
from firefighter._process.lock import locked, make_lock

__all__ = ['Oversize', 'OversizePolicy']

OversizePolicy = Literal['keep', 'truncate', 'drop']


class Oversize:
    """Makes oversize events fit, and counts them.

    Args:
        policy: None stands for "keep" while the limit is the documented one, and for "truncate" otherwise.
        documented_limit: the documented value of MAX_RECORD_SIZE, in bytes.
        hard_limit: the service's, in bytes: above it an event is truncated in any case.

    Attributes:
        events: oversize events so far.
        truncated: those of them that were cut.
    """

    def __init__(self, policy: OversizePolicy | None, *, documented_limit: int, hard_limit: int) -> None:
        self._policy = policy
        self._documented_limit = documented_limit
        self._hard_limit = hard_limit
        self._lock = make_lock()
        self.events = 0
        self.truncated = 0

    def fit(self, event: bytes, limit: int, reserved_bytes: int = 0) -> bytes | None:
        """Return the event, whole or truncated, or None when it is to be dropped.

        Args:
            event: ended by a newline, which counts.
            limit: MAX_RECORD_SIZE as it stands now, in bytes.
            reserved_bytes: what is to be added to it, and counts.
        """
        size = len(event) + reserved_bytes
        if size <= limit and size <= self._hard_limit:
            return event
        self._count()
        policy = self._policy or ('keep' if limit == self._documented_limit else 'truncate')
        if policy == 'drop':
            return None
        allowed = self._hard_limit if policy == 'keep' else min(limit, self._hard_limit)
        if size <= allowed:
            return event
        self._count_truncated()
        return truncate(event, allowed - reserved_bytes)

    @locked
    def _count(self) -> None:
        self.events += 1

    @locked
    def _count_truncated(self) -> None:
        self.truncated += 1


#: No string is cut to less: below that, a field says nothing more, and is left out or cut as a whole.
MIN_STRING_BYTES = 16

_ELLIPSIS = '…'
_QUOTES = 2
_CONTINUATION = 0b10  # the top bits of a byte of UTF-8 that does not begin a character
_ESCAPE = b'\x1a'  # of firefighter._event.escaping

# How the lines of the layouts begin.
_LAID_OUT = (b'{"resourceLogs":', b'{"@timestamp":')

_Container = dict[str, Any] | list[Any]


def truncate(line: bytes, limit: int) -> bytes:
    """Return the line cut to a number of bytes, with its original size in it.

    Args:
        line: an event that ends in a newline. One that fits is returned as it is.
        limit: the most bytes of the result, newline included.

    Returns:
        A line that ends in a newline, a valid JSON object if the argument was one. Another text is cut
        between two characters and ends in ` [truncated from n bytes]`. Where the limit has no room for that,
        the smallest mark is returned although it is longer: 34 bytes and the digits of the size for a JSON
        object (as long as it has no `truncated` of its own), 24 and the digits for a text.
    """
    if len(line) <= limit:
        return line
    try:
        if line.startswith(_LAID_OUT):
            with not_forking():  # it may be a logging call of a program's own formatter
                from firefighter._event.layouts import truncate_laid_out  # noqa: PLC0415  # few programs need it
            cut = truncate_laid_out(line, limit, truncate)
            if cut is not None:
                return cut
        event = _parse(line)
        return _cut_text(line, limit) if event is None else _cut_event(event, len(line), limit)
    except Exception:  # MemoryError, say: the mark alone is still an event.
        return _line({'truncated': {'original_bytes': len(line)}})


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return a line's JSON object as values that orjson is sure to write again, or None if it is none."""
    if not line.lstrip().startswith(b'{'):
        return None
    try:
        event: dict[str, Any] = orjson.loads(line)
        orjson.dumps(event)
    except (ValueError, TypeError):  # orjson's errors in reading and in writing
        return _parse_foreign(line)
    return event


def _parse_foreign(line: bytes) -> dict[str, Any] | None:
    """Parse what other encoders write and orjson does not: NaN, lone surrogates, 255 levels of nesting."""
    try:
        event = degrade(json.loads(line))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _cut_text(line: bytes, limit: int) -> bytes:
    mark = b' [truncated from %d bytes]\n' % len(line)
    end = limit - len(mark)
    if end <= 0:
        return mark.lstrip()
    while end > 0 and line[end] >> 6 == _CONTINUATION:
        end -= 1
    # An escape character without the byte that it escapes would swallow the mark's first byte.
    return line[:end].removesuffix(_ESCAPE) + mark


def _cut_event(event: dict[str, Any], original_bytes: int, limit: int) -> bytes:
    name = 'truncated'
    taken = {key.lower() for key in event}  # Athena and Glue would take it for one key with a `Truncated`
    while name in taken:
        name += '_'
    mark = {name: {'original_bytes': original_bytes}}
    return _cut_strings(event, mark, limit) or _cut_fields(event, mark, limit)


def _cut_strings(event: dict[str, Any], mark: dict[str, Any], limit: int) -> bytes | None:
    """Cut the longest strings to a common length; None, with nothing changed, if that cannot be enough."""
    excess = len(_line(event | mark)) - limit
    strings = _long_strings(event)
    level = _level([size for _, _, size in strings], excess)
    if level < MIN_STRING_BYTES:
        return None
    for container, place, size in strings:
        if size > level:
            container[place] = _cut(orjson.dumps(container[place]), level)
    return _line(event | mark)


def _long_strings(event: dict[str, Any]) -> list[tuple[Any, Any, int]]:
    """Return the strings worth cutting: their container, key or index, and bytes between the quotes."""
    found = []
    containers: list[_Container] = [event]
    while containers:
        container = containers.pop()
        places = container.items() if isinstance(container, dict) else enumerate(container)
        for place, value in places:
            if isinstance(value, str):
                size = len(orjson.dumps(value)) - _QUOTES
                if size > MIN_STRING_BYTES:
                    found.append((container, place, size))
            elif isinstance(value, (dict, list)):
                containers.append(value)
    return found


def _level(sizes: list[int], excess: int) -> int:
    """Return the largest size to which all larger ones must be cut, so that together they lose the excess.

    Negative when there is none.
    """
    if excess <= 0:
        return max(sizes, default=0)
    total, count = 0, 0
    for size in [*sorted(sizes, reverse=True), 0]:
        # The `count` larger ones, all cut to this one's size, lose enough: the level is not lower than this.
        if total - count * size >= excess:
            return (total - excess) // count
        total, count = total + size, count + 1
    return -1


def _cut(encoded: bytes, size: int) -> str:
    """Return the longest beginning of a JSON string that takes so many bytes with its ellipsis."""
    end = 1 + size - len(_ELLIPSIS.encode())
    # The cut may be within a character (ignored) or within an escape, of at most six bytes: then the parser
    # refuses.
    kept = encoded[:end].decode('utf-8', 'ignore')
    while True:
        try:
            beginning: str = orjson.loads(kept + '"')
        except ValueError:
            kept = kept[:-1]
        else:
            return beginning + _ELLIPSIS


def _cut_fields(event: dict[str, Any], mark: dict[str, Any], limit: int) -> bytes:
    """Cut the largest fields to a common size, after leaving out those that do not fit even then."""
    name = next(iter(mark))
    room = limit - len(_line({name: {**mark[name], 'dropped_fields': len(event)}}))
    kept: dict[
        str, int
    ] = {}  # the size of each field's value within its quotes or brackets, 0 if it cannot be cut
    excess = -room
    for key, value in event.items():
        size = len(orjson.dumps(value))
        inner = size - _QUOTES if isinstance(value, (str, dict, list)) else 0
        around = len(orjson.dumps(key)) + len(':,') + size - inner
        if around + min(inner, MIN_STRING_BYTES) <= room:
            room -= around + min(inner, MIN_STRING_BYTES)
            excess += around + inner
            kept[key] = inner
    level = _level(list(kept.values()), excess)
    cut = {key: _cut_value(event[key], level) if inner > level else event[key] for key, inner in kept.items()}
    if len(cut) < len(event):
        mark = {name: {**mark[name], 'dropped_fields': len(event) - len(cut)}}
    line = _line(cut | mark)
    return line if len(line) <= limit else _line({name: {'original_bytes': mark[name]['original_bytes']}})


def _cut_value(value: str | _Container, size: int) -> str:
    """Cut a string, or the JSON text of a list or an object."""
    # An encoded text is never shorter than the text: its first `size` bytes are as many as can be needed.
    text = value if isinstance(value, str) else orjson.dumps(value)[:size].decode('utf-8', 'ignore')
    return _cut(orjson.dumps(text), size)


def _line(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)
