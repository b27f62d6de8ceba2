"""The seam to Firehose. This module alone calls boto3 and botocore; `outcomes` says what their answers and errors mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import firefighter
from firefighter._delivery.fast_json import use_fast_json
from firefighter._delivery.origin import as_request_of_ours
from firefighter._delivery.outcomes import STALE_CREDENTIALS, Answer, from_exception, from_response
from firefighter._process.exit_and_forks import not_forking
from firefighter._process.lock import locked

if TYPE_CHECKING:
    import boto3.session

__all__ = ['BotoTransport', 'ClientOptions', 'FirehoseClient', 'Transport', 'make_client']

RENEWAL_SECONDS = 5.0
"""Between two looks for new credentials: to find that there are none takes a second where AWS's machines have them."""


class Transport(Protocol):
    """Sends one request; never raises for anything that the other side, the network or the configuration does."""

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Send records, within the limits of one request, and return what became of each."""


class FirehoseClient(Protocol):
    """The one method of a boto3 Firehose client that is used."""

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Mapping[str, Any]:
        """Put the records into the stream."""


@dataclass(frozen=True)
class ClientOptions:
    """From what to make a client.

    Attributes:
        session: a session of the user's; without it a new one is made, from `profile_name` if that is given.
        profile_name: a profile of the AWS configuration files; its assumed role refreshes by itself.
        region_name: overrides the session's region.
        endpoint_url: overrides the service's address, as for the local endpoint.
        connect_timeout_seconds: for one try to connect.
        read_timeout_seconds: for each wait for bytes of the answer.
    """

    session: boto3.session.Session | None = None
    profile_name: str | None = None
    region_name: str | None = None
    endpoint_url: str | None = None
    # AWS's own agents wait 5 s and up to a minute; a put answers within 0.2 s, and what waits here only queues.
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 20.0

    def for_attempts_of(self, seconds: float) -> ClientOptions:
        """Return the same for attempts of at most so long: half of it to connect, half for the answer."""
        # None at all would be refused; so short a time is as good.
        half = max(seconds / 2, 0.001)
        return replace(self, connect_timeout_seconds=half, read_timeout_seconds=half)


_loaders: dict[str | None, object] = {}
"""What reads the descriptions of AWS's services and remembers them, by the folder that botocore is told to look into first."""


def make_client(options: ClientOptions) -> FirehoseClient:
    """Make a Firehose client whose only retry layer is ours.

    Sessions are not thread-safe: a session of the user's is to be used in the user's thread.

    Raises:
        botocore.exceptions.BotoCoreError: there is no region, no such profile, ...
        ValueError: the endpoint is not a URL.
    """
    # The first connection would import this, without regard to forks. A child that is forked meanwhile finds half of it,
    # and then no host's name can be looked up there: "unknown encoding: idna".
    import encodings.idna  # noqa: F401, PLC0415

    from botocore.config import Config  # noqa: PLC0415  # 0.1 s: never before it is needed

    session = options.session or _make_session(options.profile_name)
    config = Config(
        # botocore's default went from 5 attempts to 3, and its pauses from seconds to 0.1 s, with version 1.44.
        retries={'total_max_attempts': 1, 'mode': 'standard'},
        connect_timeout=options.connect_timeout_seconds,
        read_timeout=options.read_timeout_seconds,
        # What we send is right by construction; checking 500 records costs a quarter of the request's CPU time.
        parameter_validation=False,
        tcp_keepalive=True,
        user_agent_extra=f'firefighter/{firefighter.__version__}',
    )
    client: FirehoseClient = session.client(
        'firehose', region_name=options.region_name, endpoint_url=options.endpoint_url, config=config
    )
    use_fast_json(client)
    return client


def _make_session(profile_name: str | None) -> boto3.session.Session:
    """Make a session that shares what botocore has read of the service: 8 MiB for each client that reads it for itself."""
    import boto3.session  # noqa: PLC0415  # as above
    import botocore.session  # noqa: PLC0415

    core = botocore.session.Session()
    session = boto3.session.Session(botocore_session=core, profile_name=profile_name)
    # Another profile may look for it elsewhere.
    place = core.get_config_variable('data_path')
    core.register_component('data_loader', _loaders.setdefault(place, core.get_component('data_loader')))
    return session


class BotoTransport:
    """Sends through a boto3 client, which is made at the first request.

    Args:
        client: makes the client. It is called again as long as it fails.
        clock: gives the time in seconds; must not jump.
        limit_timeouts: has clients from then on take at most so long for a request; returns whether that makes a
            difference.
        owns_client: whether the client is not the user's.
    """

    def __init__(
        self,
        client: Callable[[], FirehoseClient],
        clock: Callable[[], float] = monotonic,
        limit_timeouts: Callable[[float], bool] = lambda _: False,
        *,
        owns_client: bool = True,
    ) -> None:
        self._owns_client = owns_client
        self._make_client = client
        self._limit_timeouts = limit_timeouts
        self._client: FirehoseClient | None = None
        # Several requests may be the first; all but one wait for the client that it makes.
        # Python's, which gevent and eventlet replace: making a client asks the network for credentials.
        self._lock = threading.RLock()
        self._clock = clock
        self._renewed_at = -inf

    def limit_timeouts(self, seconds: float) -> None:
        """Have requests from now on take at most so long, about: an application's thread waits."""
        if self._limit_timeouts(seconds):
            self.renew_client()

    @as_request_of_ours
    def close_connections(self) -> None:
        """Let go of the connections that are kept for the next request, unless the client is the user's."""
        client: Any = self._client
        if not self._owns_client or client is None:
            return
        with suppress(Exception):  # an older botocore, or another; a later request makes others
            # Each by itself: `close` of the client leaves it to the collector, which warns of sockets that are open.
            pools = client._endpoint.http_session._manager.pools  # noqa: SLF001  # no public way
            for key in pools.keys():  # noqa: SIM118  # no mapping
                pools[key].close()
            pools.clear()  # a closed one makes no connection any more

    def renew_client(self) -> None:
        """Make a client anew at the next request: with other timeouts, for example."""
        self._client = None

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Send records and return what became of each."""
        client = self._client
        try:
            if client is None:
                client = self._make()
            response = client.put_record_batch(
                DeliveryStreamName=stream, Records=[{'Data': record} for record in records]
            )
            return from_response(response, len(records))
        except Exception as error:  # whatever botocore or a client of the user's does has an outcome
            answer = from_exception(error, len(records), connected=client is not None)
            if answer.cause in STALE_CREDENTIALS:
                self._forget_credentials()
            return answer

    @locked
    def _make(self) -> FirehoseClient:
        with not_forking():
            client = self._client = self._client or self._make_client()
        return client

    @as_request_of_ours
    def describe(self, stream: str) -> object:
        """Return what the service says of a stream.

        Raises whatever the client raises; also where there is none yet, or one that cannot ask.
        """
        client: Any = self._client
        return client.describe_delivery_stream(DeliveryStreamName=stream)['DeliveryStreamDescription']

    def _forget_credentials(self) -> None:
        """Have them read anew, now and then: a client keeps for ever those that it found, or that it found none."""
        now = self._clock()
        if now >= self._renewed_at + RENEWAL_SECONDS:
            self._renewed_at = now
            self.renew_client()
