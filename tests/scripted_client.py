"""A Firehose client that stores or not, and answers or not, as a script says; it alone knows what has really arrived."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from botocore import exceptions

from doubles import AcceptingClient, answer

Answer = Mapping[str, object] | Exception
# So many records are in the request -> the indices of those that are stored, and what the caller gets.
Mood = Callable[[int], tuple[Collection[int], Answer]]

POISON = b'poison'
# How late an answer of the mood 'late' comes: requests that were started after it have theirs before.
LATE = 'late'
LATE_SECONDS = 0.005


def client_error(code: str, status: int = 400) -> Exception:
    response = {'Error': {'Code': code, 'Message': 'no'}, 'ResponseMetadata': {'HTTPStatusCode': status}}
    return exceptions.ClientError(response, 'PutRecordBatch')


def _entries_fail(failed: Callable[[int], Collection[int]]) -> Mood:
    return lambda records: (set(range(records)) - set(failed(records)), answer(records, failed(records)))


def _instead(error: Exception, stored: Callable[[int], Collection[int]] = lambda _: ()) -> Mood:
    return lambda records: (stored(records), error)


def _every_other(records: int) -> Collection[int]:
    return range(0, records, 2)


MOODS: Mapping[str, Mood] = {
    'fine': _entries_fail(lambda _: ()),
    LATE: _entries_fail(lambda _: ()),
    'every other entry fails': _entries_fail(_every_other),
    'the last entry fails': _entries_fail(lambda records: (records - 1,)),
    'all entries fail': _entries_fail(range),
    'throttled': _instead(client_error('ThrottlingException')),
    'unavailable': _instead(client_error('ServiceUnavailableException', 500)),
    'failed inside': _instead(client_error('InternalFailure', 500)),
    'failed inside, and stored': _instead(client_error('InternalFailure', 500), range),
    'unreachable': _instead(exceptions.EndpointConnectionError(endpoint_url='here')),
    'no answer': _instead(exceptions.ReadTimeoutError(endpoint_url='here'), range),
    'cut off, half of it stored': _instead(exceptions.ConnectionClosedError(endpoint_url='here'), _every_other),
    'too few entries': lambda records: (range(records), answer(records - 1)),
    'no entries': lambda records: (range(records), {}),
    'expired': _instead(client_error('ExpiredTokenException')),
    'invalid': _instead(client_error('ValidationException')),
    'a bug of the client': _instead(ZeroDivisionError('a bug')),
}  # fmt: skip


class ScriptedClient:
    """Does what the script says, one mood for each request; at the end of the script all is fine.

    A request with an event that contains POISON is refused as invalid, whatever the mood.

    Args:
        store: called with the data of what is stored, and whether the sender is about to be told so.
    """

    meta = AcceptingClient.meta

    def __init__(self, store: Callable[[Sequence[bytes], bool], object]) -> None:
        self._store = store
        self._script: deque[str] = deque()
        self._lock = threading.Lock()

    def follow(self, moods: Iterable[str]) -> None:
        """Add to the script."""
        self._script.extend(moods)

    def calm_down(self) -> None:
        """Forget the rest of the script."""
        self._script.clear()

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803  # AWS's name
        Records: Sequence[Mapping[str, bytes]],  # noqa: N803  # AWS's name
    ) -> Any:
        data = [record['Data'] for record in Records]
        with self._lock:
            mood = self._script.popleft() if self._script else 'fine'
            if any(POISON in event for event in data):
                mood = 'invalid'
            stored, result = MOODS[mood](len(data))
            told = isinstance(result, dict) and len(result.get('RequestResponses', ())) == len(data)
            self._store([data[index] for index in stored], told)
        if mood == LATE:
            threading.Event().wait(LATE_SECONDS)
        if isinstance(result, Exception):
            raise result
        return result
