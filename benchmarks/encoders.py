"""Which JSON encoder: orjson or msgspec, by speed and by what each does with values that JSON does not have.

Run as `make .venv-bench/.bench && .venv-bench/bin/python -m benchmarks.encoders`.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import importlib
import json
import uuid
from typing import Any

from benchmarks.interleaved import machine, measure, report

orjson: Any = importlib.import_module('orjson')
msgspec: Any = importlib.import_module('msgspec')

NOW = dt.datetime(2026, 1, 31, 12, 34, 56, 789012, dt.timezone.utc)
FLAT = {
    'timestamp': '2026-01-31T12:34:56.789012Z',
    'level': 'INFO',
    'logger': 'shop.views',
    'message': 'GET /items/42 took 12 ms',
    'status': 200,
    'user': 'ada',
}
HEADERS = {f'header-{number}': f'value {number}' for number in range(10)}
EVENTS: dict[str, object] = {
    'flat': FLAT,
    'nested': {
        **FLAT,
        'request': {'headers': HEADERS, 'tags': ['a', {'b': [1, 2, {'c': None}]}]},
        'ms': [1.5] * 12,
    },
    'datetimes': {
        **FLAT,
        'begun': NOW,
        'ended': NOW,
        'local': NOW.replace(tzinfo=None),
        'ids': [uuid.UUID(int=7)] * 3,
    },
    'not ASCII': {**FLAT, 'message': 'Ünïcode 日本語 🔥 ' * 5},
    'traceback': {**FLAT, 'traceback': '  File "/srv/app.py", line 7, in view\n' * 50},
}


class _Text(str):
    __slots__ = ()


class _Color(enum.Enum):
    RED = 'red'


class _Opaque(enum.Enum):
    THING = object()


@dataclasses.dataclass
class _Point:
    x: int = 1
    secret: str = dataclasses.field(default='hidden', repr=False)


class _Number(int):
    pass


class _Mapping(dict[str, int]):
    pass


_Pair = collections.namedtuple('_Pair', 'a b')  # noqa: PYI024 - the untyped one is what programs log


def _nested(levels: int) -> object:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


def _cycle() -> object:
    value: list[object] = []
    value.append(value)
    return value


ODD_VALUES: dict[str, object] = {
    'NaN': float('nan'),
    'infinity': float('inf'),
    '2**64 - 1': 2**64 - 1,
    '2**64': 2**64,
    '-2**63 - 1': -(2**63) - 1,
    'lone surrogate': 'a\ud800',
    'integer as key': {1: 2},
    'None as key': {None: 1},
    'tuple as key': {(1, 2): 1},
    'str subclass as key': {_Text('k'): 1},
    'cycle': _cycle(),
    '200 levels': _nested(200),
    '300 levels': _nested(300),
    'foreign object': object(),
    'str subclass': _Text('x'),
    'int subclass': _Number(3),
    'dict subclass': _Mapping(a=1),
    'dataclass with a hidden field': _Point(),
    'namedtuple': _Pair(1, 2),
    'enum': _Color.RED,
    'enum of an object': _Opaque.THING,
    'UUID': uuid.UUID(int=7),
    'Decimal': decimal.Decimal('1.10'),
    'bytes': b'caf\xc3\xa9',
    'set': {1},
    'datetime, UTC': NOW,
    'datetime, naive': NOW.replace(tzinfo=None),
    'timedelta': dt.timedelta(days=1),
    'generator': (number for number in [1]),
    'control characters': '\n\0\x1a',
}


def main() -> None:
    """Print the tables."""
    print(f'orjson {orjson.__version__}, msgspec {msgspec.__version__}; {machine()}')
    encoder = msgspec.json.Encoder()
    line = orjson.OPT_APPEND_NEWLINE
    wary = line | orjson.OPT_PASSTHROUGH_DATACLASS
    lenient = line | orjson.OPT_NON_STR_KEYS
    alternatives = {
        'orjson': lambda event: orjson.dumps(event, None, line),
        'orjson, OPT_PASSTHROUGH_DATACLASS': lambda event: orjson.dumps(event, None, wary),
        'orjson, OPT_NON_STR_KEYS': lambda event: orjson.dumps(event, None, lenient),
        'msgspec': lambda event: encoder.encode(event) + b'\n',
        'json': lambda event: json.dumps(event, default=str).encode() + b'\n',
    }
    for title, event in EVENTS.items():
        report(title, measure(alternatives, event))
    print('\n### Odd values\n\n| | orjson | msgspec |\n|---|---|---|')
    for title, value in ODD_VALUES.items():
        print(f'| {title} | {_outcome(orjson.dumps, value)} | {_outcome(encoder.encode, value)} |')


def _outcome(encode: Any, value: object) -> str:
    try:
        written: str = encode(value).decode()
    except Exception as error:
        return f'refused: {type(error).__name__}'
    return f'`{written[:50]}`'


if __name__ == '__main__':
    main()
