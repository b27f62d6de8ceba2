"""An AWS Lambda function: it is frozen when the handler returns, so every event has to be out by then.

A thread would not get to send, and exit functions do not run. With a function that logs little, use_queues=False
sends each event in the logging call. With one that logs much, flush once, at the end of the invocation.
"""

import logging
from typing import Any

from firefighter.logging import FirehoseHandler

# Made once for each instance of the function, outside the handler. The stream's name: FIREFIGHTER_STREAM.
firehose = FirehoseHandler(fields={'service': 'shop'})
logger = logging.getLogger()
logger.setLevel(logging.INFO)
logger.addHandler(firehose)


def handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001  # Lambda gives it
    """Handle one invocation."""
    try:
        logger.info('order received', extra={'order_id': event['order_id']})
        return {'statusCode': 200}
    finally:
        firehose.flush(timeout_seconds=2)
