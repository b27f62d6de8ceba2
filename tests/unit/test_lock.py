"""A lock that no exception leaves taken. With one at each bytecode: tests/faults/test_each_bytecode.py, `accounting`."""

from __future__ import annotations

import _thread

import pytest

from firefighter._process.lock import locked, run_locked


class Interrupted(BaseException):
    """Comes from nowhere."""


class Counter:
    """Something with a lock."""

    def __init__(self) -> None:
        self._lock = _thread.RLock()
        self.total = 0

    @locked
    def add(self, number: int, *, times: int = 1) -> int:
        assert self._lock._is_owned()  # type: ignore[attr-defined]
        self.total += number * times
        return self.total

    @locked
    def add_twice(self, number: int) -> int:
        self.add(number)
        assert self._lock._is_owned()  # type: ignore[attr-defined]
        return self.add(number)


def test_a_locked_method_holds_the_lock_takes_arguments_and_returns():
    """And its name and its docstring are its own."""
    counter = Counter()
    assert counter.add(2, times=3) == 6
    assert counter.add_twice(1) == 8
    assert not counter._lock._is_owned()
    assert Counter.add.__name__ == 'add'


def test_who_holds_the_lock_already_keeps_it():
    """A signal handler has interrupted the frame that took it, and that frame gives it back."""
    lock = _thread.RLock()
    with lock:
        run_locked(lock, int)
        assert lock._is_owned()
    assert not lock._is_owned()


def test_what_the_function_raises_comes_out_and_the_lock_is_free():
    """Also where it is no Exception."""
    lock = _thread.RLock()

    def fail():
        raise Interrupted

    with pytest.raises(Interrupted):
        run_locked(lock, fail)
    assert not lock._is_owned()
