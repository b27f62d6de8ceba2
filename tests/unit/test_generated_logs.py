"""Are the generated logs as hard to compress as real ones, and the same each time?"""

from __future__ import annotations

import collections
import itertools
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from benchmarks.logs import KINDS, entries
from benchmarks.logs.chance import Chance

ROOT = Path(__file__).parents[2]
SIZE = 512 * 1024
kinds = pytest.mark.parametrize('kind', KINDS.values(), ids=KINDS)


@kinds
def test_a_log_is_as_large_as_was_asked_for_and_ends_with_a_whole_entry(kind):
    """No more than one entry more."""
    made = list(entries(kind, SIZE))
    assert SIZE <= sum(map(len, made)) < SIZE + len(made[-1])
    assert all(entry.endswith(b'\n') and entry.strip() for entry in made)


@kinds
def test_the_same_seed_makes_the_same_log_and_another_one_another(kind):
    """So that figures can be made again."""
    first, again, other = (b''.join(entries(kind, 50_000, seed)) for seed in (6, 6, 7))
    assert first == again != other


@kinds
def test_it_compresses_about_as_real_logs_do(kind):
    """Real ones: 5 to 12 times. Lines that are all alike would make compression look better than it is."""
    text = b''.join(entries(kind, SIZE))
    assert 3.5 < len(text) / len(zlib.compress(text, 6)) < 12


@kinds
def test_no_line_comes_again_and_again(kind):
    """Each entry has something of its own."""
    made = list(itertools.islice(entries(kind, SIZE), 1_000))
    assert len(set(made)) > 990


def test_few_clients_come_often_and_many_once():
    """Zipf's law: of 10,000 requests the most frequent of 200,000 addresses has some 600."""
    chance = Chance(1)
    seen = collections.Counter(chance.client() for _ in range(10_000)).most_common()
    assert 400 < seen[0][1] < 800
    assert sum(count == 1 for _, count in seen) > 2_000


def test_service_events_are_events():
    """Lines of JSON with our formatter's own keys."""
    for entry in entries(KINDS['service'], 20_000):
        assert {'timestamp', 'level', 'logger', 'message'} <= json.loads(entry).keys()


def test_stack_traces_are_entries_of_many_lines():
    """Of which the first begins as `entry_begins` says, and no other."""
    kind = KINDS['java']
    begins = re.compile(kind.entry_begins)
    made = [entry.decode().splitlines() for entry in entries(kind, 100_000)]
    assert all(begins.search(lines[0]) and not any(map(begins.search, lines[1:])) for lines in made)
    traces = [lines for lines in made if len(lines) > 1]
    assert len(made) / 10 < len(traces) < len(made) / 4
    assert any('Caused by' in line for lines in traces for line in lines)


def test_the_command_writes_them(tmp_path):
    """A file for each kind."""
    subprocess.run(
        [sys.executable, '-m', 'benchmarks.logs', 'access', 'java', '--mib', '0.1', '--to', tmp_path],
        cwd=ROOT,
        check=True,
        timeout=50,
        capture_output=True,
    )
    assert {path.name for path in tmp_path.iterdir()} == {'access.log', 'java.log'}
    assert (tmp_path / 'java.log').stat().st_size >= 0.1 * 2**20
