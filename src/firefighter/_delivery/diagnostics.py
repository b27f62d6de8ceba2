"""Writes the library's own errors to stderr, and never logs them: few lines, each short, and without waiting long for who reads them.

`Diagnostics` limits how often. `write_text` and `write_bytes` do not wait for a pipe that nobody empties. `one_line` makes messages of
others fit for a line: error messages, answers of proxies, URLs.
"""

from __future__ import annotations

import re
import select
import sys
from collections.abc import Callable, Iterator
from math import inf
from typing import TextIO

from firefighter._delivery.logged_by_delivery import as_own_output
from firefighter._process.waiting import monotonic

__all__ = [
    'STALL_SECONDS',
    'Diagnostics',
    'count_of',
    'name_error',
    'one_line',
    'stderr_takes_more',
    'without_user',
    'write_bytes',
    'write_text',
]

# A lasting cause is written once in so many seconds, so that it does not fill a log.
QUIET_SECONDS = 60.0
# Causes are few; the bound is for error codes that a server makes up.
MAX_CAUSES = 100


class Diagnostics:
    """Writes a line for each cause of trouble at most once a minute."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, cause: str, text: str) -> bool:
        """Write a line to stderr, unless there was one for this cause within the last minute; return whether it was written.

        Never raises. The next line for the cause gives the number of those that were not written.
        """
        now = self._clock()
        if now - self._said.get(cause, -inf) < QUIET_SECONDS:
            self._unsaid[cause] = self._unsaid.get(cause, 0) + 1
            return False
        if len(self._said) >= MAX_CAUSES:
            self._said.clear()
        again = self._unsaid.pop(cause, 0)
        suffix = f' ({again} more like this since the last line)' if again else ''
        if not self.write(f'{text}{suffix}\n'):
            self._unsaid[cause] = again + 1
            return False
        self._said[cause] = now
        return True

    def say_hook_failed(self, hook: str, error: BaseException) -> None:
        """Say that a hook of the user's has raised, as `say` does."""
        self.say(
            hook, f'{hook} raised {name_error(error)}; delivery goes on, and so do the calls of the hook'
        )

    @staticmethod
    def write(text: str) -> bool:
        """Write lines to stderr, without a limit; return whether all of them were written. Never raises."""
        return write_text(f'firefighter: {text}')


def count_of(events: int) -> str:
    """Return a number of events in words."""
    return f'{events:,} event{"s" * (events > 1)}'


# Where the other end of a pipe takes nothing for so long, it hangs. From then on nothing waits for it, until it takes something.
STALL_SECONDS = 1.0
# A pipe that is ready takes so much without blocking: Python's documentation of `select.PIPE_BUF`, which Windows does not have.
_PIECE_BYTES = getattr(select, 'PIPE_BUF', 512)
_MOST_BYTES_OF_A_CHARACTER = 4

_stalled = False


# A program may have put a logger in stderr's place. Without this our line would come back as an event.
@as_own_output
def write_text(text: str) -> bool:
    """Write a text; return whether all of it was written."""
    try:
        return _write_text(sys.stderr, text)
    except Exception:  # no stderr, or a broken one: the counters show the same
        return False


@as_own_output
def write_bytes(data: bytes) -> bool:
    """Write bytes as they are, or as text where stderr is a stream of text alone; return whether all of them were written."""
    try:
        stream = sys.stderr
        binary = getattr(stream, 'buffer', None)
        if binary is None:
            return _write_text(stream, data.decode('utf-8', 'backslashreplace'), escaped=_as_json_escapes)
        for start in range(0, len(data), _PIECE_BYTES):
            if not _takes_more(stream):
                return False
            stream.flush()
            binary.write(data[start : start + _PIECE_BYTES])
            binary.flush()
    except Exception:
        return False
    return True


def stderr_takes_more() -> bool:
    """Return whether stderr takes something. A stream that nobody reads is waited for once, for a second."""
    return _takes_more(sys.stderr)


def _write_text(
    stream: TextIO,
    text: str,
    escaped: Callable[[str], str] = lambda text: text.encode('ascii', 'backslashreplace').decode('ascii'),
) -> bool:
    for piece in _pieces(text):
        if not _takes_more(stream):
            return False
        try:
            stream.write(piece)
        except UnicodeEncodeError:  # the stream is strict, and of an encoding without the character
            stream.write(escaped(piece))
        stream.flush()
    return True


def _as_json_escapes(text: str) -> str:
    def escapes(character: str) -> str:
        units = character.encode('utf-16-be', 'surrogatepass').hex()
        return ''.join(f'\\u{units[start : start + 4]}' for start in range(0, len(units), 4))

    return ''.join(each if each.isascii() else escapes(each) for each in text)


def _pieces(text: str) -> Iterator[str]:
    characters = _PIECE_BYTES // _MOST_BYTES_OF_A_CHARACTER
    return (text[start : start + characters] for start in range(0, len(text), characters))


def _takes_more(stream: TextIO) -> bool:
    """Wait until the stream takes a piece; return False where it takes none in time.

    Another writer of the same pipe may come between this and our writing. Only a descriptor that does not block would rule
    that out, and that would be so for the whole program.
    """
    global _stalled  # noqa: PLW0603
    if sys.platform == 'win32':
        return True
    try:
        descriptor = stream.fileno()
        # eventlet has removed `poll`, and keeps the module as it was.
        module = select if hasattr(select, 'poll') else sys.modules['eventlet.patcher'].original('select')
        poll = module.poll()
    except Exception:  # it is no file, or there is no `poll`
        return True
    poll.register(descriptor, select.POLLOUT)
    _stalled = not poll.poll(0 if _stalled else STALL_SECONDS * 1000)
    return not _stalled


# Enough for any message of AWS's. A proxy may answer with a page.
MAX_CHARACTERS = 300

# The scheme of a URL, and all of it up to the last `@`.
_USER = re.compile(r'^(\w+:[/\\]+)?.*@', re.DOTALL)
# Where a URL begins in a text. botocore quotes also one with a slash too few, or without a scheme.
_URL_BEGINS = re.compile(
    r'(?:\bendpoint: |\bURL: ")?(?:\b\w+:[/\\]+|//)|\bendpoint: |\bURL: "', re.IGNORECASE
)
# What follows is a credential, or the piece of a URL that may be a password. These are messages of http.client, urllib3, urllib.parse and
# botocore; of AWS about a wrong signature, which repeat the header, or all that was signed; and what a credential process or a container prints.
_QUOTES_A_SECRET = re.compile(
    r"""(
        \b invalid\ header\ (?: name | value )
        | \b (?: failed\ to\ parse: | cast\ to\ integer\ value\ as | nonnumeric\ port: | netloc )
        | \b invalid\ type\ for\ parameter\ [^,]* ,\ value:
        | \b aws4-[\w-]+
        | \b custom-process:
        | (?: secret_?(?: access_? )?key | session_?token | security-token | web_?identity_?token | access_?token
            | refresh_?token | bearer_?token | client_?secret | password | \b authorization ) ["']? \s* [:=]
    ) \s* \S .*""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_NO_ADDRESS = re.compile(r"""(?:'[^']*'|"[^"]*")(?=\ does not appear to be an IP)""")
# Terminals execute these.
_ESCAPE_SEQUENCE = re.compile(r'\x1b\[[0-?]*[ -/]*[@-~]')


def without_user(url: str) -> str:
    """Return a URL without its user name and password.

    Nobody may have escaped the `/` or the space in a password, so all up to the last `@` is taken for it: rather too much than a part of one.
    """
    # Not by a template: re imports something for one, and at the very end of the process nothing can be imported.
    return _USER.sub(lambda match: match[1] or '', url)


def _without_secrets(text: str) -> str:
    """Return what a text begins with, without the credentials that it quotes, and without user names and passwords of URLs."""
    # No more of it than that is looked at: it may be long.
    seen = text[: 10 * MAX_CHARACTERS]
    seen = _NO_ADDRESS.sub("'...'", _QUOTES_A_SECRET.sub(lambda match: f'{match[1]} ...', seen))
    before, at, after = seen.rpartition('@')
    begun = _URL_BEGINS.search(before)
    if not at or not begun:
        return seen
    if len(text) > 10 * MAX_CHARACTERS:
        # The end may be in the middle of another URL, before its `@`.
        after = after[:-MAX_CHARACTERS]
    return f'{before[: begun.end()]}...@{after}'


def one_line(text: str) -> str:
    """Return a text as one line of at most 300 printable characters, without credentials, and without user names and passwords of URLs."""
    text = _ESCAPE_SEQUENCE.sub(' ', _without_secrets(text))
    line = ' '.join(''.join(each if each.isprintable() else ' ' for each in text).split())
    return line if len(line) <= MAX_CHARACTERS else f'{line[: MAX_CHARACTERS - 3]}...'


def name_error(error: BaseException) -> str:
    """Return an error's class and message as one line, or its class alone where its message cannot be had."""
    try:
        return one_line(f'{type(error).__name__}: {error}')
    except Exception:  # its `__str__` is somebody's code, or no stack is left
        return type(error).__name__
