"""Does `firefighter audit` tell whether anything is missing, for people and for scripts, in a folder and in S3?"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import zstd_frames
from delivered_objects import FIRST, OBJECTS, SECOND, check, event, marker
from firefighter._delivery.compression import INSTALL_ZSTD
from firefighter.cli.main import main
from firefighter.local import LocalFirehose
from foreign_objects import FOREIGN
from programs import MOST_KIB

RUN = [
    sys.executable,
    '-W',
    'error',
    '-c',
    'import sys; from firefighter.cli.main import main; sys.exit(main())',
    'audit',
]


def store(folder, objects):
    for name, body in objects.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


@pytest.fixture
def folder(tmp_path):
    return store(tmp_path / 'delivered', OBJECTS)


@pytest.fixture
def audit(capsys):
    """Run the command; return its status, each producer's row, and the totals."""

    def audit(*words):
        status = main(['audit', *map(str, words), '--json'])
        *rows, totals = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        return status, {row['producer']: row for row in rows}, totals

    return audit


def test_every_producer_of_a_folder_is_accounted_for(audit, folder):
    """Plain, gzip and zstd; gaps with a marker and without; copies; lines that are no events of ours."""
    check(audit(folder))


def test_each_field_is_documented(audit, folder):
    """Every name that a line has, and no other, in the order in which it has them."""
    page = (Path(__file__).parents[2] / 'docs' / 'delivery-guarantees.md').read_text('utf-8')
    of_a_producer, sums, of_all = re.search(
        r'<!-- begin: audit json -->\n(.*?)\n\n(In the last line .*?)\n\n(.*?)\n<!-- end', page, re.DOTALL
    ).groups()
    _, rows, totals = audit(folder)
    for row in rows.values():
        assert re.findall(r'^\| `(\w+)`', of_a_producer, re.MULTILINE) == list(row)
    documented = re.findall(r'`(\w+)`', sums) + re.findall(r'^\| `(\w+)`', of_all, re.MULTILINE)
    assert sorted(documented) == sorted(totals)
    assert totals['producer'] is None


def test_nothing_missing_is_status_0(audit, tmp_path):
    """And a gap that a marker explains is no reason for another."""
    folder = store(tmp_path, {'a': event(FIRST, 0) + marker(FIRST, 2, 1, 1)})
    status, _, totals = audit(folder)
    assert (status, totals['explained'], totals['unexplained']) == (0, {'overflow': 1}, 0)


def test_a_part_begins_where_it_begins(audit, tmp_path):
    """An hour of many: what is before it is not missed, what is missing in it is."""
    folder = store(tmp_path, {'a': event(FIRST, 17) + event(FIRST, 18) + event(FIRST, 20)})
    status, rows, totals = audit(folder)
    assert (status, totals['unexplained'], totals['before_first']) == (1, 18, 17)
    status, rows, totals = audit(folder, '--partial')
    assert (status, totals['unexplained'], rows[FIRST]['gaps']) == (1, 1, [[19, 19]])


def test_unfinished_files_are_left_out(audit, tmp_path):
    """The local endpoint writes into a folder beside the buckets, and then renames."""
    folder = store(tmp_path, {'a': event(FIRST, 0), '.incoming/b': event(FIRST, 7)})
    _, _, totals = audit(folder)
    assert (totals['objects'], totals['events']) == (1, 1)


@pytest.mark.parametrize('name', ['.b', '.logs/b', 'logs/.incoming/b', '...'])
def test_a_name_that_begins_with_a_dot_is_a_name(audit, tmp_path, name):
    """As it is in S3, where any key may have it: a stream's prefix may be `.logs/`."""
    folder = store(tmp_path, {'a': event(FIRST, 0), name: event(FIRST, 1)})
    status, _, totals = audit(folder)
    assert (status, totals['objects'], totals['events']) == (0, 2, 2)


@pytest.mark.parametrize(
    ('body', 'events'),
    [
        (b'\xef\xbb\xbf' + event(FIRST, 0), 1),
        (event(FIRST, 0) + b'\xef\xbb\xbf' + event(FIRST, 1), 2),
        (gzip.compress(b'\xef\xbb\xbf' + event(FIRST, 0)), 1),
        (gzip.compress(event(FIRST, 0)) + bytes(4096), 1),
        (event(FIRST, 0) + bytes(512), 1),
        (event(FIRST, 0) + b'\xef\xbb\xbf\n \t\r\n', 1),
    ],
    ids=['mark', 'mark in the middle', 'mark in gzip', 'gzip and NULs', 'NULs', 'mark alone'],
)
def test_padding_and_byte_order_marks_are_nothing(audit, tmp_path, body, events):
    """Tools that copy and concatenate files write them; no event is missing for it, and none is torn."""
    status, _, totals = audit(store(tmp_path, {'a': body}))
    assert (status, totals['events'], totals['not_json']) == (0, events, 0)


@pytest.mark.parametrize('name', FOREIGN)
def test_what_firehose_writes_that_has_no_lines_is_named_and_the_rest_is_read(tmp_path, capsys, name):
    """ZIP, Snappy, Parquet: whoever gets the status 0 may believe it, so it is 1."""
    body, title = FOREIGN[name]
    folder = store(tmp_path / 'delivered', {f'0/{name}': body, 'b': event(FIRST, 0)})
    assert main(['audit', str(folder), '--json']) == 1
    printed = capsys.readouterr()
    assert printed.err == (
        f'firefighter audit: {folder}/0/{name}: cannot be read: it is {title}; unpack or convert it first\n'
    )
    totals = json.loads(printed.out.splitlines()[-1])
    assert (totals['objects'], totals['unreadable'], totals['events'], totals['not_json']) == (2, 1, 1, 0)


@pytest.mark.parametrize(('compression', 'status'), [('GZIP', 0), ('ZIP', 2)])
def test_a_stream_that_compresses_by_itself_is_audited_where_that_is_gzip(
    tmp_path, capsys, make_handler, make_logger, compression, status
):
    """From the logging call to the audit."""
    s3 = {'RoleARN': 'arn:aws:iam::123456789012:role/firehose', 'BucketARN': 'arn:aws:s3:::logs'}
    with LocalFirehose(tmp_path / 'delivered') as endpoint:
        endpoint.create_stream(
            'bar', ExtendedS3DestinationConfiguration={**s3, 'CompressionFormat': compression}
        )
        handler = make_handler('bar', endpoint_url=endpoint.url, event_ids=True)
        make_logger(handler).info('Ahoy')
        assert handler.flush()
        endpoint.flush()
    assert main(['audit', str(tmp_path / 'delivered')]) == status
    printed = capsys.readouterr()
    assert ('1 events of 1 producers in 1 objects' in printed.out) == (status == 0)
    assert ('.zip: cannot be read: it is a ZIP archive' in printed.err) == (status == 2)


def test_where_nothing_can_be_read_the_status_is_2(tmp_path, capsys):
    """And a line for each object."""
    folder = store(tmp_path / 'delivered', {name: body for name, (body, _) in FOREIGN.items()})
    assert main(['audit', str(folder)]) == 2
    *each, last = capsys.readouterr().err.splitlines()
    assert len(each) == len(FOREIGN)
    assert last == f'firefighter audit: {folder}: there was nothing to audit: nothing in it can be read'


def test_what_somebody_has_made_to_fill_the_memory_is_named_and_the_rest_is_read(tmp_path):
    """Gzip in gzip, zstd, each in the other, many empty members: what is read takes 64 MiB beyond the lines at most."""
    lines = b'{"a":1}\n' * (1 << 17)
    many = gzip.compress(lines) * 100
    bombs = {
        'gzip-in-gzip': gzip.compress(many),
        'newlines': gzip.compress(gzip.compress(b'\n' * (1 << 20)) * 100),
        'zstd': zstd_frames.compressed(b'{' * (256 << 20)),
        'zstd-in-gzip': gzip.compress(zstd_frames.compressed(b'{' * (256 << 20))),
        'gzip-in-zstd': zstd_frames.compressed(many),
        'zstd-in-zstd': zstd_frames.compressed(zstd_frames.compressed(lines) * 1000),
    }
    harmless = {'members': gzip.compress(gzip.compress(b'') * 100_000), 'z': event(FIRST, 0)}
    folder = store(tmp_path / 'delivered', {**bombs, **harmless})
    done = subprocess.run(
        [sys.executable, '-c', MEASURED, str(folder)], capture_output=True, text=True, check=True
    )
    status, grown_kib = map(int, done.stdout.splitlines()[-1].split())
    assert status == 1
    reason = 'cannot be read: it expands to more than 1,032 times its size, as no log does'
    assert done.stderr.splitlines() == [
        f'firefighter audit: {folder}/{name}: {reason}' for name in sorted(bombs)
    ]
    assert '1 events of 1 producers in 8 objects' in done.stdout
    assert re.search(r'^\d of the objects could not be read', done.stdout, re.MULTILINE)
    assert grown_kib < 64 * 1024


# How much memory the process had at most, beyond what it has when everything is imported.
MEASURED = (
    MOST_KIB
    + """
import sys
from firefighter.cli.main import main

folder = sys.argv[1]
main(['audit', folder + '/z'])
before = most_kib()
status = main(['audit', folder])
print(status, most_kib() - before)
"""
)


def test_one_file_can_be_audited(audit, folder):
    """By its own name."""
    _, _, totals = audit(folder / 'logs/2026/11/25/10/a')
    assert (totals['objects'], totals['events']) == (1, 3)


def test_an_object_that_is_damaged_is_named_and_the_rest_is_read(tmp_path, capsys):
    """Whoever gets the status 0 may believe it: where not everything was seen, it is 1."""
    folder = store(tmp_path, {'a.gz': gzip.compress(event(FIRST, 0) * 1000)[:-9], 'b': event(SECOND, 0)})
    assert main(['audit', str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.err == (
        f'firefighter audit: {folder}/a.gz: cannot be read: it ends in the middle of what is compressed\n'
    )
    assert '2 events of 2 producers in 2 objects' in printed.out
    assert '0 missing and not explained' in printed.out


def test_people_see_what_is_missing_and_where(folder, capsys):
    """The worst producer first."""
    assert main(['audit', str(folder)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        'PRODUCER                          EVENTS  DUPLICATES  EXPLAINED  UNEXPLAINED  WHERE',
        f'{FIRST}       7           1          3            1  9',
        f'{SECOND}       1           0          0            0',
        '',
        '8 events of 2 producers in 4 objects, 1 of them markers',
        '1 duplicates',
        '3 missing and explained: overflow 3',
        '1 missing and not explained',
        '1 events without an id, of which nothing can be said',
        '1 lines that are no JSON: torn, or of another formatter',
    ]


def test_of_many_producers_the_worst_are_listed(tmp_path, capsys):
    """A page of them; the sums are of all."""
    lines = [event(f'{number:032x}', number % 25) for number in range(100)]
    assert main(['audit', str(store(tmp_path, {'a': b''.join(lines)}))]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].split()[1:] == ['1', '0', '0', '24', '0-23']
    assert 'and 80 producers more' in printed
    assert '100 events of 100 producers in 1 objects, 0 of them markers' in printed


NO_KEYS = '[default]\nregion = us-east-1\n'
BROKEN_PROCESS = NO_KEYS + 'credential_process = echo "{SecretAccessKey: shibboleth"\n'


@pytest.mark.parametrize(
    ('configuration', 'said'),
    [
        (NO_KEYS, 'give the process AWS credentials'),
        (BROKEN_PROCESS, 'see to what gives the credentials'),
        (NO_KEYS + 'aws_access_key_id = a\naws_secret_access_key = b\n', 'is the network up'),
    ],
)
def test_a_bucket_that_cannot_be_read_is_said_with_what_to_do(
    configuration, said, tmp_path, monkeypatch, capsys
):
    """Whatever goes wrong in the search for credentials, and without what they say."""
    file = tmp_path / 'config'
    file.write_text(configuration)
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('AWS_CONFIG_FILE', str(file))
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(tmp_path / 'none'))
    monkeypatch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
    monkeypatch.setenv('AWS_MAX_ATTEMPTS', '1')
    assert main(['audit', 's3://bucket', '--endpoint-url', 'http://127.0.0.1:9']) == 2
    err = capsys.readouterr().err
    assert err.startswith('firefighter audit: s3://bucket: ')
    assert said in err
    assert err.count('\n') == 1
    assert 'shibboleth' not in err


@pytest.mark.parametrize('where', ['nowhere', '.', 's3://bucket/prefix'])
def test_where_nothing_is_the_status_is_2(where, tmp_path, monkeypatch, capsys):
    """No folder, an empty one, no way to the bucket: nothing was audited."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'any')
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', 'any')
    words = ['--profile', 'nobody'] if where.startswith('s3') else []
    assert main(['audit', where, *words]) == 2
    assert where.removesuffix('/prefix') in capsys.readouterr().err


def test_without_a_bucket_it_says_to_name_one(capsys):
    """Rather than boto3 its pattern for names."""
    assert main(['audit', 's3://']) == 2
    assert capsys.readouterr().err == 'firefighter audit: s3://: name the bucket, as in s3://BUCKET/PREFIX\n'


@pytest.mark.parametrize(
    ('body', 'why'),
    [
        (b'{"message":"no id"}\n' * 3, '3 events without an id; was it logged with event_ids=True?'),
        (b'no JSON\n', '1 lines that are no JSON; was it logged with event_ids=True?'),
        (b'7\n{\n', '1 events without an id, 1 lines that are no JSON; was it logged with event_ids=True?'),
        (b'', 'nothing but empty files'),
        (b'\n\0\n', 'nothing but empty files'),
        (random.Random(7).randbytes(3_000_000), 'nothing in it can be read'),
    ],
    ids=['without ids', 'text', 'both', 'empty', 'padding', 'noise'],
)
def test_where_no_event_has_an_id_the_status_is_2(body, why, tmp_path, capsys):
    """Whoever has forgotten `event_ids` must not be told that nothing is missing; a nightly check must not stay green for ever."""
    folder = store(tmp_path / 'delivered', {'object': body})
    assert main(['audit', str(folder)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ''
    assert printed.err.splitlines()[-1] == f'firefighter audit: {folder}: there was nothing to audit: {why}'


def test_noise_among_events_is_said(tmp_path, capsys):
    """Which may be events, encrypted: not everything was seen."""
    noise = random.Random(7).randbytes(3_000_000)
    folder = store(tmp_path / 'delivered', {'noise': noise, 'z': event(FIRST, 0)})
    assert main(['audit', str(folder)]) == 1
    told = f'{folder}/noise: cannot be read: it is neither text nor gzip nor zstd\n'
    assert capsys.readouterr().err == f'firefighter audit: {told}'


def test_zstd_without_its_package_is_status_2(folder, monkeypatch, capsys):
    """With what to install."""
    monkeypatch.setitem(sys.modules, 'zstandard', None)
    monkeypatch.setitem(sys.modules, 'compression.zstd', None)
    assert main(['audit', str(folder)]) == 2
    assert INSTALL_ZSTD in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(folder):
    """`firefighter audit DIR | head -1`."""
    process = subprocess.Popen([*RUN, str(folder), '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b'', 0)
    process.stderr.close()


@pytest.mark.parametrize(
    ('redirection', 'count'),
    [('>/dev/full', 1), ('>/dev/full', 20_000), ('>&-', 1)],
    ids=['full', 'full in the middle', 'closed'],
)
def test_where_nothing_can_be_written_there_is_one_line_and_a_status(tmp_path, redirection, count):
    """Never a traceback, and never a success: a full disk, or a stdout that the shell has closed."""
    if not Path('/dev/full').exists():
        pytest.skip('this system has no device that is always full')
    body = b''.join(event(f'{number:032x}', 0) for number in range(count))
    folder = store(tmp_path / 'delivered', {'a': body})
    command = f'exec {shlex.join([*RUN, str(folder), "--json"])} {redirection}'
    surroundings = {name: value for name, value in os.environ.items() if name != 'PYTHONUNBUFFERED'}
    done = subprocess.run(
        ['/bin/sh', '-c', command],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=50,
        env=surroundings,
    )
    said = 'No space left on device' if 'full' in redirection else 'Bad file descriptor'
    assert (done.returncode, done.stderr) == (2, f'firefighter audit: output: {said}\n')


def test_on_a_terminal_it_shows_how_far_it_is(folder, monkeypatch):
    """On stderr, gone afterwards."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, 'stderr', terminal)
    monkeypatch.setenv('TERM', 'xterm')
    assert main(['audit', str(folder)]) == 1
    assert 'auditing' in terminal.getvalue()
    assert '100%' in terminal.getvalue()
