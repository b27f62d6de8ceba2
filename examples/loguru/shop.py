# cd examples/loguru && python shop.py
"""loguru with our sink.

At its end, also by SIGTERM, the program delivers what it has logged. Set FIREFIGHTER_SPOOL_DIR, and a kill loses nothing either.
"""

import logging

from loguru import logger

from firefighter.integrations.loguru import sink
from firefighter.logging import FirehoseHandler, flush_on_signals

flush_on_signals('SIGTERM')
handler = FirehoseHandler('bar', fields={'service': 'shop'})
logger.remove()  # what loguru writes to stderr
logger.add(sink(handler), level='INFO')
logging.getLogger().addHandler(handler)  # what libraries log

for number in range(10):
    logger.bind(customer='ada').info('order {}', number)
