# cd examples/structlog && python shop.py
"""structlog without the standard library's logging behind it.

At its end, also by SIGTERM, the program delivers what it has logged. Set FIREFIGHTER_SPOOL_DIR, and a kill loses nothing either.
"""

import logging

import structlog

from firefighter.integrations.structlog import EventRenderer, FirehoseLoggerFactory
from firefighter.logging import FirehoseHandler, flush_on_signals

flush_on_signals('SIGTERM')
handler = FirehoseHandler('bar', fields={'service': 'shop'})
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.StackInfoRenderer(),
        EventRenderer(),
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=FirehoseLoggerFactory(handler),
    cache_logger_on_first_use=True,
)
logging.getLogger().addHandler(handler)  # what libraries log

log = structlog.get_logger('shop')
for number in range(10):
    log.info('order received', number=number)
