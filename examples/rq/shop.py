# cd examples/rq && rq worker --worker-class shop.Worker
"""Jobs of RQ, and the worker that runs them; in another shell: `rq enqueue shop.work :17`.

Each job runs in a process of its own, the work horse, which ends by `os._exit`. So the worker class closes the handler after each job.
Set FIREFIGHTER_SPOOL_DIR, and a kill, such as by RQ's monitor, loses nothing either.
"""

import logging
from typing import Any

import rq

from firefighter.logging import FirehoseHandler

handler = FirehoseHandler('bar', fields={'service': 'shop'})
logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
logger.addHandler(handler)


class Worker(rq.Worker):
    def perform_job(self, *arguments: Any) -> bool:
        try:
            return super().perform_job(*arguments)
        finally:
            handler.close()


def work(number: int) -> None:
    logger.info('order %d', number)
