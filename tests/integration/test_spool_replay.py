"""`firefighter spool replay`: a person delivers what dead programs have left."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys

import pytest

from firefighter._spool.disk.destination import Destination
from firefighter._spool.disk.destination_folder import create_producer
from firefighter.local import LocalFirehose

PROGRAM = """
import logging, os, sys
from firefighter.logging import FirehoseHandler

handler = FirehoseHandler('bar', spool_dir=sys.argv[1], endpoint_url=sys.argv[2])
assert handler.stats().backing == 'disk', handler.stats().last_error
logger = logging.getLogger('x')
logger.addHandler(handler)
# No batch is due before the end: of a request that it cuts off nobody knows whether it has arrived, and it is sent again.
handler.MAX_BATCH_SIZE = handler.MAX_BATCH_COUNT = 1 << 20
for number in range(1000):
    logger.warning({'number': number})
os._exit(1)
"""


def die(spool_dir, url):
    """Log a thousand events and end like a crash."""
    subprocess.run([sys.executable, '-c', PROGRAM, spool_dir, url], check=False, timeout=50)


def replay(spool_dir, *arguments, answer=''):
    main = 'import sys; from firefighter.cli.main import main; sys.exit(main())'
    command = [sys.executable, '-c', main, 'spool', 'replay', spool_dir, *arguments]
    return subprocess.run(command, capture_output=True, text=True, input=answer, check=False, timeout=50)


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'out', streams=['bar']) as endpoint:
        yield endpoint


def numbers(endpoint):
    endpoint.flush()
    return sorted(json.loads(line)['number'] for line in endpoint.delivered().splitlines())


def test_bytes_that_are_no_event_are_put_aside_and_that_is_said(tmp_path, endpoint):
    """A disk has lost a piece of a line: the others are delivered."""
    die(tmp_path / 'spool', endpoint.url)
    (segment,) = [
        path for path in (tmp_path / 'spool').rglob('*.spool') if b'"number":500}' in path.read_bytes()
    ]
    segment.write_bytes(segment.read_bytes().replace(b'"number":500}', bytes(13)))
    done = replay(tmp_path / 'spool')
    assert (done.returncode, done.stderr) == (0, '')
    assert numbers(endpoint) == [number for number in range(1000) if number != 500]
    assert re.fullmatch(
        r"bar: 999 events delivered, \d+ torn bytes, .* the file 'quarantine' beside them\n", done.stdout
    ), done.stdout
    assert list((tmp_path / 'spool').rglob('quarantine'))


def test_what_the_dead_have_left_is_delivered_and_then_gone(tmp_path, endpoint):
    """Every event of both, once; a second run has nothing to do."""
    for _ in range(2):
        die(tmp_path / 'spool', endpoint.url)
    assert not numbers(endpoint)
    done = replay(tmp_path / 'spool')
    assert done.returncode == 0, done.stderr
    assert numbers(endpoint) == sorted(2 * list(range(1000)))
    assert 'bar: 2,000 events delivered' in done.stdout
    again = replay(tmp_path / 'spool')
    assert again.returncode == 0
    assert 'No dead producer has left anything' in again.stdout


def test_another_destination_is_asked_for(tmp_path, endpoint):
    """Logs of one account or region must not end up in another by a slip."""
    die(tmp_path / 'spool', 'http://127.0.0.1:9')
    refused = replay(tmp_path / 'spool', '--endpoint-url', endpoint.url, answer='no\n')
    assert refused.returncode == 1
    assert f'  endpoint_url: http://127.0.0.1:9 when they were logged, {endpoint.url} now\n' in refused.stdout
    assert 'where they were logged for, answer no, and set the same again: --region, ' in refused.stdout
    assert numbers(endpoint) == []
    agreed = replay(tmp_path / 'spool', '--endpoint-url', endpoint.url, answer='yes\n')
    assert agreed.returncode == 0, agreed.stderr
    assert numbers(endpoint) == list(range(1000))


def test_what_was_not_set_is_called_so_and_without_an_answer_it_says_what_to_give(tmp_path, endpoint):
    """As in a cron job: nothing is delivered, and the last line says how it would be."""
    die(tmp_path / 'spool', endpoint.url)
    asked = replay(tmp_path / 'spool', '--profile', 'other')
    assert asked.returncode == 1
    assert '  profile: not set when they were logged, other now\n' in asked.stdout
    assert 'nobody is there to answer: where it runs without a terminal, give --yes' in asked.stderr
    assert not numbers(endpoint)


def test_what_cannot_be_delivered_stays(tmp_path):
    """And the cause is said."""
    die(tmp_path / 'spool', 'http://127.0.0.1:9')
    failed = replay(tmp_path / 'spool', '--patience', '1')
    assert failed.returncode == 1
    assert 'bar: 0 events delivered, 1,000 left: EndpointConnectionError' in failed.stdout
    with LocalFirehose(tmp_path / 'out', streams=['bar']) as endpoint:
        assert replay(tmp_path / 'spool', '--endpoint-url', endpoint.url, '--yes').returncode == 0
        assert numbers(endpoint) == list(range(1000))


def test_a_folder_that_is_no_spool_directory_is_said(tmp_path):
    """In one line, without a traceback."""
    failed = replay(tmp_path / 'nothing')
    assert failed.returncode == 2
    assert 'Traceback' not in failed.stderr
    assert 'nothing' in failed.stderr


def test_what_was_logged_for_compressed_objects_is_delivered_compressed(tmp_path, endpoint):
    """Else plain lines would lie between gzip members, and no reader would get behind them."""
    die(tmp_path / 'spool', 'http://127.0.0.1:9')
    done = replay(
        tmp_path / 'spool',
        '--endpoint-url',
        endpoint.url,
        '--yes',
        '--compression',
        'gzip',
        '--max-aggregated-events=400',
    )
    assert done.returncode == 0, done.stderr
    endpoint.flush()
    lines = gzip.decompress(endpoint.delivered()).splitlines()
    assert sorted(json.loads(line)['number'] for line in lines) == list(range(1000))
    assert endpoint.account('bar').records == 3


def test_aggregates_are_made_where_it_is_asked_for(tmp_path, endpoint):
    """The bill of a replay is no larger than the handler's would have been."""
    die(tmp_path / 'spool', 'http://127.0.0.1:9')
    done = replay(tmp_path / 'spool', '--endpoint-url', endpoint.url, '--yes', '--aggregate')
    assert done.returncode == 0, done.stderr
    assert numbers(endpoint) == list(range(1000))
    assert endpoint.account('bar').records == 1


def test_an_option_that_would_say_nothing_is_refused(tmp_path):
    """Rather than accepted and ignored."""
    (tmp_path / 'spool').mkdir()
    refused = replay(tmp_path / 'spool', '--max-aggregated-events', '500')
    assert refused.returncode == 2
    assert 'says nothing without --aggregate or --compression' in refused.stderr


def test_neither_strays_nor_an_emptied_file_keep_events_from_delivery(tmp_path, endpoint):
    """Directories in which somebody has put a note, and a `destination.json` that a power cut has emptied."""
    die(tmp_path / 'spool', 'http://127.0.0.1:9')
    (said,) = (tmp_path / 'spool').glob('*/*/destination.json')
    for _ in range(16):
        stray = create_producer(tmp_path / 'spool', Destination.from_json(said.read_bytes()))
        (stray.path / 'note').touch()
        os.utime(stray.path / 'producer.json', (0, 0))
        stray.release()
    said.write_bytes(b'')
    done = replay(tmp_path / 'spool', '--endpoint-url', endpoint.url, '--yes')
    assert 'bar: 1,000 events delivered' in done.stdout
    assert numbers(endpoint) == list(range(1000))
    assert len(list((tmp_path / 'spool').glob('*/*/*/note'))) == 16
