"""Can what an earlier version has left be read, and is what a later one has left alone?

Never change what is under tests/fixtures: those are the files that are out there.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from firefighter._spool.disk import segment_file as headers
from firefighter._spool.disk.recovery import recover

FIXTURES = pathlib.Path(__file__).parents[2] / 'fixtures'
V1 = FIXTURES / 'spool-v1'
EXPECTED = json.loads((V1 / 'expected.json').read_text('utf-8'))
READABLE = {name: expected for name, expected in EXPECTED.items() if 'exact' in expected}

pytestmark = pytest.mark.skipif(sys.byteorder == 'big', reason='the files are from little-endian machines')


def lines(data, recovery):
    return [
        line
        for stretch in recovery.good
        for line in data[stretch.start : stretch.end].decode().splitlines(keepends=True)
    ]


@pytest.mark.parametrize('name', READABLE)
def test_the_header_of_version_1_is_read(name):
    """Stream, destination, ids and numbers, as the fixture's script wrote them."""
    header = headers.parse_header((V1 / name).read_bytes())
    assert (header.version, header.stream, header.first_sequence) == (
        1,
        'bär',
        READABLE[name]['first_sequence'],
    )
    assert header.destination == {'stream': 'bär', 'region': 'eu-west-1', 'profile': None}
    assert header.producer_id.hex() == '00112233445566778899aabbccddeeff'
    known = bytes.fromhex('0e1f6cda3d5e4a0f9d043b1d8d1f2f60')
    assert header.boot_id == (None if name == '0000000000000006.spool' else known)


@pytest.mark.parametrize('name', READABLE)
@pytest.mark.parametrize(('same_boot', 'key'), [(True, 'exact'), (False, 'searched')])
def test_the_events_of_version_1_are_read(name, same_boot, key):
    """Of a crash, of a power loss, of a file that was cut off."""
    data = (V1 / name).read_bytes()
    assert lines(data, recover(data, headers.parse_header(data), same_boot=same_boot)) == READABLE[name][key]


def test_a_newer_version_is_told_and_nothing_else_is_read_of_it():
    """Rolling deploys mix versions: the older program leaves alone what it cannot know."""
    with pytest.raises(headers.NewerVersion) as raised:
        headers.parse_header((V1 / 'newer.spool').read_bytes())
    assert raised.value.version == EXPECTED['newer.spool']['newer']


@pytest.mark.parametrize('name', ['unfinished.spool', 'swapped.spool'])
def test_what_is_no_segment_is_refused_with_its_reason(name):
    """A header never finished; a machine of the other byte order."""
    with pytest.raises(headers.NotASegment, match=EXPECTED[name]['refused']):
        headers.parse_header((V1 / name).read_bytes())


def test_the_files_are_those_that_their_script_writes(tmp_path):
    """So it can be read how they came to be; the script knows nothing of the library."""
    subprocess.run([sys.executable, FIXTURES / 'make_spool_v1.py', tmp_path], check=True, timeout=50)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in V1.iterdir()
    }


def test_the_library_writes_version_1_byte_for_byte_as_the_script_does():
    """Two descriptions of one format."""
    data = (V1 / '0000000000000006.spool').read_bytes()
    page = bytearray(4096)
    headers.write_header(memoryview(page).cast('Q'), headers.parse_header(data))
    assert bytes(page) == data[:4096]


@pytest.mark.parametrize(
    ('command', 'shown'),
    [
        ("tail -c +4097 FILE | tr -d '\\000'", READABLE['0000000000000000.spool']['searched']),
        ('od -A d -t u8 -j 64 -N 8 FILE', ['0000064          25769807998\n', '0000072\n']),
        ('od -A d -t u8 -j 128 -N 8 FILE', ['0000128                 4138\n', '0000136\n']),
    ],
)
def test_a_segment_can_be_read_with_what_every_system_has(command, shown):
    """The commands of docs/spool-format.md."""
    assert command.split(' #')[0] in (FIXTURES.parents[1] / 'docs' / 'spool-format.md').read_text('utf-8')
    done = subprocess.run(
        ['sh', '-c', command.replace('FILE', str(V1 / '0000000000000000.spool'))],
        check=True, timeout=50, capture_output=True, text=True,
    )  # fmt: skip
    assert [' '.join(text.split()) for text in done.stdout.splitlines()] == [
        ' '.join(text.split()) for text in shown
    ]
