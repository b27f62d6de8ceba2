"""How wrong is the clock?"""

from __future__ import annotations

import pytest

from firefighter._doctor.clock import check_clock, skew_seconds
from firefighter._doctor.report import State

DATE = 'Thu, 26 Nov 2026 08:00:00 GMT'
THEN = 1795680000.0


@pytest.mark.parametrize('fast', [0, 17, -3600])
def test_the_difference_is_taken_from_the_middle_of_the_request(fast):
    """The header counts whole seconds, so half a second is the best guess of the rest."""
    assert skew_seconds(DATE, THEN + fast, THEN + fast + 1.0) == pytest.approx(fast)


@pytest.mark.parametrize('date', ['', 'yesterday', 'Thu, 99 Nov 2026 08:00:00 GMT'])
def test_what_is_no_date_tells_nothing(date):
    """A proxy may send anything."""
    assert skew_seconds(date, THEN, THEN) is None
    assert check_clock(None).state is State.NOT_TRIED


@pytest.mark.parametrize(
    ('skew', 'state', 'found'),
    [
        (0.7, State.OK, 'right, by the date of the answer'),
        (-12.0, State.OK, '12 s slow, by the date of the answer'),
        (59.0, State.OK, '59 s fast, by the date of the answer'),
        (60.0, State.WRONG, '60 s fast, by the date of the answer'),
        (-7200.0, State.WRONG, '7,200 s slow, by the date of the answer'),
    ],
)
def test_a_minute_is_too_much(skew, state, found):
    """And five are what AWS refuses."""
    check = check_clock(skew)
    assert (check.state, check.found) == (state, found)
    assert ('AWS refuses' in check.cure) == (abs(skew) >= 300)
