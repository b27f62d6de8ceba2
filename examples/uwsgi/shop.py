# cd examples/uwsgi && uwsgi --ini uwsgi.ini --http-socket 127.0.0.1:8000
"""A WSGI application under uWSGI, whose settings are in uwsgi.ini.

When a worker ends (SIGTERM to the master, reload), it delivers what it has logged. Ctrl-C and a SIGTERM to the workers themselves end it at
once. Set FIREFIGHTER_SPOOL_DIR, and neither these nor a kill loses anything.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from firefighter.logging import FirehoseHandler

logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler('bar', fields={'service': 'shop'}))


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    logger.info('order %s', environ['PATH_INFO'].rpartition('/')[2])
    start_response('200 OK', [('Content-Length', '9')])
    return [b'received\n']
