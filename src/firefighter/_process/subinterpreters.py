"""Which interpreter runs us: the process's own, or a subinterpreter, one of several in a process.

Servers make subinterpreters to run several programs in one process (mod_wsgi by default, uWSGI), and programs do
(`concurrent.interpreters`). There two things are different. Extension modules may not work (`firefighter._event.encoder`). And it
ends only once all of its threads have ended: one that is left is a fatal error, which ends the whole process.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module

__all__ = ['call_before_threads_end', 'in_subinterpreter', 'start_thread', 'start_thread_without_locks']

# There is no public name before Python 3.14, and `concurrent.interpreters` imports more than it is worth.
_MODULES = ('_interpreters', '_xxsubinterpreters')


@cache
def in_subinterpreter() -> bool:
    """Return whether this is a subinterpreter."""
    for name in _MODULES:
        with suppress(Exception):  # each Python has one of them, an unusual build none
            module = import_module(name)
            return bool(module.get_current() != module.get_main())
    return False


def start_thread(
    make_thread: Callable[..., threading.Thread],
    target: Callable[..., None],
    arguments: tuple[object, ...],
    name: str,
) -> None:
    """Start a thread of ours.

    The exit of the process does not wait for it. The end of a subinterpreter does: it has to. (If it is isolated, Python starts no daemon
    threads in it at all.)
    """
    thread = make_thread(target=target, args=arguments)
    thread.daemon = not in_subinterpreter()
    thread.name = name
    thread.start()


def start_thread_without_locks(run: Callable[[], None]) -> None:
    """Start a thread from the collector, which may have interrupted whoever holds the locks of `threading`.

    Raises:
        RuntimeError: no thread can be started.
    """

    def run_unlisted() -> None:
        try:
            run()
        finally:
            # `threading` has entered this thread into its list, and before Python 3.13 never takes it out by itself.
            threading._active.pop(threading.get_ident(), None)  # type: ignore[attr-defined]  # noqa: SLF001

    _thread.start_new_thread(run_unlisted, ())


def call_before_threads_end(function: Callable[[], None]) -> bool:
    """Have a function called when the interpreter ends, before it waits for its threads; return whether it will be.

    It will not where the interpreter is about to end already.
    """
    with suppress(Exception):  # private, but `concurrent.futures` needs it, too
        threading._register_atexit(function)  # type: ignore[attr-defined]  # noqa: SLF001
        return True
    return False
