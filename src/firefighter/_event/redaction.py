r"""What must not be sent is hidden in an event's line (`JSONFormatter(redact=...)`).

The line is looked at, not the program's objects: so nothing of these is changed, and whatever is in the event is covered, wherever it comes
from. What is found in it is replaced, and the line is written anew. Where nothing is found it stays as it is.

| what is listed | what is hidden |
|---|---|
| a name: `'password'`, `'api_*'` | the value of each key with that name, at any depth. `*` stands for any characters; the case does not count |
| a pattern: `re.compile(r'\d{16}')`, `r're:\d{16}'` | what it finds in a text: a message, a traceback, any value that is a text |

| value | becomes |
|---|---|
| a text under a name | `"<redacted>"` |
| a number, a boolean, an object or a list under a name | null: a destination may have a type for its column |
| null | null, which hides nothing and is not counted |
| what a pattern finds | `<redacted>`, within the text around it |

* A name also stands for itself with numbers behind it (`password_1`): so a key is called whose own name was taken.
* Names do not look into texts, and patterns do not look at keys and numbers. The event's own `timestamp` is no text for a pattern.
* No name may be one of `timestamp`, `level` and `logger`, which each event needs.

**Price.** To read a line costs several times what an event may pay. So names that are known to hide nothing are remembered: an event that has no
others, and no containers, is not read (some 20 ns for each name).

**Failure.** Where no memory or no stack is left for this, the line that could not be read is not sent. The formatter goes on to its last
resorts (`careful_encoding.py`), which are redacted as well, or say nothing of the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any

from firefighter._event.bound_fields import BoundFields, bound
from firefighter._event.encoder import orjson
from firefighter._event.json_values import clean_text, move_under_extra

__all__ = ['COUNT', 'MARK', 'Redaction']

COUNT = 'redacted'
"""The event's last key: how many values are hidden. Nothing else may have this name at the top of an event."""

MARK = '<redacted>'

_REGEX = 're:'

# Programs have some hundred names. What clients send may have any number, and of any length.
_MOST_NAMES = 4096
_LONGEST_NAME = 100

_NEEDED = ('timestamp', 'level', 'logger')

_is_our_time = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z').fullmatch

_get_bound = bound.get

_Dumps = Callable[[Any, None, int], bytes]


class Redaction:
    """Hides what is listed.

    Args:
        listed: names and patterns.
        usual: an event that has what each has: the names, and the constants. None stands for any value.
        context: what the formatter adds from the context.

    Raises:
        TypeError: something listed is neither a string nor a compiled pattern for strings.
        ValueError: what is listed is no regular expression, or would hide everything.
    """

    def __init__(
        self, listed: Iterable[object], usual: Mapping[str, object], context: Iterable[object]
    ) -> None:
        names, patterns = [], []
        for one in listed:
            if isinstance(one, str) and not one.startswith(_REGEX):
                names.append(one)
            else:
                patterns.append(_checked_pattern(one))
        self._is_named = re.compile(_any_of(names), re.DOTALL).fullmatch
        for name in names:
            _check_name(name)
        self._patterns = tuple(patterns)
        # Changed in place by any thread: what is in it is true for ever.
        self._known: set[str] = set()
        self._reads_bound = 'firefighter' in context
        example = {name: '?' if value is None else value for name, value in usual.items()}
        # What a source of the context will add is not known beforehand.
        others = [source for source in context if source != 'firefighter']
        self._reads_all = bool(patterns or others or self._finds(orjson.loads(orjson.dumps(example))))

    def over_dumps(self, dumps: _Dumps, dumps_usual: _Dumps) -> tuple[_Dumps, _Dumps]:
        """Return the functions that encode an event of plain values, and one that has the usual names only, with what is listed hidden."""
        is_known, redact = self._known.issuperset, self.redact

        def read(event: dict[Any, object], default: None, options: int) -> bytes:
            return redact(dumps(event, default, options))

        def ask_names(event: dict[Any, object], default: None, options: int) -> bytes:
            line = dumps(event, default, options)
            return line if is_known(event) else redact(line)

        def ask_all(event: dict[Any, object], default: None, options: int) -> bytes:
            # First, since what is bound is put into it.
            names_known = is_known(event)
            line = dumps(event, default, options)
            return line if names_known and self._is_bound_clean() else redact(line)

        def ask_bound(event: dict[Any, object], default: None, options: int) -> bytes:
            line = dumps_usual(event, default, options)
            return line if self._is_bound_clean() else redact(line)

        if self._reads_all:
            return read, read
        return (ask_all, ask_bound) if self._reads_bound else (ask_names, dumps_usual)

    def over_encode_event(self, encode_event: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        """Return the function that encodes an event of any values, with what is listed hidden."""
        return lambda event: self.redact(encode_event(event))

    def redact(self, line: bytes) -> bytes:
        """Return the line with what is listed hidden."""
        event: dict[str, Any] = orjson.loads(line)
        time = event.get('timestamp')
        may_be_taken = not self._known.issuperset(event)
        hidden = self._hide(event)
        if event.get('timestamp') != time and _is_our_time(str(time)):
            event['timestamp'] = time
            hidden -= 1
        taken = [name for name in event if _is_count(name)] if may_be_taken else []
        if not hidden and not taken:
            return line
        if taken:
            move_under_extra(event, taken)
        if hidden:
            event[COUNT] = hidden
        return orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)

    def _is_bound_clean(self) -> bool:
        """Return whether there is nothing to hide in what is bound just now, which is read once."""
        fields: BoundFields | None = _get_bound()
        if fields is None or fields.clean_for is self:
            return True
        if self._finds(orjson.loads(orjson.dumps(fields.fields))):
            return False
        fields.clean_for = self
        return True

    def _finds(self, event: dict[str, Any]) -> bool:
        """Return whether an event that has these fields must be read; the fields are used up."""
        return self._hide(event) > 0 or any(map(_is_count, event))

    def _hide(self, event: dict[str, Any]) -> int:
        """Hide what is listed in an event, which is changed; return how many values that were."""
        hidden = 0
        containers: list[Any] = [event]
        while containers:
            container = containers.pop()
            values = container
            if type(container) is dict:
                values = container.values()
                if not self._known.issuperset(container):
                    hidden += self._hide_named(container)
            if self._patterns:
                hidden += self._hide_matches(container)
            containers += [value for value in values if type(value) is dict or type(value) is list]
        return hidden

    def _hide_named(self, container: dict[str, Any]) -> int:
        hidden = 0
        for name in self._named(container):
            if container[name] is not None:
                container[name] = MARK if type(container[name]) is str else None
                hidden += 1
        return hidden

    def _hide_matches(self, container: Any) -> int:
        hidden = 0
        for place, value in container.items() if type(container) is dict else enumerate(container):
            if type(value) is not str or value == MARK:
                continue
            shown = value
            for pattern in self._patterns:
                if pattern.search(shown):
                    shown = pattern.sub(_mark, shown)
            if shown != value:
                container[place] = shown
                hidden += 1
        return hidden

    def _named(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that are listed, and remember the others."""
        found = set()
        for name in names:
            if name in self._known:
                continue
            if self._is_named(name):
                found.add(name)
            elif len(name) <= _LONGEST_NAME and not _is_count(name):
                if len(self._known) >= _MOST_NAMES:
                    self._known.clear()
                self._known.add(name)
        return found


def _is_count(name: str) -> bool:
    # In any case, since some destinations make no difference.
    return name.lower() == COUNT


def _mark(found: re.Match[str]) -> str:
    # What is empty hides nothing: `\b` would put a mark before and behind each word.
    return MARK if found.group() else ''


def _any_of(names: Iterable[str]) -> str:
    """Return the regular expression that matches each key which has one of the names."""
    numbers = count()
    return f'(?:{"|".join(_expression(clean_text(name), numbers) for name in names) or "(?!)"})(?:_[0-9]+)*'


def _expression(name: str, numbers: Iterable[int]) -> str:
    first, *others = map(_in_any_case, re.split(r'\*+', name))
    if not others:
        return first
    # The first place where a part is found is the right one, and there is no way back from it: several `*` do not take the
    # time of all combinations in a long key.
    parts = ''.join(
        f'(?=(?P<part{number}>.*?{part}))(?P=part{number})'
        for number, part in zip(numbers, others[:-1], strict=False)
    )
    return f'{first}{parts}.*{others[-1]}'


def _in_any_case(text: str) -> str:
    return ''.join(_character(character) for character in text)


def _character(character: str) -> str:
    # Not the flag of `re`, for which the sign of Kelvin is a k.
    cases = {case for case in (character, character.lower(), character.upper()) if len(case) == 1}
    return f'[{"".join(map(re.escape, sorted(cases)))}]' if len(cases) > 1 else re.escape(character)


# What hardly any key has.
_seems_a_pattern = re.compile(r'\^|re:|.*\\[bdsw]', re.IGNORECASE | re.DOTALL).match


def _check_name(name: str) -> None:
    if not name:
        raise ValueError("redact lists '', which is no name: write one, such as 'password'")
    if _seems_a_pattern(name):
        pattern = name if name[:3].lower() != _REGEX else name[3:]
        raise ValueError(
            f"redact lists {name!r}, which would be the name of a key and seems to be a regular expression: write 're:' before it, as in "
            f'{_REGEX + pattern!r}'
        )
    hides = re.compile(_any_of([name]), re.DOTALL).fullmatch
    for needed in _NEEDED:
        if hides(needed):
            raise ValueError(
                f"redact lists {name!r}, which would hide the event's own {needed}: write a name that is not that of {needed}"
            )


def _checked_pattern(listed: object) -> re.Pattern[str]:
    """Return the compiled pattern."""
    if isinstance(listed, str):
        try:
            pattern: re.Pattern[Any] = re.compile(listed.removeprefix(_REGEX))
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(
                f"redact lists {listed!r}, which is no regular expression: {error}. Correct it; of a name, leave out the '{_REGEX}'"
            ) from error
    elif isinstance(listed, re.Pattern):
        pattern = listed
    else:
        instead = f', such as {listed.decode(errors="replace")!r}' if isinstance(listed, bytes) else ''
        raise TypeError(
            f'redact lists {listed!r}, which is {type(listed).__name__}: write the name of a key{instead}, or a pattern, compiled or as '
            f"'{_REGEX}...'"
        )
    if not isinstance(pattern.pattern, str):
        raise TypeError(
            f'redact lists {listed!r}, a pattern for bytes: write one for text, without the b before its quotation mark'
        )
    if pattern.search(''):
        raise ValueError(
            f'redact lists {listed!r}, which matches the empty text and so is found everywhere: write + in the place of *, for example'
        )
    return pattern
