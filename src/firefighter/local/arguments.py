"""Checks of what an endpoint is made with."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

MAX_PORT = 65_535


class _Argument(NamedTuple):
    """What an argument must be.

    Attributes:
        types: its types; a bool passes for no number.
        words: the same in words.
        fits: whether a value of these types can be meant.
    """

    types: tuple[type, ...]
    words: str
    fits: Callable[[Any], bool] = lambda _: True


_ARGUMENTS = {
    'host': _Argument((str,), "the text of an address, such as '127.0.0.1'", bool),
    'port': _Argument(
        (int,),
        f'a whole number from 0 to {MAX_PORT:,}, where 0 takes a free port',
        lambda port: 0 <= port <= MAX_PORT,
    ),
    'buffer_seconds': _Argument((int, float), 'a number of seconds, such as 1'),
    'buffer_bytes': _Argument((int, float), 'a number of bytes, such as 5 * 1024 * 1024'),
    'seed': _Argument((int, type(None)), 'a whole number, or None for other strikes each time'),
    'tls': _Argument((ssl.SSLContext, type(None)), "an ssl.SSLContext with a server's certificate, or None"),
    'create_on_put': _Argument((bool,), 'True or False'),
}


def check(**given: object) -> None:
    """Check arguments of an endpoint, by their names.

    Raises:
        TypeError: one has the wrong type.
        ValueError: one has a value that it cannot have.
    """
    for name, value in given.items():
        types, words, fits = _ARGUMENTS[name]
        wrong = f'{name} must be {words}, not {value!r}'
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError(wrong)
        if not fits(value):
            raise ValueError(wrong)


def texts(argument: str, given: Iterable[str]) -> tuple[str, ...]:
    """Return an argument that is a list of texts.

    Args:
        argument: its name.
        given: its value.

    Raises:
        TypeError: it is no list, it is one text, whose letters would pass for texts, or has something else in it.
    """
    if isinstance(given, (str, bytes)):
        raise TypeError(f'{argument} must be a list of texts, not one: write {argument}=[{given!r}]')
    if not isinstance(given, Iterable):
        raise TypeError(f"{argument} must be a list of texts, such as {argument}=['...'], not {given!r}")
    members = tuple(given)
    for member in members:
        if not isinstance(member, str):
            raise TypeError(f'{argument} must be a list of texts, and {member!r} is none')
    return members
