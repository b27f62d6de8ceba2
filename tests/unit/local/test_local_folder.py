"""Is the folder a safe place in place of S3?"""

from __future__ import annotations

import shutil
import threading

import pytest

from firefighter.local.folder import Folder, check_bucket, check_key_part
from firefighter.local.protocol import ServiceError


def test_an_object_is_never_seen_before_it_is_whole(tmp_path):
    """A reader may list the bucket at any time."""
    folder = Folder(tmp_path)
    body = b'x' * 1_000_000
    sizes, finished = set(), threading.Event()

    def read():
        while not finished.is_set():
            sizes.update(path.stat().st_size for path in (tmp_path / 'logs').rglob('*') if path.is_file())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        folder.write('logs', f'2026/{number}', body)
    finished.set()
    reader.join()
    assert sizes <= {len(body)}
    assert len(list((tmp_path / 'logs' / '2026').iterdir())) == 40


def test_an_object_that_cannot_be_written_leaves_nothing(tmp_path):
    """Neither in the bucket nor beside it."""
    folder = Folder(tmp_path)
    (tmp_path / 'logs').write_text('not a folder')
    with pytest.raises(OSError, match='logs'):
        folder.write('logs', 'key', b'x')
    folder.close()
    assert [path.name for path in tmp_path.iterdir()] == ['logs']


def test_a_folder_that_is_emptied_meanwhile_is_written_to_again(tmp_path):
    """A person who watches it may start afresh at any time."""
    folder = Folder(tmp_path / 'out')
    shutil.rmtree(tmp_path / 'out')
    folder.write('logs', 'key', b'x')
    assert folder.read('logs') == b'x'


@pytest.mark.parametrize('name', ['', 'ab', '..', '.incoming', 'a..b', 'A-bucket', 'a/b', 'x' * 64])
def test_a_bucket_that_s3_would_not_have_is_refused(name):
    """Some of them would lead out of the folder."""
    with pytest.raises(ServiceError):
        check_bucket(name)


@pytest.mark.parametrize('part', ['/etc/', 'a/../../b/', './a', 'a\\b', 'a\0'])
def test_a_key_that_would_lead_elsewhere_is_refused(part):
    """S3 takes any of them; a folder must not."""
    with pytest.raises(ServiceError):
        check_key_part(part)
