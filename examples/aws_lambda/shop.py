# cd examples/aws_lambda && python invoke.py shop.handler '{"order_id": 17}' '{"order_id": 18}'
"""An AWS Lambda function. It is frozen when its handler returns, so every event must be sent before that.

After that no thread runs, and exit functions are not called. If the function logs much, flush once at the end of
each invocation, as here. If it logs little, use_queues=False sends each event in the logging call.
"""

import logging
from typing import Any

from firefighter.logging import FirehoseHandler

# Made outside the handler, once for each instance of the function.
firehose = FirehoseHandler('bar', fields={'service': 'shop'})
logger = logging.getLogger()
logger.setLevel(logging.INFO)
logger.addHandler(firehose)


def handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001  # Lambda gives it
    """Handle one invocation."""
    try:
        logger.info('order %s', event['order_id'])
        return {'statusCode': 200}
    finally:
        firehose.flush(timeout_seconds=2)
