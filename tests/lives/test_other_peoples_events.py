"""What dead processes have left: are those who took it over bound to deliver it, or to let go of it?"""

from __future__ import annotations

import pytest

from programs import SHORT_PAUSES

# Where the interval is kept at which a handler that has nothing else to do looks for the dead: thirty seconds.
LOOK_INTERVAL = 'firefighter._spool.disk.spool_directory', 'LOOK_INTERVAL_SECONDS'

ADOPTED = """
handler = make(shutdown_timeout_seconds=0.5)
logger.addHandler(handler)
logger.info('of the adopter')

def adopted():
    handler.flush(0.3)
    return handler.stats().adopted == 50

tell(adopted=until(adopted))
tell(flushed_early=handler.flush(0.5))
"""

ENDED = {
    'closed': 'handler.close()',
    'closed twice': 'handler.close(); handler.close()',
    'replaced': "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})",
    'ended by logging.shutdown': 'logging.shutdown()',
}


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('ended', ENDED)
def test_what_a_handler_had_taken_over_when_it_ended_is_delivered_by_another_process(
    ended, use_queues, begin, live, leave_orphan, endpoint, arrives, arrived, spool_dir
):
    """The process of the ended handler lives on, and must not sit on it."""
    expected = leave_orphan(endpoint.url)
    endpoint.inject('unavailable')
    options = {'spool_dir': spool_dir, 'send_interval': 0.05}
    life = begin(
        (
            ADOPTED,
            ENDED[ended],
            """
            tell(flushed_late=handler.flush(0.5))
            if ENDED == 'replaced':
                logger.removeHandler(handler)
            handler.close()
            tell(ended=until(lambda: handler.stats().adopted == 0))  # it has let go of it
            wait_to_be_told()
            tell(**account(handler))
            os._exit(0)
            """.replace('ENDED', repr(ended)),
        ),
        endpoint.url,
        use_queues=use_queues,
        **options,
    )
    assert life.hear('adopted')
    assert not life.hear('flushed_early')
    assert not life.hear('flushed_late')
    assert life.hear('ended')
    endpoint.clear_faults()
    heir = live(
        """
        handler = make()
        until(lambda: handler.flush(5) and handler.stats().delivered >= 50)
        handler.close()
        tell(heir_flushed=handler.flush(20), **account(handler))
        """,
        endpoint.url,
        **options,
    )
    assert heir.figures['heir_flushed']
    # One more where the ended handler has let go of its own, too.
    assert heir.figures['adopted'] == heir.figures['delivered'] >= 50
    assert arrives(expected, 0)
    life.go_on()
    figures = life.end()
    assert figures['adds_up']
    counts = arrived()
    assert all(counts[message] == 1 for message in expected)


@pytest.mark.parametrize('ended', ENDED)
def test_what_a_handler_had_taken_over_when_it_ended_is_delivered_by_another_of_its_process(
    ended, begin, leave_orphan, endpoint, arrived, spool_dir
):
    """As after a reload during an outage: the new handler has the same directory and the same destination."""
    expected = leave_orphan(endpoint.url)
    endpoint.inject('unavailable')
    life = begin(
        (
            SHORT_PAUSES,
            ADOPTED,
            ENDED[ended],
            """
            # It has let go of it: what is in a request that is under way would else be delivered by that.
            tell(ended=until(lambda: handler.stats().adopted == 0))
            wait_to_be_told()
            logger.removeHandler(handler)
            other = make()
            logger.addHandler(other)
            logger.info('of the other')
            until(lambda: other.flush(5) and other.stats().delivered >= 51)
            tell(delivered_by_the_other=other.stats().delivered)
            until(lambda: handler.stats().pending == 0)
            other.close()
            tell(**account(handler, other))
            """,
        ),
        endpoint.url,
        spool_dir=spool_dir,
        send_interval=0.05,
    )
    assert life.hear('ended')
    endpoint.clear_faults()
    life.go_on()
    figures = life.end()
    assert figures['adopted'] in {50, 51}  # as above
    assert figures['delivered'] == 52
    assert figures['delivered_by_the_other'] >= 51
    assert figures['adds_up']
    assert arrived() == dict.fromkeys(expected | {'of the adopter', 'of the other'}, 1)


def test_a_handler_that_ends_and_is_used_again_delivers_what_it_had_taken_over(
    begin, leave_orphan, endpoint, arrived, spool_dir
):
    """Closed, it let go of it; opened again, it takes it again, and its account has it once."""
    expected = leave_orphan(endpoint.url)
    endpoint.inject('unavailable')
    life = begin(
        (
            ADOPTED,
            """
            for number in range(5):
                handler.close()
                logger.info('event %d', number)
            handler.close()
            tell(ended=True, adds_up_then=account(handler)['adds_up'])
            wait_to_be_told()
            logger.info('last')
            until(lambda: handler.flush(5) and not handler.stats().pending)
            until(lambda: handler.flush(5) and handler.stats().delivered >= 57)
            tell(**account(handler))
            """,
        ),
        endpoint.url,
        spool_dir=spool_dir,
        send_interval=0.05,
    )
    assert life.hear('ended')
    endpoint.clear_faults()
    life.go_on()
    figures = life.end()
    assert figures['adds_up_then']
    assert figures['adds_up']
    assert (figures['adopted'], figures['delivered'], figures['pending']) == (50, 57, 0)
    own = {'of the adopter', 'last', *(f'event {number}' for number in range(5))}
    assert arrived() == dict.fromkeys(expected | own, 1)


QUIET_ENDS = {
    'it ends': '',
    'it closes': 'handler.close()',
    'it flushes': 'handler.flush()',
    'it shuts logging down': 'logging.shutdown()',
    'it configures logging anew': 'logging.config.dictConfig({"version": 1})',
}


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('end', QUIET_ENDS)
def test_a_process_that_logs_nothing_delivers_what_a_dead_one_has_left_and_says_nothing_untrue(
    end, use_queues, live, leave_orphan, endpoint, arrived, spool_dir
):
    """Its endpoint is well: all of it arrives, and there is nothing to say on stderr."""
    expected = leave_orphan(endpoint.url)
    life = live(
        f'handler = make()\n{QUIET_ENDS[end]}',
        endpoint.url,
        spool_dir=spool_dir,
        use_queues=use_queues,
        shutdown_timeout_seconds=30,
    )
    assert life.said == ''
    assert arrived() == dict.fromkeys(expected, 1)


def test_what_is_said_of_a_dead_processs_events_at_the_end_is_true(
    live, leave_orphan, endpoint, arrived, spool_dir
):
    """With the endpoint down they stay where they are, and the directory that is named is there."""
    expected = leave_orphan(endpoint.url)
    endpoint.inject('unavailable')
    life = live('handler = make(shutdown_timeout_seconds=0.5)', endpoint.url, spool_dir=spool_dir)
    assert set(life.told_undelivered) <= {50}, life.said
    endpoint.clear_faults()
    heir = live('tell(flushed=make().flush(20))', endpoint.url, spool_dir=spool_dir)
    assert heir.figures['flushed']
    assert arrived() == dict.fromkeys(expected, 1)


IDLE = {
    'has logged': "logger.info('before')\nhandler.flush()",
    'has been closed and used again': "logger.info('once')\nhandler.close()\nlogger.info('before')\nhandler.flush()",
}


@pytest.mark.parametrize('idle', IDLE)
def test_an_idle_handler_looks_for_the_dead_at_the_documented_interval(
    idle, begin, leave_orphan, endpoint, arrives, spool_dir
):
    """Not only when it wakes for its own events, each `send_interval`. Here the interval is half a second, not thirty."""
    module, name = LOOK_INTERVAL
    life = begin(
        (
            f"""
            import {module} as keeper
            assert keeper.{name} == 30
            keeper.{name} = 0.5
            handler = make()
            logger.addHandler(handler)
            """,
            IDLE[idle],
            """
            tell(idle=True)
            wait_to_be_told()
            tell(**account(handler))
            os._exit(0)
            """,
        ),
        endpoint.url,
        spool_dir=spool_dir,
        send_interval=60,
    )
    assert life.hear('idle')
    expected = leave_orphan(endpoint.url)
    assert arrives(expected), life.said
    life.go_on()
    figures = life.end()
    assert figures['adopted'] == 50
    assert figures['adds_up']
