"""Is anything lost, or waited for in vain, when a signal that is flushed on comes at any bytecode of what a program does with a handler?

The signal handler runs inside a logging call, inside the spool, in a transition; `flush` and `close` have interrupted it as well.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

import firefighter
from bytecodes import AtBytecode
from depth import EVERY_PLACE, depth
from doubles import DEADLINE_SECONDS, AcceptingClient
from firefighter.logging import flush_on_signals
from lives import Life

# `DEPTH=every` takes each bytecode; else it is each so manieth.
EVERY = 1 if EVERY_PLACE else depth(41, 11)
OURS = str(Path(firefighter.__file__).parent)

if sys.platform == 'win32':
    pytest.skip('no signal that a program can send to itself without ending', allow_module_level=True)


class SignalAt(AtBytecode):
    """Raises no exception, but a signal."""

    def __init__(self, number):
        super().__init__(lambda file: file.startswith(OURS), KeyboardInterrupt, number)

    def _count(self, code, offset):
        self.executed += 1
        if self.executed - 1 == self._number:
            signal.raise_signal(signal.SIGUSR1)


def do(operation, life):
    if operation == 'open':
        life.handler.close()
    actions = {'log': ('log', 1, 10), 'open': ('log', 1, 10), 'flush': ('flush', None), 'close': ('close',)}
    return lambda: life.act(*actions[operation])


@pytest.mark.parametrize('operation', ['log', 'open', 'flush', 'close'])
def test_what_was_logged_before_is_delivered_when_the_programs_own_handler_is_called(
    operation, make_handler, monkeypatch
):
    """It is called once. Each event is delivered once, whatever was interrupted."""

    def live(at):
        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client, send_interval=60)
        handler.MAX_BATCH_SIZE = handler.MAX_BATCH_COUNT = 1 << 20
        life = Life(handler, lambda _: None)
        life.log(3, 10)
        action = do(operation, life)
        delivered_then = []
        before = signal.signal(signal.SIGUSR1, lambda *_: delivered_then.append(len(client.events)))
        try:
            with flush_on_signals('SIGUSR1'):
                interruption = SignalAt(at)
                interruption(action)
                deadline = monotonic() + DEADLINE_SECONDS
                # Beside another thread it is not always as many bytecodes: the last ones may not come.
                while interruption.struck and not delivered_then:
                    assert monotonic() < deadline, at
                    sleep(0.0001)
        finally:
            signal.signal(signal.SIGUSR1, before)
        handler.close()
        assert sorted(json.loads(event)['message'] for event in client.events) == sorted(life.logged), at
        if interruption.struck:
            assert len(delivered_then) == 1, at
            assert delivered_then[0] >= 3, at
        return interruption.executed

    places = live(None)
    assert places > 50
    for at in range(places % EVERY, places, EVERY):
        live(at)
