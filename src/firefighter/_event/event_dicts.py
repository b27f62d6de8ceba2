"""structlog's event dict becomes a line of JSON, without a LogRecord.

The line is the one that `JSONFormatter` writes for a record with this dict as its message (`careful_encoding.py`): `event` is its
message, and what else is in the dict are its fields. This is the quick way alone. For what is unusual `encode` returns None: then the
caller makes that record, and the formatter encodes it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from math import floor
from time import time
from typing import Any

from firefighter._event.formatter import JSONFormatter
from firefighter._event.ids import DROPPED, PRODUCER, SEQUENCE, with_place
from firefighter._event.json_values import LINE_OPTIONS, PLAIN
from firefighter._event.numbered_formatter import NumberedFormatter
from firefighter._event.timestamp import THREE_DIGITS, THREE_DIGITS_Z, second_of

__all__ = ['EventDictEncoder']

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_STR = frozenset({str})
_IDS = frozenset({PRODUCER, SEQUENCE, DROPPED})


class EventDictEncoder:
    """Encodes event dicts by the options of a formatter. The names of the levels are those that `logging` has when it is made.

    Args:
        formatter: has the options. For a subclass of the program's, and for options that are not known here (`leave_out`,
            `ignore_case`, `layout`), each dict is unusual.

    Attributes:
        formatter: as given.
    """

    def __init__(self, formatter: JSONFormatter) -> None:
        self.formatter = formatter
        # A formatter with such options has an `encode` of its own, and so has a subclass that changes what is written.
        has_known_class = type(formatter) in {JSONFormatter, NumberedFormatter}
        self._is_known = has_known_class and 'encode' not in vars(formatter)
        self._template = formatter._template  # noqa: SLF001  # of this package, as the other two
        self._origins = formatter._origins  # noqa: SLF001
        self._protect_fields = formatter._protect_fields  # noqa: SLF001
        # With a context they add what is in it; where a name is taken they raise.
        self._dumps = formatter._dumps  # noqa: SLF001
        self._encode_event = formatter._encode_event  # noqa: SLF001
        self._numbered = isinstance(formatter, NumberedFormatter)
        self._level_names = {level: logging.getLevelName(level) for level in _LEVELS}
        # One tuple, so that it is read and replaced in one step by any number of threads.
        self._second = (math.nan, '')

    # One function, as `JSONFormatter.encode` is.
    def encode(
        self,
        method: str,
        level: int,
        logger: str,
        event_dict: dict[Any, Any],
        find_callsite: Callable[[], object],
    ) -> bytes | None:
        """Return the line of an event dict, or None for one that is unusual. Raises no Exception, and changes nothing.

        Args:
            method: the name of the method that was called. structlog has it as the event's level.
            level: one of logging's five levels.
            logger: the logger's name.
            event_dict: what structlog's processors have put together.
            find_callsite: returns what has the attributes of a record that `include` asks for; only called where it does.
        """
        if not self._is_known:
            return None
        try:
            fields = event_dict.copy()
            message = fields.pop('event')
            if (
                type(message) is not str
                or 'message' in fields
                or 'exception' in fields
                or fields.pop('exc_info', None)
            ):
                return None
            level_name = self._level_names[level]
            given = fields.pop('level', method)
            if given != method and str.upper(given) != level_name:
                return None
            if self._numbered and not (_STR.issuperset(map(type, fields)) and _IDS.isdisjoint(fields)):
                return None
            created = time()
            start, beginning = self._second
            offset = (created - start) * 1e6
            if not 0.0 <= offset < 999_999.5:  # noqa: PLR2004  # microseconds of a second, before rounding
                self._second = start, beginning = second_of(created)
                offset = (created - start) * 1e6
            micros = floor(offset + 0.5)
            event = self._template.copy()
            event['timestamp'] = f'{beginning}{THREE_DIGITS[micros // 1000]}{THREE_DIGITS_Z[micros % 1000]}'
            event['level'] = level_name
            event['logger'] = logger
            event['message'] = message
            if self._origins:
                callsite = find_callsite()
                for name, origin in self._origins:
                    event[name] = origin(callsite)
            if self._protect_fields:
                event['data'] = fields
                line = self._encode_event(event)
            else:
                event.update(fields)
                line = self._line(event, plain=PLAIN.issuperset(map(type, fields.values())))
        except Exception:  # Whatever it was: the formatter finds it again, step by step.
            return None
        return with_place(line) if self._numbered else line

    def _line(self, event: dict[Any, object], *, plain: bool) -> bytes:
        """Return an event's line; `plain` says that the encoder may have what the program has put into it as it is."""
        if plain:
            try:
                return self._dumps(event, None, LINE_OPTIONS)
            except Exception:  # one of the values was refused, or a name is taken; the event is good
                pass
        return self._encode_event(event)
