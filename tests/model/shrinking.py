"""Leaves out of a program that breaks a promise whatever does not matter to that.

What threads do is not the same each time, so a smaller program is believed to break it too when it does so once in a few times.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from model.judge import Court

__all__ = ['shrink']

TIMES = 4
Program = Mapping[str, Any]


def shrink(program: Program, tell: Callable[[str], object] = lambda _: None) -> Program:
    """Return the smallest program found that still breaks something of the same kind."""
    with Court(TIMES) as court:
        kinds = _kinds(court, program)
        tell(f'it breaks: {", ".join(sorted(kinds)) or "nothing"}')
        smaller: Program | None = program if kinds else None
        while smaller is not None:
            program = smaller
            tell(f'{_size(program)} actions')
            smaller = next((each for each in _smaller(program) if kinds & _kinds(court, each)), None)
    return program


def _kinds(court: Court, program: Program) -> set[str]:
    """Return what it breaks, each by the words at its beginning that have no numbers."""
    verdicts = court.judge([program] * TIMES)
    return {
        ' '.join(word for word in text.split() if not any(map(str.isdigit, word)))[:40]
        for verdict in verdicts
        for text in verdict.broken
    }


def _size(program: Program) -> int:
    return sum(len(actions) for life in program['lives'] for actions in _lists(life))


def _lists(life: dict[str, Any]) -> list[list[Any]]:
    return [life.get('before', []), *life['threads'], life.get('after', [])]


def _smaller(program: Program) -> Iterator[Program]:
    """Give programs with one thing less, the large things first."""
    lives = program['lives']
    for number in range(len(lives)):
        if len(lives) > 1:
            yield {**program, 'lives': [*lives[:number], *lives[number + 1 :]]}
    for number, life in enumerate(lives):
        for place, actions in enumerate(_lists(life)):
            length = len(actions)
            for step in (length, max(1, length // 2), 1):
                for begin in range(0, length, step):
                    smaller = copy.deepcopy(dict(program))
                    del _lists(smaller['lives'][number])[place][begin : begin + step]
                    yield smaller
                if step == 1:
                    break
        for option in life.keys() & {'late', 'collect_every', 'switch_interval', 'kill_after'}:
            smaller = copy.deepcopy(dict(program))
            del smaller['lives'][number][option]
            yield smaller
