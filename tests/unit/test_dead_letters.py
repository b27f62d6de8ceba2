"""What becomes of an event that Firehose refuses as invalid, and who is told?"""

from __future__ import annotations

import json
import os
import stat
import sys

import pytest

from doubles import AcceptingClient, RefusingClient
from firefighter._delivery.pace import FREE_REFUSALS

DISK = pytest.param('disk', marks=pytest.mark.skipif(sys.platform == 'win32', reason='no spool on disk here'))


@pytest.fixture(params=['memory', DISK])
def place(request, tmp_path):
    return {} if request.param == 'memory' else {'spool_dir': tmp_path / 'spool'}


class Letters(list):
    """An `on_dead_letter` hook that remembers what it was told."""

    def __call__(self, event: bytes, reason: str) -> None:
        self.append((json.loads(event)['message'], reason))


def log_with_a_culprit(logger) -> None:
    for number in range(100):
        logger.info('culprit' if number == 42 else number)


def test_only_the_culprit_is_dropped_and_the_hook_is_told(place, make_handler, make_logger):
    """Firehose refuses all 100 for it; 99 are delivered, each once."""
    client, told = RefusingClient(lambda event: b'culprit' in event), Letters()
    handler = make_handler('bar', boto3_client=client, on_dead_letter=told, **place)
    log_with_a_culprit(make_logger(handler))
    assert handler.flush()
    messages = [json.loads(event)['message'] for event in client.events]
    assert sorted(messages, key=int) == [str(number) for number in range(100) if number != 42]
    stats = handler.stats()
    assert (stats.delivered, dict(stats.dropped), stats.pending) == (99, {'refused': 1}, 0)
    assert stats.dead_letters == 1
    handler.close()
    ((message, reason),) = told
    assert message == 'culprit'
    assert 'ValidationException: 1 validation error detected' in reason


@pytest.mark.skipif(sys.platform == 'win32', reason='no spool on disk here')
def test_on_disk_the_culprit_is_kept_in_a_private_file(make_handler, make_logger, tmp_path):
    """Beside the spool, in the destination's folder: the producer's own directory goes with its last event."""
    handler = make_handler(
        'bar', boto3_client=RefusingClient(lambda event: b'culprit' in event), spool_dir=tmp_path / 'spool'
    )
    log_with_a_culprit(make_logger(handler))
    handler.close()
    (path,) = (tmp_path / 'spool').glob('*/*/dead-letters')
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (letter,) = map(json.loads, path.read_text().splitlines())
    assert json.loads(letter['event'])['message'] == 'culprit'
    assert 'ValidationException' in letter['reason']


@pytest.mark.skipif(sys.platform == 'win32', reason='no spool on disk here')
def test_a_letter_that_cannot_be_kept_does_not_hold_up_the_others(
    make_handler, make_logger, tmp_path, capsys
):
    """Something else has the file's name: said on stderr, and the hook is told all the same."""
    told = Letters()
    handler = make_handler(
        'bar',
        boto3_client=RefusingClient(lambda event: b'culprit' in event),
        spool_dir=tmp_path / 'spool',
        on_dead_letter=told,
    )
    logger = make_logger(handler)
    logger.info('first')
    (folder,) = {path.parent.parent for path in (tmp_path / 'spool').glob('*/*/*/alive')}
    os.mkfifo(folder / 'dead-letters')
    log_with_a_culprit(logger)
    assert handler.flush()
    handler.close()
    assert 'could not be kept' in capsys.readouterr().err
    assert [message for message, _ in told] == ['culprit']


def test_a_hook_that_raises_is_counted_and_said(make_handler, make_logger, capsys):
    """Its exceptions are no trouble of delivery."""

    def hook(event, reason):
        raise SystemExit(3)

    handler = make_handler(
        'bar', boto3_client=RefusingClient(lambda event: b'culprit' in event), on_dead_letter=hook
    )
    log_with_a_culprit(make_logger(handler))
    assert handler.flush()
    handler.close()
    assert handler.stats().hook_errors == 1
    assert 'firefighter: on_dead_letter raised SystemExit: 3' in capsys.readouterr().err


def test_a_stream_that_refuses_everything_loses_nothing(place, make_handler, make_logger, capsys):
    """It says the same of every event: kept, and said with its cause."""
    client = RefusingClient(lambda event: client.refuses)
    client.refuses = True
    handler = make_handler('bar', boto3_client=client, **place)
    for number in range(100):
        make_logger(handler).info(number)
    client.wait_for_requests(1 + FREE_REFUSALS)  # no pauses so far
    assert handler.flush(0.1) is False
    stats = handler.stats()
    assert (stats.pending, stats.dead_letters, dict(stats.dropped)) == (100, 0, {})
    assert 'ValidationException' in stats.last_error
    assert capsys.readouterr().err.count('\n') == 1
    client.refuses = False
    while not handler.flush():
        pass
    assert len(client.events) == 100


@pytest.mark.parametrize('use_queues', [True, False])
def test_a_synchronous_handler_finds_the_culprit_too(use_queues, make_handler, make_logger):
    """The event that comes with the next call is not refused for the one before."""
    client = RefusingClient(lambda event: b'culprit' in event)
    handler = make_handler('bar', boto3_client=client, use_queues=use_queues)
    logger = make_logger(handler)
    for message in ('culprit', 'one', 'two'):
        logger.info(message)
    assert handler.flush()
    assert [json.loads(event)['message'] for event in client.events] == ['one', 'two']
    assert handler.stats().dropped == {'refused': 1}


def test_a_plain_queue_has_its_dead_letters_too(make_handler):
    """`task_done` is called for the culprit as well."""
    import queue

    client, told = RefusingClient(lambda event: b'culprit' in event), Letters()
    handler = make_handler('bar', boto3_client=client, on_dead_letter=told)
    batch_queue: queue.Queue = queue.Queue()
    for item in (b'{"message":"one"}', b'{"message":"culprit"}', handler.END):
        batch_queue.put(item)
    handler.batch_sender(batch_queue, 'bar', 60)
    assert client.events == [b'{"message":"one"}\n']
    assert [message for message, _ in told] == ['culprit']
    assert batch_queue.unfinished_tasks == 0


def test_nothing_is_kept_where_nothing_is_refused(make_handler, make_logger, tmp_path):
    """No file without a letter."""
    handler = make_handler('bar', boto3_client=AcceptingClient(), spool_dir=tmp_path / 'spool')
    make_logger(handler).info('Ahoy')
    handler.close()
    assert not list((tmp_path / 'spool').glob('**/dead-letters'))
