r"""Make any Python value acceptable to the JSON encoder, at the price of its form but never of the event.

orjson gets nothing but built-in types, in containers that nobody else has. It asks other values for attributes: an
enum member for its `value`, an UUID for its `int`. That runs Python code, and orjson is not made for what this may do (seen with
3.13.0): an exception there (the recursion limit, a signal handler) ends the process, since it goes on with a null
pointer. And it walks lists by pointer, so a list that is changed meanwhile, by that code or by another thread, makes
it read freed memory. For the same reason its hook `default=` is not used. So Python code runs only here, on copies.

Nothing here changes, consumes or trusts what it is given: types are taken from `type()`, built-in containers are
read through the built-in type's own methods whatever a subclass overrides, and every call into foreign code is
guarded.

| value | becomes |
|---|---|
| an integer from 2^63 on, or below -2^63 | its digits as a string; hexadecimal above 640 digits |
| a str with lone surrogates | each of them as six characters, like `\udcff` |
| NaN, infinities | null |
| a dict with keys that are not strings | the `str` of the keys; of two equal ones the later gets a number |
| bytes, bytearray, memoryview | their text as UTF-8, other bytes as four characters, like `\xff` |
| set, frozenset, list, tuple and their subclasses | a list |
| deque, the views of a dict | a list |
| dict and its subclasses, other mappings | an object |
| date, time, datetime and their subclasses | ISO 8601; UTC as `Z`, naive ones stay naive |
| a dataclass, an object of attrs | its fields, except those with `repr=False`; what a `repr=` of attrs makes of a field; its `str` where its author has written a `__repr__` or `__str__` |
| values of numpy, pandas and pydantic | see `firefighter._event.foreign_values` |
| an enum member | its value |
| an exception | its type and message |
| an `orjson.Fragment` | what its JSON says, in one line; its text if it is not JSON |
| a container inside itself | `<cycle>` |
| a list that makes the event hold more than `MAX_VALUES` | as many of its values, and how many it had |
| a text in a container that makes it hold more than `MAX_CHARACTERS` | as many of its characters, and how many it had |
| a container that is beyond these | its type, or how many values it had |
| a container in more than `MAX_DEPTH` others | `<list within 100 others>` |
| anything else | its `str`; iterators are not consumed |
| a value whose `__str__` raises | `<unprintable module.Type: ErrorType>` |
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from firefighter._event.encoder import orjson
from firefighter._event.foreign_values import Fields, Simplification, find_simplification, simplify_mapping

#: For a whole event. Refused: integers beyond 53 bits. Some of them are beyond a signed 64-bit integer, which is what
#: OpenSearch, Athena and Redshift have. orjson itself writes up to 2^64-1, and this is the one limit that it has below that.
LINE_OPTIONS = orjson.OPT_STRICT_INTEGER | orjson.OPT_APPEND_NEWLINE

#: Levels of nesting that stay JSON. These are up to 300 Python frames here, which Python's default limit of 1,000 leaves to
#: a program that is itself deep.
MAX_DEPTH = 100

#: Values in the containers of an event, at any depth: up to some 0.2 s of work. A list that is referred to twice counts twice:
#: one that is doubled twenty times is a million values, though it takes no memory.
MAX_VALUES = 100_000

#: Characters of the texts in these containers, which count as often as they are referred to: sixteen times what Firehose takes of an event.
MAX_CHARACTERS = 16 * 1024**2

#: Not counted as long as there are few values: that would cost some 50 ns for each, and so few texts are not much more than the program has.
_ROOM_TO_COUNT_CHARACTERS = MAX_VALUES - 16

#: Integers of more bits become hexadecimal, which costs linear time and has no limit: 2**2125 has 640 digits,
#: and 640 is the lowest limit that `sys.set_int_max_str_digits` accepts.
MAX_DECIMAL_BITS = 2125

CYCLE = '<cycle>'

# Finds each integer from 2^63 to 2^64-1 in JSON: 19 digits from 92... on, 20 from 1... on. It finds a few other digits, too.
_find_large_integer = re.compile(rb'(?:9[2-9]|1\d\d)\d{17}').search

#: What orjson writes without asking it for anything.
PLAIN = frozenset({str, int, float, bool, type(None)})
_CONTAINERS = frozenset({dict, list, tuple})


class Walk:
    """Where one is in an event: the ids of the containers around a value, and how many more values and characters they may hold."""

    __slots__ = ('around', 'characters', 'room')

    def __init__(self) -> None:
        self.around: list[int] = []
        self.room = MAX_VALUES
        self.characters = MAX_CHARACTERS


_Conversion = Callable[[Any, Walk], object]


def encode_event(event: dict[Any, object]) -> bytes:
    """Return the line of an event, whatever it holds: what JSON does not have degraded, the others whole.

    The event is used up.
    """
    walk = Walk()
    try:
        for name, value in event.items():
            if type(value) not in PLAIN:
                event[name] = _acceptable(value, walk)
        line = orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)
        if not _find_large_integer(line):
            return line
    except Exception:  # A surrogate, a larger integer, a key; no stack left, no memory.
        pass
    encoded: dict[str, orjson.Fragment] = {}
    walk = Walk()
    for name, value in event.items():
        encoded[free_name(key_text(name), encoded)] = encode_value(value, walk)
    return orjson.dumps(encoded, None, orjson.OPT_APPEND_NEWLINE)


def encode_value(value: object, walk: Walk | None = None) -> orjson.Fragment:
    """Encode one value, degraded if it must be.

    Args:
        value: any value at all; it is not changed.
        walk: where it is in the event.
    """
    walk = walk or Walk()
    left = walk.room, walk.characters
    try:
        encoded = orjson.dumps(value if type(value) in PLAIN else _acceptable(value, walk))
        if not _find_large_integer(encoded):
            return orjson.Fragment(encoded)
    except Exception:  # A surrogate, a large integer, a key.
        pass
    try:
        walk.room, walk.characters = left
        return orjson.Fragment(orjson.dumps(degrade(value, walk)))
    except Exception as error:  # RecursionError near the limit, MemoryError: the other values are still good.
        return orjson.Fragment(orjson.dumps(unprintable(value, error)))


def _acceptable(value: object, walk: Walk) -> object:
    """Return what the encoder takes in place of the value: a container whole if it can be, else degraded."""
    if type(value) in _CONTAINERS:
        left = walk.room, walk.characters
        try:
            return _copied(value, walk, MAX_DEPTH)
        except Exception:  # It holds something else, or it is too deep, or too large.
            walk.room, walk.characters = left
    return degrade(value, walk)


def _copied(container: Any, walk: Walk, depth: int) -> object:
    """Return a copy of a dict, list or tuple that holds only these and plain values; raise a TypeError where it does not."""
    walk.room -= len(container)
    if walk.room < 0 or not depth:
        raise TypeError('too many values, or too deep')
    # The copy is made in one step: another thread may be changing the container.
    copy: Any = container.copy() if type(container) is dict else list(container)
    values = copy.values() if type(copy) is dict else copy
    kinds = set(map(type, values))
    if walk.room < _ROOM_TO_COUNT_CHARACTERS:
        if str in kinds:
            walk.characters -= sum(len(value) for value in values if type(value) is str)
        if type(copy) is dict:
            walk.characters -= sum(map(len, copy))
        if walk.characters < 0:
            raise TypeError('too many characters')
    if not PLAIN.issuperset(kinds):
        for place, value in copy.items() if type(copy) is dict else enumerate(copy):
            if type(value) in _CONTAINERS:
                copy[place] = _copied(value, walk, depth - 1)
            elif type(value) not in PLAIN:
                raise TypeError(type(value))
    return copy


def degrade(value: object, walk: Walk | None = None) -> object:  # noqa: PLR0911  # one for each kind
    """Return a copy of the value that consists of what JSON has, by the table above.

    Args:
        value: any value at all; it is not changed.
        walk: where it is in the event.
    """
    walk = walk or Walk()
    if walk.characters <= 0 and type(value) not in PLAIN:
        return f'<{type_name(type(value))}>'
    try:
        # Not isinstance: that believes `__class__`, which is foreign code and may lie or raise.
        kinds = type(value).__mro__
        for kind in kinds:
            convert = _CONVERSIONS.get(kind)
            if convert is not None:
                return convert(value, walk)
            simplify = find_simplification(kind)
            if simplify is not None:
                return _simplified(value, walk, simplify)
        for kind in kinds:
            if '__attrs_attrs__' in kind.__dict__:
                return _attrs_object(value, walk)
            if '__dataclass_fields__' in kind.__dict__:
                return _dataclass(value, walk)
        return (
            _simplified(value, walk, simplify_mapping)
            if _is_mapping(type(value))
            else _within(text(value), walk)
        )
    except Exception as error:  # A type that defeats its own base; RecursionError near the limit.
        return unprintable(value, error)


def text(value: object) -> str:
    """Return `str(value)`, or the mark that says what it is and why that failed; always valid Unicode."""
    try:
        return clean_text(str(value))
    except Exception as error:
        return unprintable(value, error)


def clean_text(value: str) -> str:
    r"""Return the text with each lone surrogate, which UTF-8 cannot encode, as six characters."""
    return str.encode(value, 'utf-8', 'backslashreplace').decode()


def unprintable(value: object, error: BaseException) -> str:
    """Return the mark for a value of which nothing can be shown."""
    return f'<unprintable {type_name(type(value), builtins="builtins.")}: {type_name(type(error))}>'


def type_name(kind: type, builtins: str = '') -> str:
    """Return the qualified name of a type with its module; a metaclass that raises is survived.

    Args:
        kind: the type.
        builtins: what to put before the names of built-in types. Tracebacks put nothing.
    """
    try:
        module, name = kind.__module__, kind.__qualname__
        return clean_text(builtins + name if module == 'builtins' else f'{module}.{name}')
    except Exception:
        return 'object'


def key_text(key: object) -> str:
    """Return a dict's key as valid text: its `str`, but bytes as their text."""
    if issubclass(type(key), str):
        return clean_text(str.__str__(key))
    return bytes.decode(key, 'utf-8', 'backslashreplace') if type(key) is bytes else text(key)


def free_name(name: str, taken: Mapping[str, object]) -> str:
    """Return the name, with a number behind it when it is taken.

    The number is how many names are taken: it grows with them, so ten thousand equal names cost no more than
    others.
    """
    number, free = len(taken), name
    while free in taken:
        free = f'{name}_{number}'
        number += 1
    return free


def move_under_extra(event: dict[str, Any], names: Iterable[str]) -> None:
    """Keep the values of some names of an event under `extra`, since something else needs these names at its top."""
    extra = event.get('extra', {})
    kept = dict(extra) if isinstance(extra, dict) else {'extra': extra}
    for name in names:
        kept[free_name(name, kept)] = event.pop(name)
    event['extra'] = kept


def _container(base: type, build: Callable[[list[Any], int, Walk], object]) -> _Conversion:
    """Return the conversion for a kind of container, which knows where to stop."""
    contents = dict.items if base is dict else base.__iter__  # type: ignore[attr-defined]
    length = base.__len__  # type: ignore[attr-defined]

    def convert(value: Any, walk: Walk) -> object:
        # The list is a snapshot, made in one step: another thread may be changing the container. It is not made where there is no room for it.
        items = list(contents(value)) if walk.room > 0 else []
        return build(items, len(items) or length(value), walk)

    return _nested(convert)


def _nested(convert: _Conversion) -> _Conversion:
    """Return the conversion with the value among the ancestors of what it holds; it ends at a cycle, and at some depth."""

    def convert_within(value: Any, walk: Walk) -> object:
        if id(value) in walk.around:
            return CYCLE
        if len(walk.around) >= MAX_DEPTH:
            # Not its `str`, which has no bound.
            return f'<{type_name(type(value))} within {MAX_DEPTH} others>'
        walk.around.append(id(value))
        try:
            return convert(value, walk)
        finally:
            walk.around.pop()

    return convert_within


def _list(items: list[object], size: int, walk: Walk) -> list[object]:
    shown = items[: max(walk.room, 0)]
    walk.room -= size
    copy = [degrade(item, walk) for item in shown]
    return copy if len(shown) == size else [*copy, f'<the first {len(shown)} of {size}>']


def _object(items: list[tuple[object, object]], size: int, walk: Walk) -> object:
    walk.room -= size
    if walk.room < 0:
        return f'<an object of {size} values>'
    clean: dict[str, object] = {}
    for key, value in items:
        name = key_text(key)
        walk.characters -= len(name)
        if walk.characters < 0:
            return f'<an object of {size} values>'
        clean[free_name(name, clean)] = degrade(value, walk)
    return clean


def _within(text: str, walk: Walk) -> str:
    """Return a text, or as much of it as there is room for."""
    shown = text[: max(walk.characters, 0)]
    walk.characters -= len(text)
    return shown if len(shown) == len(text) else f'{shown}<the first {len(shown)} of {len(text)} characters>'


def _has_own_text(kind: Any, *, generated: bool) -> bool:
    """Return whether the author of a class has written a text for its objects, which may be there to hide something.

    Args:
        kind: the class.
        generated: whether its `__repr__` is the one that a library has made of its fields.
    """
    return not generated or kind.__str__ is not object.__str__


def _dataclass(value: Any, walk: Walk) -> object:
    generated = getattr(type(value).__repr__, '__code__', None) is _GENERATED_REPR
    if _has_own_text(type(value), generated=generated):
        return _within(text(value), walk)
    return _dataclass_fields(value, walk)


@dataclasses.dataclass
class _Example:
    pass


_GENERATED_REPR: object = _Example.__repr__.__code__
"""The same for all dataclasses: that of the function which ends a recursion."""


@_nested
def _dataclass_fields(value: Any, walk: Walk) -> object:
    shown = [field.name for field in dataclasses.fields(value) if field.repr]
    return _object([(name, _attribute(value, name)) for name in shown], len(shown), walk)


def _attrs_object(value: Any, walk: Walk) -> object:
    # attrs marks its own by their docstring alone.
    generated = (type(value).__repr__.__doc__ or '').startswith('Method generated by attrs')
    if _has_own_text(type(value), generated=generated):
        return _within(text(value), walk)
    return _attrs_fields(value, walk)


@_nested
def _attrs_fields(value: Any, walk: Walk) -> object:
    shown = [field for field in type(value).__attrs_attrs__ if field.repr]
    return _object([(field.name, _attrs_field(value, field)) for field in shown], len(shown), walk)


def _attrs_field(value: object, field: Any) -> object:
    content = _attribute(value, field.name)
    if field.repr is True:
        return content
    try:
        return field.repr(content)
    except Exception as error:
        return unprintable(content, error)


def _simplified(value: object, walk: Walk, simplify: Simplification) -> object:
    def convert(value: object, walk: Walk) -> object:
        if walk.room <= 0 and hasattr(type(value), '__len__'):
            return f'<{type_name(type(value))}>'
        try:
            simple = simplify(value)
        except Exception:  # A property that raises, a mapping without end.
            return _within(text(value), walk)
        return degrade(simple, walk)

    return _nested(convert)(value, walk)


def _is_mapping(kind: type) -> bool:
    try:
        return issubclass(kind, Mapping)
    except Exception:  # A metaclass may do anything.
        return False


def _attribute(value: object, name: str) -> object:
    try:
        return getattr(value, name)
    except Exception as error:  # A property that raises, a slot that was never set.
        return unprintable(value, error)


def _integer(value: int, walk: Walk) -> object:
    number = int.__int__(value)
    if -(2**63) <= number < 2**63:
        return number
    return str(number) if number.bit_length() <= MAX_DECIMAL_BITS else _within(hex(number), walk)


def _datetime(value: dt.datetime, _: Walk) -> str:
    written = dt.datetime.isoformat(value)
    return written.removesuffix('+00:00') + 'Z' if written.endswith('+00:00') else written


def _fragment(value: orjson.Fragment, walk: Walk) -> object:
    written = orjson.dumps(value)
    try:
        # orjson refuses what is not JSON (NaN); the standard library keeps integers of any size.
        orjson.loads(written)
        return degrade(json.loads(written), walk)
    except (ValueError, RecursionError):
        return bytes.decode(written, 'utf-8', 'backslashreplace')


# Looked up along a type's own order of bases, so that a datetime is not taken for the date that it also is.
_CONVERSIONS: dict[type, _Conversion] = {
    type(None): lambda value, _: value,
    bool: lambda value, _: value,
    str: lambda value, walk: clean_text(_within(str.__str__(value), walk)),
    int: _integer,
    float: lambda value, _: float.__float__(value),
    bytes: lambda value, walk: _within(bytes.decode(value, 'utf-8', 'backslashreplace'), walk),
    bytearray: lambda value, walk: _within(bytearray.decode(value, 'utf-8', 'backslashreplace'), walk),
    memoryview: lambda value, walk: _within(value.tobytes().decode('utf-8', 'backslashreplace'), walk),
    dt.datetime: _datetime,
    dt.date: lambda value, _: dt.date.isoformat(value),
    dt.time: lambda value, _: dt.time.isoformat(value),
    BaseException: lambda value, walk: _within(f'{type_name(type(value))}: {text(value)}', walk),
    enum.Enum: lambda value, walk: degrade(object.__getattribute__(value, '_value_'), walk),
    dict: _container(dict, _object),
    list: _container(list, _list),
    tuple: _container(tuple, _list),
    set: _container(set, _list),
    frozenset: _container(frozenset, _list),
    collections.deque: _container(collections.deque, _list),
    type({}.keys()): _container(type({}.keys()), _list),
    type({}.values()): _container(type({}.values()), _list),
    type({}.items()): _container(type({}.items()), _list),
    Fields: _container(list, _object),
    orjson.Fragment: _fragment,
}
