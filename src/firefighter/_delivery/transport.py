"""The seam to Firehose: this module alone calls boto3 and botocore. `outcomes.py` reads their answers and errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

import firefighter
from firefighter._delivery.logged_by_delivery import as_request_of_ours
from firefighter._delivery.outcomes import (
    BROKEN_CONNECTION,
    STALE_CREDENTIALS,
    Answer,
    from_exception,
    from_response,
)
from firefighter._delivery.request_json import use_fast_json
from firefighter._delivery.tracing import untraced
from firefighter._process.exit_and_forks import not_forking
from firefighter._process.lock import locked
from firefighter._process.waiting import monotonic

if TYPE_CHECKING:
    import boto3.session

__all__ = ['BotoTransport', 'ClientOptions', 'FirehoseClient', 'Transport', 'make_client']

RENEWAL_SECONDS = 5.0
"""Between two searches for new credentials. Finding none takes a second where they are looked for on AWS's machines."""

# A packet that meets a closed connection is answered within a round trip. What takes longer has another reason, and a second request
# would be late for whoever waits.
_BREAKS_WITHIN_SECONDS = 0.5


class Transport(Protocol):
    """Sends one request. Never raises for an error of the service, the network or the configuration."""

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Send records, within the limits of one request, and return the outcome of each."""


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
    """The options that a client is made from.

    Attributes:
        session: a session of the user's; None: a new one is made, from `profile_name` if that is given.
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
"""botocore's loaders, which keep the descriptions of AWS's services in memory; by the folder that they look into first."""


@untraced
def make_client(options: ClientOptions) -> FirehoseClient:
    """Make a Firehose client whose only retry layer is ours.

    Sessions are not thread-safe: call this in the user's thread with a session of the user's.

    Raises:
        botocore.exceptions.BotoCoreError: there is no region, no such profile, ...
        ValueError: the endpoint is not a URL.
    """
    with not_forking():
        # The first connection would import this, without regard to forks. A child that is forked meanwhile finds half of it,
        # and then no host's name can be looked up there: "unknown encoding: idna".
        import encodings.idna  # noqa: F401, PLC0415

        from botocore.config import Config  # noqa: PLC0415  # 0.1 s: never before it is needed
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

        session = options.session or _make_session(options.profile_name)
        with suppress(AttributeError):  # a double in a test
            # Makes all that may be asked for credentials, some with a context of OpenSSL, whose locks a child would find taken.
            session._session.get_component('credential_provider')  # noqa: SLF001  # no public way
    # A fork does not wait for this: another process or the network may be asked. The session keeps the answer for its client.
    ask = getattr(session, 'get_credentials', None)
    if ask is not None and ask() is None:
        raise NoCredentialsError
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
    with not_forking():
        client: FirehoseClient = session.client(
            'firehose', region_name=options.region_name, endpoint_url=options.endpoint_url, config=config
        )
    use_fast_json(client)
    return client


def _make_session(profile_name: str | None) -> boto3.session.Session:
    """Make a session that shares botocore's description of the service, which takes 8 MiB for each client otherwise."""
    import boto3.session  # noqa: PLC0415  # as above
    import botocore.session  # noqa: PLC0415

    core = botocore.session.Session()
    session = boto3.session.Session(botocore_session=core, profile_name=profile_name)
    # Another profile may have another folder for it.
    place = core.get_config_variable('data_path')
    core.register_component('data_loader', _loaders.setdefault(place, core.get_component('data_loader')))
    return session


class _Here(threading.local):
    sending = False


_here = _Here()


def _have_sending_noted(client: Any) -> bool:
    """Have it noted when a client sends a request, with all that comes before that done: credentials, endpoint, signature.

    Returns:
        Whether the client can do so; a double in a test may not.
    """
    with suppress(AttributeError):
        client.meta.events.register_last('before-send.firehose.PutRecordBatch', _note_sending)
        return True
    return False


def _note_sending(**_: object) -> None:
    _here.sending = True


class BotoTransport:
    """Sends through a boto3 client, which is made at the first request.

    Args:
        client: makes the client. Called again at the next request where it fails.
        clock: gives the time in seconds; must not jump.
        limit_timeouts: limits the time of a request for clients made from then on; returns whether that makes a
            difference.
        owns_client: whether the client is ours, not the user's.
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
        # Whether `_here` tells if a request of the client was sent.
        self._notes_sending = False
        # Several requests may be the first: one makes the client, the others wait for it.
        # Python's own lock, which gevent and eventlet replace, because making a client asks the network for credentials.
        self._lock = threading.RLock()
        self._clock = clock
        self._renewed_at = -inf

    def limit_timeouts(self, seconds: float) -> None:
        """Limit requests from now on to about so many seconds, since a thread of the application waits."""
        if self._limit_timeouts(seconds):
            self.renew_client()

    @as_request_of_ours
    def close_connections(self) -> None:
        """Close the connections that are kept for the next request, unless the client is the user's."""
        if not self._owns_client:
            return
        with suppress(Exception):  # another version of botocore may have no such attributes
            # One by one, because the client's `close` leaves it to the collector, which warns of open sockets.
            for pools in self._pools():
                for key in pools.keys():  # noqa: SIM118  # not a mapping
                    pools[key].close()
                pools.clear()  # a closed pool makes no connections any more; the next request makes another pool

    def _connections_made(self) -> int | None:
        """Return how many connections were made for requests; None where that cannot be found out."""
        with suppress(Exception):
            return sum(int(pools[key].num_connections) for pools in self._pools() for key in pools.keys())  # noqa: SIM118
        return None

    def _pools(self) -> list[Any]:
        """Return urllib3's pools of connections, by their keys. Raises any Exception where there are none: there is no public way."""
        client: Any = self._client
        session = client._endpoint.http_session  # noqa: SLF001
        return [manager.pools for manager in (session._manager, *session._proxy_managers.values())]  # noqa: SLF001

    def renew_client(self) -> None:
        """Have the next request make a new client, for example with other timeouts."""
        self._client = None

    @untraced
    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Send records and return the outcome of each.

        The other side may have closed a connection that was kept for the next request (a load balancer after some minutes, or while AWS
        Lambda had frozen the process). Sent on that one, a request breaks at once. Then it is made on a new one.
        """
        made, began_at = self._connections_made(), self._clock()
        answer = self._put(stream, records)
        kept = made and made == self._connections_made()
        if answer.cause in BROKEN_CONNECTION and kept and self._clock() - began_at < _BREAKS_WITHIN_SECONDS:
            # urllib3 puts nothing in the place of the broken one, and takes that first: so this is a new connection.
            answer = replace(self._put(stream, records), sent_twice=True)
        return answer

    def _put(self, stream: str, records: Sequence[bytes]) -> Answer:
        client = self._client
        _here.sending = False
        try:
            if client is None:
                client = self._make()
            response = client.put_record_batch(
                DeliveryStreamName=stream, Records=[{'Data': record} for record in records]
            )
            return from_response(response, len(records))
        except Exception as error:  # of botocore, or of a client of the user's: each has an outcome
            sent = client is not None and (_here.sending or not self._notes_sending)
            answer = from_exception(error, len(records), sent=sent)
            if answer.cause in STALE_CREDENTIALS:
                self._forget_credentials()
            return answer

    @locked
    def _make(self) -> FirehoseClient:
        client = self._client
        if client is None:
            client = self._make_client()
            self._notes_sending = self._owns_client and _have_sending_noted(client)
            self._client = client
        return client

    @as_request_of_ours
    @untraced
    def describe(self, stream: str) -> object:
        """Return the service's description of a stream.

        Raises whatever the client raises, also where there is no client yet or it cannot ask.
        """
        client: Any = self._client
        return client.describe_delivery_stream(DeliveryStreamName=stream)['DeliveryStreamDescription']

    def _forget_credentials(self) -> None:
        """Have the credentials read anew, at most once in so many seconds: a client never reads them again by itself."""
        now = self._clock()
        if now >= self._renewed_at + RENEWAL_SECONDS:
            self._renewed_at = now
            self.renew_client()
