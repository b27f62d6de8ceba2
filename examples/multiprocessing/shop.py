# cd examples/multiprocessing && python shop.py
"""A pool of processes, by any start method.

Each process delivers what it has logged when it ends, on SIGTERM by the line for that. The end of the `with` block sends SIGTERM to those of
the pool that have not ended by then: so close the pool, and wait for them. Set FIREFIGHTER_SPOOL_DIR, and a kill loses nothing either.
"""

import logging
import multiprocessing

from firefighter.logging import FirehoseHandler, flush_on_signals

flush_on_signals('SIGTERM')
logger = logging.getLogger('shop')
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler('bar', fields={'service': 'shop'}, include=['process']))


def work(number: int) -> None:
    logger.info('order %d', number)


if __name__ == '__main__':
    with multiprocessing.Pool(2) as pool:
        pool.map(work, range(9))
        pool.close()
        pool.join()
    logger.info('order 9')
