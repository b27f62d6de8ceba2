"""Recovery against a model: lines that are known, damage that is known, and so the lines that must come out.

The law. A disk may lose any part of a file: what is lost reads as zeros, or the file ends. Then exactly those lines
are good that are whole and begin behind the header or behind a newline that is still there; every other byte that is
not zero is torn. With damage of any other kind, the file is still divided without overlap into good, torn and zero,
and good stretches consist of whole lines of what the file has now.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firefighter._spool.disk import segment_file as format_v1
from firefighter._spool.disk.recovery import recover
from firefighter._spool.disk.segment_file import Header, NewerVersion, NotASegment
from firefighter._spool.layout import COMMITTED, HEAD, HEADER_BYTES

pytestmark = pytest.mark.once

SECTOR = 512
PAGE = 4096
LONG = st.integers(1, 6000).map(lambda size: b'L' * size)
LINES = st.lists(
    st.builds(
        lambda text: text + b'\n', st.binary(max_size=30).map(lambda b: b.translate(None, b'\n\0')) | LONG
    ),
    max_size=12,
)


class Written:
    """A segment with known lines, and what damage has left of each byte."""

    def __init__(self, lines, spare):
        self.lines = lines
        self.text = b''.join(lines)
        size = -(-(HEADER_BYTES + len(self.text) + spare) // PAGE) * PAGE
        self.header = Header('bar', {'region': 'eu-west-1'}, bytes(range(16)), 7, size, bytes(range(1, 17)))
        self.data = bytearray(size)
        self.set_marks(0, len(lines))
        self.data[HEADER_BYTES : HEADER_BYTES + len(self.text)] = self.text
        self.original = bytes(self.data)

    def starts(self):
        """The offset of each line, and of the end."""
        offsets = [HEADER_BYTES]
        for line in self.lines:
            offsets.append(offsets[-1] + len(line))
        return offsets

    def set_marks(self, settled, committed):
        words = memoryview(self.data)[:HEADER_BYTES].cast('Q')
        if not words[0]:
            format_v1.write_header(words, self.header)
        starts = self.starts()
        words[HEAD] = starts[settled]
        words[COMMITTED] = committed << 32 | starts[committed]
        words.release()

    def survivors(self):
        """The lines of which nothing is lost, the newline before them included."""
        starts = self.starts()
        return [
            line
            for line, start, end in zip(self.lines, starts, starts[1:], strict=False)
            if bytes(self.data[start:end]) == line
            and (start == HEADER_BYTES or self.data[start - 1 : start] == b'\n')
        ]


@st.composite
def segments(draw):
    return Written(draw(LINES), draw(st.integers(0, 2 * PAGE)))


@st.composite
def lossy_segments(draw):
    """Sectors and pages that are zero, pages that are an older prefix, ranges anywhere, a file that ends early."""
    written = draw(segments())
    data, size = written.data, len(written.data)
    for page in draw(st.sets(st.integers(1, size // PAGE - 1), max_size=4)) if size > PAGE else ():
        older = draw(st.integers(0, PAGE - 1))
        data[page * PAGE + older : (page + 1) * PAGE] = bytes(PAGE - older)
    for sector in draw(st.sets(st.integers(PAGE // SECTOR, size // SECTOR), max_size=4)):
        data[sector * SECTOR : (sector + 1) * SECTOR] = bytes(
            len(data[sector * SECTOR : (sector + 1) * SECTOR])
        )
    for start, length in draw(
        st.lists(st.tuples(st.integers(HEADER_BYTES, size), st.integers(1, 50)), max_size=4)
    ):
        data[start : start + length] = bytes(len(data[start : start + length]))
    if draw(st.booleans()):
        del data[draw(st.integers(HEADER_BYTES, size)) :]
    return written


def lines_of(data, found):
    """The lines as the reader cuts them: at newlines only."""
    lines = []
    for start, end, events in found.good:
        cut = bytes(data[start:end]).split(b'\n')
        assert cut.pop() == b''
        assert len(cut) == events
        lines += [line + b'\n' for line in cut]
    return lines


def is_nothing(gap):
    return not gap.replace(b'\0\n', b'').strip(b'\0')


def check_division(data, found, start, end):
    """Good and torn are in order, do not overlap, and leave nothing but zeros, and newlines right behind a zero."""
    data = bytes(data)
    position = start
    for stretch in sorted([*found.good, *found.torn], key=lambda stretch: stretch[0]):
        assert position <= stretch.start < stretch.end <= end
        assert is_nothing(data[position : stretch.start])
        assert b'\0' not in data[stretch.start : stretch.end]
        position = stretch.end
    assert is_nothing(data[position:end])
    assert list(found.good) == sorted(found.good)
    assert list(found.torn) == sorted(found.torn)


@given(segments(), st.data())
def test_after_a_crash_exactly_the_committed_and_unsettled_lines_are_good(written, data):
    """And the one that was being copied when the process died, where it is whole. Nothing else is read."""
    committed = data.draw(st.integers(0, len(written.lines)))
    settled = data.draw(st.integers(0, committed))
    written.set_marks(settled, committed)
    starts = [*written.starts(), len(written.data)]
    begun = data.draw(st.integers(starts[committed], starts[committed + 1]))
    written.data[begun:] = bytes(len(written.data) - begun)
    found = recover(written.data, written.header, same_boot=True)
    whole = committed < len(written.lines) and begun == starts[committed + 1]
    assert found.exact
    assert not found.torn
    assert len(found.good) <= 1
    assert lines_of(written.data, found) == written.lines[settled : committed + whole]


@given(segments(), st.data())
def test_what_is_whole_behind_an_older_tail_is_good(written, data):
    """A file system that died and was mounted again within one boot: the header page is of any time before."""
    committed = data.draw(st.integers(0, len(written.lines)))
    settled = data.draw(st.integers(0, committed))
    written.set_marks(settled, committed)
    reached = data.draw(st.integers(written.starts()[committed], len(written.data)))
    written.data[reached:] = bytes(len(written.data) - reached)
    found = recover(written.data, written.header, same_boot=True)
    delivered = lines_of(written.data, found)
    assert delivered == written.survivors()[settled if found.exact else 0 :]


@given(lossy_segments())
def test_after_a_power_loss_exactly_the_lines_that_survived_are_good(written):
    """None of them twice, none that was not written, every other byte in quarantine."""
    found = recover(written.data, written.header, same_boot=False)
    assert not found.exact
    assert lines_of(written.data, found) == written.survivors()
    check_division(written.data, found, HEADER_BYTES, len(written.data))


@given(lossy_segments(), st.data())
def test_a_loss_in_the_same_boot_is_found_or_does_not_matter(written, data):
    """Between head and tail it is found, and all that survived is good; so it is where more than a line is behind the tail."""
    committed = data.draw(st.integers(0, len(written.lines)))
    settled = data.draw(st.integers(0, committed))
    written.set_marks(settled, committed)
    found = recover(written.data, written.header, same_boot=True)
    if found.exact:
        behind = written.lines[committed : committed + 1]
        delivered = lines_of(written.data, found)
        assert delivered in (written.lines[settled:committed], written.lines[settled:committed] + behind)
        assert not found.torn
    else:
        assert lines_of(written.data, found) == written.survivors()
        check_division(written.data, found, HEADER_BYTES, len(written.data))


@given(
    segments(),
    st.lists(st.tuples(st.integers(0, 1 << 15), st.binary(min_size=1, max_size=40)), max_size=6),
    st.integers(0, 1 << 15),
    st.booleans(),
)
def test_whatever_the_bytes_are_they_are_divided_and_nothing_is_raised(written, overwritten, size, same_boot):
    """Overwritten anywhere, header and marks included; cut off anywhere."""
    size_bytes = len(written.data)
    for anywhere, garbage in overwritten:
        at = anywhere % size_bytes
        written.data[at : at + len(garbage)] = garbage[: size_bytes - at]
    del written.data[size:]
    check_any(bytes(written.data), written.header, same_boot)
    try:
        header = format_v1.parse_header(bytes(written.data))
    except (NotASegment, NewerVersion):
        header = None
    check_any(bytes(written.data), header, same_boot)


@given(
    st.lists(st.sampled_from([b'\0', b'\n', b'x', bytes(70), b'y' * 70]), max_size=60).map(b''.join),
    st.booleans(),
)
@example(b'\n', False)
def test_any_arrangement_of_zeros_newlines_and_text_is_divided(text, same_boot):
    """The alphabet of recovery, without a writer behind it."""
    data = bytes(HEADER_BYTES) + text
    check_any(data, Header('bar', {}, bytes(16), 0, len(data)), same_boot)


def check_any(data, header, same_boot):
    found = recover(data, header, same_boot=same_boot)
    if header is None and not found.good:
        # Behind what begins as a segment does, or will, there is nothing: it was being made.
        is_being_made = data[:8] in {bytes(8), format_v1.MAGIC_BYTES} and len(data) > HEADER_BYTES
        is_being_made = is_being_made and not data[HEADER_BYTES:].strip(b'\0')
        check_division(data, found, HEADER_BYTES if is_being_made else 0, len(data))
    elif found.exact:
        _, tail, head = format_v1.read_progress(data)
        assert not found.torn
        assert [good.start for good in found.good] == [head] * len(found.good)
        assert all(good.end >= tail for good in found.good)
    else:
        check_division(data, found, HEADER_BYTES, max(len(data), HEADER_BYTES))
    lines_of(data, found)
    for stretch in found.good:
        assert stretch.start == HEADER_BYTES or data[stretch.start - 1 : stretch.start] == b'\n'
