"""Ctrl-C while the process waits for delivery at its end."""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import logging
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('x')
handler = FirehoseHandler('bar', endpoint_url='http://127.0.0.1:9', shutdown_timeout_seconds=50)
logger.addHandler(handler)
logger.warning('one')
"""


def test_a_ctrl_c_at_exit_ends_the_wait_and_the_count_is_said():
    """Whoever presses it does not want to wait; what could not be sent is counted on stderr all the same."""
    said = []
    with subprocess.Popen([sys.executable, '-c', PROGRAM], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            said.append(line)
            if 'Ctrl-C ends it' in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    # Not always last: a try that was under way may fail, and say so, while the process ends.
    assert sum('closed with 1 event undelivered' in line for line in said) == 1
    assert not any('Traceback' in line for line in said)
