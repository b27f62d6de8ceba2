"""Is every line of the delivered files read, and none twice?"""

import pytest

from firefighter._demo.delivered import read_delivered


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_events_are_counted_over_all_files(tmp_path):
    """Files lie in folders by the hour; the same event in two of them is a copy."""
    second = write(tmp_path, '2026/02/b', b'{"worker":1,"number":2}\n{"worker":2,"number":1}\n')
    first = write(tmp_path, '2026/01/a', b'{"worker":1,"number":1,"other":null}\n{"worker":1,"number":2}\n')

    delivered = read_delivered(tmp_path)

    assert delivered.files == (first, second)
    assert delivered.copies == {1: {1: 1, 2: 2}, 2: {1: 1}}
    assert delivered.strangers == 0


@pytest.mark.parametrize(
    'line',
    [b'{"worker":1', b'', b'[1]', b'{"worker":1}', b'{"number":1}', b'{"worker":"1","number":1}', b'\xff'],
)
def test_a_line_that_is_no_event_of_a_worker_is_a_stranger(tmp_path, line):
    """Nothing in the files is passed over."""
    write(tmp_path, 'a', b'{"worker":1,"number":1}\n' + line + b'\n{"worker":1,"number":2}\n')

    delivered = read_delivered(tmp_path)

    assert delivered.strangers == 1
    assert delivered.copies == {1: {1: 1, 2: 1}}


def test_the_files_are_audited_and_a_marker_is_no_stranger(tmp_path):
    """What `firefighter audit` would say."""
    ids = b',"producer":"%s","sequence":' % (b'a' * 32)
    marker = b'{"firefighter_dropped":[{"first":1,"last":1,"reason":"overflow"}]' + ids + b'2}\n'
    write(tmp_path, 'a', b'{"worker":1,"number":1' + ids + b'0}\n' + marker)
    write(tmp_path, 'b', b'{"worker":1,"number":4' + ids + b'4}\n')

    delivered = read_delivered(tmp_path)

    assert delivered.strangers == 0
    assert (delivered.audit.producers, delivered.audit.explained, delivered.audit.unexplained) == (
        1,
        {'overflow': 1},
        1,
    )


def test_only_a_newline_ends_a_line(tmp_path):
    """U+2028 and its like may stand in a message, where JSON leaves them as they are."""
    write(tmp_path, 'a', '{"worker":1,"number":1,"message":"a\u2028b\u0085c"}\n'.encode())

    assert read_delivered(tmp_path).strangers == 0


def test_a_folder_that_was_never_made_holds_nothing(tmp_path):
    """The endpoint makes it with the first file."""
    delivered = read_delivered(tmp_path / 'logs')

    assert (delivered.files, dict(delivered.copies), delivered.strangers) == ((), {}, 0)
