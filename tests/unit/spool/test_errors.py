"""What is done about which error of a disk: the table of `errors.py`."""

from __future__ import annotations

import errno
import os

import pytest

from firefighter._spool.disk.errors import BoundReached, Remedy, SpoolUnusable, remedy_for, translate_errors

NOT_NOW = [
    'EACCES',
    'EBADF',
    'EDQUOT',
    'EEXIST',
    'EFAULT',
    'EFBIG',
    'EINVAL',
    'EIO',
    'EISDIR',
    'ELOOP',
    'EMFILE',
    'ENFILE',
    'ENODEV',
    'ENOENT',
    'ENOLCK',
    'ENOMEM',
    'ENOSPC',
    'ENOTDIR',
    'ENXIO',
    'EOPNOTSUPP',
    'EPERM',
    'EROFS',
    'ESTALE',
]


@pytest.mark.parametrize('name', NOT_NOW)
def test_what_the_disk_says_may_be_over_at_the_next_look(name):
    """Whichever number it has, and whoever tells it."""
    number = getattr(errno, name)
    assert remedy_for(OSError(number, os.strerror(number))) is Remedy.MEMORY_FOR_NOW
    with pytest.raises(SpoolUnusable) as caught, translate_errors('/spool'):
        raise OSError(number, os.strerror(number))
    assert remedy_for(caught.value) is Remedy.MEMORY_FOR_NOW


@pytest.mark.parametrize(
    'error',
    [
        SpoolUnusable('Windows'),
        OSError('a spool on disk needs Linux or macOS'),
        OSError(errno.ENAMETOOLONG, 'File name too long'),
    ],
)
def test_what_no_disk_can_change_is_tried_when_the_handler_is_opened_again(error):
    """Looking every 30 seconds would find the same."""
    assert remedy_for(error) is Remedy.MEMORY_UNTIL_REOPENED


@pytest.mark.parametrize('error', [BoundReached('max_directory_bytes is reached'), MemoryError()])
def test_a_bound_is_left_to_the_overflow_policy(error):
    """Memory beyond it would make it none."""
    assert remedy_for(error) is Remedy.OVERFLOW
