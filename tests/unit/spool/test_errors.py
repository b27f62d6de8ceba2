"""What is done about which error of a disk: the table of `errors.py`."""

from __future__ import annotations

import errno
import os

import pytest

from firefighter._spool.disk.errors import SpoolUnusable, is_not_now, translate_errors

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
    with pytest.raises(SpoolUnusable) as caught, translate_errors('/spool'):
        raise OSError(number, os.strerror(number))
    assert is_not_now(caught.value)


@pytest.mark.parametrize(
    'error',
    [
        SpoolUnusable('Windows'),
        SpoolUnusable('File name too long', errno.ENAMETOOLONG),
    ],
)
def test_what_no_disk_can_change_is_tried_when_the_handler_is_opened_again(error):
    """Looking every 30 seconds would find the same."""
    assert not is_not_now(error)
