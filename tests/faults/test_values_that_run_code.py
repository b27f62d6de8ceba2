"""Values that run Python code when they are looked at, such as enum members, in programs that go on when this goes wrong.

orjson asks an enum member for its `value` while it walks the containers around it. What that code may do (raise, or change a container)
has ended the process with a segmentation fault. So each program runs in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGINNING = """
import enum, json, logging, signal, sys, threading, uuid
from firefighter.formatting import JSONFormatter

class Color(enum.Enum):
    RED = 1
    BLUE = (2, 'blue')

class Level(str, enum.Enum):
    HIGH = 'high'

def log(message='Ahoy', /, formatter=JSONFormatter(), name='shop', **extra):
    record = logging.getLogger('shop').makeRecord(name, 20, '', 7, message, (), None, None, extra or None)
    return json.loads(formatter.encode(record))
"""

RAISES = """
class Raising(enum.Enum):
    ONE = 1
    @property
    def value(self):
        raise RuntimeError('not today')

unmade = uuid.UUID.__new__(uuid.UUID)
for odd, shown in ((Raising.ONE, 1), (unmade, '<unprintable uuid.UUID: AttributeError>')):
    assert log(odd=odd)['odd'] == shown
    assert log(odd=[{'a': odd}])['odd'] == [{'a': shown}]
    assert log({'odd': odd, 'more': (odd,)})['more'] == [shown]
    assert log({'odd': odd}, JSONFormatter(protect_fields=True))['data'] == {'odd': shown}
    assert log('x', JSONFormatter(fields={'odd': [odd]}))['odd'] == [shown]
    assert log('x', JSONFormatter(ignore_case=True), odd=odd)['odd'] == shown
    assert log('x', level=odd)['extra'] == {'level': shown}
"""

CHANGES = """
class Clearing(enum.Enum):
    ONE = 1
    @property
    def value(self):
        around.clear()
        return 1

for _ in range(200):
    around = [Clearing.ONE, *([object()] * 500)]
    log(around=around)
    around = {'a': Clearing.ONE, **{str(n): [n] for n in range(500)}}
    log(around=around)
    log(around)
"""

NAMES = """
assert log(name=Level.HIGH)['logger'] == 'high'
logging.addLevelName(20, Color.BLUE)
assert log()['level'] == [2, 'blue']
logging.addLevelName(20, Level.HIGH)
assert log(status=Level.HIGH, color=Color.RED) | {'timestamp': 0} == {
    'timestamp': 0, 'level': 'high', 'logger': 'shop', 'message': 'Ahoy', 'status': 'high', 'color': 1}
"""

# The stack is used up within the encoder, at one of the levels.
RECURSION = """
record = logging.getLogger('shop').makeRecord('shop', 20, '', 7, 'Ahoy', (), None, None, {'color': Color.RED})
encode = JSONFormatter().encode

def recurse():
    encode(record)
    recurse()

for limit in range(400, 420):
    sys.setrecursionlimit(limit)
    try:
        recurse()
    except RecursionError:
        pass
"""

THREADS = """
sys.setswitchinterval(1e-6)
shared, done = [], threading.Event()

def change():
    while not done.is_set():
        shared.extend([Color.RED, Color.BLUE, {'a': Color.RED}] * 20)
        shared.clear()

thread = threading.Thread(target=change)
thread.start()
for _ in range(4000):
    log(shared=shared)
done.set()
thread.join()
"""

SIGNALS = """
class Interrupted(Exception):
    pass

def interrupt(*_):
    global interruptions, within
    if within:
        interruptions += 1
        within = False
        raise Interrupted

within, interruptions = False, 0
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 2e-4)
while interruptions < 1000:
    try:
        within = True
        log(colors=[Color.RED] * 50)
        within = False
    except Interrupted:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
"""

PROGRAMS = {
    'raises': RAISES,
    'changes': CHANGES,
    'names': NAMES,
    'recursion': RECURSION,
    'threads': THREADS,
    'signals': SIGNALS,
}


@pytest.mark.parametrize('program', PROGRAMS)
def test_a_value_that_runs_code_does_not_end_the_process(program) -> None:
    done = subprocess.run(
        [sys.executable, '-X', 'faulthandler', '-c', BEGINNING + PROGRAMS[program]],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, '')
