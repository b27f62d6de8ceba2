# cd examples/celery && celery --app shop worker --concurrency 2 --loglevel INFO
"""A Celery application with a pool of processes (prefork); in another shell: `celery --app shop call shop.work --args '[17]'`.

When a child ends (`--max-tasks-per-child`, stop), it delivers what it has logged. Set FIREFIGHTER_SPOOL_DIR, and a kill, such as
by `task_time_limit`, loses nothing either. What Celery itself logs of a task has the task's arguments.
"""

import logging

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger
from celery.utils.log import get_task_logger

from firefighter.logging import FirehoseHandler

app = Celery('shop', broker='redis://')
handler = FirehoseHandler('bar', fields={'service': 'shop'})


@after_setup_logger.connect
@after_setup_task_logger.connect
def ship_logs(logger: logging.Logger, **_: object) -> None:
    logger.addHandler(handler)


@app.task
def work(number: int) -> None:
    get_task_logger('shop').info('order %d', number)
