"""Which signals `flush_on_signals` takes, what it puts back, and what is called when."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from doubles import AcceptingClient
from firefighter.logging import flush_on_signals
from lives import Life

if sys.platform == 'win32':
    pytest.skip('no signal that a program can send to itself without ending', allow_module_level=True)

SIGNAL = signal.SIGUSR1


@pytest.fixture(autouse=True)
def delivered_then(life):
    """How many events were delivered each time that the program's own handler was called."""
    called = []
    before = signal.signal(SIGNAL, lambda number, _: called.append((number, len(life.handler.client.events))))
    yield called
    signal.signal(SIGNAL, before)


@pytest.fixture
def life(make_handler):
    """A program with a handler that sends nothing before somebody flushes."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, send_interval=60)
    handler.client = client
    handler.MAX_BATCH_SIZE = handler.MAX_BATCH_COUNT = 1 << 20
    return Life(handler, lambda _: None)


@pytest.mark.parametrize('given', ['SIGUSR1', signal.SIGUSR1, int(signal.SIGUSR1)])
def test_each_signal_delivers_what_there_is_then_the_programs_own_handler_is_called(
    given, life, delivered_then
):
    """And the program goes on, as one does that finishes its requests, or reads its configuration again."""
    life.log(2, 10)
    with flush_on_signals(given):
        signal.raise_signal(SIGNAL)
        life.log(3, 10)
        signal.raise_signal(SIGNAL)
    assert delivered_then == [(SIGNAL, 2), (SIGNAL, 5)]
    stats = life.handler.stats()
    assert (stats.accepted, stats.delivered, stats.pending) == (5, 5, 0)


def test_installed_twice_it_calls_the_programs_own_handler_once(life, delivered_then):
    """Each calls the one below it."""
    life.log(2, 10)
    with flush_on_signals(SIGNAL), flush_on_signals(SIGNAL, SIGNAL):
        signal.raise_signal(SIGNAL)
    assert delivered_then == [(SIGNAL, 2)]


def test_a_signal_that_is_ignored_stays_ignored(life):
    """As `nohup` has it with SIGHUP."""
    signal.signal(SIGNAL, signal.SIG_IGN)
    life.log(2, 10)
    with flush_on_signals(SIGNAL):
        assert signal.getsignal(SIGNAL) == signal.SIG_IGN
        signal.raise_signal(SIGNAL)
    assert life.handler.stats().pending == 2


@pytest.mark.parametrize('way', ['restore', 'with'])
def test_it_puts_back_what_was_there(way, life, delivered_then):
    """Then nothing is delivered any more."""
    before = signal.getsignal(SIGNAL)
    installed = flush_on_signals(SIGNAL)
    if way == 'restore':
        installed.restore()
    else:
        with installed as same:
            assert same is installed
    assert signal.getsignal(SIGNAL) is before
    life.log(2, 10)
    signal.raise_signal(SIGNAL)
    assert delivered_then == [(SIGNAL, 0)]


def test_it_leaves_what_was_installed_over_it(life, delivered_then):
    """That one may go on calling ours, which then does nothing of its own."""
    installed = flush_on_signals(SIGNAL)
    ours = signal.getsignal(SIGNAL)

    def over(number, frame):
        ours(number, frame)

    signal.signal(SIGNAL, over)
    installed.restore()
    assert signal.getsignal(SIGNAL) is over
    life.log(2, 10)
    signal.raise_signal(SIGNAL)
    assert delivered_then == [(SIGNAL, 0)]


def test_while_it_is_put_off_it_may_be_taken_back(life, delivered_then):
    """The signal then comes to the program's own handler, once."""
    life.log(2, 10)
    with life.handler._pipeline.spool._lock, flush_on_signals(SIGNAL):
        signal.raise_signal(SIGNAL)
        assert delivered_then == []
    while not delivered_then:
        pass
    assert delivered_then == [(SIGNAL, 0)]


@pytest.mark.parametrize(
    ('signals', 'text'),
    [
        ((), r"write flush_on_signals\('SIGTERM'\)"),
        (('TERM',), "'TERM' is no signal of this system: write 'SIGTERM'"),
        (('sigterm',), "'sigterm' is no signal of this system: write 'SIGTERM'"),
        (('hup',), "write 'SIGHUP'"),
        ((0,), '0 is no signal'),
        ((-15,), '-15 is no signal'),
        ((9999,), '9999 is no signal'),
        (('SIGKILL',), 'SIGKILL cannot be handled by any program. Use spool_dir'),
        ((signal.SIGSTOP,), 'SIGSTOP cannot be handled'),
        (('SIGSEGV',), 'SIGSEGV comes from a fault'),
        (('SIGCHLD',), 'SIGCHLD does not end a program'),
        (('SIGUSR1', 'SIGWINCH'), 'SIGWINCH does not end a program'),
    ],
)
def test_signals_that_are_of_no_use_are_refused(signals, text):
    """With what to write instead, and nothing is changed."""
    before = signal.getsignal(SIGNAL)
    with pytest.raises(ValueError, match=text):
        flush_on_signals(*signals)
    assert signal.getsignal(SIGNAL) is before


def test_a_handler_that_is_not_pythons_is_refused(monkeypatch):
    """That of a server that embeds Python: it can be neither called nor put back."""
    getsignal, before = signal.getsignal, signal.getsignal(SIGNAL)
    monkeypatch.setattr(
        signal, 'getsignal', lambda number: None if number == signal.SIGUSR2 else getsignal(number)
    )
    with pytest.raises(ValueError, match='SIGUSR2 is handled by code that is not in Python'):
        flush_on_signals(SIGNAL, 'SIGUSR2')
    assert signal.getsignal(SIGNAL) is before


def test_in_another_thread_it_is_refused():
    """Python lets only the main thread change signal handlers."""
    refused = []

    def call(function):
        try:
            function()
        except ValueError as error:
            refused.append(str(error))

    with flush_on_signals(SIGNAL) as installed:
        for function in (lambda: flush_on_signals(SIGNAL), installed.restore):
            thread = threading.Thread(target=call, args=(function,))
            thread.start()
            thread.join()
    assert len(refused) == 2
    assert all('main thread' in text for text in refused)
