"""Signals that end a program, after `flush_on_signals`."""

from __future__ import annotations

import json
import signal
import sys

import pytest

if sys.platform == 'win32':
    pytest.skip('no signal ends a program of Windows from outside', allow_module_level=True)

# No event makes a batch due, so that all of them wait until somebody flushes.
BEGIN = """
from firefighter.logging import flush_on_signals
handler = make()
handler.MAX_BATCH_SIZE = handler.MAX_BATCH_COUNT = 1 << 20
logger.addHandler(handler)
for number in range(20):
    logger.info('event %d', number)
"""
WAITS = """
def waits(thread=threading.main_thread()):
    # Whether the thread waits for delivery.
    frame = sys._current_frames().get(thread.ident)
    while frame is not None and frame.f_code.co_name != 'wait_until':
        frame = frame.f_back
    return frame is not None
"""
LIVE_ON = """
tell(ready=True)
while True:
    time.sleep(0.05)
"""
PATIENT = {'send_interval': 60, 'shutdown_timeout_seconds': 40}
ENDED = {-signal.SIGTERM}


def events(count=20, name='event'):
    """Return that many events, each there once."""
    return dict.fromkeys((f'{name} {number}' for number in range(count)), 1)


@pytest.fixture
def end(begin, endpoint):
    """Start a program, send it SIGTERM when it is ready, unless it does so by itself, and return it when it has ended by that."""

    def start_and_end(*code, url=endpoint.url, statuses=ENDED, by_itself=False, **options):
        life = begin((BEGIN, *code, LIVE_ON), url, **{**PATIENT, **options})
        if not by_itself:
            assert life.hear('ready')
            life.process.send_signal(signal.SIGTERM)
        life.end(statuses=statuses)
        return life

    return start_and_end


def test_what_is_pending_is_delivered_and_the_program_ends_by_the_signal(end, arrived):
    """Its exit status says so, as it would without us, and stderr says nothing."""
    life = end("flush_on_signals('SIGHUP', 'SIGTERM')")
    assert life.said == ''
    assert arrived() == events()


def test_without_it_they_are_lost(end, arrived):
    """What this file is about: no exit function runs."""
    assert end('').said == ''
    assert not arrived()


def test_all_handlers_share_the_time_and_report_what_is_left(end, silent):
    """Three whose endpoint is silent wait together, not one after the other."""
    life = end(
        """
        for name in 'ab':
            logging.getLogger(name).addHandler(make())
            logging.getLogger(name).warning('one')
        flush_on_signals('SIGTERM')
        """,
        url=silent.url,
        shutdown_timeout_seconds=1,
    )
    assert sorted(life.told_undelivered) == [1, 1, 20]


def test_with_undelivered_stderr_the_events_themselves_are_there(end, silent):
    """The last place that they can be written to."""
    life = end(
        "flush_on_signals('SIGTERM')", url=silent.url, undelivered='stderr', shutdown_timeout_seconds=0.5
    )
    found = [json.loads(line)['message'] for line in life.said.splitlines() if line.startswith('{')]
    assert dict.fromkeys(found, 1) == events()
    assert len(found) == 20


@pytest.mark.parametrize('second', [signal.SIGTERM, signal.SIGINT])
def test_the_same_signal_again_or_ctrl_c_ends_the_wait(second, begin, silent):
    """Whoever sends it does not want to wait; what is left is reported, and the program ends by the first signal."""
    life = begin(
        (BEGIN, "flush_on_signals('SIGTERM')", LIVE_ON),
        silent.url,
        **{**PATIENT, 'shutdown_timeout_seconds': 600},
    )
    assert life.hear('ready')
    life.process.send_signal(signal.SIGTERM)
    life.wait_until_it_says('still delivering')
    life.process.send_signal(second)
    life.end(statuses=ENDED)
    assert life.told_undelivered == [20], life.said


def test_a_handler_of_the_programs_own_is_called_after_the_delivery(end, arrived):
    """It gets what Python gives it. The program goes on, and delivers as before."""
    life = end(
        """
        def on_term(number, frame):
            tell(number=number, delivered=handler.stats().delivered, frame=frame.f_code.co_name)
            logger.info('event 20')
            sys.exit(0)
        signal.signal(signal.SIGTERM, on_term)
        flush_on_signals('SIGTERM')
        """,
        statuses={0},
    )
    assert life.said == ''
    assert life.figures['number'] == signal.SIGTERM
    assert life.figures['delivered'] == 20
    assert life.figures['frame'] in {'<module>', 'tell'}
    assert arrived() == events(21)


@pytest.mark.parametrize(
    'where',
    [
        'hold = logging._lock',
        'hold = logging.lastResort.lock',
    ],
    ids=["logging's lock", "another handler's lock"],
)
def test_where_it_interrupts_what_delivery_needs_it_comes_again(where, end, arrived):
    """The signal comes while the main thread holds a lock. Nothing is lost, and nobody waits for ever."""
    life = end(
        where,
        """
        flush_on_signals('SIGTERM')
        with hold:
            os.kill(os.getpid(), signal.SIGTERM)
            tell(went_on=True)
            logger.info('event 20')
        """,
        by_itself=True,
    )
    assert life.figures['went_on']
    assert life.said == ''
    assert arrived() == events(21)


def test_where_no_thread_can_be_started_the_signal_is_not_put_off(end):
    """It ends the program, as it would without us."""
    life = end(
        """
        import _thread
        flush_on_signals('SIGTERM')
        def start(*_):
            raise RuntimeError("can't start new thread")
        _thread.start_new_thread = start
        with logging._lock:
            os.kill(os.getpid(), signal.SIGTERM)
            tell(went_on=True)
        """,
        by_itself=True,
    )
    assert 'went_on' not in life.figures


def test_a_forked_child_delivers_its_own(begin, endpoint, arrived):
    """It has inherited the signal handler."""
    life = begin(
        (
            BEGIN,
            """
            flush_on_signals('SIGTERM')
            child = os.fork()
            if not child:
                for number in range(20):
                    logger.info('child %d', number)
                os.kill(os.getpid(), signal.SIGTERM)
            tell(status=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            """,
        ),
        endpoint.url,
        interpreter=('-Wignore',),
        **PATIENT,
    )
    life.end()
    assert life.figures['status'] == -signal.SIGTERM
    assert arrived() == {**events(), **events(name='child')}


def test_a_child_that_is_forked_during_the_wait_waits_for_itself_alone(begin, silent):
    """Another thread forks while the main thread waits in the signal handler: in the child nobody waits, so the first signal is no second one."""
    life = begin(
        (
            BEGIN,
            WAITS,
            """
            flush_on_signals('SIGTERM')
            def fork():
                until(waits)
                child = os.fork()
                if not child:
                    os.kill(os.getpid(), signal.SIGTERM)
                    time.sleep(30)
                tell(status=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                os.kill(os.getpid(), signal.SIGTERM)
            threading.Thread(target=fork).start()
            os.kill(os.getpid(), signal.SIGTERM)
            """,
        ),
        silent.url,
        interpreter=('-Wignore',),
        **PATIENT,
    )
    life.end(statuses=ENDED)
    assert life.figures['status'] == -signal.SIGTERM


def test_the_workers_of_a_pool_that_is_terminated_deliver(begin, endpoint, arrived):
    """`with multiprocessing.Pool()` ends them by SIGTERM."""
    life = begin(
        (
            BEGIN,
            """
            import multiprocessing
            flush_on_signals('SIGTERM')
            def work(number):
                logger.info('child %d', number)
            with multiprocessing.get_context('fork').Pool(2) as pool:
                pool.map(work, range(20))
            """,
        ),
        endpoint.url,
        interpreter=('-Wignore',),
        **PATIENT,
    )
    life.end()
    assert arrived() == {**events(), **events(name='child')}


def test_at_exit_it_delivers_within_the_time_of_the_exit(begin, endpoint, arrived):
    """The signal comes in an exit function, before ours has run."""
    life = begin(
        (
            BEGIN,
            """
            flush_on_signals('SIGTERM')
            atexit.register(os.kill, os.getpid(), signal.SIGTERM)
            """,
        ),
        endpoint.url,
        **PATIENT,
    )
    life.end(statuses=ENDED)
    assert life.said == ''
    assert arrived() == events()


def test_while_it_is_delivering_at_exit_it_ends_the_program_when_that_is_done(begin, endpoint, arrived):
    """The signal comes into the wait of the exit."""
    endpoint.inject('unavailable')
    life = begin((BEGIN, "flush_on_signals('SIGTERM')"), endpoint.url, **PATIENT)
    life.wait_until_it_says('still delivering')
    life.process.send_signal(signal.SIGTERM)
    endpoint.clear_faults()
    life.end(statuses=ENDED)
    assert arrived() == events()


@pytest.mark.parametrize(
    'call', ['handler.flush()', 'handler.close()', 'make(use_queues=False).handle(record)']
)
def test_in_a_wait_of_the_programs_own_it_delivers(call, begin, endpoint, arrived):
    """`flush`, `close`, and a logging call that waits for its event."""
    endpoint.inject('slow', seconds=1, times=1)
    life = begin(
        (
            BEGIN,
            WAITS,
            f"""
            flush_on_signals('SIGTERM')
            record = logger.makeRecord('foo', 20, '', 1, 'event 20', (), None)
            if 'record' not in {call!r}:
                logger.handle(record)
            def interrupt():
                until(waits)
                os.kill(os.getpid(), signal.SIGTERM)
            threading.Thread(target=interrupt).start()
            {call}
            time.sleep(30)
            """,
        ),
        endpoint.url,
        **PATIENT,
    )
    life.end(statuses=ENDED)
    assert life.said == ''
    assert arrived() == events(21)


def test_in_an_asyncio_program_it_is_called_after_the_loops_own(begin, endpoint, arrived):
    """`loop.add_signal_handler` first, `flush_on_signals` then: the loop calls back as before, and what was pending is delivered."""
    life = begin(
        (
            BEGIN,
            """
            import asyncio
            async def main():
                done = asyncio.Event()
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
                flush_on_signals('SIGTERM')
                tell(ready=True)
                await done.wait()
                tell(delivered=handler.stats().delivered)
            asyncio.run(main())
            """,
        ),
        endpoint.url,
        **PATIENT,
    )
    assert life.hear('ready')
    life.process.send_signal(signal.SIGTERM)
    life.end()
    assert life.figures['delivered'] == 20
    assert arrived() == events()


def test_an_event_loop_calls_back_once_though_the_signal_interrupts_what_delivery_needs(
    begin, endpoint, arrived
):
    """The loop has noted the signal before any handler runs. Here it comes while another handler writes, and so holds its lock."""
    life = begin(
        (
            BEGIN,
            """
            import asyncio
            class Console:
                def write(self, text):
                    if text.strip():
                        signal.raise_signal(signal.SIGTERM)
            async def main():
                calls = []
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, calls.append, 1)
                flush_on_signals('SIGTERM')
                logger.addHandler(logging.StreamHandler(Console()))
                for number in range(20, 30):
                    logger.info(f'event {number}')
                    while handler.stats().pending or len(calls) < number - 19:
                        await asyncio.sleep(0.005)
                tell(calls=len(calls))
            asyncio.run(main())
            """,
        ),
        endpoint.url,
        **PATIENT,
    )
    life.end()
    assert life.figures['calls'] == 10
    assert arrived() == events(30)


def test_where_the_system_ignores_the_signal_the_program_goes_on_as_it_would(begin, endpoint, arrived):
    """As in process 1 of a container. Here the main thread has blocked the signal, and another thread got it."""
    life = begin(
        (
            BEGIN,
            """
            flush_on_signals('SIGTERM')
            before = signal.getsignal(signal.SIGTERM)
            thread = threading.Thread(target=wait_to_be_told)
            thread.start()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            signal.pthread_kill(thread.ident, signal.SIGTERM)
            tell(delivered=until(lambda: handler.stats().delivered == 20))
            logger.info('event 20')
            tell(pending=handler.stats().pending, restored=signal.getsignal(signal.SIGTERM) is before)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # forgets what is blocked and has come
            thread.join()
            """,
        ),
        endpoint.url,
        **PATIENT,
    )
    assert life.hear('restored')
    life.go_on()
    life.end()
    assert life.figures['delivered']
    assert life.figures['pending'] == 1
    assert arrived() == events(21)


@pytest.mark.parametrize('place', ['memory', 'disk'])
def test_in_the_middle_of_logging_no_event_is_lost_whose_call_has_returned(
    place, begin, endpoint, spool_dir, tmp_path, arrived
):
    """The signal comes anywhere. Each call that has returned has left its mark in a file."""
    returned = tmp_path / 'returned'
    life = begin(
        (
            BEGIN,
            f"""
            flush_on_signals('SIGTERM')
            returned = open({str(returned)!r}, 'wb', buffering=0)
            tell(ready=True)
            for number in range(20, 10_000_000):
                logger.info('event %d', number)
                returned.write(b'.')
            """,
        ),
        endpoint.url,
        max_spool_bytes=1 << 28,
        **({'spool_dir': spool_dir} if place == 'disk' else {}),
        **PATIENT,
    )
    assert life.hear('ready')
    while returned.stat().st_size < 1000:
        assert life.process.poll() is None
    life.process.send_signal(signal.SIGTERM)
    life.end(statuses=ENDED)
    assert life.said == ''
    found = arrived()
    assert set(found.values()) == {1}
    assert found.keys() >= events(20 + returned.stat().st_size).keys()
