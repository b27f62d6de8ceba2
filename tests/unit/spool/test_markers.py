"""Is what was dropped told of exactly, in few ranges, and in the room that is set aside for it?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firefighter._event.ids import PLACE, Dropped
from firefighter._spool.markers import (
    add_drop,
    encode_marker,
    extend_over_reported,
    merge_ranges,
    most_marker_bytes,
)
from firefighter._spool.numbered_spool import NumberedSpool
from firefighter._spool.segment import MemoryStore
from firefighter._spool.spool import MIN_SPOOL_BYTES
from firefighter.stats import DropReason

ME, OTHER = 'a' * 32, 'b' * 32
ranges = st.lists(
    st.builds(
        lambda producer, first, more, reason: Dropped(producer, first, first + more, reason),
        st.sampled_from([ME, OTHER]),
        st.integers(0, 40),
        st.integers(0, 9),
        st.sampled_from(['overflow', 'oversize']),
    ),
    max_size=9,
)


def numbers(dropped):
    return {(whose, number) for whose, first, last, _ in dropped for number in range(first, last + 1)}


@given(ranges)
def test_joining_changes_nothing_that_is_told(dropped):
    """And leaves no two ranges of one reason that touch."""
    found = merge_ranges(dropped)
    assert numbers(found) == numbers(dropped)
    assert len(found) <= len(dropped)
    assert merge_ranges(found) == found


@given(ranges, ranges)
def test_news_are_told_with_what_lies_beside_them_and_nothing_else(news, told):
    """In never more ranges than the news have: the room for the marker has been made already."""
    found = extend_over_reported(merge_ranges(news), told)
    assert numbers(news) <= numbers(found) <= numbers(news) | numbers(told)
    assert len(found) <= len(merge_ranges(news))


def test_a_full_spool_does_not_remember_every_change_of_reason():
    """A few ranges, and then the wrong reason; no number is forgotten."""
    news = ()
    for number in range(10_000):
        news = add_drop(news, ME, number, ['overflow', 'oversize'][number % 2])
    assert len(news) <= 64
    assert numbers(news) == {(ME, number) for number in range(10_000)}


@given(st.integers(1, 70), st.sampled_from([reason.value for reason in DropReason]))
def test_a_marker_takes_no_more_room_than_is_made_for_it(count, reason):
    """Whatever the numbers, the reason and the producers."""
    most = (1 << 53) - 1
    line = encode_marker([Dropped(OTHER, most, most, reason)] * count, ME, 1e9)
    assert len(line) <= most_marker_bytes((Dropped(OTHER, most, most, reason),) * count)


def test_no_event_is_dropped_to_tell_of_others():
    """When delivery tells: the next event may have to, a marker does not."""
    spool = NumberedSpool(bytes(16), MIN_SPOOL_BYTES, 'drop_oldest')
    for _ in range(30):
        spool.append(b'{"x":"' + b'x' * 1_900 + b'"' + PLACE)
        if spool.account().dropped:
            break
    # Nothing may be dropped as long as delivery has begun with all of it.
    taken = spool.take(1_000, 1 << 30)
    dropped = spool.account().dropped['overflow']
    while spool.account().dropped['overflow'] == dropped:
        spool.append(b'{"x":"' + b'x' * 1_900 + b'"' + PLACE)
    before = spool.account()
    for segment in spool._segments:
        segment.claimed = False
    spool.append_marker()
    assert spool.account() == before
    spool.acknowledge(taken)
    spool.append_marker()
    assert spool.account().markers == before.markers + 1


def test_what_an_adopted_segment_tells_is_told_again_when_it_is_dropped():
    """With the dead producer's own id, beside the events that are dropped with it."""
    dead = NumberedSpool(bytes(16), MIN_SPOOL_BYTES)
    dead.reject('oversize', 1)
    dead.append(b'{"x":1' + PLACE)
    (segment,) = (segment for segment in dead._segments if segment.events)
    heir = NumberedSpool(bytes([1]) * 16, MIN_SPOOL_BYTES)
    made = MemoryStore().make(segment.size_bytes)
    made.mapping[4096 : segment.tail] = segment.mapping[4096 : segment.tail]
    made.resume(4096, segment.tail, segment.events, [], exact=True)
    heir.adopt(made)
    assert heir.drop_oldest_adopted()
    assert heir._unreported_drops == (
        Dropped('0' * 32, 0, 0, 'oversize'),
        Dropped('0' * 32, 1, 2, 'overflow'),
    )
    heir.append_marker()
    (event,) = heir.take(9, 9_999)
    assert (
        b'{"first":1,"last":2,"reason":"overflow","producer":"%s"}],"producer":"%s","sequence":0}\n'
        % (b'0' * 32, b'01' * 16)
        in event.data
    )


def test_a_marker_that_firehose_refuses_is_told_again():
    """With what it has told."""
    spool = NumberedSpool(bytes(16), MIN_SPOOL_BYTES)
    spool.reject('oversize', 1)
    spool.append_marker()
    spool.drop(spool.take(9, 9_999), 'refused')
    assert spool._unreported_drops == (
        Dropped('0' * 32, 0, 0, 'oversize'),
        Dropped('0' * 32, 1, 1, 'refused'),
    )
