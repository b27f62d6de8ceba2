"""Does a person see what happened, on a terminal and in a file?"""

import io
import pathlib

import pytest

from firefighter._cost.bill import Fleet, bills
from firefighter._cost.prices import tiers_of
from firefighter._cost.quotas import quota_of
from firefighter._cost.report import money
from firefighter._cost.ways import WAYS
from firefighter._cost.workload import workload
from firefighter._demo.account import Account, Killed, KilledAccount, Report, WorkerAccount
from firefighter._demo.delivered import Delivered
from firefighter._demo.scenario import Progress, Scenario
from firefighter._demo.screen import Result, Screen
from firefighter.local import Account as EndpointAccount
from firefighter.stats import Stats

HERE = pathlib.Path('/tmp/somewhere quiet')
SCENARIO = Scenario(workers=2, seconds=8, rate=600, folder=HERE)
ENDPOINT = EndpointAccount(requests=7, records=1000, bytes=70_000, billed_bytes=5_120_000, objects=3)


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def in_a_terminal(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    for name in ('NO_COLOR', 'FORCE_COLOR', 'TTY_COMPATIBLE', 'TTY_INTERACTIVE', 'COLUMNS'):
        monkeypatch.delenv(name, raising=False)


def account(missing=(), killed=None):
    stats = Stats(
        accepted=1000,
        delivered=1000 + (3 if killed else 0),
        dropped={},
        dropped_bytes={},
        pending=0,
        spool_bytes=0,
        adopted=3 if killed else 0,
    )
    worker = WorkerAccount(Report(1, 1000, stats), tuple(missing), 1000 - len(missing), 2, 0)
    return Account((worker,), strangers=0, killed=killed)


def result(complaints=(), bills=(), **kwargs):
    files = (HERE / 'logs' / 'demo-1', HERE / 'logs' / 'demo-2')
    progress = Progress(answered=500, elapsed_seconds=10)
    return Result(SCENARIO, progress, account(**kwargs), complaints, ENDPOINT, Delivered(files, {}, 0), bills)


def written(act):
    file = io.StringIO()
    act(Screen(file))
    return [' '.join(line.split()) for line in file.getvalue().splitlines()]


def test_all_sums_are_shown():
    """Every figure that a reader needs to believe it, and the bill."""
    lines = written(lambda screen: screen.show(result()))

    for beginning in (
        'accepted 1,000 ',
        'delivered 1,000 ',
        'missing 0 ',
        'duplicated 2 ',
        'requests 7 ',
        'records 1,000 ',
        'bytes 70,000 ',
        'bytes billed 5,120,000 ',
    ):
        assert [line for line in lines if line.startswith(beginning)], beginning
    assert 'Nothing is missing: 1,000 events in 2 files.' in lines
    assert "Look at one event: head -1 '/tmp/somewhere quiet/logs/demo-1'" in lines


def test_the_last_lines_are_the_bill_before_and_after():
    """As the demo has sent, and what else could be written; the last line says by how much that is cheaper."""
    played = workload([f'message {number}' for number in range(1_000)], 20.0)
    before, after = found = bills(
        played, Fleet(2, 60.0, tiers_of('us-east-1'), quota_of('us-east-1')), WAYS[:2]
    )
    lines = written(lambda screen: screen.show(result(bills=found)))

    *_, title, one, other, last = lines
    assert title == 'What a month at this rate would cost in us-east-1'
    assert one == f'one per record {money(before.dollars)} as here'
    assert other == f'aggregated {money(after.dollars)} with aggregate=True'
    assert last.startswith(f'aggregated: {money(after.dollars)} a month instead of {money(before.dollars)}')


def test_what_is_wrong_is_said():
    """In the place of the good news."""
    lines = written(lambda screen: screen.show(result(['worker 1: a loss'], missing=[3])))

    assert [line for line in lines if line.startswith('missing 1 ')]
    assert 'NOT as it should be:' in lines
    assert 'worker 1: a loss' in lines
    assert not [line for line in lines if line.startswith('Nothing is missing')]


def test_requests_without_an_answer_are_said():
    """They log nothing, so the events' account does not show them."""
    lines = written(lambda screen: screen.end_traffic(Progress(answered=2, failed=1, elapsed_seconds=2)))

    assert lines[:2] == ['2 HTTP requests answered, 1 a second.', '1 HTTP request not answered.']


def killed(repeated=0):
    return KilledAccount(Killed(2, 9, (8, 9, 10)), 10, (), delivered=10, repeated=repeated, unexplained=0)


def test_a_kill_is_said_as_it_happens():
    """Who, when, and where the events are meanwhile."""

    def act(screen):
        screen.tell_kill(Progress(elapsed_seconds=4), 2, left=3)
        screen.tell_replacement(Progress(elapsed_seconds=5), 4)

    assert written(act) == [
        '4.0 s Worker 2 is killed while it logs (SIGKILL, as by kill -9).',
        '3 events not delivered yet: they stay in its spool on disk.',
        '5.0 s Worker 4 takes its place, and delivers what is in that spool.',
        '',
    ]


def test_requests_that_the_kill_cut_off_are_no_alarm():
    """They are the kill's, not the library's; but they are said."""
    lines = written(lambda screen: screen.end_traffic(Progress(answered=2, cut_off=3, elapsed_seconds=2)))

    assert lines[:2] == ['2 HTTP requests answered, 1 a second.', '3 HTTP requests cut off by the kill.']


def test_the_end_says_that_the_kill_lost_nothing():
    """And in the table who sent what it had left; no copies, no word of them."""
    lines = written(lambda screen: screen.show(result(killed=killed())))

    assert [line for line in lines if line.startswith('accepted 1,010 ')]
    assert "adopted 3 of these, the killed worker's, sent by another" in lines
    assert 'Nothing was lost by the kill: the 3 events that worker 2 had left are there.' in lines
    assert not [line for line in lines if 'twice' in line]


def test_copies_that_the_kill_has_made_are_explained():
    """A reader of the table asks where they come from."""
    lines = written(lambda screen: screen.show(result(killed=killed(repeated=2))))

    assert [line for line in lines if line.startswith('duplicated 4 ')]
    assert [
        line for line in lines if line.startswith('2 events of them arrived twice: on their way at the kill')
    ]


def test_a_demo_without_a_kill_says_why():
    """And says nothing of a kill at the end."""
    lines = written(lambda screen: screen.begin(SCENARIO, 'http://127.0.0.1:1', 'it is on btrfs'))

    told = lines.index('No worker is killed this time: what it had not delivered would be lost.')
    assert lines[told + 1] == 'it is on btrfs'
    assert not [line for line in lines if line.startswith('While they serve')]
    assert not [line for line in written(lambda screen: screen.show(result())) if 'kill' in line]


def test_a_file_gets_no_moving_part():
    """Progress in a log of a CI run is noise."""

    def act(screen):
        assert not screen.is_live
        screen.begin(SCENARIO, 'http://127.0.0.1:1', None)
        screen.update(Progress(answered=123_456), ENDPOINT)
        screen.close()

    lines = written(act)

    assert 'customers 600 HTTP requests a second, for 8 s' in lines
    assert not [line for line in lines if '123,456' in line or '\x1b' in line]


@pytest.mark.usefixtures('in_a_terminal')
def test_a_terminal_shows_progress_and_is_left_clean():
    """The cursor is back and the moving part gone."""
    file = Terminal()
    screen = Screen(file)
    assert screen.is_live

    screen.begin(SCENARIO, 'http://127.0.0.1:1', None)
    screen.update(Progress(answered=123_456, elapsed_seconds=4), ENDPOINT)
    shown = file.getvalue()
    screen.close()
    screen.close()

    assert '123,456' in shown
    assert file.getvalue().count('\x1b[?25l') == file.getvalue().count('\x1b[?25h') == 1


def test_lines_to_copy_are_never_broken():
    """A path that is cut at column 80 does not paste."""
    long = pathlib.Path('/tmp') / ('x' * 200)
    file = io.StringIO()
    Screen(file).say(f'head -1 {long}')

    assert file.getvalue() == f'head -1 {long}\n'


def test_markup_in_a_complaint_is_text():
    """A message of a worker's may hold brackets."""
    assert written(lambda screen: screen.complain('worker 1: [bold]x[/bold] :smile:')) == [
        'worker 1: [bold]x[/bold] :smile:'
    ]


def test_the_first_screen_fits_80_columns():
    """The narrowest terminal that people use."""
    file = io.StringIO()
    screen = Screen(file)
    screen.begin(SCENARIO, 'http://127.0.0.1:65535', None)
    screen.tell_kill(Progress(elapsed_seconds=12), 99, left=999)
    screen.tell_replacement(Progress(elapsed_seconds=13), 100)

    assert max(map(len, file.getvalue().splitlines())) <= 80
