"""How thorough is this run? What has no end by its nature (generated lives, kills at random, every bytecode) has a depth.

By default it is lived a few times, so that `make test` takes minutes. `make test DEPTH=full`, which CI runs on one Python, lives
it often. Where every place can be taken, `DEPTH=every` takes every one, which lasts hours.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

import pytest

__all__ = ['AT_FULL_DEPTH', 'DEPTH', 'EVERY_PLACE', 'depth', 'unlike_cases']

DEPTHS = ('few', 'full', 'every')
DEPTH = os.environ.get('DEPTH') or 'few'
if DEPTH not in DEPTHS:
    raise ValueError(f'DEPTH={DEPTH} is none of {", ".join(DEPTHS)}')
EVERY_PLACE = DEPTH == 'every'
AT_FULL_DEPTH = pytest.mark.skipif(DEPTH == 'few', reason='only with DEPTH=full')
"""Marks what is one more of a kind of which another is run at any depth, or what tests a test."""


def depth(few: int, full: int) -> int:
    """Return how many of something a run takes: examples, rounds, kills."""
    return few if DEPTH == 'few' else full


def unlike_cases(items: Iterable[pytest.Item], most: int) -> set[pytest.Item]:
    """Return at most so many cases of each test, those that have the most values of its parameters among them."""
    cases: defaultdict[str, list[tuple[pytest.Item, set[object]]]] = defaultdict(list)
    for item in sorted(items, key=lambda item: item.nodeid):
        # What pytest calls the case, in one part for each `parametrize`: there is no public way to these.
        names = getattr(getattr(item, 'callspec', None), '_idlist', [item.nodeid])
        cases[item.nodeid.partition('[')[0]].append((item, set(enumerate(names))))
    chosen = set()
    for of_one_test in cases.values():
        missing = set().union(*(values for _, values in of_one_test))
        for _ in range(most):
            item, values = max(of_one_test, key=lambda case: len(case[1] & missing))
            chosen.add(item)
            missing -= values
    return chosen
