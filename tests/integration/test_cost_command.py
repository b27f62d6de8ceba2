"""Does `firefighter cost` say what a log costs, for people and for scripts?"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from firefighter._cost import plot
from firefighter._cost.ways import WAYS
from firefighter._delivery.compression import INSTALL_ZSTD
from firefighter.cli.main import main
from programs import MOST_KIB

RUN = [
    sys.executable,
    '-W',
    'error',
    '-c',
    'import sys; from firefighter.cli.main import main; sys.exit(main())',
    'cost',
]
LINES = [
    json.dumps({'message': 'x' * (number % 90), 'number': number}, separators=(',', ':'))
    for number in range(5_000)
]
SIZE = sum(len(line) + 1 for line in LINES)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / 'app.log'
    path.write_text('\n'.join(LINES) + '\n')
    return path


@pytest.fixture
def long_log(log):
    """More than a sample: five times as much."""
    log.write_text(log.read_text() * 5)
    return log


@pytest.fixture
def cost(capsys):
    """Run the command with --json; return each way's row."""

    def cost(*words):
        status = main(['cost', *map(str, words), '--json'])
        assert status == 0
        return {row['way']: row for row in map(json.loads, capsys.readouterr().out.splitlines())}

    return cost


def test_every_way_has_a_row(cost, long_log):
    """With the keywords to write for it."""
    rows = cost(long_log)
    assert list(rows) == [way.name for way in WAYS]
    assert rows['aggregated']['keywords'] == {'aggregate': True}
    assert all(row['played']['events'] == 25_000 for row in rows.values())


def test_without_a_rate_the_bill_is_for_a_gb_of_events(cost, long_log):
    """5,120 bytes are billed for each event: by its size, a GB is so many times dearer."""
    row = cost(long_log)['one per record']
    assert row['per'] == '2^30 bytes of events'
    assert row['played']['event_bytes'] == 5 * SIZE
    assert row['times_logged'] == pytest.approx(5_000 * 5_120 / SIZE)
    assert row['dollars'] == pytest.approx(0.029 * 5_000 * 5_120 / SIZE)
    assert row['quota_share'] is None


def test_at_a_rate_it_is_for_a_month_of_all_instances(cost, log):
    """By hand: 10 events a second, each billed with 5,120 bytes, 30 days, 3 instances, $0.029 for 2^30 bytes."""
    row = cost(log, '--events-per-second', 10, '--instances', 3)['one per record']
    events = 3 * 10 * 30 * 86_400
    assert row['records'] == pytest.approx(events)
    assert row['dollars'] == pytest.approx(events * 5_120 / 2**30 * 0.029)
    assert row['per'] == '30 days of all instances'


def test_the_share_of_the_quota_is_that_of_the_region(cost, log):
    """1,000 events a second are a hundredth of the records that most regions take; us-east-1 takes five times as many bytes."""
    rate = ('--events-per-second', 1_000, '--send-interval', 1)
    near, far = (
        cost(log, *rate, '--region', region)['one per record'] for region in ('us-east-1', 'ap-northeast-1')
    )
    assert far['quota_limit'] == 'bytes'
    assert far['quota_share'] == pytest.approx(5 * near['quota_share'])
    assert far['dollars'] == pytest.approx(near['dollars'] * 36 / 29)


@pytest.mark.parametrize('lines', [1, 5, 500])
def test_a_sample_is_played_at_a_rate_and_the_screen_says_so_first(lines, cost, log, capsys):
    """Sent at once, five lines would be one request, and say that nothing is cheaper than one event per record."""
    log.write_text('\n'.join(LINES[:lines]) + '\n')
    # With so few seconds little has to be played.
    assert main(['cost', str(log), '--send-interval', '2']) == 0
    first, *_, verdict = capsys.readouterr().out.splitlines()
    assert (
        first
        == 'Assumed: 100 events a second, since the log is short. Say how many with --events-per-second.'
    )
    assert 'a month instead of' in verdict
    row = cost(log, '--send-interval', 2)['aggregated']
    assert row['events_per_second'] == 100
    assert row['times_logged'] < 2  # at once it would be ten and more


def test_a_region_without_a_known_price_has_that_of_another_and_the_screen_says_so_first(
    cost, long_log, capsys
):
    """With --price there is no such line."""
    assert main(['cost', str(long_log), '--region', 'eu-west-1']) == 0
    out = capsys.readouterr().out
    assert out.startswith('Assumed: the price of us-east-1, since none is known for eu-west-1. ')
    assert main(['cost', str(long_log), '--region', 'eu-west-1', '--price', '0.0305']) == 0
    assert capsys.readouterr().out.startswith('Played: ')
    row = cost(long_log, '--region', 'eu-west-1', '--price', '0.0305')['one per record']
    assert row['dollars'] == pytest.approx(0.0305 * row['times_logged'])


@pytest.mark.parametrize(
    ('words', 'price_region'),
    [
        ((), 'us-east-1'),
        (('--region', 'ap-northeast-1'), 'ap-northeast-1'),
        (('--region', 'eu-west-1'), 'us-east-1'),
        (('--region', 'eu-west-1', '--price', '0.03'), None),
    ],
)
def test_for_scripts_each_row_says_whose_price_it_has(cost, long_log, words, price_region):
    """Otherwise nobody would see that it is assumed."""
    assert {row['price_region'] for row in cost(long_log, *words).values()} == {price_region}


def test_the_longer_the_interval_the_fewer_requests(cost, log):
    """`send_interval` is the handler's."""
    rows = [cost(log, '--events-per-second', 1, '--send-interval', seconds) for seconds in (10, 60)]
    quick, slow = (row['aggregated'] for row in rows)
    assert slow['requests'] < quick['requests'] / 4
    assert quick['played']['max_delay_seconds'] == pytest.approx(10)
    assert slow['played']['max_delay_seconds'] == pytest.approx(60)


def test_for_people_there_is_what_was_played_a_table_and_a_verdict(log, capsys):
    """Which says what to write."""
    assert main(['cost', str(log), '--events-per-second', '10']) == 0
    out = capsys.readouterr().out
    assert 'Played: 18,000 events' in out
    assert '3.6 times over' in out
    assert '30 minutes of one instance' in out
    titles = next(line for line in out.splitlines() if line.startswith('WAY'))
    for title in ('RECORDS', 'BILLED', 'REQUESTS', 'DOLLARS', 'QUOTA', 'DELAY'):
        assert title in titles
    for way in WAYS:
        assert f'\n{way.name} ' in out
    assert 'times less. Write FirehoseHandler(..., ' in out.splitlines()[-1]


def test_it_reads_pipes_gzip_and_several_files(log, tmp_path):
    """In a process of its own, without a warning."""
    packed = tmp_path / 'old.gz'
    packed.write_bytes(gzip.compress(log.read_bytes()))
    done = subprocess.run(
        [*RUN, str(packed), '-', str(log), '--json'],
        input=log.read_bytes(),
        capture_output=True,
        check=True,
        timeout=50,
    )
    assert done.stderr == b''
    row = json.loads(done.stdout.splitlines()[0])
    assert row['played']['events'] == 15_000


def test_what_is_played_takes_little_more_memory_than_its_bytes(tmp_path):
    """The encoder's own bytes keep 4 KiB each."""
    log = tmp_path / 'app.log'
    log.write_text(''.join(f'GET /items/{number} 200 {"x" * 20}\n' for number in range(50_000)))
    done = subprocess.run(
        [sys.executable, '-c', MEASURED, str(log)], capture_output=True, text=True, check=True, timeout=100
    )
    assert 'Played: 50,000 events' in done.stdout
    assert int(done.stdout.splitlines()[-1]) < 64 * 1024


# How much memory the process had at most, beyond what it has when everything is imported.
MEASURED = (
    MOST_KIB
    + """
import sys
from firefighter.cli.main import main

main(['cost', sys.argv[1], '--events-per-second', '0.01'])
before = most_kib()
main(['cost', sys.argv[1]])
print(most_kib() - before)
"""
)


def test_tracebacks_are_one_event_each_where_it_is_said_how_one_begins(cost, tmp_path):
    """Otherwise each of their lines is billed."""
    log = tmp_path / 'java.log'
    log.write_text(f'2026 ERROR {"x" * 11_000}\n\tat a\n\tat b\n' * 100)
    assert cost(log)['one per record']['played']['events'] == 300
    for begins in ('^2026', 'x$'):
        assert cost(log, '--entry-begins', begins)['one per record']['played']['events'] == 100


@pytest.mark.parametrize('begins', ['^2025', 'ERROR$'])
def test_what_begins_no_entry_is_refused(tmp_path, begins, capsys):
    """All of the log would be one event."""
    log = tmp_path / 'java.log'
    log.write_text('2026 ERROR x\n  at a\n')
    assert main(['cost', str(log), '--entry-begins', begins]) == 2
    assert '--entry-begins matches no line' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['missing.log'], 'missing.log: No such file'),
        (['--plot', 'bill.gif', 'app.log'], '.png or .svg'),
        (['empty.log'], 'empty.log: no events'),
        (['app.log', 'binary'], 'binary: cannot be read: it has NUL bytes, as no text has'),
        (['--instances', '3', 'app.log'], '--instances needs --events-per-second'),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(log, words, said, capsys, monkeypatch):
    """With status 2, and before any work."""
    monkeypatch.chdir(log.parent)
    Path('empty.log').touch()
    Path('binary').write_bytes(b'text\n' * 1_000 + b'a\0b')
    assert main(['cost', *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ''


@pytest.mark.parametrize(
    'words',
    [
        ['--events-per-second', '0'],
        ['--events-per-second', 'x'],
        ['--instances', '1.5'],
        ['--events-per-second', 'nan'],
        ['--instances', '0'],
        ['--price', '-1'],
        ['--send-interval', '-1'],
        ['--entry-begins', '('],
        ['--region', ''],
        ['--region', 'mars-1'],
        ['--region', 'eu west'],
        ['--region', 'eu-west-1\n'],
        ['--region', '\x1b[31m'],
    ],
)
def test_values_that_cannot_be_are_refused(log, words, capsys):
    """By argparse, as a wrong option is, and in words; nothing in them reaches a terminal."""
    with pytest.raises(SystemExit, match='2'):
        main(['cost', str(log), *words])
    said = capsys.readouterr().err
    assert re.search(f'{words[0]}: (must be|is no)', said)
    assert '\x1b' not in said


@pytest.mark.parametrize(
    ('name', 'begins'), [('bill\x1b[31m.svg', b'<?xml'), ('bill.svg', b'<?xml'), ('bill.png', b'\x89PNG')]
)
def test_the_picture_is_drawn(log, tmp_path, name, begins, capsys, monkeypatch):
    """Each way is a line in it."""
    monkeypatch.setattr(plot, 'RATES', (0.1, 1.0, 10.0))
    log.write_text('\n'.join(LINES[:200]))
    picture = tmp_path / name
    assert main(['cost', str(log), '--events-per-second', '1', '--plot', str(picture)]) == 0
    drawn = picture.read_bytes()
    assert drawn.startswith(begins)
    if name.endswith('svg'):
        for way in WAYS:
            assert way.name.encode() in drawn
    assert f'Drawn: {picture}'.replace('\x1b', r'\x1b') in capsys.readouterr().out


def test_without_matplotlib_it_says_what_to_install(log, capsys, monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    assert main(['cost', str(log), '--plot', 'bill.svg']) == 2
    assert "pip install 'firefighter[plot]'" in capsys.readouterr().err


def test_a_picture_in_a_directory_that_is_not_there_is_refused_before_anything_is_played(log, capsys):
    """Drawing takes longest, and comes last."""
    assert main(['cost', str(log), '--plot', 'missing/bill.svg']) == 2
    told = capsys.readouterr()
    assert told.out == ''
    assert (
        told.err
        == "firefighter cost: missing/bill.svg: there is no directory 'missing'; make it, or name another\n"
    )


def test_what_is_not_installed_is_left_out_and_said(cost, long_log, capsys, monkeypatch):
    """Zstd may need a package; the others are shown all the same."""
    monkeypatch.setitem(sys.modules, 'zstandard', None)
    monkeypatch.setitem(sys.modules, 'compression.zstd', None)
    assert list(cost(long_log)) == ['one per record', 'aggregated', 'gzip']
    assert main(['cost', str(long_log)]) == 0
    assert f'zstd is left out, since its package is missing: {INSTALL_ZSTD}' in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_error(long_log):
    """`firefighter cost ... | head -1`."""
    process = subprocess.Popen(
        [*RUN, str(long_log), '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    with process.stderr as stderr:
        assert stderr.read() == b''
    assert process.wait(50) == 0
