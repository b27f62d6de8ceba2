"""What does a handler make of what a power loss has left in its directory? Nothing good is lost, nothing torn is sent."""

from __future__ import annotations

import json
import os
import sys

import pytest

from doubles import AcceptingClient
from firefighter._spool.layout import HEADER_BYTES
from spool_files import WrittenProducer, line

if sys.platform == 'win32':
    pytest.skip('there is no spool on disk on Windows', allow_module_level=True)

LINES = [line(f'{number:02}') for number in range(20)]
LINE_BYTES = len(LINES[0])


def nothing(segment):
    """All had been written."""


def zeros_within_two_lines(segment):
    segment.damage(5 * LINE_BYTES + 10, bytes(LINE_BYTES))


def a_stretch_that_never_came(segment):
    segment.damage(3 * LINE_BYTES, bytes(4 * LINE_BYTES))


def an_older_state_of_the_page(segment):
    segment.damage(8 * LINE_BYTES, bytes(12 * LINE_BYTES))


def the_file_cut_off(segment):
    os.truncate(segment.path, HEADER_BYTES + 10 * LINE_BYTES + 7)


def half_a_header(segment):
    segment.damage(-HEADER_BYTES, bytes(HEADER_BYTES // 2))


def a_header_that_never_came(segment):
    segment.damage(-HEADER_BYTES, bytes(HEADER_BYTES))


def its_name(segment):
    segment.path.rename(segment.path.with_name('.tmp-0123456789abcdef'))


def its_name_and_its_header(segment):
    a_header_that_never_came(segment)
    its_name(segment)


def words_of_before(segment):
    segment.words[8] = HEADER_BYTES
    segment.words[16] = HEADER_BYTES


ALL = range(20)
# What of the 20 events is still good, and how many bytes belong to no whole event.
LOSSES = {
    nothing: (ALL, 0),
    words_of_before: (ALL, 0),
    zeros_within_two_lines: ([*range(5), *range(7, 20)], LINE_BYTES),
    # The zeros have taken a newline with them, so nothing says where the line behind them begins.
    a_stretch_that_never_came: ([*range(3), *range(8, 20)], LINE_BYTES),
    an_older_state_of_the_page: (range(8), 0),
    the_file_cut_off: (range(10), 7),
    half_a_header: (ALL, 0),
    a_header_that_never_came: (ALL, 0),
    its_name: (ALL, 0),
    its_name_and_its_header: (ALL, 0),
}


@pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: loss.__name__)
def test_what_is_good_is_delivered_once_and_what_is_torn_is_put_aside_and_counted(
    loss, tmp_path, make_handler
):
    """The machine has been booted since: neither word of the header is believed."""
    good, torn_bytes = LOSSES[loss]
    producer = WrittenProducer(tmp_path / 'spool')
    segment = producer.segment(*LINES, boot=bytes(range(16)))
    loss(segment)
    producer.die()
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client, spool_dir=tmp_path / 'spool')
    assert handler.flush()
    stats = handler.stats()
    handler.close()
    assert [json.loads(event)['message'] for event in client.events] == [f'{number:02}' for number in good]
    assert stats.adopted == stats.delivered == len(good)
    assert stats.quarantined_bytes == torn_bytes
    quarantine = next((tmp_path / 'spool').glob('*/*/quarantine'), None)
    assert (quarantine is not None) == bool(stats.quarantined_bytes)
    heir = make_handler('bar', boto3_client=client, spool_dir=tmp_path / 'spool')
    assert heir.flush()
    assert (heir.stats().adopted, heir.stats().quarantined_bytes) == (0, 0), 'read twice'
