"""P8, the smallest bill: of five logs, how much more is billed than is sent? A small version of `python -m benchmarks.bill`."""

from __future__ import annotations

import pytest
from benchmarks.bill import MOST_WASTE, bill_table, measure, waste_table
from benchmarks.logs import KINDS

from firefighter._cost.ways import WAYS

pytestmark = pytest.mark.once

SIZE_BYTES = 6 * 1024 * 1024
# What is measured of a log is measured once: all that look at it run in one process.
LOGS = [
    pytest.param(kind, id=name, marks=pytest.mark.xdist_group(f'bill of {name}'))
    for name, kind in KINDS.items()
]


@pytest.fixture(scope='module', params=LOGS)
def measured(request):
    """A log of some MiB, played each way at each rate: some seconds."""
    return measure(request.param, SIZE_BYTES, 3 * SIZE_BYTES)


@pytest.mark.timeout(240)
def test_no_more_is_wasted_than_was_promised(measured):
    """Of 50 MiB the benchmark says the same; what a log begins and ends with weighs more in a short one."""
    assert list(measured.broken()) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ('way', 'rate', 'most'),
    [
        ('aggregated', 100.0, 1.025),
        ('aggregated', 1_000.0, 1.005),
        ('gzip', 100.0, 1.01),
        ('zstd', 100.0, 1.01),
    ],
)
def test_each_record_fills_what_is_billed_for_it(measured, way, rate, most):
    """Half a unit lost of each record of 64 KiB would be 4 %: this is what the cutting is for."""
    assert measured.waste(way, rate) < most


@pytest.mark.timeout(240)
def test_aggregated_is_billed_a_tenth_and_compressed_less(measured):
    """The order of the ways, and that a byte that is logged is not billed twice."""
    billed = [measured.played[way.name, None].billed_bytes for way in WAYS]
    assert billed[0] > 9 * billed[1]
    assert all(compressed * 3 < billed[1] for compressed in billed[2:])
    assert billed[1] < 1.02 * measured.event_bytes


@pytest.mark.timeout(240)
def test_a_broken_promise_is_named(measured, monkeypatch):
    """With the log, the way, the rate and both figures."""
    promised = measured.waste('gzip', 10.0) - 0.001
    monkeypatch.setitem(MOST_WASTE, ('gzip', 10.0), promised)
    (said,) = measured.broken()
    assert said == f'{measured.kind.title}, gzip, 10/s: {promised + 0.001:.4f} is more than {promised}'


@pytest.mark.timeout(240)
def test_the_tables_have_a_cell_for_each_figure(measured):
    """So that a way that is added is in the docs too."""
    for table in (bill_table([measured]), waste_table([measured])):
        title, rule, row = table
        assert title.count('|') == rule.count('|') == row.count('|')
        assert measured.kind.title in row
        assert all(way.name in title for way in WAYS[1:])
