"""Does one handler's trouble at exit cost another its last events?"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from time import monotonic

from firefighter.local import LocalFirehose

PROGRAM = """
import logging
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('foo')
logger.setLevel(logging.INFO)
for number in range(8):
    down = FirehoseHandler('bar', shutdown_timeout_seconds=40, endpoint_url='http://127.0.0.1:9')
    logger.addHandler(down)
logger.addHandler(FirehoseHandler('bar', shutdown_timeout_seconds=40))
logger.info('last')
"""


def test_handlers_whose_endpoint_is_down_do_not_use_up_the_time_of_one_whose_is_up(tmp_path):
    """All share one deadline, so all have to begin delivering at once, not one after the other."""
    with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
        process = subprocess.Popen(
            [sys.executable, '-c', PROGRAM],
            env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url},
            stderr=subprocess.DEVNULL,
        )
        # The exit waits for the others until its deadline; this test only until the event is there.
        ends_at = monotonic() + 45
        while not endpoint.account('bar').records and process.poll() is None and monotonic() < ends_at:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.kill()
        process.wait()
        assert endpoint.account('bar').records == 1
