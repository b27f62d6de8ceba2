"""What a unit test may rely on however busy the machine is."""

from __future__ import annotations

import pytest

from doubles import DEADLINE_SECONDS
from firefighter._delivery import dispatch, pace, requests
from firefighter._handler import deliverer


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives a thread up that is on its way, and none ends since it has been idle for long: for who asks which it was.

    A second or five are for ever on any machine, but for one that stands still meanwhile.
    """
    monkeypatch.setattr(deliverer, '_PATIENCE_SECONDS', DEADLINE_SECONDS)
    monkeypatch.setattr(dispatch, 'THREAD_START_SECONDS', DEADLINE_SECONDS)
    monkeypatch.setattr(requests, 'IDLE_SECONDS', DEADLINE_SECONDS)


@pytest.fixture
def longest_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause after a failure is over by itself: for who counts the tries that were asked for.

    The range of each begins at zero, so that one in some thousand is over before anybody looks.
    """
    monkeypatch.setattr(pace.Backoff, 'seconds', lambda backoff, *_: backoff.cap_seconds)
