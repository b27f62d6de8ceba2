"""Does an oversize line fit afterwards, and what is left of it?"""

import json

import orjson
import pytest

from firefighter._event.oversize import truncate


def line_of(event):
    return orjson.dumps(event) + b'\n'


def truncated(event, limit):
    line = line_of(event)
    cut = truncate(line, limit)
    assert len(cut) <= limit
    assert cut.endswith(b'\n')
    assert cut.count(b'\n') == 1
    result = orjson.loads(cut)
    assert result['truncated']['original_bytes'] == len(line)
    return result


def test_a_long_message_is_cut_and_everything_else_is_kept():
    """The event keeps its other fields, and says its original size last."""
    event = {
        'timestamp': '2026-01-31T12:00:00.000000Z',
        'level': 'INFO',
        'message': 'x' * 5000,
        'user': 'ada',
        'n': 1.5,
    }
    result = truncated(event, 1024)
    assert result['message'].startswith('xxx')
    assert result['message'].endswith('x…')
    assert list(result) == [*event, 'truncated']
    for name in ('timestamp', 'level', 'user', 'n'):
        assert result[name] == event[name]


def test_the_room_is_used_to_the_last_byte():
    """As much as possible is kept."""
    assert len(truncate(line_of({'message': 'x' * 5000}), 1024)) == 1024


def test_a_line_that_fits_is_returned_as_it_is():
    """Nothing is cut without need."""
    line = line_of({'message': 'x' * 100})
    assert truncate(line, len(line)) is line


def test_the_largest_strings_give_first():
    """Long strings are cut to one length; a shorter one is untouched."""
    result = truncated({'a': 'a' * 300, 'b': 'b' * 3000, 'c': 'c' * 5000}, 1024)
    assert result['a'] == 'a' * 300
    assert len(result['b']) == len(result['c'])
    assert 280 < len(result['b']) < 5000
    assert len(orjson.dumps(result)) + 1 > 1024 - 2


def test_strings_of_nearly_one_length_fit_too():
    """Where the common length is just one of theirs, not a byte is too much."""
    event = {str(length): 'x' * length for length in range(40, 60)}
    for limit in range(700, len(line_of(event))):
        truncated(event, limit)


def test_no_string_is_cut_to_a_stump():
    """Below 16 bytes a field says nothing: some are left out instead, and the others say more."""
    result = truncated({str(number): 'x' * 100 for number in range(50)}, 1024)
    assert result['truncated']['dropped_fields'] > 0
    assert all(len(text.encode()) >= 16 for name, text in result.items() if name != 'truncated')


def test_strings_inside_objects_and_lists_are_cut_too():
    """A traceback within `exception` gives before the message does."""
    event = {
        'message': 'short',
        'exception': {'type': 'E', 'traceback': 't' * 9000},
        'tags': ['ok', 'g' * 9000],
    }
    result = truncated(event, 1024)
    assert result['message'] == 'short'
    assert result['exception']['type'] == 'E'
    assert result['exception']['traceback'].endswith('t…')
    assert result['tags'][0] == 'ok'
    assert result['tags'][1].endswith('g…')


@pytest.mark.parametrize('character', [*'é日🔥\n"\\\x01', '\\"', '\x1f\\', 'aé\\n🔥'])
def test_a_string_is_cut_between_characters(character):
    """Neither a character of several bytes nor an escape is torn, at any length."""
    text = character * 200
    line = line_of({'message': text})
    for limit in range(80, 140):
        message = orjson.loads(truncate(line, limit))['message']
        assert message.endswith('…')
        assert text.startswith(message[:-1])
        assert len(truncate(line, limit)) > limit - 7


def test_a_huge_list_of_numbers_becomes_its_text_and_the_rest_is_kept():
    """Where the bulk is not in strings, the largest field gives."""
    result = truncated({'message': 'm' * 300, 'numbers': list(range(100_000)), 'user': 'ada'}, 1024)
    assert result['message'] == 'm' * 300
    assert result['numbers'].startswith('[0,1,2,')
    assert result['numbers'].endswith('…')
    assert result['user'] == 'ada'


def test_a_huge_object_becomes_its_text():
    """A tree of ten thousand small values is cut like a string."""
    result = truncated(
        {'message': 'm', 'tree': {str(number): {'n': number} for number in range(10_000)}}, 1024
    )
    assert result['tree'].startswith('{"0":{"n":0}')
    assert result['message'] == 'm'


def test_a_huge_key_is_left_out_and_counted():
    """A key cannot be cut without becoming another; its field goes, the others stay."""
    result = truncated({'message': 'm' * 300, 'k' * 5000: 1, 'user': 'ada'}, 1024)
    assert result['message'] == 'm' * 300
    assert result['user'] == 'ada'
    assert result['truncated']['dropped_fields'] == 1


def test_too_many_keys_are_left_out_from_the_end():
    """The first fields are the event's own: they stay."""
    result = truncated({'message': 'Ahoy', **{f'key-{number}': number for number in range(10_000)}}, 1024)
    assert result['message'] == 'Ahoy'
    assert result['key-0'] == 0
    assert result['truncated']['dropped_fields'] == 10_001 - (len(result) - 1)


def test_deep_nesting_is_cut():
    """Bulk at the bottom of 250 levels is found."""
    deep = 'x' * 5000
    for _ in range(250):
        deep = [deep]
    result = truncated({'message': 'm', 'deep': deep}, 1024)
    assert result['message'] == 'm'


def test_a_field_called_truncated_is_kept():
    """Our own key gets underscores until it is free."""
    line = line_of({'truncated': 'mine', 'truncated_': 'too', 'message': 'x' * 500})
    result = orjson.loads(truncate(line, 200))
    assert result['truncated'] == 'mine'
    assert result['truncated_'] == 'too'
    assert result['truncated__'] == {'original_bytes': len(line)}


@pytest.mark.parametrize('own', [{'Truncated': 'mine'}, {'TRUNCATED': 'mine', 'Truncated_': 'too'}])
def test_the_mark_differs_from_each_field_by_more_than_case(own):
    """Athena and Glue would not read the file."""
    line = line_of({**own, 'message': 'x' * 500})
    result = orjson.loads(truncate(line, 300))
    assert result['truncated' + '_' * len(own)] == {'original_bytes': len(line)}


def test_an_event_that_is_cut_twice_says_both_sizes():
    """The first size is a fact of the event by then, and stays."""
    line = line_of({'message': 'x' * 5000})
    result = orjson.loads(truncate(truncate(line, 1024), 512))
    assert result['truncated'] == {'original_bytes': len(line)}
    assert result['truncated_'] == {'original_bytes': 1024}


@pytest.mark.parametrize('limit', [-1, 0, 1, 10, 37])
def test_where_nothing_fits_the_smallest_mark_is_left(limit):
    """34 bytes and the digits of the size."""
    assert truncate(line_of({'message': 'x' * 5000}), limit) == b'{"truncated":{"original_bytes":5015}}\n'
    assert len(b'{"truncated":{"original_bytes":5015}}\n') == 34 + 4


def test_text_is_cut_at_a_character_and_says_its_size():
    """What is not JSON is kept as far as it goes, with a mark at its end."""
    line = ('é' * 1000).encode() + b'\n'
    for limit in (100, 101):
        cut = truncate(line, limit)
        assert limit - 1 <= len(cut) <= limit
        assert cut.decode().startswith('ééé')
        assert cut.endswith(b'\xc3\xa9 [truncated from 2001 bytes]\n')


@pytest.mark.parametrize('limit', [-1, 0, 10, 28])
def test_where_no_text_fits_the_mark_is_left(limit):
    """24 bytes and the digits of the size."""
    assert truncate(b'x' * 5000 + b'\n', limit) == b'[truncated from 5001 bytes]\n'
    assert len(b'[truncated from 5001 bytes]\n') == 24 + 4


def test_text_that_is_not_utf_8_is_cut():
    """A foreign formatter may return any bytes."""
    assert len(truncate(b'\xff' * 1000 + b'\n', 100)) == 100
    assert len(truncate(b'\x80' * 1000 + b'\n', 100)) <= 100


def test_an_escape_of_the_spool_is_not_torn():
    """Half an escape would swallow the first byte of the mark."""
    line = b'a\x1an' * 1000 + b'\n'
    for limit in range(60, 70):
        assert b'\x1a [' not in truncate(line, limit)


def test_broken_json_is_text():
    """A line that only looks like JSON is cut like any other."""
    cut = truncate(b'{"message": "' + b'x' * 1000 + b'\n', 100)
    assert cut.startswith(b'{"message": "xxx')
    assert cut.endswith(b'x [truncated from 1014 bytes]\n')


def test_json_that_is_no_object_is_text():
    """A list has no place for a key."""
    assert truncate(line_of([1] * 1000), 100).endswith(b' [truncated from 2002 bytes]\n')


@pytest.mark.parametrize(
    'odd',
    [
        'NaN',
        'Infinity',
        '"\\ud800"',
        '1e999',
        '9' * 50,
        '[' * 300 + ']' * 300,
        '{"a":' * 300 + '1' + '}' * 300,
    ],
)
def test_json_of_another_encoder_stays_json(odd):
    """What orjson does not read, or does not write, is still an object afterwards."""
    line = f'{{"odd": {odd}, "user": "ada", "message": "{"x" * 3000}"}}\n'.encode()
    result = orjson.loads(truncate(line, 2048))
    assert result['user'] == 'ada'
    assert result['message'].endswith('x…')
    assert result['truncated'] == {'original_bytes': len(line)}


def test_json_with_spaces_is_made_compact():
    """Spaces go before content does."""
    line = json.dumps({'message': 'm' * 100, 'numbers': list(range(100))}).encode() + b'\n'
    result = orjson.loads(truncate(line, len(line) - 1))
    assert result['message'] == 'm' * 100
    assert result['numbers'] == list(range(100))


def test_an_error_on_the_way_leaves_the_mark(monkeypatch):
    """Out of memory, an event is still an event."""

    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr('firefighter._event.oversize._parse', exhausted)
    assert truncate(line_of({'message': 'x' * 5000}), 1024) == b'{"truncated":{"original_bytes":5015}}\n'


@pytest.mark.parametrize(
    'bulk', ['x' * 10_000_000, '\n"é' * 2_000_000, list(range(1_000_000)), ['ab'] * 1_000_000]
)
def test_ten_megabytes_are_cut(bulk):
    """Nothing on the way is quadratic: that would not end within the suite's deadline."""
    assert truncated({'message': 'm', 'bulk': bulk}, 1_024_000)['message'] == 'm'
    assert truncated({'message': 'm', 'bulk': bulk}, 1024)['message'] == 'm'


def test_a_million_keys_are_cut():
    """Nor is the choice of fields."""
    result = truncated({f'k{number}': number for number in range(700_000)}, 1_024_000)
    assert result['truncated']['dropped_fields'] > 500_000
