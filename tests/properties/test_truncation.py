"""Whatever the event and the limit: it fits, it is JSON, and it says its original size."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firefighter._event.oversize import MIN_STRING_BYTES, truncate

pytestmark = [pytest.mark.once, pytest.mark.fuzz]

STUB = 70  # more than the mark and the fewest characters of a string take

texts = st.text(st.characters(exclude_categories=['Cs'])) | st.text(
    'a"\\\n\x01é🔥', min_size=20, max_size=300
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(texts, inner, max_size=8),
    max_leaves=30,
)
events = st.dictionaries(texts, values, max_size=10)


def leaves(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


@given(events, st.integers(0, 3000))
def test_an_event_stays_an_event_and_fits(event, limit):
    """A valid object of at most the limit, or the mark alone."""
    line = orjson.dumps(event) + b'\n'
    cut = truncate(line, limit)
    if len(line) <= limit:
        assert cut == line
        return
    result = orjson.loads(cut)
    assert cut.endswith(b'\n')
    assert cut.count(b'\n') == 1
    (mark,) = set(result) - set(event)
    assert mark.rstrip('_') == 'truncated'
    assert result[mark]['original_bytes'] == len(line)
    assert len(cut) <= limit or len(result) == 1
    assert result[mark].get('dropped_fields', 0) in {0, len(event) - len(result) + 1}


@given(events, st.integers(0, 3000))
def test_what_is_kept_is_the_original_or_its_beginning(event, limit):
    """No value becomes another: each is whole, or a beginning that an ellipsis marks."""
    line = orjson.dumps(event) + b'\n'
    result = orjson.loads(truncate(line, limit))
    for name in set(result) & set(event):
        before, after = orjson.loads(line)[name], result[name]
        if isinstance(after, str) and not isinstance(before, str):
            before = orjson.dumps(before).decode()
        _check(before, after)


def _check(before, after):
    if isinstance(before, str) and before != after:
        assert after.endswith('…')
        assert before.startswith(after[:-1])
    elif isinstance(before, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            _check(one, other)
    elif isinstance(before, dict):
        assert list(before) == list(after)
        for key in before:
            _check(before[key], after[key])
    else:
        assert before == after


@given(st.lists(texts, min_size=1, max_size=8), st.integers(0, 3000))
def test_no_string_is_cut_while_a_longer_one_is_whole(strings, limit):
    """The largest give first."""
    event = {str(number): text for number, text in enumerate(strings)}
    line = orjson.dumps(event) + b'\n'
    result = orjson.loads(truncate(line, limit))
    if len(line) <= limit or 'dropped_fields' in result['truncated'] or len(result) == 1:
        return
    sizes = {name: len(orjson.dumps(text)) for name, text in event.items()}
    cut = [sizes[name] for name in event if result[name] != event[name]]
    whole = [sizes[name] for name in event if result[name] == event[name]]
    assert not cut or not whole or min(cut) >= max(whole)


@given(st.integers(1, 20), st.integers(0, 500))
def test_the_room_is_used(count, spare):
    """With strings alone, no more is given up than the count of strings: their common length is whole."""
    event = {str(number): 'x' * 500 for number in range(count)}
    limit = STUB + count * (MIN_STRING_BYTES + 8) + spare
    line = orjson.dumps(event) + b'\n'
    assert limit - count < len(truncate(line, limit)) <= limit or len(line) <= limit


@given(st.binary().filter(lambda line: not line.lstrip().startswith(b'{')), st.integers(-5, 200))
def test_any_other_line_fits_or_is_the_mark(content, limit):
    """Bytes of any kind are cut, never refused."""
    line = content.replace(b'\n', b' ') + b'\n'
    cut = truncate(line, limit)
    assert cut.endswith(b'\n')
    assert len(cut) <= limit or cut.startswith(b'[truncated from ') or cut == line


@given(st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\n{')), st.integers(0, 300))
def test_text_is_cut_between_characters(text, limit):
    """What was UTF-8 still is."""
    line = text.encode() + b'\n'
    cut = truncate(line, limit).decode()
    if len(line) > limit:
        beginning, _, _ = cut.rpartition('[truncated from ')
        assert text.startswith(beginning.removesuffix(' '))


@given(st.binary(), st.integers(-5, 100))
def test_nothing_is_raised_for_anything_that_looks_like_json(content, limit):
    """Broken JSON included."""
    assert truncate(b'{' + content + b'\n', limit).endswith(b'\n')
