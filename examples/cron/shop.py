# cd examples/cron && python shop.py
"""A script for cron: `*/5 * * * * cd /srv/shop && .venv/bin/python shop.py`.

At its end, also by an exception, `flush` delivers what it has logged and what earlier runs have left in `spool_dir`: after a kill, or because
AWS could not be reached within those 30 seconds and the 10 of `shutdown_timeout_seconds`. On SIGTERM it delivers what it has logged. cron gives it neither region nor credentials: so
the region is said here, and credentials are where boto3 finds them without variables.
"""

import atexit
import logging
import pathlib

from firefighter.logging import FirehoseHandler, flush_on_signals

spool_dir = str(pathlib.Path(__file__).with_name('spool'))
handler = FirehoseHandler('bar', region_name='eu-west-1', spool_dir=spool_dir, fields={'service': 'shop'})
logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
logger.addHandler(handler)
atexit.register(handler.flush, 30)
flush_on_signals('SIGTERM')

for number in range(10):
    logger.info('order %d', number)
