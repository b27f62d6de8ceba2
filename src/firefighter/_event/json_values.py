r"""Make any Python value acceptable to the JSON encoder, at the price of its form but never of the event.

orjson refuses a whole event for one value that it does not know. Only then this module is asked, and only
about the value that was refused. Nothing here changes, consumes or trusts what it is given: types are taken
from `type()`, built-in containers are read through the built-in type's own methods whatever a subclass
overrides, and every call into foreign code is guarded.

orjson has a hook for this, `default=`, which is not used, on purpose. orjson walks lists by pointer, so a
hook that changes a list on the way (or another thread, which gets its turn while the hook runs) makes it read
freed memory: a `__str__` that clears its own list is a segmentation fault with orjson 3.13.0. So orjson only
walks where no Python code can run (but for the `value` of an enum); Python code runs only here, on copies.

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
| a container inside itself | `<cycle>` |
| anything else, and containers in more than `MAX_DEPTH` others | its `str`; iterators are not consumed |
| a value whose `__str__` raises | `<unprintable module.Type: ErrorType>` |
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from firefighter._event.foreign_values import Fields, Simplification, find_simplification, simplify_mapping

#: Refused, and so left to this module: dataclasses, since orjson would write the fields that `repr=False`
#: hides; times, since it would ask their time zone, and an error there ends the process (a null pointer).
OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

#: For a whole event. Refused, too: integers beyond 53 bits. Some of them are beyond a signed 64-bit integer, which is what
#: OpenSearch, Athena and Redshift have. orjson itself writes up to 2^64-1, and this is the one limit that it has below that.
LINE_OPTIONS = OPTIONS | orjson.OPT_STRICT_INTEGER | orjson.OPT_APPEND_NEWLINE

#: Levels of nesting that stay JSON when degraded. orjson itself takes 254; 100 levels are up to 300 Python
#: frames here, which Python's default limit of 1,000 leaves to a program that is itself deep.
MAX_DEPTH = 100

#: Integers of more bits become hexadecimal, which costs linear time and has no limit: 2**2125 has 640 digits,
#: and 640 is the lowest limit that `sys.set_int_max_str_digits` accepts.
MAX_DECIMAL_BITS = 2125

CYCLE = '<cycle>'

_TOO_LARGE = 2**63

# Finds each integer from 2^63 to 2^64-1 in JSON: 19 digits from 92... on, 20 from 1... on. It finds a few other digits, too.
_find_large_integer = re.compile(rb'(?:9[2-9]|1\d\d)\d{17}').search

_SCALARS = frozenset({str, float, bool, type(None), orjson.Fragment})
_CONTAINERS = frozenset({dict, list, tuple})

# The ids of the containers around a value.
_Ancestors = tuple[int, ...]
_Conversion = Callable[[Any, _Ancestors], object]


def encode_degraded(event: dict[Any, object]) -> bytes:
    """Return the line of an event that the encoder refused: the refused values degraded, the others whole."""
    try:
        # Most often it is one value of a foreign type, and keys and scalars are good: three times as fast.
        replaced = {
            name: value
            if type(value) in _SCALARS or (type(value) is int and value < _TOO_LARGE)
            else _acceptable(value)
            for name, value in event.items()
        }
        return orjson.dumps(replaced, None, orjson.OPT_APPEND_NEWLINE)
    except Exception:  # A surrogate, a large integer, a key.
        pass
    encoded: dict[str, orjson.Fragment] = {}
    for name, value in event.items():
        encoded[free_name(key_text(name), encoded)] = encode_value(value)
    return orjson.dumps(encoded, None, orjson.OPT_APPEND_NEWLINE)


def encode_value(value: object) -> orjson.Fragment:
    """Encode one value, degraded if it must be."""
    try:
        encoded = orjson.dumps(value, None, OPTIONS)
    except Exception:  # Whatever the reason, the value is taken apart instead.
        return _encode_apart(value)
    return _encode_apart(value) if _find_large_integer(encoded) else orjson.Fragment(encoded)


def _encode_apart(value: object) -> orjson.Fragment:
    try:
        return orjson.Fragment(orjson.dumps(degrade(value)))
    except Exception as error:  # RecursionError near the limit, MemoryError: the other values are still good.
        return orjson.Fragment(orjson.dumps(unprintable(value, error)))


def _acceptable(value: object) -> object:
    """Return what the encoder takes in place of the value: a container whole if it can be, else degraded."""
    return encode_value(value) if type(value) in _CONTAINERS else degrade(value)


def degrade(value: object, ancestors: _Ancestors = ()) -> object:
    """Return a copy of the value that consists of what JSON has, by the table above.

    Args:
        value: any value at all; it is not changed.
        ancestors: the ids of the containers around the value.
    """
    try:
        # Not isinstance: that believes `__class__`, which is foreign code and may lie or raise.
        kinds = type(value).__mro__
        for kind in kinds:
            convert = _CONVERSIONS.get(kind)
            if convert is not None:
                return convert(value, ancestors)
            simplify = find_simplification(kind)
            if simplify is not None:
                return _simplified(value, ancestors, simplify)
        for kind in kinds:
            if '__attrs_attrs__' in kind.__dict__:
                return _attrs_object(value, ancestors)
            if '__dataclass_fields__' in kind.__dict__:
                return _dataclass(value, ancestors)
        return _simplified(value, ancestors, simplify_mapping) if _is_mapping(type(value)) else text(value)
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


def _container(base: type, build: Callable[[list[Any], _Ancestors], object]) -> _Conversion:
    """Return the conversion for a kind of container, which knows where to stop."""
    contents = dict.items if base is dict else base.__iter__  # type: ignore[attr-defined]
    # The list is a snapshot, made in one step: another thread may be changing the container.
    return _nested(lambda value, ancestors: build(list(contents(value)), ancestors))


def _nested(convert: _Conversion) -> _Conversion:
    """Return the conversion with the value among the ancestors of what it holds; it ends at a cycle, and at some depth."""

    def convert_within(value: Any, ancestors: _Ancestors) -> object:
        if id(value) in ancestors:
            return CYCLE
        if len(ancestors) >= MAX_DEPTH:
            return text(value)
        return convert(value, (*ancestors, id(value)))

    return convert_within


def _list(items: Iterable[object], ancestors: _Ancestors) -> list[object]:
    return [degrade(item, ancestors) for item in items]


def _object(items: Iterable[tuple[object, object]], ancestors: _Ancestors) -> dict[str, object]:
    clean: dict[str, object] = {}
    for key, value in items:
        clean[free_name(key_text(key), clean)] = degrade(value, ancestors)
    return clean


def _has_own_text(kind: Any, *, generated: bool) -> bool:
    """Return whether the author of a class has written a text for its objects, which may be there to hide something.

    Args:
        kind: the class.
        generated: whether its `__repr__` is the one that a library has made of its fields.
    """
    return not generated or kind.__str__ is not object.__str__


def _dataclass(value: Any, ancestors: _Ancestors) -> object:
    generated = getattr(type(value).__repr__, '__code__', None) is _GENERATED_REPR
    if _has_own_text(type(value), generated=generated):
        return text(value)
    return _dataclass_fields(value, ancestors)


@dataclasses.dataclass
class _Example:
    pass


_GENERATED_REPR: object = _Example.__repr__.__code__
"""The same for all dataclasses: that of the function which ends a recursion."""


@_nested
def _dataclass_fields(value: Any, ancestors: _Ancestors) -> object:
    shown = [field.name for field in dataclasses.fields(value) if field.repr]
    return _object([(name, _attribute(value, name)) for name in shown], ancestors)


def _attrs_object(value: Any, ancestors: _Ancestors) -> object:
    # attrs marks its own by their docstring alone.
    generated = (type(value).__repr__.__doc__ or '').startswith('Method generated by attrs')
    if _has_own_text(type(value), generated=generated):
        return text(value)
    return _attrs_fields(value, ancestors)


@_nested
def _attrs_fields(value: Any, ancestors: _Ancestors) -> object:
    shown = [field for field in type(value).__attrs_attrs__ if field.repr]
    return _object([(field.name, _attrs_field(value, field)) for field in shown], ancestors)


def _attrs_field(value: object, field: Any) -> object:
    content = _attribute(value, field.name)
    if field.repr is True:
        return content
    try:
        return field.repr(content)
    except Exception as error:
        return unprintable(content, error)


def _simplified(value: object, ancestors: _Ancestors, simplify: Simplification) -> object:
    def convert(value: object, ancestors: _Ancestors) -> object:
        try:
            simple = simplify(value)
        except Exception:  # A property that raises, a mapping without end.
            return text(value)
        return degrade(simple, ancestors)

    return _nested(convert)(value, ancestors)


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


def _integer(value: int, _: _Ancestors) -> object:
    number = int.__int__(value)
    if -_TOO_LARGE <= number < _TOO_LARGE:
        return number
    return str(number) if number.bit_length() <= MAX_DECIMAL_BITS else hex(number)


def _datetime(value: dt.datetime, _: _Ancestors) -> str:
    written = dt.datetime.isoformat(value)
    return written.removesuffix('+00:00') + 'Z' if written.endswith('+00:00') else written


# Looked up along a type's own order of bases, so that a datetime is not taken for the date that it also is.
_CONVERSIONS: dict[type, _Conversion] = {
    type(None): lambda value, _: value,
    bool: lambda value, _: value,
    str: lambda value, _: clean_text(value),
    int: _integer,
    float: lambda value, _: float.__float__(value),
    bytes: lambda value, _: bytes.decode(value, 'utf-8', 'backslashreplace'),
    bytearray: lambda value, _: bytearray.decode(value, 'utf-8', 'backslashreplace'),
    memoryview: lambda value, _: value.tobytes().decode('utf-8', 'backslashreplace'),
    dt.datetime: _datetime,
    dt.date: lambda value, _: dt.date.isoformat(value),
    dt.time: lambda value, _: dt.time.isoformat(value),
    BaseException: lambda value, _: f'{type_name(type(value))}: {text(value)}',
    enum.Enum: lambda value, ancestors: degrade(object.__getattribute__(value, '_value_'), ancestors),
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
}
