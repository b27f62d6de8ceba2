"""Is what a handler holds let go of, however it is replaced or forgotten, and its events delivered before the exit?"""

from __future__ import annotations

from pathlib import Path

import pytest

from depth import depth
from programs import SHORT_PAUSES

# More than may be left of either: were one of each left, it would be seen.
MANY = depth(40, 80)
pytestmark = pytest.mark.skipif(not Path('/dev/fd').is_dir(), reason='nobody tells which files are open')

COUNTS = """
import glob

def descriptors():
    return len(os.listdir('/dev/fd'))

def directories():
    return len(glob.glob(os.path.join(OPTIONS['spool_dir'], '*', '*', '*', '')))
"""

MANY_TIMES = {
    'dictConfig, an event each': """
        logging.config.dictConfig(config())
        logging.info('event %d', number)
        """,
    'dictConfig, without an event': 'logging.config.dictConfig(config())',
    'closed, an event each': """
        handler = make()
        logger.addHandler(handler)
        logger.info('event %d', number)
        logger.removeHandler(handler)
        handler.close()
        """,
    'closed, without an event': 'handler = make(); handler.close()',
    'forgotten, an event each': """
        handler = make()
        logger.addHandler(handler)
        logger.info('event %d', number)
        logger.removeHandler(handler)
        del handler
        """,
    'forgotten, without an event': 'handler = make()\ndel handler',
    'forgotten in a cycle, without an event': """
        handler = make()
        handler.me = handler
        del handler
        """,
    'flushed and forgotten, without an event': """
        handler = make()
        handler.flush()
        del handler
        """,
}


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('way', MANY_TIMES)
def test_after_many_handlers_on_disk_hardly_a_descriptor_or_a_directory_is_left(
    way, use_queues, live, endpoint, arrived, spool_dir
):
    """Replaced, closed or forgotten: with the last event delivered, or the last reference gone, so is all it had."""
    life = live(
        (
            COUNTS,
            """
            import boto3  # has files of its own
            gc.collect()
            before = descriptors()
            code = compile(CODE, 'life', 'exec')
            for number in range(MANY):
                exec(code)
            gc.collect()
            came_back = until(lambda: gc.collect() * 0 == 0 and descriptors() <= before + 12 and directories() <= 6)
            tell(before=before, after=descriptors(), directories=directories(), came_back=came_back)
            """.replace('CODE', repr(_dedented(MANY_TIMES[way]))).replace('MANY', str(MANY)),
        ),
        endpoint.url,
        spool_dir=spool_dir,
        send_interval=0.02,
        use_queues=use_queues,
    )
    figures = life.figures
    assert figures['after'] <= figures['before'] + 12, figures
    assert figures['directories'] <= 6, figures
    expected = {f'event {number}' for number in range(MANY)} if 'an event each' in way else set()
    assert arrived() == dict.fromkeys(expected, 1)
    assert life.said == ''


def _dedented(code: str) -> str:
    return '\n'.join(line.removeprefix(8 * ' ') for line in code.split('\n'))


@pytest.mark.parametrize('place', ['memory', 'disk'])
@pytest.mark.parametrize('way', ['dictConfig', 'close', 'forgotten'])
def test_what_replaced_handlers_have_from_an_outage_arrives_when_it_is_over(
    way, place, begin, endpoint, arrives, arrived, spool_dir
):
    """They go on delivering by themselves until they are empty: nothing waits for the exit."""
    endpoint.inject('unavailable')
    life = begin(
        (
            SHORT_PAUSES,
            """
        def configure(number):
            if WAY == 'dictConfig':
                logging.config.dictConfig(config())
                return
            if logger.handlers:
                old = logger.handlers[0]
                logger.removeHandler(old)
                if WAY == 'close':
                    old.close()
            logger.addHandler(make())

        for number in range(12):
            configure(number)
            for line in range(200):
                logger.info('event %d', 200 * number + line)
        configure(12)
        # As long as it takes those to give up that do.
        for thread in delivery_threads():
            thread.join(0.1)
        gc.collect()
        tell(configured=True)
        wait_to_be_told()
        os._exit(0)
        """.replace('WAY', repr(way)),
        ),
        endpoint.url,
        spool_dir=spool_dir if place == 'disk' else None,
        send_interval=0.05,
        shutdown_timeout_seconds=0.1,
    )
    assert life.hear('configured')
    endpoint.clear_faults()
    expected = {f'event {number}' for number in range(2400)}
    assert arrives(expected, 25), f'{len(expected - arrived().keys())} have not come; it said: {life.said}'
    life.go_on()
    life.end()
    assert arrived() == dict.fromkeys(expected, 1)
