"""Is the size of request found that gets through, kept to, and tried larger again later?"""

from __future__ import annotations

from math import inf

import pytest

from firefighter._delivery.pace import KEPT_TO_SECONDS, LEAST_BYTES, RequestSize

FULL_BYTES = 4 << 20


def send(size: RequestSize, now: float, way_bytes: float, wanted_bytes: int = FULL_BYTES) -> bool:
    """Make a request over a way that lets so many bytes through; return whether it got through."""
    size_bytes = int(min(wanted_bytes, size.most_bytes))
    if size_bytes <= way_bytes:
        size.note_success(now, size_bytes)
        return True
    size.note_failure(now, size_bytes)
    return False


@pytest.mark.parametrize('way_bytes', [20_000, 70_000, 500_000, 786_432, 3_000_000])
def test_the_size_that_gets_through_is_found_and_kept_to(way_bytes):
    """Within some requests; then none fails for five minutes, and at least half of what gets through is used."""
    size = RequestSize()
    for _ in range(20):
        send(size, 0.0, way_bytes)
    assert all(send(size, 1.0, way_bytes) for _ in range(100))
    assert way_bytes / 2 <= size.most_bytes <= way_bytes


def test_a_limit_that_is_gone_is_found_to_be_gone():
    """Somebody has raised it: five minutes later requests grow to the full size again."""
    size = RequestSize()
    for _ in range(20):
        send(size, 0.0, 100_000)
    later = 2 * KEPT_TO_SECONDS
    assert all(send(size, later, inf) for _ in range(20))
    assert size.most_bytes >= FULL_BYTES


def test_small_requests_do_not_make_it_grow():
    """They show nothing of larger ones."""
    size = RequestSize()
    send(size, 0.0, 100_000, wanted_bytes=1_000_000)
    before = size.most_bytes
    assert all(send(size, 0.0, 100_000, wanted_bytes=1_000) for _ in range(100))
    assert size.most_bytes == before


@pytest.mark.parametrize('failures', range(1, 30))
def test_an_outage_teaches_nothing(failures):
    """Where nothing gets through, however long, the full size is back some requests after its end."""
    size = RequestSize()
    assert send(size, 0.0, inf, wanted_bytes=100_000)
    for _ in range(failures):
        assert not send(size, 1.0, 0)
        assert size.most_bytes >= LEAST_BYTES
    assert all(send(size, 2.0, inf) for _ in range(13))
    assert size.most_bytes >= FULL_BYTES
