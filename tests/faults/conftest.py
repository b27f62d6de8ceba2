"""Surroundings of the tests with faults."""

from __future__ import annotations

import pytest

from firefighter._delivery.pace import Backoff


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again when somebody flushes, and not by itself: a pause may be next to nothing, and the test slower than that."""
    monkeypatch.setattr(Backoff, 'seconds', lambda self, *_: 60.0)
