"""Makes texts of others fit for a line on stderr and for `last_error`: error messages, answers of proxies, URLs."""

from __future__ import annotations

import re

__all__ = ['name_error', 'one_line', 'without_user']

# Enough for any message of AWS's. A proxy may answer with a page.
MAX_CHARACTERS = 300

# `user:password@` after the scheme of a URL.
_USER = re.compile(r'(?<=://)[^/\s]*@')
# Terminals execute these.
_ESCAPE_SEQUENCE = re.compile(r'\x1b\[[0-?]*[ -/]*[@-~]')


def without_user(text: str) -> str:
    """Return a text without the user names and passwords of the URLs in it."""
    return _USER.sub('', text)


def one_line(text: str) -> str:
    """Return a text as one line of at most 300 printable characters, without user names and passwords of URLs."""
    # No more of it than that is looked at: it may be long.
    text = _ESCAPE_SEQUENCE.sub(' ', without_user(text[: 10 * MAX_CHARACTERS]))
    line = ' '.join(''.join(each if each.isprintable() else ' ' for each in text).split())
    return line if len(line) <= MAX_CHARACTERS else f'{line[: MAX_CHARACTERS - 3]}...'


def name_error(error: BaseException) -> str:
    """Return an error's class and message as one line, or its class alone where its message cannot be had."""
    try:
        return one_line(f'{type(error).__name__}: {error}')
    except Exception:  # its `__str__` is somebody's code, or no stack is left
        return type(error).__name__
