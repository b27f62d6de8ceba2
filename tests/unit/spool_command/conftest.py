"""Producers whose locks end with the test."""

from __future__ import annotations

import pytest

from spool_files import WrittenProducer


@pytest.fixture
def spool_dir(tmp_path):
    """Where `spool_dir` points to."""
    path = tmp_path / 'spool'
    path.mkdir()
    return path.resolve()


@pytest.fixture
def make_producer(spool_dir):
    """Make producers that die with the test at the latest."""
    made = []

    def make(stream='bar'):
        made.append(WrittenProducer(spool_dir, stream))
        return made[-1]

    yield make
    for producer in made:
        producer.die()
