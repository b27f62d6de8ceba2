"""A descriptor: closed once, by whom and whenever, and never in place of another."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from firefighter._process.descriptor import Descriptor


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def open_under(number: int, path: Path) -> None:
    """Open a file under a number that is free; by itself it gets the lowest, which may be of something just collected."""
    opened = os.open(path, os.O_RDONLY)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'file'
    path.touch()
    return path


def test_a_second_close_does_nothing(path):
    """Whoever lets go of something may have been interrupted, and does it again."""
    descriptor = Descriptor(os.open(path, os.O_RDONLY))
    fd = descriptor.fd
    descriptor.close()
    open_under(fd, path)
    descriptor.close()
    assert is_open(fd)
    os.close(fd)


def test_two_threads_that_close_at_once_close_one_descriptor(path, monkeypatch):
    """The other one comes between the look at the number and the close."""
    descriptor = Descriptor(os.open(path, os.O_RDONLY))
    fd = descriptor.fd
    genuine = os.fstat

    def look(number):
        status = genuine(number)
        monkeypatch.undo()
        descriptor.close()
        assert not is_open(fd)
        open_under(fd, path)
        return status

    monkeypatch.setattr(os, 'fstat', look)
    descriptor.close()
    assert is_open(fd)
    os.close(fd)


def test_one_that_nobody_refers_to_any_more_is_closed(path):
    """An exception between opening and noting leaves nothing open."""
    descriptor = Descriptor(os.open(path, os.O_RDONLY))
    fd = descriptor.fd
    del descriptor
    gc.collect()
    assert not is_open(fd)


def test_a_number_that_was_lost_stays_lost_when_our_next_file_is_the_same_under_the_same_number(path):
    """So are the locks when they are taken again after a daemoniser: the old object must not close the new one's."""
    old = Descriptor(os.open(path, os.O_RDONLY))
    fd = old.fd
    os.close(fd)
    assert not old.ours()
    open_under(fd, path)
    new = Descriptor(fd)
    assert not old.ours()
    old.close()
    del old
    gc.collect()
    assert new.ours()
    new.close()


def test_an_error_of_close_is_nobodys_trouble(path, monkeypatch):
    """The number is gone all the same."""

    def fail(fd):
        genuine(fd)
        raise OSError(5, 'Input/output error')

    genuine = os.close
    descriptor = Descriptor(os.open(path, os.O_RDONLY))
    monkeypatch.setattr(os, 'close', fail)
    descriptor.close()
    assert descriptor.fd == -1
