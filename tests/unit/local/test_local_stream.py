"""What does a stream do with what it cannot write?"""

from __future__ import annotations

import pytest

from firefighter.local.buffering import BufferingHints
from firefighter.local.configuration import settings
from firefighter.local.folder import Folder
from firefighter.local.protocol import Moment
from firefighter.local.streams import RETRY_SECONDS, Stream


@pytest.fixture
def stream():
    """Make a stream to S3 that delivers after a minute, or at ten bytes."""
    hints = BufferingHints(size_bytes=10, interval_seconds=60)
    return Stream('foo', 'DirectPut', settings({'DeliveryStreamName': 'foo'}, hints), created=Moment(0, 0))


def test_what_cannot_be_written_is_kept_and_tried_again_soon(stream, tmp_path):
    """Not only when the next record comes; and in the order of arrival, each once."""
    folder = Folder(tmp_path)
    (tmp_path / 'logs').write_text('not a folder')
    stream.accept([b'0123456789', b'abcdefghij'], Moment(100, 0), folder)
    assert stream.unwritten().records == 2
    assert stream.due_at() == 100 + RETRY_SECONDS

    (tmp_path / 'logs').unlink()
    stream.accept([b'x'], Moment(101, 0), folder)
    stream.flush(Moment(101, 0), folder)
    assert stream.unwritten() is None
    assert stream.due_at() is None
    assert sorted(path.read_bytes() for path in tmp_path.rglob('foo-1-*')) == [
        b'0123456789',
        b'abcdefghij',
        b'x',
    ]
    assert (stream.account.objects, stream.account.write_errors) == (3, 1)


def test_an_empty_stream_writes_nothing(stream, tmp_path):
    """No object without a record."""
    stream.flush(Moment(0, 0), Folder(tmp_path))
    assert stream.unwritten() is None
    assert stream.account.objects == 0
