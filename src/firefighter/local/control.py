"""What one may ask of a running endpoint beside AWS's operations, whichever way the question comes.

In process it comes as a method call, from elsewhere as `GET` or `POST /_local/<operation>` with JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from firefighter.local.fault_plan import FaultPlan
from firefighter.local.protocol import Moment, invalid_argument
from firefighter.local.service import Service

# AWS has nothing but POST /.
CONTROL_PREFIX = '/_local/'

Parameters = Mapping[str, Any]


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
        # operation -> HTTP method, what it does with its parameters.
        self.operations: Mapping[str, tuple[str, Callable[[Parameters], object]]] = {
            'accounts': ('GET', self._accounts),
            'flush': ('POST', self._flush),
            'streams': ('POST', self._create_stream),
            'inject': ('POST', self._inject),
            'clear-faults': ('POST', self._clear_faults),
            'strikes': ('GET', self._strikes),
        }

    def call(self, operation: str, parameters: Parameters) -> Any:
        """Do one of the operations.

        Raises:
            ServiceError: the parameters are not acceptable.
        """
        _, do = self.operations[operation]
        return do(parameters)

    def _accounts(self, _: Parameters) -> object:
        return {name: dataclasses.asdict(account) for name, account in self._service.accounts().items()}

    def _flush(self, _: Parameters) -> object:
        return {'complete': self._service.flush(self._clock())}

    def _create_stream(self, parameters: Parameters) -> object:
        return {'arn': self._service.create_stream(parameters, self._clock()).arn}

    def _inject(self, parameters: Parameters) -> object:
        try:
            for name, settings in parameters['faults']:
                self._plan.arm(name, settings)
        except (KeyError, TypeError, ValueError) as error:
            raise invalid_argument(str(error)) from error
        return {}

    def _clear_faults(self, parameters: Parameters) -> object:
        self._plan.clear(parameters.get('seed'))
        return {}

    def _strikes(self, _: Parameters) -> object:
        return self._plan.strikes
