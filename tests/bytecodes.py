"""Has an exception come at one bytecode of certain files, as a signal handler may raise it."""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any

__all__ = ['AtBytecode', 'where_signals_come']


@cache
def _not_taken(code: CodeType) -> frozenset[int]:
    """Return where a branch is marked as not taken, for who monitors: nothing is done there, nor can anything come.

    CPython 3.14 has these places in no table of exceptions, so that what a monitor raises there passes by each `try`.
    """
    return frozenset(
        instruction.offset for instruction in dis.get_instructions(code) if instruction.opname == 'NOT_TAKEN'
    )


@cache
def where_signals_come(code: CodeType) -> frozenset[int]:
    """Return where the interpreter may have just looked for signals: where a function begins, in loops, and after calls.

    Not after a call that ends a `try`: there the exception would come within it, which is not done before the next bytecode.
    """
    entries = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]  # not before 3.11

    def handler(offset: int) -> object:
        return next((entry.target for entry in entries if entry.start <= offset < entry.end), None)

    instructions = [*dis.get_instructions(code)]
    places = {this.offset for this in instructions if this.opname in {'RESUME', 'JUMP_BACKWARD'}}
    for this, following in pairwise(instructions):
        is_call = this.opname.startswith('CALL') and not this.opname.startswith('CALL_INTRINSIC')
        if is_call and handler(this.offset) == handler(following.offset):
            places.add(following.offset)
    return frozenset(places)


class AtBytecode:
    """Calls something, and raises before the bytecode of that number which the calling thread executes in certain files.

    Args:
        is_counted: says of a file, by its name, whether its bytecodes count.
        error: what is raised.
        number: at which, from 0; None: nowhere.
        again_after: and once more, so many bytecodes after the first one; it may be in another call.
        only_signals: count only bytecodes before which a signal handler may really raise (CPython 3.11 and later).

    Attributes:
        executed: how many there were.
    """

    def __init__(
        self,
        is_counted: Callable[[str], bool],
        error: type[BaseException],
        number: int | None = None,
        *,
        again_after: int | None = None,
        only_signals: bool = False,
    ) -> None:
        self.executed = 0
        self._is_counted = is_counted
        self._error = error
        self._number = number
        self._numbers = {number, None if number is None or again_after is None else number + again_after}
        self._only_signals = only_signals

    @property
    def struck(self) -> bool:
        """Whether it was raised."""
        return self._number is not None and self.executed > self._number

    def __call__(self, operation: Callable[..., object], *arguments: object) -> None:
        """Call, with these arguments."""
        if sys.version_info >= (3, 12):  # where tracing leaves some bytecodes out, or all
            self._monitor(operation, *arguments)
            return
        before = sys.gettrace()
        # Held here: where nobody else did, CPython 3.11 has twice called what had come into its place in memory.
        trace = self._traced = self._trace
        sys.settrace(trace)
        try:
            operation(*arguments)
        finally:
            sys.settrace(before)

    def _count(self, code: CodeType, offset: int) -> None:
        if self._only_signals and offset not in where_signals_come(code):
            return
        self.executed += 1
        if self.executed - 1 in self._numbers:
            raise self._error

    def _trace(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        if event == 'call':
            if not self._is_counted(frame.f_code.co_filename):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == 'opcode':
            self._count(frame.f_code, frame.f_lasti)
        return self._traced

    def _monitor(self, operation: Callable[..., object], *arguments: object) -> None:
        monitoring, me = sys.monitoring, threading.get_ident()  # type: ignore[attr-defined]  # not before 3.12
        tool = monitoring.DEBUGGER_ID

        def instruction(code: CodeType, offset: int) -> object:
            if not self._is_counted(code.co_filename) or offset in _not_taken(code):
                return monitoring.DISABLE
            if threading.get_ident() == me:
                self._count(code, offset)
            return None

        monitoring.use_tool_id(tool, 'each bytecode')
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, instruction)
        monitoring.set_events(tool, monitoring.events.INSTRUCTION)
        try:
            operation(*arguments)
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)
