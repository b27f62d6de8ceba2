"""Named doubles: each stands for one way in which the other side, or the clock, can behave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

DEADLINE_SECONDS = 20.0
"""How long a test waits for what has to happen. Nothing ever takes this long but a failure."""


class AcceptingClient:
    """A boto3 Firehose client whose service accepts everything.

    Attributes:
        streams: the stream of each request.
        requests: the data of each request's records, failed ones included.
        events: what was accepted, in order.
    """

    # What botocore keeps there for a client made without retries of its own.
    meta = SimpleNamespace(config=SimpleNamespace(retries={'total_max_attempts': 1, 'mode': 'standard'}))

    def __init__(self) -> None:
        self.streams: list[str] = []
        self.requests: list[list[bytes]] = []
        self.events: list[bytes] = []
        self.threads: list[threading.Thread] = []
        self._changed = threading.Condition()

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Any:
        data = [record['Data'] for record in Records]
        with self._changed:
            number = len(self.requests)
            self.streams.append(DeliveryStreamName)
            self.requests.append(data)
            self.threads.append(threading.current_thread())
            self._changed.notify_all()
        self.hold(number)
        failed = self.failures(number, data)
        with self._changed:
            self.events += [event for index, event in enumerate(data) if index not in failed]
            self._changed.notify_all()
        return answer(len(data), failed)

    def hold(self, number: int) -> None:
        """Wait before the answer; here, not at all."""

    def failures(self, number: int, data: Sequence[bytes]) -> Collection[int]:
        """Return the indices of the entries that fail in the given request; here, none."""
        return ()

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        self._wait_until(lambda: len(self.requests) >= count, f'{count} requests')

    def wait_for_events(self, count: int) -> None:
        """Wait until so many events have been accepted."""
        self._wait_until(lambda: len(self.events) >= count, f'{count} events')

    def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, DEADLINE_SECONDS):
                raise AssertionError(
                    f'waited for {what}; {len(self.requests)} requests came, {len(self.events)} events accepted'
                )


class EntryFailingClient(AcceptingClient):
    """Fails the entries that it is told to.

    Args:
        *failing: for each request in turn, the indices of the entries that fail. Later requests are accepted.
    """

    def __init__(self, *failing: Collection[int]) -> None:
        super().__init__()
        self._failing = failing

    def failures(self, number: int, data: Sequence[bytes]) -> Collection[int]:
        return self._failing[number] if number < len(self._failing) else ()


class BlockingClient(AcceptingClient):
    """Answers nothing until it is released, then everything."""

    def __init__(self) -> None:
        super().__init__()
        self._released = threading.Event()

    def hold(self, number: int) -> None:
        assert self._released.wait(3 * DEADLINE_SECONDS), 'the test never released the client'

    def release(self) -> None:
        self._released.set()


class RaisingClient(AcceptingClient):
    """Raises instead of answering.

    Args:
        *errors: for each request in turn, what it raises. Later requests are accepted.
    """

    def __init__(self, *errors: BaseException) -> None:
        super().__init__()
        self._errors = errors

    def hold(self, number: int) -> None:
        if number < len(self._errors):
            raise self._errors[number]


class RefusingClient(AcceptingClient):
    """Refuses each request whole that has an event in it that the service holds for invalid, as Firehose does.

    Args:
        invalid: says of an event whether it is.
    """

    def __init__(self, invalid: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._invalid = invalid

    def hold(self, number: int) -> None:
        if any(map(self._invalid, self.requests[number])):
            raise ValidationException('1 validation error detected')


class ValidationException(Exception):  # noqa: N818  # AWS's name
    """Has the name of Firehose's error code, by which it is known."""


class DownClient(AcceptingClient):
    """Never reaches its service."""

    def hold(self, number: int) -> None:
        raise EndpointConnectionError

    def wait_for_events(self, count: int) -> None:
        raise AssertionError('a DownClient accepts nothing')


class EndpointConnectionError(Exception):
    """Has the name of botocore's, by which it is known."""


class NoCredentialsError(Exception):
    """Has the name of botocore's, by which it is known."""


class BabblingClient(AcceptingClient):
    """Answers what Firehose never would."""

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Any:
        super().put_record_batch(DeliveryStreamName=DeliveryStreamName, Records=Records)


def answer(records: int, failed: Collection[int] = ()) -> dict[str, object]:
    """Return what Firehose answers to so many records, some of which failed."""
    throttled = {'ErrorCode': 'ServiceUnavailableException', 'ErrorMessage': 'Slow down.'}
    return {
        'FailedPutCount': len(failed),
        'Encrypted': False,
        'RequestResponses': [
            throttled if index in failed else {'RecordId': f'{index:0224}'} for index in range(records)
        ],
    }


class Drops:
    """An `on_drop` hook that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int]] = []

    def __call__(self, reason: str, events: int, size_bytes: int) -> None:
        self.calls.append((reason, events, size_bytes))


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class ThreadThatCannotStart:
    """What `make_thread` gives on a machine that has no thread left."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def start(self) -> None:
        raise RuntimeError("can't start new thread")
