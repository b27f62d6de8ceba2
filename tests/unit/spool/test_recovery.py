"""What of a dead producer's segment is delivered? Case by case; tests/properties/test_recovery.py has the law."""

from __future__ import annotations

import mmap

import pytest

from firefighter._spool.disk import recovery
from firefighter._spool.disk import segment_file as format_v1
from firefighter._spool.disk.recovery import Good, Recovery, Torn, recover
from firefighter._spool.disk.segment_file import Header
from firefighter._spool.layout import COMMITTED, HEAD, HEADER_BYTES
from firefighter._spool.segment import MemoryStore, Segment

LINES = [b'{"n":%d}\n' % number for number in range(100, 110)]
LINE = len(LINES[0])
SIZE = 16_384
HEADER = Header('bar', {}, bytes(16), 0, SIZE)
NOTHING = Recovery(exact=True, good=(), torn=())


def offset(line):
    return HEADER_BYTES + line * LINE


def segment(*, head=0, committed=10, lines=LINES):
    """A segment with these lines; head and tail behind so many of them."""
    data = bytearray(SIZE)
    words = memoryview(data).cast('Q')
    format_v1.write_header(words, HEADER)
    words[COMMITTED] = committed << 32 | offset(committed)
    words[HEAD] = offset(head)
    words.release()
    text = b''.join(lines)
    data[HEADER_BYTES : HEADER_BYTES + len(text)] = text
    return data


def test_after_a_crash_what_is_between_head_and_tail_is_delivered():
    """What is settled is not read again."""
    assert recover(segment(head=3, committed=8, lines=LINES[:8]), HEADER, same_boot=True) == Recovery(
        exact=True, good=(Good(offset(3), offset(8), 5),), torn=()
    )


@pytest.mark.parametrize('lines', [0, 8])
def test_after_a_crash_with_all_settled_there_is_nothing_to_do(lines):
    """Head and tail are equal: in a segment never used, and in one that is done."""
    data = segment(head=lines, committed=lines, lines=LINES[:lines])
    assert recover(data, HEADER, same_boot=True) == NOTHING


@pytest.mark.parametrize(
    'copied', [LINES[8][:1], LINES[8][:-1], b'\0' * 3 + LINES[8][3:], LINES[8][:2] + b'\0' * 5 + LINES[8][7:]]
)
def test_half_a_line_behind_the_tail_was_being_copied_and_is_nobodys_event(copied):
    """Its logging call had not returned. A copy may begin at either end."""
    data = segment(head=3, committed=8, lines=[*LINES[:8], copied])
    assert recover(data, HEADER, same_boot=True) == Recovery(
        exact=True, good=(Good(offset(3), offset(8), 5),), torn=()
    )


def test_a_whole_line_behind_the_tail_is_delivered():
    """Either the tail was about to be stored, or it was and has not reached the disk: nobody can tell."""
    data = segment(head=3, committed=8, lines=LINES[:9])
    assert recover(data, HEADER, same_boot=True) == Recovery(
        exact=True, good=(Good(offset(3), offset(9), 6),), torn=()
    )


@pytest.mark.parametrize('behind', [LINES[8:], [LINES[8], b'torn'], [bytes(7), b'n\n', LINES[9]]])
def test_more_than_a_line_behind_the_tail_makes_it_search(behind):
    """A file system died and was mounted again within one boot: the tail is older than the lines."""
    data = segment(head=3, committed=8, lines=[*LINES[:8], *behind])
    assert recover(data, HEADER, same_boot=True) == recover(data, HEADER, same_boot=False)


def test_of_a_producer_that_is_alive_nothing_is_read_behind_the_tail():
    """It goes on writing while its file is read."""
    assert recover(segment(head=3, committed=8), HEADER, same_boot=True, alive=True) == Recovery(
        exact=True, good=(Good(offset(3), offset(8), 5),), torn=()
    )


def test_a_segment_filled_to_its_last_byte_has_nothing_behind_its_tail():
    """The end of the file is the end of the last line."""
    data = segment(lines=[b'x' * (SIZE - HEADER_BYTES - 1) + b'\n'], committed=0)
    memoryview(data).cast('Q')[COMMITTED] = 1 << 32 | SIZE
    assert recover(data, HEADER, same_boot=True) == Recovery(
        exact=True, good=(Good(HEADER_BYTES, SIZE, 1),), torn=()
    )


def test_after_another_boot_all_whole_lines_are_delivered():
    """The words may be older than the lines, or newer: at least once wins."""
    assert recover(segment(head=3, committed=8), HEADER, same_boot=False) == Recovery(
        exact=False, good=(Good(HEADER_BYTES, offset(10), 10),), torn=()
    )


def test_an_empty_segment_of_another_boot_gives_nothing():
    """All zeros are neither lines nor torn."""
    assert recover(segment(lines=[]), HEADER, same_boot=False) == Recovery(exact=False, good=(), torn=())


@pytest.mark.parametrize(
    ('head', 'tail'),
    [
        (offset(5), offset(4)),  # the head beyond the tail
        (offset(3) + 2, offset(8)),  # the head in the middle of a line
        (offset(3), offset(8) - 2),  # the tail in the middle of a line
        (offset(3), offset(10) + 1),  # the tail in the zeros
        (0, offset(8)),  # the head in the header
        (offset(3), 0),
        (offset(3), SIZE + 1),  # the tail beyond the file
        (2**64 - 1, offset(8)),
    ],
)
def test_words_that_make_no_sense_are_not_trusted(head, tail):
    """Then the segment is read as after a power loss, even in the same boot."""
    data = segment()
    words = memoryview(data).cast('Q')
    words[HEAD], words[COMMITTED] = head, 8 << 32 | tail
    assert recover(data, HEADER, same_boot=True) == Recovery(
        exact=False, good=(Good(HEADER_BYTES, offset(10), 10),), torn=()
    )


def test_zeros_tear_the_line_that_they_are_in_and_no_other():
    """Its remains are quarantined without the zeros; the lines around it are good."""
    data = segment()
    data[offset(4) + 3 : offset(4) + 5] = bytes(2)
    assert recover(data, HEADER, same_boot=True) == Recovery(
        exact=False,
        good=(Good(HEADER_BYTES, offset(4), 4), Good(offset(5), offset(10), 5)),
        torn=(Torn(offset(4), offset(4) + 3), Torn(offset(4) + 5, offset(5))),
    )


def test_behind_a_newline_that_is_lost_the_next_line_cannot_be_told():
    """It is whole, but nothing says that a line begins there: it is quarantined, not delivered as half an event."""
    data = segment()
    data[offset(5) - 1] = 0
    assert recover(data, HEADER, same_boot=False) == Recovery(
        exact=False,
        good=(Good(HEADER_BYTES, offset(4), 4), Good(offset(6), offset(10), 4)),
        torn=(Torn(offset(4), offset(5) - 1), Torn(offset(5), offset(6))),
    )


def test_a_line_cut_off_by_the_end_of_the_file_is_torn():
    """A file that was truncated, in the middle of a line, with good words: its size is not what they were made for."""
    data = segment()[: offset(6) + 4]
    assert recover(data, HEADER, same_boot=True) == Recovery(
        exact=False, good=(Good(HEADER_BYTES, offset(6), 6),), torn=(Torn(offset(6), offset(6) + 4),)
    )


def test_a_file_cut_off_within_its_header_gives_nothing():
    """The header came from elsewhere; there is nothing behind it."""
    assert recover(segment()[:100], HEADER, same_boot=True) == Recovery(exact=False, good=(), torn=())


@pytest.mark.parametrize('page', [bytes(HEADER_BYTES), b'torn'.ljust(HEADER_BYTES, b'\0')])
def test_without_a_header_the_whole_lines_are_good(page):
    """It never reached the disk, or is torn: the folder says for whom they are."""
    data = segment()
    data[:HEADER_BYTES] = page
    data[SIZE - 5] = 7
    assert recover(data, None, same_boot=True) == Recovery(
        exact=False, good=(Good(HEADER_BYTES, offset(10), 10),), torn=(Torn(SIZE - 5, SIZE - 4),)
    )


def test_without_a_header_and_without_a_whole_line_all_is_torn_except_its_zeros():
    """Nothing says that it ever was a segment; it is kept for people."""
    data = segment(lines=[b'no line'])
    data[:HEADER_BYTES] = b'no header'.ljust(HEADER_BYTES, b'\0')
    assert recover(data, None, same_boot=True) == Recovery(
        exact=False, good=(), torn=(Torn(0, 9), Torn(HEADER_BYTES, HEADER_BYTES + 7))
    )


@pytest.mark.parametrize('stored', [2, 9, HEADER_BYTES // 8])
@pytest.mark.parametrize('magic', [0, format_v1.MAGIC])
def test_a_header_that_was_being_written_leaves_nothing_torn(magic, stored):
    """The magic is stored last, and no line before it; a spare segment has it from its first header."""
    words = memoryview(segment(lines=[])).cast('Q')
    words[0] = magic
    for word in range(stored, HEADER_BYTES // 8):
        words[word] = 0
    assert recover(words.tobytes(), None, same_boot=True) == Recovery(exact=False, good=(), torn=())


@pytest.mark.parametrize('size', [9, HEADER_BYTES])
def test_what_is_too_small_for_a_segment_is_kept_for_people(size):
    """A segment has all its room from the beginning: this is something else, though it begins as one that is being made."""
    data = bytes(8) + b'x' * (size - 8)
    assert recover(data, None, same_boot=True).torn == (Torn(8, size),)


def test_empty_lines_are_events_too():
    """A foreign formatter may put out nothing, and that is one event."""
    data = segment(lines=[b'\n', b'\n', b'x\n'])
    (stretch,) = recover(data, HEADER, same_boot=False).good
    assert stretch.events == 3


@pytest.mark.parametrize('zeros', [1, 63, 64, 65, 191, 192, 193, 131_071, 131_072, 300_000])
def test_a_stretch_of_zeros_may_have_any_length(zeros):
    """The steps in which it is passed are not seen in the result."""
    data = bytes(HEADER_BYTES) + b'torn' + bytes(zeros) + b'torn\ngood\n'
    begin = HEADER_BYTES + 4 + zeros
    header = Header('bar', {}, bytes(16), 0, len(data))
    assert recover(data, header, same_boot=False) == Recovery(
        exact=False,
        good=(Good(begin + 5, begin + 10, 1),),
        torn=(Torn(HEADER_BYTES, HEADER_BYTES + 4), Torn(begin, begin + 5)),
    )


@pytest.mark.parametrize('zeros', [1, 3, 63, 64, 100, 3000])
def test_of_zeros_and_newlines_many_are_passed_in_a_few_steps(zeros, monkeypatch):
    """Such newlines are neither good nor torn, so that no number of stretches would end the search."""
    pattern = bytes(zeros) + b'\n'
    stretch = pattern * (500_000 // len(pattern))
    data = bytes(HEADER_BYTES) + b'one\n' + stretch + b'two\n\0torn\n' + stretch + b'three\n'
    steps = []
    genuine = recovery._find

    def find(*arguments):
        steps.append(arguments)
        return genuine(*arguments)

    monkeypatch.setattr(recovery, '_find', find)
    found = recover(data, Header('bar', {}, bytes(16), 0, len(data)), same_boot=False)
    assert [data[start:end] for start, end, _ in found.good] == [b'one\n', b'two\n', b'three\n']
    assert [data[start:end] for start, end in found.torn] == [b'torn\n']
    assert len(steps) < 50


def test_lines_are_counted_across_the_pieces_that_they_are_counted_in():
    """More than one piece of 64 KiB, with a newline at the seams."""
    text = b'x' * 65_535 + b'\n' + b'\n' + b'y' * 70_000 + b'\n'
    data = bytes(HEADER_BYTES) + text
    header = Header('bar', {}, bytes(16), 0, len(data))
    assert recover(data, header, same_boot=False).good == (Good(HEADER_BYTES, len(data), 3),)


def test_a_mapping_gives_the_same_as_its_bytes():
    """The producer's own segment can be looked at as well as a file that was read."""
    data = segment(head=2)
    data[offset(4)] = 0
    with mmap.mmap(-1, SIZE) as mapping:
        mapping[:] = bytes(data)
        assert recover(mapping, HEADER, same_boot=True) == recover(bytes(data), HEADER, same_boot=True)


@pytest.mark.parametrize('pattern', [b'x\0', b'x\n\0\n', b'\0x\0\n\n', b'x\0' * 32 + b'\n'])
def test_a_hostile_file_cannot_fill_the_memory_with_its_description(pattern, monkeypatch):
    """Beyond a number of gaps that no disk makes, the rest is torn as one; not a byte is forgotten."""
    monkeypatch.setattr(recovery, 'MOST_TORN', 50)
    data = bytes(HEADER_BYTES) + pattern * 1000
    header = Header('bar', {}, bytes(16), 0, len(data))
    for found in (recover(data, header, same_boot=False), recover(data, None, same_boot=False)):
        assert 25 <= len(found.good) + len(found.torn) <= 102
        assert found.torn[-1].end == len(data)


def test_after_two_reboots_what_lies_behind_settled_events_is_still_good():
    """The first heir overwrites what it has delivered; the second one must see where the next line begins."""
    mapping = mmap.mmap(-1, 2 * HEADER_BYTES)
    lines = [b'one\n', b'two\n', b'three\n']
    mapping[HEADER_BYTES : HEADER_BYTES + 14] = b''.join(lines)
    segment = Segment(mapping, MemoryStore())
    segment.resume(HEADER_BYTES, HEADER_BYTES + 14, 3, (), exact=False)
    segment.settle(HEADER_BYTES, HEADER_BYTES + 4, 1)
    segment.settle(HEADER_BYTES + 4, HEADER_BYTES + 8, 1)
    header = Header('bar', {}, bytes(16), 0, len(mapping))
    found = recover(mapping, header, same_boot=False)
    assert [bytes(mapping[good.start : good.end]) for good in found.good] == [b'three\n']
    assert found.torn == ()
