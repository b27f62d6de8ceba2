"""Does a forked child know that it is one, without a hook and without a system call?"""

import os
import subprocess
import sys

import pytest

from firefighter._process.open_mark import Mark, ProcessMark, make_mark, wiped_page

linux = pytest.mark.skipif(sys.platform != 'linux', reason='needs a fork made in C')


@pytest.mark.parametrize('make', [make_mark, ProcessMark])
def test_a_mark_is_unset_until_it_is_set(make):
    """And unset again."""
    mark: Mark = make()
    seen = [mark[0]]
    for value in (1, 0):
        mark[0] = value
        seen.append(mark[0])
    assert seen == [0, 1, 0]


@linux
@pytest.mark.parametrize('make', ['make_mark', 'ProcessMark'])
@pytest.mark.parametrize('fork', ['os.fork()', 'ctypes.PyDLL(None).fork()'])
def test_a_forked_child_finds_the_mark_unset(make, fork):
    """So does its own child after it has set it; and the parent finds it set still."""
    program = f"""
import ctypes, os
from firefighter._process.open_mark import {make}
mark = {make}()
mark[0] = 1
child = {fork}
if not child:
    seen = mark[0]
    mark[0] = 1
    grandchild = {fork}
    if not grandchild:
        os._exit(mark[0])
    os._exit(seen or os.waitpid(grandchild, 0)[1])
assert os.waitpid(child, 0)[1] == 0
assert mark[0] == 1
"""
    subprocess.run([sys.executable, '-W', 'ignore', '-c', program], check=True, timeout=30)


@linux
@pytest.mark.parametrize('answers', [{18: OSError()}, {18: None, -1: None}])
def test_no_page_is_trusted_that_may_not_be_wiped(answers, monkeypatch):
    """A kernel without it says no; an emulator says yes to everything, nonsense included."""

    class Page:
        def __init__(self, *_args: object, **_flags: object) -> None:
            pass

        def madvise(self, advice: int) -> None:
            if answers[advice]:
                raise answers[advice]

    monkeypatch.setattr('mmap.mmap', Page)
    assert wiped_page() is None
    mark = make_mark()
    mark[0] = 1
    assert mark[0] == int(os.getpid() > 0)
