"""What one may ask of a running endpoint beside AWS's operations, whichever way the question comes.

In process it comes as a method call, from elsewhere as `GET` or `POST /_local/<operation>` with JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import orjson

from firefighter.local import validation
from firefighter.local.fault_plan import FaultPlan, armed
from firefighter.local.protocol import Moment, ServiceError, check_depth, invalid_argument
from firefighter.local.service import Service

# AWS has nothing but POST /.
CONTROL_PREFIX = '/_local/'
CLEAR_FAULTS = 'clear-faults'

Parameters = Mapping[str, Any]


class Operation(NamedTuple):
    """One control operation.

    Attributes:
        method: of HTTP; `GET` changes nothing.
        do: what it does with its parameters.
        known: the names of the parameters that it has.
    """

    method: str
    do: Callable[[Parameters], object]
    known: Collection[str] = ()


class Control:
    """The control operations of one endpoint.

    Args:
        service: answers AWS's operations.
        plan: the faults around it.
        clock: tells the time.
    """

    def __init__(self, service: Service, plan: FaultPlan, clock: Callable[[], Moment]) -> None:
        self._service = service
        self._plan = plan
        self._clock = clock
        self.operations: Mapping[str, Operation] = {
            'accounts': Operation('GET', self._accounts),
            'flush': Operation('POST', self._flush),
            'streams': Operation('POST', self._create_stream, validation.members('CreateDeliveryStream')),
            'inject': Operation('POST', self._inject, ('faults',)),
            CLEAR_FAULTS: Operation('POST', self._clear_faults, ('seed',)),
            'strikes': Operation('GET', self._strikes),
        }

    def call(self, operation: str, parameters: Parameters) -> Any:
        """Do one of the operations.

        Raises:
            ServiceError: the parameters are not acceptable.
        """
        known = self.operations[operation].known
        unknown = [name for name in parameters if name not in known]
        if unknown:
            raise invalid_argument(
                f'{operation} has no parameter {", ".join(unknown)}; there are: {", ".join(known) or "none"}'
            )
        return self.operations[operation].do(parameters)

    def _accounts(self, _: Parameters) -> object:
        return {name: dataclasses.asdict(account) for name, account in self._service.accounts().items()}

    def _flush(self, _: Parameters) -> object:
        unwritten = self._service.flush(self._clock())
        return {
            'complete': not unwritten,
            'unwritten': {name: dataclasses.asdict(kept) for name, kept in unwritten.items()},
        }

    def _create_stream(self, parameters: Parameters) -> object:
        return {'arn': self._service.create_stream(parameters, self._clock()).arn}

    def _inject(self, parameters: Parameters) -> object:
        faults = parameters.get('faults')
        if not isinstance(faults, list) or not all(map(_is_fault, faults)):
            raise invalid_argument(
                'faults must be a list of pairs, each a name and an object of parameters: [["slow", {"seconds": 2}]]'
            )
        try:
            # All of them or none.
            for name, settings in faults:
                armed(name, settings)
        except ValueError as error:
            raise invalid_argument(str(error)) from error
        for name, settings in faults:
            self._plan.arm(name, settings)
        return {}

    def _clear_faults(self, parameters: Parameters) -> object:
        seed = parameters.get('seed')
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
            raise invalid_argument(f'seed must be a whole number or null, not {seed!r}')
        self._plan.clear(seed)
        return {}

    def _strikes(self, _: Parameters) -> object:
        return self._plan.strikes


def parse_parameters(body: bytes) -> Parameters:
    """Return the parameters that a request's body has; none if it is empty.

    Raises:
        ServiceError: it is no JSON object, or nested too deep.
    """
    try:
        parameters = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise ServiceError('SerializationException', f'The body is not JSON: {error}') from error
    if not isinstance(parameters, dict):
        raise ServiceError('SerializationException', 'The body is not a JSON object')
    check_depth(parameters)
    return parameters


def _is_fault(pair: object) -> bool:
    if not isinstance(pair, (list, tuple)) or len(pair) != len(('name', 'parameters')):
        return False
    name, settings = pair
    return isinstance(name, str) and isinstance(settings, dict)
