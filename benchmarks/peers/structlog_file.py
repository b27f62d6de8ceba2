"""structlog as its page on performance says: cached, a filter made for the level, orjson, bytes into a file.

It makes no LogRecord at all, and the calling thread writes.
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

import orjson
from benchmarks.contestant import Program


def structlog(folder: Path) -> Program:
    """Write to a file, each line at once, as its BytesLogger does."""
    module: Any = importlib.import_module('structlog')
    file = (folder / 'structlog.log').open('wb')
    module.configure(
        cache_logger_on_first_use=True,
        wrapper_class=module.make_filtering_bound_logger(logging.INFO),
        processors=[
            module.contextvars.merge_contextvars,
            module.processors.add_log_level,
            module.processors.format_exc_info,
            module.processors.TimeStamper(fmt='iso', utc=True),
            module.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=module.BytesLoggerFactory(file),
    )
    logger = module.get_logger('shop.orders')

    def call(number: int) -> None:
        logger.info('order %d shipped to %s', number, 'Oslo', user=42, path='/orders', took_ms=3.2)

    def calls(number_of_calls: int) -> None:
        for number in range(number_of_calls):
            logger.info('order %d shipped to %s', number, 'Oslo', user=42, path='/orders', took_ms=3.2)

    return Program(calls, call, file.flush, file.close)
