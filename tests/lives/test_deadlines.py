"""Does every wait end in time, whatever is silent? An endpoint that accepts and never answers, and others of its kind."""

from __future__ import annotations

import sys

import pytest

# Where a request gets stuck: the fixture that has the endpoint, the environment, and code of the program's.
STUCK = {
    'reading': ('silent', {}, ''),
    'connecting': ('deaf', {}, ''),
    'credentials': ('silent', {'AWS_ACCESS_KEY_ID': '', 'AWS_SECRET_ACCESS_KEY': ''}, ''),
    'a role': ('silent', {'AWS_ACCESS_KEY_ID': '', 'AWS_SECRET_ACCESS_KEY': ''}, ''),
    'name resolution': (
        'silent',
        {},
        """
        import socket

        def getaddrinfo(*_, **__):
            threading.Event().wait(25)
            raise socket.gaierror('no answer')

        socket.getaddrinfo = getaddrinfo
        """,
    ),
}


@pytest.fixture(params=STUCK)
def stuck(request, tmp_path):
    """An endpoint of which no answer ever comes: its URL, the environment, and code of the program's."""
    if request.param == 'connecting' and sys.platform != 'linux':
        pytest.skip('only Linux lets connections beyond the backlog wait')
    endpoint, environment, code = STUCK[request.param]
    if request.param == 'credentials':
        (tmp_path / 'config').write_text(
            f'[default]\ncredential_process = {sys.executable} -c "import time; time.sleep(25)"\n'.replace(
                '\\', '\\\\'
            )
        )
        environment = {**environment, 'AWS_CONFIG_FILE': str(tmp_path / 'config')}
    url = request.getfixturevalue(endpoint).url
    if request.param == 'a role':
        # Asked of STS, which is silent, too.
        (tmp_path / 'config').write_text(
            '[default]\nrole_arn = arn:aws:iam::123456789012:role/writer\nsource_profile = base\n'
            '[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n'
        )
        environment = {
            **environment,
            'AWS_CONFIG_FILE': str(tmp_path / 'config'),
            'AWS_ENDPOINT_URL_STS': url,
        }
    return url, environment, code


@pytest.mark.parametrize('use_queues', [True, False])
def test_flush_close_and_exit_end_in_time_wherever_the_request_is_stuck(use_queues, stuck, live, seconds):
    """A flush, a close, a flush of the closed handler, and the exit; each has its own deadline and keeps to it."""
    url, environment, code = stuck
    life = live(
        (
            code,
            """
            handler = make()
            logger.addHandler(handler)
            tell(call=seconds_of(logger.info, 'one'))
            tell(flush=seconds_of(handler.flush, 0.3))
            tell(close=seconds_of(handler.close))
            tell(late_flush=seconds_of(handler.flush, 0.3))
            tell(late_close=seconds_of(handler.close))
            tell(**account(handler))
            end_of_main()
            """,
        ),
        url,
        environment=environment,
        use_queues=use_queues,
        shutdown_timeout_seconds=0.3,
        sync_timeout_seconds=0.3,
    )
    figures = life.figures
    for what in ('call', 'flush', 'close', 'late_flush', 'late_close', 'exit_seconds'):
        assert figures[what] < seconds(1.5), (what, figures)
    assert (figures['pending'], figures['delivered'], figures['adds_up']) == (1, 0, True)
    assert life.told_undelivered[-1:] == [1], life.said


def test_a_flush_after_the_delivery_thread_has_ended_keeps_to_its_deadline(begin, silent, seconds):
    """The caller makes no request itself: connections are reset until that thread is gone, the next ones are silent."""
    life = begin(
        """
        handler = make()
        logger.addHandler(handler)
        logger.info('one')
        until(lambda: handler.stats().requests)
        tell(close=seconds_of(handler.close))
        wait_to_be_told()
        tell(ended=until(lambda: not delivery_threads(), 1))
        wait_to_be_told()
        tell(flush=seconds_of(handler.flush, 1))
        tell(flushed=handler.flush(0), **account(handler))
        end_of_main()
        """,
        silent.url,
        send_interval=0.02,
        shutdown_timeout_seconds=1,
    )
    assert life.hear('close') < seconds(1.5)
    with silent.resetting():
        life.go_on()
        life.hear('ended')
    life.go_on()
    figures = life.end()
    assert figures['flush'] < seconds(1.5)
    assert figures['exit_seconds'] < seconds(1.5)
    assert not figures['flushed']
    assert (figures['pending'], figures['adds_up']) == (1, True)
    assert life.told_undelivered[-1:] == [1], life.said


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize(
    'ending', ['', 'tell(flush=seconds_of(handler.flush, 1))', 'tell(close=seconds_of(handler.close))']
)
def test_a_process_that_never_logs_and_finds_an_orphan_ends_in_time(
    ending, use_queues, live, leave_orphan, silent, spool_dir, seconds
):
    """What a dead process has left is worth no more waiting than the process's own events are."""
    leave_orphan(silent.url, 1)
    life = live(
        f"""
        handler = make()
        {ending}
        end_of_main()
        """,
        silent.url,
        spool_dir=spool_dir,
        use_queues=use_queues,
        shutdown_timeout_seconds=1,
        sync_timeout_seconds=1,
    )
    for what, figure in life.figures.items():
        assert figure < seconds(1.5), (what, life.figures)


LATE = """
def log_late(count):
    for number in range(count):
        logger.info('late %d', number)

atexit.register(lambda: tell(**account(handler)))
atexit.register(log_late, {count})
handler = make()  # its own exit function comes before these
logger.addHandler(handler)
{first}
end_of_main()
"""


@pytest.mark.parametrize('first', ['', "logger.info('early')", "logger.info('early'); handler.close()"])
@pytest.mark.parametrize('use_queues', [True, False])
def test_twelve_events_that_exit_functions_log_at_a_silent_endpoint_share_one_budget(
    use_queues, first, live, silent, seconds
):
    """They are logged when all handlers are closed: none waits for itself, and each is counted on stderr."""
    life = live(
        LATE.format(count=12, first=first),
        silent.url,
        use_queues=use_queues,
        shutdown_timeout_seconds=1,
        sync_timeout_seconds=1,
    )
    figures = life.figures
    assert figures['exit_seconds'] < seconds(1.5), figures
    events = 12 + bool(first)
    assert (figures['accepted'], figures['delivered'], figures['adds_up']) == (events, 0, True)
    # Each of them once, or their sum at last.
    assert events in {sum(life.told_undelivered), *life.told_undelivered[-1:]}, life.said


@pytest.mark.parametrize('use_queues', [True, False])
def test_twelve_late_events_on_disk_are_delivered_by_the_next_process(
    use_queues, live, endpoint, arrived, spool_dir, seconds
):
    """The budget of the exit is used up; they are in the spool, which is where they are safe."""
    endpoint.inject('no-answer', stored=False)
    options = {'spool_dir': spool_dir, 'use_queues': use_queues}
    life = live(LATE.format(count=12, first=''), endpoint.url, shutdown_timeout_seconds=1, **options)
    assert life.figures['exit_seconds'] < seconds(1.5), life.figures
    endpoint.clear_faults()
    heir = live('handler = make()\ntell(flushed=handler.flush(25))', endpoint.url, **options)
    assert heir.figures['flushed']
    assert arrived() == dict.fromkeys((f'late {number}' for number in range(12)), 1)


def test_what_a_destructor_logs_at_the_very_end_waits_for_no_thread_that_the_interpreter_has_ended(
    live, endpoint
):
    """It had the role of who delivers, since the stream is not there, and has it for ever."""
    life = live(
        """
        handler = FirehoseHandler('missing', shutdown_timeout_seconds=600)
        logger.addHandler(handler)
        logger.info('one')

        class Pool:
            def __del__(self):
                logger.warning('not closed')

        pool = Pool()
        """,
        endpoint.url,
    )
    assert life.told_undelivered == [1, 2], life.said


def test_many_handlers_at_a_silent_endpoint_share_the_budget_of_the_exit(live, silent, seconds):
    """Ten of them, each with an event from before and one from an exit function behind all of them."""
    life = live(
        """
        def log_late():
            for number in range(10):
                logging.getLogger(str(number)).warning('late')

        atexit.register(log_late)
        handlers = [make() for _ in range(10)]
        for number, handler in enumerate(handlers):
            logging.getLogger(str(number)).addHandler(handler)
            logging.getLogger(str(number)).warning('early')
        end_of_main()
        """,
        silent.url,
        shutdown_timeout_seconds=1,
    )
    assert life.figures['exit_seconds'] < seconds(1.5), life.figures


# What a handler has that dictConfig replaces: options, and code.
REPLACED = {
    'an event without queues': ({'use_queues': False}, "logging.info('one')"),
    'an event without queues, on disk': ({'use_queues': False, 'spool': True}, "logging.info('one')"),
    'an event': ({}, "logging.info('one')\nuntil(lambda: root.handlers[0].stats().requests)"),
    'an event on disk': (
        {'spool': True},
        "logging.info('one')\nuntil(lambda: root.handlers[0].stats().requests)",
    ),
    'an orphan': ({'spool': True, 'orphan': True}, ''),
    'an orphan without queues': ({'spool': True, 'orphan': True, 'use_queues': False}, ''),
    'an event and an orphan': ({'spool': True, 'orphan': True}, "logging.info('one')"),
    'an event that was flushed': ({}, "logging.info('one')\nroot.handlers[0].flush(0.2)"),
    'an event, and is closed': ({}, "logging.info('one')\nroot.handlers[0].close()"),
}


@pytest.mark.parametrize('replaced', REPLACED)
def test_dict_config_does_not_wait_in_any_mode_nor_does_anybody_for_it(
    replaced, live, leave_orphan, silent, spool_dir, seconds
):
    """Under logging's lock nothing waits: `getLogger` in another thread, and a fork, would wait as long."""
    options, code = REPLACED[replaced]
    if options.get('orphan'):
        leave_orphan(silent.url, 1)
    life = live(
        (
            """
            root = logging.getLogger()
            logging.config.dictConfig(config())
            """,
            code,
            """
            longest = [0.0, 0.0]
            done = threading.Event()

            def get_loggers():
                number = 0
                while not done.is_set():
                    number += 1
                    longest[0] = max(longest[0], seconds_of(logging.getLogger, f'number {number}'))
                    done.wait(0.02)

            children = []

            def fork():
                if hasattr(os, 'fork') and not (child := os.fork()):
                    os._exit(0)
                elif hasattr(os, 'fork'):
                    children.append(child)

            def fork_on():
                while not done.is_set():
                    longest[1] = max(longest[1], seconds_of(fork))
                    while children:
                        os.waitpid(children.pop(), 0)
                    done.wait(0.02)

            # One of the two at a time: a fork waits for whoever takes a lock.
            for function in (get_loggers, fork_on):
                done.clear()
                thread = threading.Thread(target=function)
                thread.start()
                until(lambda: any(longest))
                tell(**{function.__name__: seconds_of(logging.config.dictConfig, config())})
                done.set()
                thread.join()
                exec(code)
            tell(get_logger=longest[0], fork=longest[1])
            end_of_main()
            """.replace('exec(code)', f'exec({code!r})'),
        ),
        silent.url,
        send_interval=0.02,
        use_queues=options.get('use_queues', True),
        spool_dir=spool_dir if options.get('spool') else None,
        shutdown_timeout_seconds=1,
        sync_timeout_seconds=0.3,
    )
    figures = life.figures
    for what in ('get_loggers', 'fork_on', 'get_logger'):
        assert figures[what] < seconds(0.2), (what, figures)
    assert figures['fork'] < seconds(0.5), (
        figures
    )  # it may meet a client that is being made, and wait for that
    assert figures['exit_seconds'] < seconds(1.5)


FIRST_CALLS = {
    'for the first time': '',
    'again, after a close': "logger.info('before')\nhandler.close()",
    'on and on': "logger.info('before')",
    'with a handler that it makes itself': 'logger.removeHandler(handler)\nhandler = make()\nlogger.addHandler(handler)',
}


@pytest.mark.parametrize('first', FIRST_CALLS)
def test_a_thread_that_logs_after_the_end_of_main_is_not_held_up(first, live, endpoint, arrived, seconds):
    """The main thread has returned, the process goes on: its calls are no requests, and all arrive."""
    endpoint.inject('slow', seconds=0.2)
    code = FIRST_CALLS[first]
    in_thread = code.startswith('logger.remove')
    life = live(
        f"""
        handler = make()
        logger.addHandler(handler)

        def work():
            global handler
            threading.main_thread().join()
            exec({code if in_thread else ''!r})
            waited = stopwatch()
            for number in range(20):
                logger.info('late %d', number)
            tell(twenty_calls=waited())

        exec({'' if in_thread else code!r})
        threading.Thread(target=work).start()
        end_of_main()
        """,
        endpoint.url,
    )
    assert life.figures['twenty_calls'] < seconds(0.1)
    expected = {f'late {number}' for number in range(20)} | ({'before'} if 'before' in code else set())
    assert arrived() == dict.fromkeys(expected, 1)
    assert life.said == ''


@pytest.mark.parametrize('without_a_thread', [False, True])
def test_a_full_spool_without_queues_holds_up_no_call_for_room_that_only_it_could_make(
    without_a_thread, live, seconds
):
    """`overflow='block'` waits for somebody else to make room; a call that delivers by itself has nobody to wait for."""
    life = live(
        (
            """
            if WITHOUT_A_THREAD:
                def start(thread):
                    raise RuntimeError("can't start new thread")

                threading.Thread.start = start
            handler = make()
            logger.addHandler(handler)
            calls = []
            for number in range(200):
                calls.append(seconds_of(logger.info, 'x' * 1000))
                if handler.stats().dropped and len(calls) > 70:
                    break
                if sum(calls) > 20:
                    break
            tell(longest=max(calls), calls=len(calls), **account(handler))
            os._exit(0)
            """.replace('WITHOUT_A_THREAD', str(without_a_thread)),
        ),
        'http://127.0.0.1:9',
        use_queues=without_a_thread,
        overflow='block',
        max_spool_bytes=64 * 1024,
        block_timeout_seconds=15,
        sync_timeout_seconds=1,
    )
    assert life.figures['longest'] < seconds(1.5)
    assert life.figures['dropped'] >= 1
    assert life.figures['accepted'] == life.figures['calls']
    assert life.figures['adds_up']


def test_what_is_logged_in_the_delivery_thread_does_not_wait_for_room_that_only_it_could_make(live, seconds):
    """A destructor, or a hook, while the spool is full: the event is dropped and counted, and delivery goes on."""
    life = live(
        """
        import boto3.session

        calls = []

        def log_in_delivery(**_):
            if full.is_set() and len(calls) < 3:
                calls.append(seconds_of(logger.info, 'of the hook'))

        full = threading.Event()
        session = boto3.session.Session()
        session.events.register('before-send.firehose', log_in_delivery)
        handler = make(boto3_session=session)
        logger.addHandler(handler)

        def fill():
            for number in range(200):
                if handler.stats().dropped:
                    break
                logger.info('x' * 1000)

        threading.Thread(target=fill, daemon=True).start()
        until(lambda: handler.stats().pending >= 40)
        # The filler waits for room now, and so does all else.
        full.set()
        until(lambda: len(calls) == 3, 20)
        tell(longest=max(calls, default=None), calls=len(calls), **account(handler))
        os._exit(0)
        """,
        'http://127.0.0.1:9',
        send_interval=0.05,
        overflow='block',
        max_spool_bytes=64 * 1024,
        block_timeout_seconds=15,
    )
    assert life.figures['calls'] == 3
    assert life.figures['longest'] < seconds(1.5)
    assert life.figures['adds_up']
    # Neither of them is only "suppressed".
    assert life.figures['suppressed'] == 0
