"""No two keys of an object that differ in case alone: for readers to whom they are one key.

Athena and Glue lower the names of columns, and a line in which two of them become one makes the query of a whole file fail.
A line is read and, only where keys collide, written anew. That costs some microseconds, so it is an option.

At the top, the later of the keys moves under `extra`, unless it is one of the event's own. Within `extra`, and in any object in the
event, it gets a number.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from firefighter._event.encoder import orjson

__all__ = ['separate_keys']


def separate_keys(line: bytes, own_names: Container[str]) -> bytes:
    """Return the event's line with its keys told apart by more than their case.

    Args:
        line: of an event: an object, and a newline.
        own_names: what nothing may replace.
    """
    event: dict[str, Any] = orjson.loads(line)
    if not _collide(event):
        return line
    kept = {name: value for name, value in event.items() if name in own_names}
    taken = {name.lower() for name in kept}
    moved = {}
    for name, value in event.items():
        if name in kept:
            continue
        if name.lower() in taken:
            moved[name] = value
        else:
            kept[name] = value
            taken.add(name.lower())
    if moved:
        extra = kept.pop('extra', {})
        inside = [*(extra.items() if type(extra) is dict else [('extra', extra)]), *moved.items()]
        # One of another case would collide with it.
        inside += [(name, kept.pop(name)) for name in [*kept] if name.lower() == 'extra']
        kept['extra'] = _numbered(inside)
    # In the order in which they were.
    ordered = {name: kept[name] for name in event if name in kept} | kept
    return orjson.dumps(
        {name: _separated(value) for name, value in ordered.items()}, None, orjson.OPT_APPEND_NEWLINE
    )


def _collide(value: object) -> bool:
    """Return whether keys collide in the value, or in any object in it."""
    if type(value) is dict:
        return len({name.lower() for name in value}) < len(value) or any(map(_collide, value.values()))
    return type(value) is list and any(map(_collide, value))


def _separated(value: object) -> object:
    if type(value) is dict:
        return _numbered([(name, _separated(inner)) for name, inner in value.items()])
    return [_separated(inner) for inner in value] if type(value) is list else value


def _numbered(items: list[tuple[str, object]]) -> dict[str, object]:
    separate: dict[str, object] = {}
    taken: set[str] = set()
    for name, value in items:
        free, number = name, len(taken)
        while free.lower() in taken:
            free = f'{name}_{number}'
            number += 1
        taken.add(free.lower())
        separate[free] = value
    return separate
