"""What a platform lacks costs what depends on it, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest

from doubles import AcceptingClient
from firefighter._spool.disk import producer_directory
from firefighter.logging import FirehoseHandler, FirehoseWarning


def delivered(client):
    return [record for request in client.requests for record in request]


def test_without_posix_fallocate_the_spool_is_allocated_by_writing_zeros(
    tmp_path, monkeypatch, make_handler, make_logger
):
    """As on macOS."""
    monkeypatch.delattr(os, 'posix_fallocate')
    client = AcceptingClient()
    handler = make_handler('bar', spool_dir=tmp_path / 'spool', boto3_client=client)
    assert handler.stats().backing == 'disk'
    make_logger(handler).info('Ahoy')
    (segment,) = (tmp_path / 'spool').rglob('*.spool')
    assert segment.stat().st_blocks * 512 >= segment.stat().st_size == 256 * 1024
    assert handler.flush()


def test_without_readv_pages_are_filled_with_stores(tmp_path, monkeypatch, make_handler, make_logger):
    """As on Windows, for memory; a spool that is used again begins with zeros all the same."""
    monkeypatch.delattr(os, 'readv')
    handler = make_handler('bar', boto3_client=AcceptingClient(), max_spool_bytes=64 * 1024)
    logger = make_logger(handler)
    for _ in range(200):
        logger.info('x' * 900)
        assert handler.flush()
    assert handler.stats().delivered == 200


def test_without_flock_events_are_kept_in_memory_and_that_is_said(tmp_path, monkeypatch):
    """Who cannot be told dead from living must not be adopted."""
    producer_directory._fcntl.cache_clear()
    monkeypatch.setitem(sys.modules, 'fcntl', None)
    with pytest.warns(FirehoseWarning, match='spool_dir cannot be used, so events are kept in memory'):
        handler = FirehoseHandler('bar', spool_dir=tmp_path / 'spool', boto3_client=AcceptingClient())
    assert handler.stats().backing == 'memory'


PROGRAM = """
import os
{without}
import logging
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('x')
handler = FirehoseHandler('bar', endpoint_url='http://127.0.0.1:9', shutdown_timeout_seconds=0)
logger.addHandler(handler)
logger.warning('parent')
assert handler.stats().accepted == 1
{fork}
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork')
def test_without_register_at_fork_the_child_is_told_by_its_pid():
    """As after a fork made in C."""
    fork = """
pid = os.fork()
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    assert handler.stats().accepted == 1
else:
    assert handler.stats().accepted == 0
    logger.warning('child')
    assert handler.stats().accepted == 1
    os._exit(0)
"""
    program = PROGRAM.format(without='import random; del os.register_at_fork', fork=fork)
    # The standard library's random wants the hook wherever there is a fork, so it comes first.
    subprocess.run([sys.executable, '-W', 'ignore', '-c', program], check=True, timeout=50)


def test_on_windows_a_spool_directory_is_refused_with_a_reason(tmp_path, monkeypatch):
    """And the handler works, in memory."""
    monkeypatch.setattr(sys, 'platform', 'win32')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        handler = FirehoseHandler('bar', spool_dir=tmp_path / 'spool', boto3_client=AcceptingClient())
    assert 'Windows' in str(caught[0].message)
    assert handler.stats().backing == 'memory'
