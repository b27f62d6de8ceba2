"""Does a bad day of the endpoint become a storm, where everything that can be logged is logged to the handlers? Programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from firefighter.local import LocalFirehose

# Each handler is on the root logger at DEBUG, and so is what goes to stderr, what Python warns of, and what the hook says.
PROGRAM = """
import logging, sys, warnings
from firefighter.logging import FirehoseHandler

class LoggedStream:
    def write(self, text):
        logging.getLogger('stderr').error(text)

    def flush(self):
        pass

def on_drop(reason, events, size_bytes):
    logging.warning('%d events dropped', events)
    warnings.warn('events were dropped')

said, sys.stderr = sys.stderr, LoggedStream()
logging.captureWarnings(True)
warnings.simplefilter('always')
root = logging.getLogger()
root.setLevel(logging.DEBUG)
handlers = [
    FirehoseHandler(stream, send_interval=0, oversize='drop', on_drop=on_drop, shutdown_timeout_seconds=40)
    for stream in ('bar', 'baz')
]
for handler in handlers:
    root.addHandler(handler)
for number in range(5):
    logging.debug('event %d', number)
    logging.debug('x' * 2000)
    for handler in handlers:
        if not handler.flush():
            said.write(f'not out: {handler.stats()}')
warnings.warn('of the program')
for handler in handlers:
    handler.close()
    stats = handler.stats()
    # The events of the program and its warning, and what the hooks say; nothing of botocore's, or what goes to stderr.
    if not (6 <= stats.delivered <= 30 and stats.dropped['oversize'] == 5):
        said.write(f'fed by itself: {stats}')
    if not (stats.suppressed > 50 and stats.requests <= 30):
        said.write(f'a storm: {stats}')
"""


@pytest.mark.parametrize(
    'fault',
    [None, 'unavailable', 'throttling', 'partial', 'reset-before', 'cut-off', 'not-json'],
)
def test_what_delivery_does_on_a_bad_day_feeds_no_handler(fault, tmp_path):
    """Two handlers of two streams on the root logger at DEBUG: each gets what the program logs, and no more."""
    with LocalFirehose(tmp_path, streams=['bar', 'baz']) as endpoint:
        if fault is not None:
            endpoint.inject(fault, times=3)
        ended = subprocess.run(
            [sys.executable, '-c', PROGRAM],
            env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
            capture_output=True,
            text=True,
            timeout=55,
            check=True,
        )
        messages = Counter(json.loads(line)['message'] for line in endpoint.delivered().splitlines())
    assert ended.stderr == ''
    assert {message for message in messages if message.startswith('event')} == {
        f'event {n}' for n in range(5)
    }
    by_the_hook = {message for message in messages if re.search('events (were )?dropped', message)}
    assert len(messages.keys() - by_the_hook) == 6
    assert {count for message, count in messages.items() if message not in by_the_hook} <= {
        2,
        3,
        4,
        5,
    }  # once in each stream, and a copy for each answer that did not come
