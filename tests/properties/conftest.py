"""Surroundings of the properties."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firefighter._delivery.retry import Backoff


@pytest.fixture(scope='module')
def short_pauses() -> Iterator[None]:
    """Try again after a moment: how long a pause is has its own tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backoff, 'seconds', lambda self, failures, random: 0.001)
        yield
