"""structlog with our handler, each way as docs/configuration.md has it: straight into the spool, and through logging."""

from __future__ import annotations

import logging
from typing import Any

import structlog
from benchmarks.contestant import Program
from benchmarks.contestants import firehose

from firefighter.integrations.structlog import EventRenderer, FirehoseLoggerFactory
from firefighter.logging import FirehoseHandler


def direct(*, delivering: bool = False) -> Program:
    """Log straight into the spool."""
    contestant = firehose(delivering=delivering)
    assert isinstance(contestant.handler, FirehoseHandler)
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[structlog.contextvars.merge_contextvars, EventRenderer()],
        logger_factory=FirehoseLoggerFactory(contestant.handler),
    )
    return _program(contestant.after_round, contestant.close)


def through_logging() -> Program:
    """Log through the standard library, which hands its records to our handler."""
    contestant = firehose()
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    logger = logging.getLogger('shop.orders')
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(contestant.handler)
    return _program(contestant.after_round, contestant.close)


def _program(after_round: Any, close: Any) -> Program:
    logger = structlog.get_logger('shop.orders')

    def call(number: int) -> None:
        logger.info('order %d shipped to %s', number, 'Oslo', user=42, path='/orders', took_ms=3.2)

    def calls(number_of_calls: int) -> None:
        for number in range(number_of_calls):
            logger.info('order %d shipped to %s', number, 'Oslo', user=42, path='/orders', took_ms=3.2)

    return Program(calls, call, after_round, close)
