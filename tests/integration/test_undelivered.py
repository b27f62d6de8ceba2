"""What a program leaves on stderr of the events that it could not deliver before it ended: real processes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from firefighter.local import LocalFirehose
from programs import delivered, run, without_waiting

DOWN = 'http://127.0.0.1:9'


@pytest.fixture
def endpoint(tmp_path):
    """An endpoint with the stream `bar`."""
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


def run_down(code: str, endpoint: LocalFirehose, **options: Any) -> CompletedProcess[str]:
    """Run a program whose handler has an endpoint that is down."""
    ended = run(code, endpoint, {}, endpoint_url=DOWN, shutdown_timeout_seconds=0.3, **options)
    assert ended.returncode == 0, ended.stderr
    return ended


def events_on(stderr: str) -> list[object]:
    """Return the messages of the events that are on a process's stderr."""
    return [json.loads(line)['message'] for line in stderr.splitlines() if line.startswith('{')]


@pytest.mark.parametrize(
    'options',
    [{}, {'use_queues': False, 'sync_timeout_seconds': 0.1}, {'compression': 'gzip'}, {'event_ids': True}],
)
def test_with_stderr_the_events_that_could_not_be_sent_are_there_once(options, endpoint) -> None:
    """Each is a line of its own, behind one that says how many; that the exit closes handlers twice is not seen."""
    ended = run_down(
        """
        for number in range(7):
            logger.info('event %d', number)
        """,
        endpoint,
        undelivered='stderr',
        **options,
    )
    assert events_on(ended.stderr) == [f'event {number}' for number in range(7)]
    assert ended.stderr.count('closed with 7 events undelivered, which follow\n') == 1
    assert 'lost' not in ended.stderr
    assert 'Traceback' not in ended.stderr


@pytest.mark.parametrize('pause', ['pass', 'time.sleep(0.001)'], ids=['busy', 'slow'])
@pytest.mark.parametrize('policy', ['stderr', 'count'])
def test_daemon_threads_that_go_on_logging_do_not_spoil_the_report_of_the_exit(
    policy, pause, endpoint
) -> None:
    """They would report each of their events, and the interpreter ends them in the middle of what they write."""
    ended = run_down(
        f"""
        import threading, time

        for number in range(2000):
            logger.info(number)

        def work():
            while True:
                logger.info('busy')
                {pause}

        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        """,
        endpoint,
        undelivered=policy,
    )
    numbers = [int(message) for message in events_on(ended.stderr) if message != 'busy']
    assert sorted(numbers) == (list(range(2000)) if policy == 'stderr' else [])
    reports = re.findall(r'closed with [0-9,]+ events? undelivered, (.*)', ended.stderr)
    allowed = {'which follow', 'lost when the process ends, unless they follow'}
    assert set(reports) <= (allowed if policy == 'stderr' else {'lost when the process ends'})
    # Of our exit function, of logging's, and one of the threads.
    assert 1 <= len(reports) <= 6


def test_by_default_their_number_alone_is_there(endpoint) -> None:
    """What is logged may be nobody's business who reads stderr."""
    ended = run_down("logger.info('Ahoy')", endpoint)
    assert events_on(ended.stderr) == []
    assert 'closed with 1 event undelivered, lost when the process ends\n' in ended.stderr


def test_what_was_delivered_is_not_on_stderr(endpoint) -> None:
    """The stream takes one request, and then no more."""
    endpoint.inject('unavailable', skip=1)
    ended = run(
        """
        logger.info('arrives')
        assert handler.flush(30)
        logger.info('does not')
        """,
        endpoint,
        {},
        undelivered='stderr',
        shutdown_timeout_seconds=0.3,
    )
    assert [event['message'] for event in delivered(endpoint)] == ['arrives']
    assert events_on(ended.stderr) == ['does not']


def test_closing_by_hand_writes_no_event_and_the_end_writes_each_once(endpoint) -> None:
    """A handler may be used again, and deliver them: only the end of the process is the end, and what it logs comes too."""
    ended = run_down(
        """
        class Last(logging.Handler):
            def close(self):  # logging.shutdown comes after our own end
                logger.info('at exit')

        last = Last()
        logger.info('before')
        handler.close()
        print('by hand', file=sys.stderr)
        logger.info('after')
        """,
        endpoint,
        undelivered='stderr',
    )
    by_hand, _, at_the_end = ended.stderr.partition('by hand\n')
    assert 'closed with 1 event undelivered, written to stderr when the process ends\n' in by_hand
    assert events_on(by_hand) == []
    assert events_on(at_the_end) == ['before', 'after', 'at exit']


def test_what_a_formatter_of_the_users_has_made_is_written_as_it_would_be_sent(endpoint) -> None:
    """Its newlines are escaped in the spool alone."""
    ended = run_down(
        """
        handler.setFormatter(logging.Formatter('<%(message)s>'))
        logger.info('two\\nlines')
        """,
        endpoint,
        undelivered='stderr',
    )
    assert 'which follow\n<two\nlines>\n' in ended.stderr


def test_events_on_disk_are_kept_and_not_written(endpoint, tmp_path: Path) -> None:
    """The next process delivers them."""
    ended = run_down("logger.info('Ahoy')", endpoint, undelivered='stderr', spool_dir=str(tmp_path / 'spool'))
    assert events_on(ended.stderr) == []
    assert 'for the next process\n' in ended.stderr


def test_without_a_stderr_a_program_ends_all_the_same(endpoint) -> None:
    """A daemon may have none."""
    ended = run_down(
        """
        logger.info('Ahoy')
        sys.stderr = None
        """,
        endpoint,
        undelivered='stderr',
    )
    assert without_waiting(ended.stderr) == ''
