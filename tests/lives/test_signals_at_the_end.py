"""A signal whose handler raises SystemExit, as the docs advise for SIGTERM, and then another one."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import suppress

import pytest

RECIPE = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
handlers = [make() for _ in range(HANDLERS)]
for number, handler in enumerate(handlers):
    logging.getLogger(str(number)).addHandler(handler)
for number in range(20):
    for name in range(HANDLERS):
        logging.getLogger(str(name)).warning('event %d', number)
if FORGOTTEN:  # as with a reload
    logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})
atexit.register(lambda: tell(ending=True))  # the first of all exit functions
tell(ready=True)
while True:
    time.sleep(0.05)  # no pause(), which a signal just before it does not end
"""


def terminate(life, again=1):
    """Send SIGTERM, and again when the process says that it is still delivering, so often as long as it lives."""
    assert life.hear('ready')
    life.process.send_signal(signal.SIGTERM)
    assert life.hear('ending')
    life.wait_until_it_says('still delivering')
    for _ in range(again):
        life.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            # One that is about to end gets no other: the numbers that it is just writing would be written again.
            life.process.wait(5)
            break
    # The last one may come when Python has already given the signal back.
    life.end(statuses={0, -signal.SIGTERM})


@pytest.mark.parametrize('again', [1, 3])
@pytest.mark.parametrize('forgotten', [False, True])
@pytest.mark.parametrize('handlers', [1, 3])
def test_another_sigterm_ends_the_wait_and_what_was_pending_is_said(
    handlers, forgotten, again, begin, silent
):
    """Whoever sends it does not want to wait; the number of the undelivered is on stderr, for each handler."""
    life = begin(
        RECIPE.replace('HANDLERS', str(handlers)).replace('FORGOTTEN', str(forgotten)),
        silent.url,
        shutdown_timeout_seconds=20,
    )
    terminate(life, again)
    assert life.told_undelivered == [20] * handlers, life.said


def test_with_undelivered_stderr_the_events_themselves_are_there_after_a_second_sigterm(begin, silent):
    """The last place that they can be written to."""
    life = begin(
        RECIPE.replace('HANDLERS', '1').replace('FORGOTTEN', 'False'),
        silent.url,
        undelivered='stderr',
        shutdown_timeout_seconds=20,
    )
    terminate(life, 2)
    events = [json.loads(line)['message'] for line in life.said.splitlines() if line.startswith('{')]
    assert events == [f'event {number}' for number in range(20)], life.said


def test_on_disk_the_next_process_delivers_what_a_second_sigterm_left(
    begin, live, endpoint, arrived, spool_dir
):
    """And stderr says how many there are."""
    endpoint.inject('unavailable')
    life = begin(
        RECIPE.replace('HANDLERS', '1').replace('FORGOTTEN', 'False'),
        endpoint.url,
        spool_dir=spool_dir,
        shutdown_timeout_seconds=20,
    )
    terminate(life, 2)
    assert life.told_undelivered == [20], life.said
    endpoint.clear_faults()
    assert live('tell(flushed=make().flush(20))', endpoint.url, spool_dir=spool_dir).figures['flushed']
    assert arrived() == dict.fromkeys((f'event {number}' for number in range(20)), 1)


@pytest.mark.parametrize('where', ['close', 'flush', 'logging.shutdown'])
def test_a_signal_that_raises_in_a_wait_of_the_programs_own_loses_nothing(where, begin, endpoint, arrived):
    """The wait ends by SystemExit; the exit then delivers what is left, as ever."""
    endpoint.inject('slow', seconds=1, times=1)
    life = begin(
        f"""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        handler = make()
        logger.addHandler(handler)
        for number in range(20):
            logger.info('event %d', number)

        def when_under_way():
            until(lambda: handler.stats().requests)
            tell(under_way=True)

        threading.Thread(target=when_under_way).start()
        {'logging.shutdown' if where.startswith('logging') else 'handler.' + where}()
        while True:
            time.sleep(0.05)  # where the signal comes when the wait is over
        """,
        endpoint.url,
        send_interval=0.02,
    )
    assert life.hear('under_way')
    life.process.send_signal(signal.SIGTERM)
    life.end()
    assert life.said == ''
    assert arrived() == dict.fromkeys((f'event {number}' for number in range(20)), 1)
