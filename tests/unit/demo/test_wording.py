"""Does a person read numbers and paths as they would write them?"""

import shutil
import sys

import pytest

from firefighter._demo.wording import count, own_command, quoted, shown


@pytest.mark.parametrize(
    ('number', 'text'), [(0, '0 files'), (1, '1 file'), (2, '2 files'), (12345, '12,345 files')]
)
def test_a_number_goes_with_its_noun(number, text):
    """Also when there is one."""
    assert count(number, 'file') == text


def test_an_unusual_plural_is_kept():
    """English has some."""
    assert count(2, 'copy', 'copies') == '2 copies'


def test_a_path_is_shown_from_here_if_it_lies_below(tmp_path, monkeypatch):
    """Short is easy to copy; `../../..` is not."""
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')

    assert shown(tmp_path / 'here' / 'file') == 'file'
    assert shown(tmp_path / 'file') == str(tmp_path / 'file')


def test_a_path_in_a_command_line_stays_one_word(tmp_path, monkeypatch):
    """Folders have spaces."""
    monkeypatch.chdir(tmp_path)

    assert quoted(tmp_path / 'my logs' / 'file') == "'my logs/file'"


def test_a_command_of_a_virtual_environment_is_named_by_its_path(tmp_path, monkeypatch):
    """`make demo` activates none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'executable', str(tmp_path / '.venv' / 'bin' / 'python'))
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    assert own_command() == '.venv/bin/firefighter'
    monkeypatch.setattr(shutil, 'which', lambda name: f'/usr/bin/{name}')
    assert own_command() == 'firefighter'
