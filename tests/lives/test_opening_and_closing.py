"""What is opened, closed and used again by several threads at once: is every event delivered, and everybody closed?"""

from __future__ import annotations

import os

import pytest

from depth import depth

LOGGING_WITHOUT_A_PAUSE = """
PAUSE_AFTER = 200
handler = make()
logger.addHandler(handler)
logged = [0]
stop = threading.Event()

def log_on():
    while not stop.is_set():
        logger.info('event %d', logged[0])
        logged[0] += 1
        if logged[0] % PAUSE_AFTER == 0:
            time.sleep(0.001)  # not more than the endpoint takes

def end_again_and_again(end, times):
    enough_at = time.monotonic() + 15  # on a busy machine that is less often
    for _ in range(times):
        end()
        if time.monotonic() > enough_at:
            break
"""


@pytest.mark.parametrize('end', ['handler.close', 'logging.shutdown'])
@pytest.mark.parametrize(('use_queues', 'switch_interval'), [(True, 5e-3), (True, 1e-5), (False, 5e-3)])
def test_a_handler_that_was_closed_again_and_again_while_a_thread_logged_keeps_its_events_over_a_kill(
    end, use_queues, switch_interval, begin, live, endpoint, arrived, spool_dir
):
    """Open or closed or in between, what it says it has on disk is there: the next process delivers all of it."""
    life = begin(
        (
            LOGGING_WITHOUT_A_PAUSE,
            f"""
            sys.setswitchinterval({switch_interval})
            thread = threading.Thread(target=log_on)
            thread.start()
            end_again_and_again({end}, {depth(60, 200 if use_queues else 80)})
            stop.set()
            thread.join()
            tell(closed=True)
            wait_to_be_told()
            for number in range(800):
                logger.info('event %d', logged[0])
                logged[0] += 1
            tell(logged=logged[0], backing=handler.stats().backing, **account(handler))
            os.kill(os.getpid(), signal.SIGKILL)
            """,
        ),
        endpoint.url,
        spool_dir=spool_dir,
        send_interval=0.02,
        use_queues=use_queues,
    )
    assert life.hear('closed')
    endpoint.inject('reset-before')
    life.go_on()
    figures = life.end(killed=True)
    endpoint.clear_faults()
    heir = live('tell(flushed=make().flush(30))', endpoint.url, spool_dir=spool_dir)
    assert heir.figures['flushed']
    assert figures['adds_up']
    expected = {f'event {number}' for number in range(figures['logged'])}
    lost = expected - arrived().keys()
    assert not lost, f'{len(lost)} of {len(expected)} are lost'
    assert figures['backing'] == 'disk'
    assert 'stumbled' not in life.said


@pytest.mark.parametrize('end', ['handler.close', 'logging.shutdown', 'handler.flush'])
@pytest.mark.parametrize('place', ['memory', 'disk'])
def test_two_threads_that_close_and_one_that_logs_do_not_get_into_each_others_way(
    end, place, live, endpoint, arrived, spool_dir
):
    """Whatever is let go of is let go of once: no descriptor is closed twice, which may be another's by then."""
    life = live(
        (
            LOGGING_WITHOUT_A_PAUSE,
            f"""
            raised = []
            threading.excepthook = lambda arguments: raised.append(repr(arguments.exc_value))
            sys.setswitchinterval(1e-5)
            PAUSE_AFTER = 20
            closers = [threading.Thread(target=end_again_and_again, args=({end}, {depth(30, 100)})) for _ in range(2)]
            logging_thread = threading.Thread(target=log_on)
            for thread in (logging_thread, *closers):
                thread.start()
            for thread in closers:
                thread.join()
            stop.set()
            logging_thread.join()
            flushed = handler.flush(25)
            tell(raised=raised[:3], flushed=flushed, logged=logged[0], **account(handler))
            """,
        ),
        endpoint.url,
        spool_dir=spool_dir if place == 'disk' else None,
        send_interval=0.02,
    )
    figures = life.figures
    assert figures['raised'] == []
    assert life.said == ''
    assert (figures['flushed'], figures['adds_up'], figures['pending']) == (True, True, 0)
    assert figures['accepted'] == figures['delivered'] == figures['logged']
    assert arrived() == dict.fromkeys((f'event {number}' for number in range(figures['logged'])), 1)


# Handlers that are not whole: `made` is called once logging knows them.
HALF_MADE = {
    'whose session takes its time': """
        import boto3.session

        class Session(boto3.session.Session):
            def client(self, *arguments, **more):
                half_made()
                return super().client(*arguments, **more)

        def make_half():
            make(boto3_session=Session())
        """,
    'of a subclass that begins with logging.Handler': """
        class Subclass(FirehoseHandler):
            def __init__(self):
                logging.Handler.__init__(self)
                half_made()
                FirehoseHandler.__init__(self, 'bar')

        def make_half():
            Subclass()
        """,
    'whose level is of no use': """
        class Subclass(FirehoseHandler):
            def __init__(self):
                logging.Handler.__init__(self)
                kept.append(self)
                super().__init__('bar', level='of no use')

        def make_half():
            try:
                Subclass()
            except ValueError:
                half_made()
        """,
    'whose subclass raised': """
        class Subclass(FirehoseHandler):
            def __init__(self):
                logging.Handler.__init__(self)
                kept.append(self)
                raise LookupError('of the program')

        def make_half():
            try:
                Subclass()
            except LookupError:
                half_made()
        """,
    'whose making was interrupted': """
        import boto3.session

        class Session(boto3.session.Session):
            def client(self, *arguments, **more):
                raise KeyboardInterrupt

        def make_half():
            try:
                make(boto3_session=Session())
            except KeyboardInterrupt as error:
                kept.append(error)  # and with it the frame in which the handler is
            half_made()
        """,
    'that was never begun': """
        class Subclass(FirehoseHandler):
            def __init__(self):
                logging.Handler.__init__(self)
                kept.append(self)

        def make_half():
            Subclass()
            half_made()
        """,
}


@pytest.mark.parametrize('ended', ['logging.shutdown()', 'logging.config.dictConfig({"version": 1})', ''])
@pytest.mark.parametrize('half_made', HALF_MADE)
def test_a_handler_that_is_not_whole_is_in_nobodys_way(half_made, ended, live, endpoint, arrived):
    """Still in its constructor, or never out of it, when logging ends or is configured: nothing raises, others are closed."""
    life = live(
        (
            """
            class Other(logging.Handler):
                flushed = closed = False

                def flush(self):
                    self.flushed = True

                def close(self):
                    self.closed = True
                    super().close()

            other = Other()  # logging ends the newest first, so this one last
            handler = make()
            logger.addHandler(handler)
            logger.info('of another handler')
            kept, ready, go_on = [], threading.Event(), threading.Event()

            def half_made():
                ready.set()
                assert go_on.wait(30)

            atexit.register(lambda: tell(closed=other.closed))
            """,
            HALF_MADE[half_made],
            f"""
            thread = threading.Thread(target=make_half, daemon=True)
            thread.start()
            assert ready.wait(30)
            raised = None
            try:
                {ended or 'pass'}
            except BaseException as error:
                raised = repr(error)
            tell(raised=raised)
            if {bool(ended)}:
                tell(closed_at_once=other.closed)
                go_on.set()
                thread.join()
            """,
        ),
        endpoint.url,
    )
    assert life.figures['raised'] is None
    assert 'Error' not in life.said
    if ended:
        assert life.figures['closed_at_once']
    assert arrived() == {'of another handler': 1}


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='there is no fork here')
def test_a_fork_while_a_handler_is_being_made_and_one_is_closing_leaves_a_child_that_logs(
    live, endpoint, arrived
):
    """The child has neither of the two threads that were at it; its own event arrives, and its exit is an orderly one."""
    life = live(
        """
        handler = make()
        logger.addHandler(handler)
        kept, ready, go_on = [], threading.Event(), threading.Event()

        class Subclass(FirehoseHandler):
            def __init__(self):
                logging.Handler.__init__(self)
                kept.append(self)
                ready.set()
                go_on.wait(30)
                super().__init__('bar')

        making = threading.Thread(target=Subclass, daemon=True)
        making.start()
        ready.wait(30)
        logger.info('of the parent')
        closing = threading.Thread(target=handler.close)
        closing.start()
        child = os.fork()
        if not child:
            logger.info('of the child')
            sys.exit(not handler.flush())
        status = os.waitpid(child, 0)[1]
        go_on.set()
        making.join()
        closing.join()
        tell(status=status)
        """,
        endpoint.url,
    )
    assert life.figures['status'] == 0, life.said
    assert arrived() == {'of the parent': 1, 'of the child': 1}
    assert 'Error' not in life.said
