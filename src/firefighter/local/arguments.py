"""Checks of what an endpoint is made with."""

from __future__ import annotations

from collections.abc import Iterable


def texts(argument: str, given: Iterable[str]) -> tuple[str, ...]:
    """Return an argument that is a list of texts.

    Args:
        argument: its name.
        given: its value.

    Raises:
        TypeError: it is one text, whose letters would pass for texts, or has something else in it.
    """
    if isinstance(given, (str, bytes)):
        raise TypeError(f'{argument} must be a list of texts, not one: write {argument}=[{given!r}]')
    members = tuple(given)
    for member in members:
        if not isinstance(member, str):
            raise TypeError(f'{argument} must be a list of texts, and {member!r} is none')
    return members
