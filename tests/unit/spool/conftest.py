"""A spool directory and the producers made in it, which are let go of when the test ends."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer
from firefighter._spool.disk.producer_directory import ProducerDirectory

if sys.platform == 'win32':
    collect_ignore = [
        'test_bound.py',
        'test_disk.py',
        'test_locks.py',
        'test_producer_directory.py',
        'test_refusals.py',
        'test_releasing_adopted.py',
        'test_orphans.py',
        'test_survey.py',
    ]


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / 'spool'


@pytest.fixture
def descriptors_as_they_were() -> Iterator[None]:
    """What a test opens through us is closed when it ends."""
    # A mapping has a descriptor too, until the handler of an earlier test is collected: now, not while we count.
    gc.collect()
    before = len(list(Path('/dev/fd').iterdir()))
    yield
    assert len(list(Path('/dev/fd').iterdir())) == before


@pytest.fixture
def make_producer(
    descriptors_as_they_were: None, spool_dir: Path
) -> Iterator[Callable[..., ProducerDirectory]]:
    made: list[ProducerDirectory] = []

    def make(stream: str = 'bar', segments: int = 0) -> ProducerDirectory:
        producer = create_producer(spool_dir, Destination(stream))
        made.append(producer)
        for number in range(segments):
            fd = producer.open_file(f'{number:016x}.spool', os.O_WRONLY | os.O_CREAT)
            os.write(fd, b'x' * 1000)
            os.close(fd)
        return producer

    yield make
    for producer in made:
        producer.release()
