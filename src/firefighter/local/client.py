"""Asking a running endpoint, in this process or in another, in the same words."""

from __future__ import annotations

import abc
import http.client
import urllib.parse
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from firefighter._delivery.diagnostics import write_text
from firefighter.local.accounts import Account
from firefighter.local.control import CONTROL_PREFIX
from firefighter.local.streams import Unwritten

if TYPE_CHECKING:
    from typing_extensions import Self

TIMEOUT_SECONDS = 30
# The operations that change nothing.
READ_ONLY = frozenset({'accounts', 'strikes'})


class EndpointError(Exception):
    """The local endpoint could not start, or would not do what it was asked."""


class Controls(abc.ABC):
    """What can be asked of an endpoint."""

    @abc.abstractmethod
    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """Do a control operation and return its result."""

    def accounts(self) -> dict[str, Account]:
        """Return each stream's account as it stands now.

        Raises:
            EndpointError: the endpoint does not answer.
        """
        return {name: Account(**counters) for name, counters in self._call('accounts', {}).items()}

    def account(self, stream_name: str) -> Account:
        """Return one stream's account as it stands now.

        Raises:
            EndpointError: there is no such stream, or the endpoint does not answer.
        """
        accounts = self.accounts()
        if stream_name not in accounts:
            raise EndpointError(f'no stream {stream_name!r}; there are {sorted(accounts)}')
        return accounts[stream_name]

    def flush(self) -> None:
        """Write everything that is buffered into the folder now, whatever the hints say.

        Raises:
            EndpointError: some of it could not be written and is still buffered. All else is written.
        """
        unwritten = self._flush()
        if unwritten:
            raise EndpointError(f'some records cannot be written and are kept: {tell(unwritten)}')

    def _flush(self) -> dict[str, Unwritten]:
        """Write what is buffered, and return what could not be written, by stream."""
        unwritten = self._call('flush', {})['unwritten']
        return {name: Unwritten(**kept) for name, kept in unwritten.items()}

    def create_stream(self, name: str, **parameters: object) -> str:
        """Create a delivery stream and return its ARN.

        Args:
            name: the stream's name.
            **parameters: those of CreateDeliveryStream, as boto3 spells them. Without a destination it is S3, in
                the bucket `logs`.

        Raises:
            EndpointError: AWS would refuse it, or the endpoint does not have what was asked for.
        """
        arn: str = self._call('streams', {'DeliveryStreamName': name, **parameters})['arn']
        return arn

    def inject(self, name: str, **parameters: object) -> None:
        """Arm a fault, beside those that are armed already.

        Args:
            name: such as `partial`; `docs/local-endpoint.md` and `firefighter local --help` list all.
            **parameters: the fault's own, and when it strikes: `probability` (1), `skip` (0 requests), `times`
                (None: always), `stream` (None: all), `operations` (`puts`, `all`, or one's name).

        Raises:
            EndpointError: there is no such fault or parameter.
        """
        self._call('inject', {'faults': [[name, parameters]]})

    def clear_faults(self, seed: int | None = None) -> None:
        """Disarm all faults, and end what they are doing: refusing connections, not answering, answering late.

        Args:
            seed: for the dice from here on; None lets them lie.

        Raises:
            EndpointError: the endpoint does not answer.
        """
        self._call('clear-faults', {'seed': seed})

    def strikes(self) -> dict[str, int]:
        """Return how often each fault has struck since the endpoint started.

        Raises:
            EndpointError: the endpoint does not answer.
        """
        return dict(self._call('strikes', {}))


class Running(abc.ABC):
    """What is started and stopped, also by `with`."""

    @abc.abstractmethod
    def start(self) -> Self:
        """Start, and return when requests are answered."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Write what is buffered, and end.

        Raises:
            EndpointError: some of it could not be written.
        """

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop. Where an exception is on its way already, what could not be written is said on stderr."""
        try:
            self.stop()
        except EndpointError as failure:
            if error is None:
                raise
            write_text(f'firefighter local: {failure}\n')


def tell(unwritten: Mapping[str, Unwritten]) -> str:
    """Return in one line what could not be written, and why."""
    return ', '.join(f'{kept.records} of stream {name} ({kept.error})' for name, kept in unwritten.items())


class LocalFirehoseClient(Controls):
    """Controls an endpoint that runs as a process of its own, over HTTP.

    Args:
        url: the line that `firefighter local` prints names it, such as `http://127.0.0.1:4573`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        address = urllib.parse.urlsplit(url)
        self._host, self._port = address.hostname or '', address.port

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        # Not urllib.request, which would send it through the proxy that the environment names.
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            method = 'GET' if operation in READ_ONLY else 'POST'
            headers = {'Content-Type': 'application/json'}
            connection.request(method, CONTROL_PREFIX + operation, orjson.dumps(parameters), headers)
            response = connection.getresponse()
            result = orjson.loads(response.read())
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
            raise EndpointError(f'no local endpoint answers at {self.url}: {error}') from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise EndpointError(f'{result["__type"]}: {result["message"]}')
        return result
