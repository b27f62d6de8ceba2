"""Is what a foreign formatter puts out one line in the spool, and the same again on the way out?"""

import pytest

from firefighter._event.escaping import escape, restore


def test_a_text_of_several_lines_becomes_one_line():
    """A traceback of four lines stays one event."""
    assert escape('one\ntwo\nthree') == b'one\x1antwo\x1anthree\n'


def test_nul_and_the_escape_character_are_escaped():
    """The spool's reader takes a NUL for space that was never written."""
    assert escape('a\0b\x1ac') == b'a\x1a0b\x1azc\n'


def test_one_newline_at_the_end_is_the_lines_own():
    """A formatter that ends its text in a newline and one that does not give the same line."""
    assert escape('text\n') == escape('text') == b'text\n'


def test_a_second_newline_at_the_end_is_content():
    """Only one newline is the line's own; the others come out again."""
    assert escape('text\n\n') == b'text\x1an\n'
    assert restore(escape('text\n\n')) == b'text\n\n'


def test_bytes_are_kept_byte_for_byte():
    """What is not UTF-8 is not ours to mend."""
    assert restore(escape(b'\xff\x00\n\xfe')) == b'\xff\x00\n\xfe\n'


def test_a_str_is_encoded_as_utf_8():
    """All characters but the three go through as they are."""
    assert escape('Ünï 日本 🔥') == 'Ünï 日本 🔥\n'.encode()


def test_a_lone_surrogate_becomes_a_backslash_escape():
    """UTF-8 has no bytes for it, and no event is lost for it."""
    assert escape('file-\udcff.txt') == b'file-\\udcff.txt\n'


def test_an_empty_text_is_an_empty_line():
    """A formatter may return nothing."""
    assert escape('') == escape(b'') == escape('\n') == b'\n'


def test_a_line_without_the_escape_character_is_returned_as_it_is():
    """The common line costs one search and no copy."""
    line = b'{"message":"Ahoy"}\n'
    assert restore(line) is line


def test_all_escapes_are_undone():
    """What went in comes out."""
    assert restore(b'a\x1anb\x1a0c\x1azd\n') == b'a\nb\0c\x1ad\n'


def test_what_was_escaped_twice_is_undone_once():
    """An escaped escape character is followed by a letter that belongs to the text."""
    assert restore(escape('\x1an')) == b'\x1an\n'


@pytest.mark.parametrize('line', [b'\x1a\n', b'\x1ax\n', b'text\x1a\n'])
def test_an_escape_that_is_not_ours_is_left_alone(line):
    """A line from elsewhere comes through whole."""
    assert restore(line) == line
