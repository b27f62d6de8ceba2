"""Is the bill what Amazon would charge?"""

from __future__ import annotations

import orjson
import pytest

from firefighter._cost.ways import WAYS
from firefighter._demo.bill import read_bills

MONTH_SECONDS = 30 * 24 * 60 * 60


@pytest.fixture
def files(tmp_path):
    """Two delivered files with 3,000 events of some 200 bytes."""
    paths = [tmp_path / 'one', tmp_path / 'two']
    for path in paths:
        path.write_bytes(
            b''.join(orjson.dumps({'number': n, 'text': 'x' * 180}) + b'\n' for n in range(1_500))
        )
    return paths


def test_an_event_for_each_record_costs_what_the_price_list_says(files):
    """3,000 events of 2 workers in 4 s, as a month: each is billed as 5,120 bytes, at $0.029 for 2^30 of them."""
    dearest = read_bills(files, 2, 4.0)[0]
    assert dearest.dollars == pytest.approx(3_000 / 4 * MONTH_SECONDS * 5_120 / 2**30 * 0.029)


def test_every_way_is_told_and_each_is_cheaper(files):
    """By what the handler's own code makes of the very events of the demo."""
    dearest, *others = read_bills(files, 2, 4.0)
    assert [bill.way for bill in (dearest, *others)] == list(WAYS)
    assert all(bill.dollars < dearest.dollars / 20 for bill in others)


def test_without_events_there_is_no_bill(tmp_path):
    """Where nothing was delivered, all else says so."""
    assert read_bills([], 2, 4.0) == ()
    (tmp_path / 'empty').touch()
    assert read_bills([tmp_path / 'empty'], 2, 4.0) == ()
