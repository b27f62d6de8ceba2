"""Which fault strikes which request: what is armed, in which order, and by which dice."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from firefighter.local.buffering import MAX_SECONDS
from firefighter.local.catalogue import CATALOGUE
from firefighter.local.faults import Fault, Proceed
from firefighter.local.limits import MAX_BATCH_RECORDS
from firefighter.local.protocol import Reply, Request
from firefighter.local.service import Service


@dataclass
class Armed:
    """A fault that waits for its requests.

    Attributes:
        name: its name in the catalogue.
        fault: what it does.
        probability: the probability that it strikes a request that it applies to.
        skip: how many such requests pass before it strikes.
        times: how many requests it strikes at most; None: all.
        stream: strike only requests for this stream; None: for any stream.
        operations: `puts` for PutRecord and PutRecordBatch, `all`, or the name of one operation.
    """

    name: str
    fault: Fault
    probability: float = 1
    skip: int = 0
    times: int | None = None
    stream: str | None = None
    operations: str = 'puts'

    def strikes(self, request: Request, dice: random.Random) -> bool:
        """Decide about one request, and count it."""
        if not self._concerns(request) or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if dice.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def _concerns(self, request: Request) -> bool:
        if self.stream is not None and request.stream_name != self.stream:
            return False
        if self.operations == 'puts':
            return request.is_put
        return self.operations in {'all', request.operation}


# Parameters that every fault has: when it strikes.
TRIGGERS: Mapping[str, Any] = {
    field.name: field.default for field in dataclasses.fields(Armed) if field.name not in {'name', 'fault'}
}
_OPERATIONS = ('puts', 'all', *Service.OPERATIONS)
_TRIGGER_TYPES: Mapping[str, type] = {
    'probability': float, 'skip': int, 'times': int, 'stream': str, 'operations': str
}  # fmt: skip

# The smallest and the largest value of a number. What lies beyond is a slip, or would fail only when the fault strikes.
_RANGES: Mapping[str, tuple[int, int]] = {
    'share': (0, 1), 'probability': (0, 1), 'seconds': (0, MAX_SECONDS), 'status': (400, 599),
    'entries': (-MAX_BATCH_RECORDS, MAX_BATCH_RECORDS),
}  # fmt: skip
_OTHER_RANGE = (0, 10**15)
_WHOLE = frozenset({'skip', 'times', 'status', 'entries'})
# What can stand in a header of HTTP, which clients limit, too, and what botocore takes for the name of an error.
_MOST_CODE_LENGTH = 128
_CODE = re.compile(rf'[\w.:#-]{{1,{_MOST_CODE_LENGTH}}}', re.ASCII)


class FaultPlan:
    """The faults around one service.

    Faults that strike the same request are nested; the first one that was armed is the outermost.

    Args:
        seed: repeats a run, if the requests come in the same order; None for a new one each time.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self._armed: list[Armed] = []
        self.strikes: Counter[str] = Counter()

    def arm(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Add a fault.

        Args:
            name: one of the catalogue's.
            parameters: the fault's own, and when it strikes; numbers may be text.

        Raises:
            ValueError: there is no such fault or parameter, or the value is not one.
        """
        self._armed.append(armed(name, parameters))

    def clear(self, seed: int | None = None) -> None:
        """Remove all faults; how often they struck is kept.

        Args:
            seed: for what comes; None goes on with the dice as they lie.
        """
        self._armed.clear()
        if seed is not None:
            self._dice.seed(seed)

    def answer(self, request: Request, proceed: Proceed) -> Reply:
        """Ask the service, with the faults that strike this request around it."""
        striking = [fault for fault in self._armed if fault.strikes(request, self._dice)]
        self.strikes.update(fault.name for fault in striking)
        for fault in reversed(striking):
            proceed = functools.partial(self._through, fault.fault, proceed)
        return proceed(request)

    def _through(self, fault: Fault, proceed: Proceed, request: Request) -> Reply:
        return fault.answer(request, proceed, self._dice)


def armed(name: str, parameters: Mapping[str, Any]) -> Armed:
    """Return a fault of the catalogue with its parameters set, ready to strike.

    Raises:
        ValueError: as for `FaultPlan.arm`.
    """
    if name not in CATALOGUE:
        raise ValueError(f'no fault is called {name!r}; there are: {", ".join(CATALOGUE)}')
    own = CATALOGUE[name].parameters
    unknown = parameters.keys() - own.keys() - TRIGGERS.keys()
    if unknown:
        raise ValueError(
            f'the fault {name!r} has no parameter {", ".join(sorted(unknown))}; there are: {", ".join([*own, *TRIGGERS])}'
        )
    kinds = {**_TRIGGER_TYPES, **{key: type(value) for key, value in own.items()}}
    values = {
        key: _converted(key, value, kinds[key]) for key, value in parameters.items() if value is not None
    }
    fault = dataclasses.replace(
        CATALOGUE[name].fault, **{key: values[key] for key in own.keys() & values.keys()}
    )
    trigger: dict[str, Any] = {key: values[key] for key in TRIGGERS.keys() & values.keys()}
    return Armed(name, fault, **trigger)


def parse_fault(text: str) -> tuple[str, dict[str, str]]:
    """Return name and parameters of a fault as the command line has it: `partial:share=0.3,times=2`.

    Raises:
        ValueError: it has not that form.
    """
    parsed = _parsed(text)
    if parsed is None:
        raise ValueError(f'{text!r} is not of the form name:parameter=value,parameter=value{_meant(text)}')
    return parsed


def _parsed(text: str) -> tuple[str, dict[str, str]] | None:
    name, _, rest = text.partition(':')
    pairs = [part.partition('=') for part in rest.split(',') if part]
    if '=' in name or not all(equals for _, equals, _ in pairs):
        return None
    return name, {key: value for key, _, value in pairs}


def _meant(text: str) -> str:
    """Return how a fault is written whose value has no parameter, as in `partial=0.3`; nothing where none can be seen."""
    name, value = re.split('[:=]', text, maxsplit=1)
    if name not in CATALOGUE:
        return ''
    # The first number that the fault has is what is meant; where it has none, how often it strikes.
    own = CATALOGUE[name].parameters.items()
    numbers = (key for key, default in own if type(default) in {int, float} and key != 'status')
    meant = f'{name}:{value}' if '=' in value else f'{name}:{next(numbers, "probability")}={value}'
    parsed = _parsed(meant)
    if parsed is None:
        return ''
    try:
        armed(*parsed)
    except ValueError:
        return ''
    return f': write {meant}'


def parse_faults(texts: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Return names and parameters of several faults, having checked that they could be armed.

    Raises:
        ValueError: one of them could not.
    """
    parsed = [parse_fault(text) for text in texts]
    for name, parameters in parsed:
        armed(name, parameters)
    return parsed


def _converted(key: str, value: object, kind: type) -> object:
    if kind is bool:
        choices = {'true': True, 'false': False}
        if str(value).lower() not in choices:
            raise ValueError(f'{key}={value} is neither true nor false')
        return choices[str(value).lower()]
    if key == 'stream' and not isinstance(value, str):
        raise ValueError(f'stream={value!r} must be the name of a stream: write stream={str(value)!r}')
    if kind is str:
        return _checked_text(key, str(value))
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError(f'{key}={value} is not a number') from None
    if not math.isfinite(number):
        raise ValueError(f'{key}={value} is not a finite number')
    least, most = _RANGES.get(key, _OTHER_RANGE)
    if number < least == 0:
        raise ValueError(f'{key}={value} must not be negative')
    if not least <= number <= most:
        raise ValueError(f'{key}={value} must be from {least} to {most}')
    if key in _WHOLE and not number.is_integer():
        raise ValueError(f'{key}={value} must be a whole number')
    # A default of 1 second is an int, and half a second is still meant to be possible.
    return int(number) if number.is_integer() else number


def _checked_text(key: str, text: str) -> str:
    if key == 'operations' and text not in _OPERATIONS:
        raise ValueError(f'operations={text} is none of {", ".join(_OPERATIONS)}')
    if key == 'which' and text and not all(map(_is_index, text.split('+'))):
        raise ValueError(f'which={text} must be the indices of records, from 0 on: which=0 or which=0+2')
    if key == 'code' and not _CODE.fullmatch(text):
        raise ValueError(
            f'code={_brief(text)!r} must be one word of at most {_MOST_CODE_LENGTH} characters, such as ThrottlingException'
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f'{key}={text!r} cannot be written as UTF-8') from None
    return text


def _brief(text: str) -> str:
    return text if len(text) <= _MOST_CODE_LENGTH else f'{text[:20]}...'


def _is_index(text: str) -> bool:
    return text.isdecimal() and len(text) <= len(str(MAX_BATCH_RECORDS))
