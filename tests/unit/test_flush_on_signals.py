"""Which signals `flush_on_signals` takes, what it puts back, and what is called when."""

from __future__ import annotations

import math
import signal
import sys
import threading
import types

import pytest

from doubles import AcceptingClient
from firefighter._process import exit_and_forks
from firefighter._process import flush_on_signals as flush_on_signals_module
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


def test_installed_twice_it_waits_once(life, monkeypatch):
    """The one below does not begin to wait when the one above has given up."""
    waits = []
    monkeypatch.setattr(exit_and_forks, 'finish_before', waits.append)
    with flush_on_signals(SIGNAL), flush_on_signals(SIGNAL):
        signal.raise_signal(SIGNAL)
    assert len(waits) == 1


def test_another_signal_ends_the_wait_and_the_exit_after_it_waits_no_more(life, monkeypatch, delivered_then):
    """Whoever sends it does not want to wait. What is done then is what the program does on the first one."""
    waits = []

    def wait(began_at):
        waits.append(began_at)
        signal.raise_signal(signal.SIGUSR2)

    def leave(*_):
        raise SystemExit

    monkeypatch.setattr(exit_and_forks, 'finish_before', wait)
    monkeypatch.setattr(exit_and_forks, '_process', exit_and_forks._Process())
    before = signal.signal(signal.SIGUSR2, lambda *_: delivered_then.append('second'))
    try:
        with flush_on_signals(SIGNAL, 'SIGUSR2'):
            signal.raise_signal(SIGNAL)
        assert (len(waits), delivered_then) == (1, [(SIGNAL, 0)])
        signal.signal(SIGNAL, leave)
        with pytest.raises(SystemExit), flush_on_signals(SIGNAL, 'SIGUSR2'):
            signal.raise_signal(SIGNAL)
        assert exit_and_forks._process.waited_before_exit[1] == math.inf
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_during_the_exit_it_waits_within_the_time_of_the_exit(monkeypatch):
    """Not from when the signal came."""
    closed = []
    lifecycle = types.SimpleNamespace(
        start_flush=lambda: None, close=closed.append, shutdown_timeout_seconds=3.0
    )
    process = exit_and_forks._Process()
    process.busy = [lifecycle]
    process.exit_began_at = 5.0
    monkeypatch.setattr(exit_and_forks, '_process', process)
    exit_and_forks.finish_before(7.0)
    assert closed == [8.0]


@pytest.mark.parametrize('given', [['SIGTERM'], None, 1.5])
def test_what_is_no_signal_at_all_is_refused(given):
    """With what to write."""
    with pytest.raises(TypeError, match=r"flush_on_signals\('SIGTERM', 'SIGINT'\)"):
        flush_on_signals(given)


@pytest.mark.parametrize(('seconds_ago', 'share'), [(1, 1), (600, 0)])
def test_the_exit_that_a_handler_asks_for_has_so_much_less_time(seconds_ago, share, life, monkeypatch):
    """Both are one end of the process, with one time-out. An exit that was prevented long ago is another one."""
    now, began = [1000.0], []

    def wait(_):
        now[0] += 7

    def leave(*_):
        raise SystemExit

    monkeypatch.setattr(flush_on_signals_module, 'monotonic', lambda: now[0])
    monkeypatch.setattr(exit_and_forks, 'monotonic', lambda: now[0])
    monkeypatch.setattr(exit_and_forks, 'finish_before', wait)
    monkeypatch.setattr(exit_and_forks, '_process', exit_and_forks._Process())
    monkeypatch.setattr(
        exit_and_forks, '_finish_each', lambda: began.append(exit_and_forks._process.exit_began_at)
    )
    signal.signal(SIGNAL, leave)
    with pytest.raises(SystemExit), flush_on_signals(SIGNAL):
        signal.raise_signal(SIGNAL)
    now[0] += seconds_ago
    exit_and_forks._finish_all()
    assert began == [now[0] - 7 * share]


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
