"""Sends requests to Firehose by a client of boto3's, made by `clients.py`. `outcomes.py` reads its answers and errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Any, Protocol

from firefighter._delivery.clients import FirehoseClient
from firefighter._delivery.logged_by_delivery import as_request_of_ours
from firefighter._delivery.outcomes import (
    BROKEN_CONNECTION,
    STALE_CREDENTIALS,
    Answer,
    from_exception,
    from_response,
)
from firefighter._delivery.tracing import untraced
from firefighter._process.lock import locked
from firefighter._process.waiting import monotonic

__all__ = ['BotoTransport', 'Transport']

RENEWAL_SECONDS = 5.0
"""Between two searches for new credentials. Finding none takes a second where they are looked for on AWS's machines."""

# A packet that meets a closed connection is answered within a round trip. What takes longer has another reason, and a second request
# would be late for whoever waits.
_BREAKS_WITHIN_SECONDS = 0.5


class Transport(Protocol):
    """Sends one request. Never raises for an error of the service, the network or the configuration."""

    def put(self, stream: str, records: Sequence[bytes]) -> Answer:
        """Send records, within the limits of one request, and return the outcome of each."""


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
