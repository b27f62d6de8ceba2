"""What becomes of the events of processes that are killed while they log. `make crash-test N=1000` kills more of them."""

from __future__ import annotations

import sys

import pytest

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

from crash.harness import VARIANTS, WINDOW_BYTES, Harness, Variant
from depth import depth

ROUNDS = depth(1, 3)


@pytest.fixture(scope='module')
def harness(tmp_path_factory):
    with Harness(tmp_path_factory.mktemp('crash'), seed=20) as started:
        yield started


@pytest.mark.parametrize('variant', VARIANTS, ids=lambda variant: variant.name)
def test_no_event_is_lost_whose_logging_call_had_returned(harness, variant):
    """P2, and of P5: twice arrives only what a death left in flight, which is never more than the window."""
    for _ in range(ROUNDS):
        result = harness.round(variant)
        assert (result.lost, result.unexplained, result.gaps) == (0, 0, 0), result
        assert result.in_flight_bytes <= WINDOW_BYTES, result


def test_what_was_in_flight_arrives_once_more_and_nothing_else(harness):
    """P5: with an endpoint that stores and does not answer, the duplicates are what it had stored, within the window."""
    big = Variant('big events, answers late', fault=VARIANTS[2].fault, sizes=(900_000,), most_reports=30)
    results = [harness.round(big) for _ in range(ROUNDS)]
    for result in results:
        assert result.lost == result.unexplained == result.gaps == 0
        # What the dead had sent may come to the endpoint after we have looked, but not more than that.
        assert result.twice >= result.in_flight
        assert result.twice * 900_000 <= WINDOW_BYTES
