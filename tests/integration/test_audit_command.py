"""Does `firefighter audit` tell whether anything is missing, for people and for scripts, in a folder and in S3?"""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from delivered_objects import FIRST, OBJECTS, SECOND, check, event, marker
from firefighter._delivery.codecs import INSTALL_ZSTD
from firefighter.cli.main import main

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
    """The local endpoint writes into a folder that begins with a dot, and then renames."""
    folder = store(tmp_path, {'a': event(FIRST, 0), '.incoming/b': event(FIRST, 7), '.c': event(FIRST, 9)})
    _, _, totals = audit(folder)
    assert (totals['objects'], totals['events']) == (1, 1)


def test_one_file_can_be_audited(audit, folder):
    """By its own name."""
    _, _, totals = audit(folder / 'logs/2026/11/25/10/a')
    assert (totals['objects'], totals['events']) == (1, 3)


def test_an_object_that_is_damaged_is_named_and_the_rest_is_read(tmp_path, capsys):
    """Whoever gets the status 0 may believe it: where not everything was seen, it is 1."""
    folder = store(tmp_path, {'a.gz': gzip.compress(event(FIRST, 0) * 1000)[:-9], 'b': event(SECOND, 0)})
    assert main(['audit', str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.err == (f'firefighter audit: {folder}/a.gz: it ends in the middle of what is compressed\n')
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


@pytest.mark.parametrize('body', [b'{"message":"no id"}\n', b'no JSON\n', b''])
def test_where_no_event_has_an_id_the_status_is_2(body, tmp_path, capsys):
    """Whoever has forgotten `event_ids` must not be told that nothing is missing."""
    assert main(['audit', str(store(tmp_path / 'delivered', {'object': body}))]) == 2
    assert 'event_ids=True' in capsys.readouterr().err


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


def test_on_a_terminal_it_shows_how_far_it_is(folder, monkeypatch):
    """On stderr, gone afterwards."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, 'stderr', terminal)
    monkeypatch.setenv('TERM', 'xterm')
    assert main(['audit', str(folder)]) == 1
    assert 'auditing' in terminal.getvalue()
    assert '100%' in terminal.getvalue()
