"""Surroundings of the properties."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firefighter._delivery.pace import Backoff, Pacer

PAUSE_SECONDS = 0.001


@pytest.fixture(scope='module')
def short_pauses() -> Iterator[None]:
    """Try again after a moment, also where the stream throttles: how long a pause is has its own tests."""
    allowed = Pacer.seconds_until_allowed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backoff, 'seconds', lambda self, *_: PAUSE_SECONDS)
        patch.setattr(
            Pacer, 'seconds_until_allowed', lambda self, now: min(PAUSE_SECONDS, allowed(self, now))
        )
        yield
