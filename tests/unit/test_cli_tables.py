"""Are tables legible, on a terminal and in a pipe?"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

import pytest

from firefighter.cli.tables import age, print_table

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


@pytest.fixture(params=[True, False], ids=['rich', 'no rich'])
def terminal(request, monkeypatch):
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    if not request.param:
        monkeypatch.setitem(sys.modules, 'rich.console', None)


@pytest.mark.usefixtures('terminal')
def test_on_a_terminal_it_shows_the_same_with_rich_and_without(capsys):
    """Rich is an extra."""
    print_table(('STREAM', 'EVENTS'), [('bar', 1234)])
    out = capsys.readouterr().out
    assert 'STREAM' in out
    assert 'bar' in out
    assert '1,234' in out


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
