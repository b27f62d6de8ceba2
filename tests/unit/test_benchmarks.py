"""The benchmarks run, with counts too small to say anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import awkward
from benchmarks.__main__ import QUICK, parts
from benchmarks.contestant import Places
from benchmarks.guard import BASELINE, ROWS, dearer
from benchmarks.page import fill
from benchmarks.shows import Wanted
from benchmarks.turns import Spread, ratios

from depth import AT_FULL_DEPTH

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]


# Some take 20 s on a machine that is busy with four other things.
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ('module', 'options', 'rows'),
    [
        (
            'call',
            ['--rounds=1', '--calls=200', '--only', 'NullHandler', 'firefighter, disk, delivering'],
            ['NullHandler', 'firefighter, disk, delivering'],
        ),
        ('delivery', ['--rounds=1', '--requests=1'], ['take', 'put, with botocore', 'acknowledge']),
        ('ways', ['--rounds=1'], ['one per record', 'gzip, standard library', 'zstd']),
        pytest.param(
            'throttling',
            ['--seconds=2', '--no-picture'],
            ['bytes, 1 producer', 'requests, 16 producers'],
            marks=AT_FULL_DEPTH,
        ),
        pytest.param(
            'interpreter_lock',
            ['--turns=1', '--seconds=0.01'],
            ['no requests', 'boto3, 4 x 1000 KiB, 4 at once'],
            marks=AT_FULL_DEPTH,
        ),
        pytest.param(
            'tail',
            ['--turns=1', '--seconds=0.1'],
            ['no logging', 'FileHandler, JSON', 'disk'],
            marks=AT_FULL_DEPTH,
        ),
        ('whole_way', ['--events=300', '--only', 'gzip'], ['0 ms | gzip', '50 ms | gzip']),
        ('slope', ['--events=300'], ['300']),
        pytest.param(
            'start',
            ['--rounds=1', '--imports=1'],
            ['import firefighter.logging', 'firefighter, memory', 'firefighter, disk'],
            marks=AT_FULL_DEPTH,
        ),
        pytest.param(
            'outage',
            ['--rounds=1', '--calls=100'],
            ['memory, outage', 'disk, outage'],
            marks=AT_FULL_DEPTH,
        ),
        pytest.param('twenty', ['--rounds=1'], ['firefighter, answers after 50 ms'], marks=AT_FULL_DEPTH),
    ],
)
def test_benchmark_runs(module: str, options: list[str], rows: list[str], tmp_path: Path) -> None:
    """Each prints its table, and leaves nothing behind."""
    fileless = module in {'delivery', 'ways', 'throttling', 'interpreter_lock'}
    places = [] if fileless else [f'--disk={tmp_path}', f'--tmpfs={tmp_path}']
    done = subprocess.run(
        [sys.executable, '-m', f'benchmarks.{module}', *options, *places],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    for row in rows:
        assert f'| {row} ' in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_guard_names_what_became_more_than_five_percent_dearer() -> None:
    """Neither what is at the limit nor what became cheaper is named."""
    before = {'memory': 0.5, 'disk': 0.5, 'memory, event ids': 0.7}
    now = {'memory': 0.526, 'disk': 0.525, 'memory, event ids': 0.6}
    assert dearer(now, before) == ['memory']


def test_the_guard_names_what_the_baseline_lacks() -> None:
    """A new row is not let through for want of a figure."""
    assert dearer({'memory': 0.5, 'new': 0.5}, {'memory': 0.5}) == ['new']


@pytest.mark.parametrize('version', ['3.10', '3.11', '3.12', '3.13'])
def test_each_supported_python_has_a_baseline_for_every_row(version: str) -> None:
    """Otherwise the guard would be left out there."""
    figures = json.loads(BASELINE.read_text(encoding='utf-8'))[version]
    assert all(figures[row] > 0 for row in ROWS)


@pytest.mark.parametrize(('measured', 'verdict'), [(1.65, 'met'), (1.66, 'not met'), (None, 'not measured')])
def test_a_wanted_figure_is_met_up_to_its_limit(measured: float | None, verdict: str) -> None:
    """What a missing peer leaves open is not called met."""
    assert Wanted('call', 1.65, measured).verdict == verdict


def test_a_ratio_is_taken_round_by_round() -> None:
    """The machine slows down between two rounds: the ratio does not."""
    assert ratios([2, 4, 40], [1, 2, 20]) == Spread(2, 2, 2)


def test_a_spread_stays_within_what_was_measured() -> None:
    """Few rounds are not extrapolated."""
    assert Spread.of([3, 1, 2]) == Spread(2, pytest.approx(1.2), pytest.approx(2.8))
    assert Spread.of([5]) == Spread(5, 5, 5)


def test_fill_replaces_what_stands_in_a_place_of_the_page(tmp_path: Path) -> None:
    """What stands around it, and in other places, stays."""
    page = tmp_path / 'page.md'
    page.write_text(
        'above\n<!-- begin: a -->\nold\n<!-- end: a -->\nbetween\n<!-- begin: b -->\n<!-- end: b -->\nbelow\n'
    )
    fill(page, {'a': '| new |'})
    assert page.read_text() == (
        'above\n<!-- begin: a -->\n| new |\n<!-- end: a -->\nbetween\n<!-- begin: b -->\n<!-- end: b -->\nbelow\n'
    )


@pytest.mark.parametrize('text', ['no place', '<!-- begin: b -->\nits end is missing\n'])
def test_fill_names_the_place_that_a_page_has_not(text: str, tmp_path: Path) -> None:
    """A run of a quarter of an hour is not written half, and nothing of the page is cut off."""
    page = tmp_path / 'page.md'
    before = f'<!-- begin: a -->\n<!-- end: a -->\n{text}'
    page.write_text(before)
    with pytest.raises(ValueError, match="no place for 'b'"):
        fill(page, {'a': 'new', 'b': 'new'})
    assert page.read_text() == before


def test_the_docs_have_a_place_for_every_table(tmp_path: Path) -> None:
    """Otherwise `make bench` would fail at its end."""
    page = tmp_path / 'page.md'
    page.write_bytes((ROOT / 'docs' / 'performance.md').read_bytes())
    measured = parts(QUICK, Places(None, str(tmp_path)), []).values()
    tables = ['machine', 'asked', *(table for part in measured for table in part.tables)]
    fill(page, dict.fromkeys(tables, 'new'))
    assert page.read_text().count('-->\nnew\n<!--') == len(tables)


@pytest.mark.skipif(sys.version_info < (3, 11), reason='there are no exception groups')
@pytest.mark.parametrize('event', awkward.EVENTS, ids=lambda event: event.text)
def test_each_awkward_event_is_written_right(event):
    """As the table in the docs says of us."""
    assert awkward.verdict(awkward.ours, event) == 'yes'
