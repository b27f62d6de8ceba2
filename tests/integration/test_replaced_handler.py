"""What becomes of the events of a handler that `dictConfig` has replaced, when its endpoint is down?"""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, logging, logging.config, threading
from firefighter.logging import FirehoseHandler

CONFIG = {
    'version': 1,
    'handlers': {
        'firehose': {
            'class': 'firefighter.logging.FirehoseHandler',
            'delivery_stream_name': 'bar',
            'endpoint_url': 'http://127.0.0.1:9',
            'shutdown_timeout_seconds': 0.3,
        }
    },
    'root': {'level': 'INFO', 'handlers': ['firehose']},
}
logging.config.dictConfig(CONFIG)
logging.info('never delivered')
delivering = [thread for thread in threading.enumerate() if thread.name == 'firefighter-bar']
logging.config.dictConfig({'version': 1})
for thread in delivering:
    thread.join(1)  # it need not end: it goes on trying, until the process ends
gc.collect()
"""


def test_the_number_of_its_undelivered_events_is_said():
    """No event leaves the program uncounted."""
    ended = subprocess.run(
        [sys.executable, '-c', PROGRAM], capture_output=True, text=True, timeout=50, check=True
    )
    assert '1 event undelivered' in ended.stderr
