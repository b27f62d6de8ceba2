"""Are tables legible, on a terminal and in a pipe?"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from firefighter.cli import tables
from firefighter.cli.tables import age, print_command, print_table, print_text

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


def test_in_a_pipe_columns_are_lined_up_and_numbers_are_to_the_right(capsys):
    """One line for each row, however long."""
    print_table(('STREAM', 'EVENTS', 'STATE'), [('bar', 1234567, 'alive'), ('x' * 200, 8, '-')])
    assert capsys.readouterr().out.splitlines() == [
        'STREAM'.ljust(200) + '  EVENTS     STATE',
        'bar'.ljust(200) + '  1,234,567  alive',
        'x' * 200 + '          8  -',
    ]


def test_without_rows_there_are_the_titles(capsys):
    """So that it can be seen that nothing is there."""
    print_table(('STREAM', 'EVENTS'), [])
    assert capsys.readouterr().out == 'STREAM  EVENTS\n'


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 40 columns."""
    # Not of `sys.stdout` as it is now: pytest puts another one there for the test.
    monkeypatch.setattr(tables, 'sys', SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setenv('COLUMNS', '40')


@pytest.mark.usefixtures('terminal')
def test_on_a_terminal_long_cells_are_wrapped_between_their_words(capsys):
    """The widest of them first, and numbers never."""
    print_table(
        ('CHECK', 'EVENTS', 'FOUND'),
        [('a stream', 1234567, 'no stream of this name in us-east-1'), ('put', 8, '-')],
    )
    assert capsys.readouterr().out.splitlines() == [
        'CHECK     EVENTS     FOUND',
        'a stream  1,234,567  no stream of this',
        '                     name in us-east-1',
        'put               8  -',
    ]


@pytest.mark.usefixtures('terminal')
def test_what_does_not_fit_even_so_stands_beside_its_titles(capsys):
    """As many rows as there is room for; a word that is longer than the line is left in one piece."""
    rows = [
        ('a' * 14, 1, 'good'),
        ('b' * 14, 2, 'torn'),
        ('c' * 50, 3, 'one two three four five six seven eight'),
    ]
    print_table(('PRODUCER', 'EVENTS', 'STATE OF IT ALL'), rows)
    assert capsys.readouterr().out.splitlines() == [
        'PRODUCER         aaaaaaaaaaaaaa',
        'EVENTS           1',
        'STATE OF IT ALL  good',
        '',
        'PRODUCER         bbbbbbbbbbbbbb',
        'EVENTS           2',
        'STATE OF IT ALL  torn',
        '',
        'PRODUCER         ' + 'c' * 50,
        'EVENTS           3',
        'STATE OF IT ALL  one two three four five',
        '                 six seven eight',
    ]
    print_table(('PRODUCER', 'EVENTS'), [('a' * 13, 1), ('b' * 13, 22), ('c' * 13, 3), ('d' * 40, 4)])
    assert capsys.readouterr().out.splitlines()[:3] == [
        'PRODUCER  aaaaaaaaaaaaa  bbbbbbbbbbbbb',
        'EVENTS    1              22',
        '',
    ]


def test_a_sentence_and_a_command_are_wrapped_on_a_terminal_alone(capsys, monkeypatch):
    """The command so that it can be pasted: quotes stay whole."""

    def print_both():
        print_text('one two three four five six seven eight nine', '  ', '  ')
        print_command("aws firehose --profile 'my own profile' --region us-east-1", '  ')
        return capsys.readouterr().out.splitlines()

    assert print_both() == [
        '  one two three four five six seven eight nine',
        "  aws firehose --profile 'my own profile' --region us-east-1",
    ]
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', '40')
    assert print_both() == [
        '  one two three four five six seven',
        '    eight nine',
        '  aws firehose --profile \\',
        "      'my own profile' --region \\",
        '      us-east-1',
    ]


@pytest.mark.usefixtures('terminal')
def test_what_names_contain_is_neither_markup_nor_a_command_to_the_terminal(capsys):
    """They come from files that others have written."""
    print_table(('STREAM',), [('[bold]a[/]',), ('\x1b[2Jb',)])
    out = capsys.readouterr().out
    assert '[bold]a[/]' in out
    assert r'\x1b[2Jb' in out


@pytest.mark.parametrize(
    ('ago', 'shown'),
    [
        (timedelta(seconds=-5), '0 s'),
        (timedelta(seconds=59), '59 s'),
        (timedelta(seconds=60), '1 min'),
        (timedelta(minutes=119), '1 h'),
        (timedelta(hours=47), '1 d'),
        (timedelta(days=400), '400 d'),
    ],
)
def test_an_age_is_said_in_its_largest_unit(ago, shown):
    """With the Z of our events, with an offset, and without a zone, which is UTC."""
    then = NOW - ago
    assert age(then.isoformat().replace('+00:00', 'Z'), NOW) == shown
    assert age(then.astimezone(timezone(timedelta(hours=2))).isoformat(), NOW) == shown
    assert age(then.replace(tzinfo=None).isoformat(), NOW) == shown


@pytest.mark.parametrize('text', [None, '', 'yesterday', 7, '9999-99-99'])
def test_what_is_no_timestamp_has_no_age(text):
    """Foreign events have what they have."""
    assert age(text, NOW) == '-'
