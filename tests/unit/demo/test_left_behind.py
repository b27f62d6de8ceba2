"""Does the demo see what a process has left in its spool, and nothing else?"""

import os

import pytest

from doubles import BlockingClient
from firefighter._demo.left_behind import left_behind

pytestmark = pytest.mark.skipif(os.name == 'nt', reason='no spool on disk there')


def test_the_numbers_in_a_spool_are_read(tmp_path, make_handler, make_logger):
    """While nothing is acknowledged, everything is there, also what is on its way."""
    client = BlockingClient()
    logger = make_logger(
        make_handler('bar', boto3_client=client, spool_dir=tmp_path, fields={'worker': 2}, send_interval=0)
    )

    for number in range(1, 2001):
        logger.info('x' * 200, extra={'number': number})
    client.wait_for_requests(1)

    assert left_behind(tmp_path, os.getpid()) == tuple(range(1, 2001))
    assert left_behind(tmp_path, os.getpid() + 1) == ()


def test_what_is_delivered_is_not_left(tmp_path, make_handler, make_logger):
    """The head has passed it."""
    client = BlockingClient()
    handler = make_handler('bar', boto3_client=client, spool_dir=tmp_path, fields={'worker': 2})
    logger = make_logger(handler)
    client.release()
    for number in range(1, 11):
        logger.info('early', extra={'number': number})
    assert handler.flush()

    logger.info('late', extra={'number': 11})

    assert left_behind(tmp_path, os.getpid()) == (11,)


def test_where_there_is_no_spool_nothing_is_left(tmp_path):
    """The folder is made with the first handler."""
    assert left_behind(tmp_path / 'spool', os.getpid()) == ()
