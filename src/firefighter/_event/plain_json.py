"""What we need of orjson, by the standard library: for where orjson cannot be used (`encoder.py`).

It takes exactly what JSON has, and refuses everything else, also what orjson takes: subclasses, enums, UUIDs. What is refused goes the
way that it goes with orjson (`json_values.py`), and becomes the same.
"""

from __future__ import annotations

import json
import math
from json.encoder import encode_basestring
from typing import Any

__all__ = [
    'OPT_APPEND_NEWLINE',
    'OPT_STRICT_INTEGER',
    'Fragment',
    'JSONDecodeError',
    'dumps',
    'loads',
]

OPT_APPEND_NEWLINE = 1
OPT_STRICT_INTEGER = 2

_STRICT = range(-(2**53) + 1, 2**53)
_ALL = range(-(2**63), 2**64)

JSONDecodeError = json.JSONDecodeError


class Fragment:
    """A value that is JSON already.

    Args:
        contents: its text.
    """

    __slots__ = ('contents',)

    def __init__(self, contents: bytes) -> None:
        self.contents = contents


def dumps(value: Any, default: None = None, option: int = 0) -> bytes:  # noqa: ARG001  # as orjson has it
    """Return a value as JSON in UTF-8.

    Raises:
        TypeError: it has something that JSON does not have, or an integer beyond 64 bits; with OPT_STRICT_INTEGER, beyond 53.
        ValueError: a text has a lone surrogate.
        RecursionError: it is nested too deep.
    """
    integers = _STRICT if option & OPT_STRICT_INTEGER else _ALL
    return (_text(value, integers) + '\n' * (option & OPT_APPEND_NEWLINE)).encode()


def _text(value: Any, integers: range) -> str:  # noqa: PLR0911  # one for each type
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is dict:
        return f'{{{",".join([f"{_key(key)}:{_text(inner, integers)}" for key, inner in value.items()])}}}'
    if kind is list or kind is tuple:
        return f'[{",".join([_text(inner, integers) for inner in value])}]'
    if value is None:
        return 'null'
    if kind is bool:
        return 'true' if value else 'false'
    if kind is int and value in integers:
        return str(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else 'null'
    if kind is Fragment:
        return str(value.contents, 'utf-8')
    raise TypeError(f'{kind.__name__} is not JSON')


def _key(key: Any) -> str:
    if type(key) is not str:
        raise TypeError('a key must be a str')
    return encode_basestring(key)


def loads(text: bytes | str) -> Any:
    """Return what a JSON text stands for.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text if isinstance(text, str) else text.decode(), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError('nested too deep') from error


def _refuse(constant: str) -> None:
    raise ValueError(f'{constant} is not JSON')
