# cd examples/gevent && gunicorn --worker-class gevent --workers 2 shop:application
"""A WSGI application under gunicorn, in greenlets.

gunicorn patches the standard library before it loads this. A program of your own does so first of all: `monkey.patch_all()`.
When a worker ends (SIGTERM, reload), it delivers what it has logged. Ctrl-C may end it in the middle of that. Set FIREFIGHTER_SPOOL_DIR, and
neither that nor a kill loses anything.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

# gunicorn loads the program in each worker. What is imported here need not be while all greenlets wait for the first delivery.
import boto3  # noqa: F401

from firefighter.logging import FirehoseHandler

logger = logging.getLogger()
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler('bar', fields={'service': 'shop'}))


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    logger.info('order %s', environ['PATH_INFO'].rpartition('/')[2])
    start_response('200 OK', [('Content-Length', '9')])
    return [b'received\n']
