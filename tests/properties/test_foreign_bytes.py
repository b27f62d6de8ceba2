"""Whatever is in a delivered object, or in a log, `audit` and `cost` end with a word, and count what can be read."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import zstd_frames
from delivered_objects import event, marker
from depth import depth
from doubles import DEADLINE_SECONDS
from firefighter._cost.reading import entries
from firefighter.cli.main import main
from foreign_objects import FOREIGN
from hangs import within

pytestmark = [pytest.mark.once, pytest.mark.fuzz]

WRAPPINGS = {
    'gzip': lambda data: gzip.compress(data, mtime=0),
    'zstd': zstd_frames.compressed,
    'gzip twice': lambda data: gzip.compress(gzip.compress(data, mtime=0), mtime=0),
    'zstd in gzip': lambda data: gzip.compress(zstd_frames.compressed(data), mtime=0),
    'gzip in zstd': lambda data: zstd_frames.compressed(gzip.compress(data, mtime=0)),
    'plain': bytes,
}
# Whole lines that are nobody's event.
STRANGE = [b'', b'', b'\n', b'\n\n', b'{"no":"id"}\n', b'no JSON\n', b'[1]\n', b'\xff\n', b'{"torn":\n']
# By so many events an object that begins with plain lines is known for a log, whatever comes then: these are 512 bytes.
ENOUGH = 6


class Part(NamedTuple):
    """So many events, and where it is said a marker, wrapped as one, and what comes behind them."""

    events: int
    marked: bool
    wrapping: str
    behind: bytes


parts = st.builds(
    Part, st.integers(0, 5), st.booleans(), st.just('plain'), st.sampled_from(STRANGE)
) | st.builds(
    Part,
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([name for name in WRAPPINGS if name != 'plain']),
    st.sampled_from(STRANGE) | st.integers(0, 700).map(bytes),
)
rubbish = st.one_of(
    st.binary(max_size=700),
    st.sampled_from([body for body, _ in FOREIGN.values()]).map(lambda body: body[:2000]),
    st.sampled_from(
        [
            gzip.compress(b'')[:10],
            b'\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00',
            b'\x1f\x8b\x08',
            b'\x28\xb5\x2f\xfd',
            b'\xef\xbb\xbf',
        ]
    ),
    st.sampled_from(
        [b'[' * 50_000 + b'\n', b'{"producer":' * 5000 + b'\n', b'9' * 5000 + b'\n', b'"\\ud800"\n']
    ),
    st.just(gzip.compress(b'x' * 5_000_000)),
    st.builds(
        lambda producer, sequence, dropped: (
            json.dumps({'producer': producer, 'sequence': sequence, 'firefighter_dropped': dropped}).encode()
            + b'\n'
        ),
        st.sampled_from(['1' * 32, 'f' * 31, '', None, 5, 'G' * 32]),
        st.sampled_from([0, 7, 2**53 - 1, 2**53, -1, 1.0, None, True, '1', 10**30]),
        st.recursive(
            st.none()
            | st.integers(0, 2**53)
            | st.sampled_from(['first', 'last', '\x1b[2J'])
            | st.fixed_dictionaries(
                {
                    'first': st.integers(-1, 9),
                    'last': st.integers(0, 2**54),
                    'reason': st.sampled_from(['overflow', None, '\x1b', '']),
                }
            ),
            st.lists,
            max_leaves=4,
        ),
    ),
)


@st.composite
def objects(draw):
    """The parts of an object that are as they were written, with what is behind them; and whatever comes then."""
    whole = draw(st.lists(parts, max_size=4))
    if whole and whole[0].wrapping == 'plain':
        whole[0] = whole[0]._replace(events=ENOUGH)
    tail = b''
    for action in draw(st.lists(st.sampled_from(['rubbish', 'part', 'cut', 'change', 'repeat']), max_size=4)):
        if action == 'rubbish':
            tail += draw(rubbish)
        elif action == 'part':
            tail += WRAPPINGS[draw(st.sampled_from(sorted(WRAPPINGS)))](
                event('0' * 32, draw(st.integers(0, 9))) * 9
            )
        elif tail:
            start = draw(st.integers(0, len(tail) - 1))
            if action == 'cut':
                tail = tail[start:] if draw(st.booleans()) else tail[:start]
            elif action == 'change':
                tail = tail[:start] + draw(st.binary(max_size=4)) + tail[start + draw(st.integers(0, 4)) :]
            else:
                tail = tail[:start] + tail[start:] * draw(st.sampled_from([2, 50]))
    return whole, tail


def stored(producer: str, whole: Sequence[Part], tail: bytes) -> tuple[bytes, int]:
    """Return an object, and how many events of its own producer are in the parts that are whole."""
    data, number = b'', 0
    for part in whole:
        lines = b''.join(event(producer, number + index) for index in range(part.events))
        number += part.events
        if part.marked:
            lines += marker(producer, number, 0, 3)
            number += 1
        data += WRAPPINGS[part.wrapping](lines) + part.behind
    return data + tail, number


def run(*words: object) -> tuple[int, str, str]:
    """Run a command in this process; return its status and what it writes."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), within(DEADLINE_SECONDS):
        status = main([*map(str, words)])
    note(f'{words[0]}: {status}, {out.getvalue()[-500:]}, {err.getvalue()[-500:]}')
    assert status in {0, 1, 2}
    assert 'Traceback' not in err.getvalue()
    for text in (out.getvalue(), err.getvalue()):
        assert text.replace('\n', '').isprintable()
        assert text.endswith('\n') or not text
    return status, out.getvalue(), err.getvalue()


@given(st.lists(objects(), min_size=1, max_size=3), st.sampled_from([[], ['--partial']]))
def test_an_audit_counts_what_can_be_read_of_any_object(drawn, options):
    """Each event of the parts before the first strange byte is counted, and none that is not there; the status is 0, 1 or 2."""
    with tempfile.TemporaryDirectory() as folder:
        expected = {}
        for index, (whole, tail) in enumerate(drawn):
            producer = f'{index}' + 'a' * 31
            data, events = stored(producer, whole, tail)
            Path(folder, f'{index}').write_bytes(data)
            expected[producer] = events, tail
        run('audit', folder, *options)
        status, out, _ = run('audit', folder, '--json', *options)
    rows = {row['producer']: row for row in map(json.loads, out.splitlines())}
    nothing = {'events': 0, 'unexplained': 0}
    for producer, (events, tail) in expected.items():
        found = rows.get(producer, nothing)
        assert found['events'] == events
        assert not found['unexplained']
        assert tail or status != 1 or len(drawn) > 1


@settings(max_examples=depth(8, 40))
@given(objects(), st.booleans())
def test_a_log_of_any_bytes_is_read_as_far_as_it_goes(drawn, with_pattern):
    """Of whole parts every event is an entry as it is; the bill is computed, or the reason is said."""
    whole, tail = drawn
    data, events = stored('a' * 32, whole, tail)
    if not tail:
        read = [entry for entry in entries([io.BytesIO(data)]) if isinstance(entry, bytes)]
        assert sum(b'"producer": "%s"' % (b'a' * 32) in entry for entry in read) == events
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, 'log').write_bytes(data)
        options = ['--entry-begins', '^.*"producer"'] if with_pattern else []
        # At a rate that makes few events of the half hour that is played.
        status, out, err = run('cost', Path(folder, 'log'), '--json', '--events-per-second=0.1', *options)
    assert (status == 2) == bool(err), err
    assert bool(out) != bool(err)
    assert all(json.loads(row)['way'] for row in out.splitlines())
