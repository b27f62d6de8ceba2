"""How thorough is this run? What has no end by its nature (generated lives, kills at random, every bytecode) has a depth.

By default it is lived a few times, so that `make test` takes minutes. `make test DEPTH=full`, which CI runs on one Python, lives
it often. Where every place can be taken, `DEPTH=every` takes every one, which lasts hours.
"""

from __future__ import annotations

import os

import pytest

__all__ = ['AT_FULL_DEPTH', 'DEPTH', 'EVERY_PLACE', 'depth']

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
