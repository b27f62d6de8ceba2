"""Events that are to get an id: their formatter and their size. The number itself is the spool's to give."""

from __future__ import annotations

import logging
from typing import Any

from firefighter._event.encoder import orjson
from firefighter._event.formatter import JSONFormatter, taken_name
from firefighter._event.ids import DROPPED, PLACE, PRODUCER, SEQUENCE, with_place
from firefighter._event.json_values import move_under_extra
from firefighter._event.oversize import Oversize

__all__ = ['NumberedFormatter', 'NumberedOversize']

_KEYS = (PRODUCER, SEQUENCE, DROPPED)
# A place takes over the line's closing brace and newline.
_PLACE_ADDS_BYTES = len(with_place(b'}\n')) - len(b'}\n')


class NumberedFormatter(JSONFormatter):
    """The handler's own formatter with `event_ids`: nothing of the program's can pass for an event's id, or for a marker."""

    _kept_names = frozenset(_KEYS)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name in _KEYS:
            if name in self._fields:
                raise ValueError(f'{taken_name(name)} (event_ids needs it)')

    def encode(self, record: logging.LogRecord) -> bytes:
        """Return the record's line with a place for its id, which ends in NULs."""
        line = JSONFormatter.encode(self, record)
        # Looking into the line itself costs 200 ns for each name, looking among a record's attributes 12.
        try:
            attributes = record.__dict__
            suspicious = (
                type(record.msg) is not str
                or PRODUCER in attributes
                or SEQUENCE in attributes
                or DROPPED in attributes
            )
        except Exception:  # no real record
            suspicious = True
        if suspicious:
            line = _displaced(line)
        return with_place(line)

    def _encode_by_more_options(self, record: logging.LogRecord) -> bytes:
        return with_place(_displaced(super()._encode_by_more_options(record), ignore_case=self._ignore_case))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line without an id, which other handlers cannot give."""
        return super()._encode_by_more_options(record)[:-1].decode()


class NumberedOversize(Oversize):
    """The policy for long events where an id is to be added, which counts."""

    def fit(self, event: bytes, limit: int, reserved_bytes: int = 0) -> bytes | None:
        """Return the event, whole or truncated, or None when it is to be dropped.

        Args:
            event: ended by a place for its id, or by a newline.
            limit: MAX_RECORD_SIZE as it stands now, in bytes.
            reserved_bytes: what else is to be added to it.
        """
        if not event.endswith(PLACE):
            return super().fit(event, limit, reserved_bytes)
        whole = event[: -len(PLACE)] + b'}\n'
        fitting = super().fit(whole, limit, reserved_bytes + _PLACE_ADDS_BYTES)
        return None if fitting is None else with_place(fitting)


def _displaced(line: bytes, *, ignore_case: bool = False) -> bytes:
    """Return the line with the program's own values of our names kept under `extra`."""
    # In JSON a quotation mark within a string has a backslash before it: this finds keys alone, though of any depth.
    searched = line.lower() if ignore_case else line
    if not any(b'"%s":' % name.encode() in searched for name in _KEYS):
        return line
    event: dict[str, Any] = orjson.loads(line)
    taken = [name for name in event if (name.lower() if ignore_case else name) in _KEYS]
    if not taken:
        return line
    move_under_extra(event, taken)
    return orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)
