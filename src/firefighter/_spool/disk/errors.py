"""Errors of a spool directory: in words that its owner can act on, and what the library does about each.

A spool on disk has two places for its next segment: a file, or memory. It goes from one to the other and back as often
as the disk makes it. What is in a segment stays there, and is delivered from there, in order.

    found                  the segment in use         the next segment            files are tried again
    -------------------    -----------------------    ------------------------    ------------------------
    the spool is full      stays                      none: `overflow` decides    with the next event
    not now                stays                      memory, same bound          at each look, each reopen
    never here             there is none, or stays    memory                      at each reopen
    the file in use takes  goes on in memory, and     a file, where one can be    at once
    no more (`copied_segment.py`)  is ended then              made
    the place is lost      moves along, or is ended   a file, in a new place      at once; if that fails, it
                                                                                  is "not now" or "never here"

* The spool is full at `max_spool_bytes`, as it is in memory, or at `max_directory_bytes` where that is less. No memory left is the
  same.
* *Not now* is whatever the system has an error number for: full, no inode, a quota, read-only, an input/output error, a right or
  a mode that is missing, too many open files; and also what lies in the way (a link, a file, somebody else's directory) and a file
  system that spools are not kept on, since a person, or a mount, mends these while the program runs. So is `max_directory_bytes`,
  which all processes together have reached: what others have there must not cost an event that memory would have delivered.
* *Never here* is what nothing on the disk can change: Windows, a Python without locks, a path that is relative, or too long, a
  destination that has no room in a header.
* The place is lost when the directory, or the locks in it, are not at their path any more. Files that can be reached still move into the
  new place; where they are gone, their events are as good as in memory.
* A rename that fails leaves the segment in use under its temporary name, where an adopter finds it; it is tried again with each step
  of delivery. So is the removal of a file, at each look.
* A look comes every 30 seconds, and with `flush`. Adoption looks all the same, wherever our own segments are made.
* Each change is reported once, in both directions. What is found again at the next look is not reported again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from firefighter._process.descriptor import close_troubles

__all__ = [
    'BackInFiles',
    'FailedCloses',
    'InMemory',
    'OthersEvents',
    'SpoolUnusable',
    'is_not_now',
    'translate_errors',
]

_MOST_NAMED = 3

_ELSEWHERE = 'or choose another spool_dir'

# What to do about an error of the file system. Any other error is reported in the system's own words.
_ADVICE = {
    errno.EACCES: f'give this user the right to read and write there, {_ELSEWHERE}',
    errno.EPERM: f'give this user the right to read and write there, {_ELSEWHERE}',
    errno.EROFS: 'choose a spool_dir that can be written to',
    errno.ENOSPC: f'make room there, {_ELSEWHERE}',
    errno.EDQUOT: f'make room in this quota, {_ELSEWHERE}',
    errno.ENOENT: f'make the directory that it should be in, {_ELSEWHERE}',
    # The errors of O_NOFOLLOW and O_DIRECTORY when a link or a file is in the way.
    errno.ELOOP: f'it is a link, which is never followed: remove it, {_ELSEWHERE}',
    errno.ENOTDIR: f'a link or a file is where a directory should be: remove it, {_ELSEWHERE}',
    errno.EISDIR: f'a directory is where a file should be: remove it, {_ELSEWHERE}',
    errno.ENXIO: f'a pipe or a socket is where a file should be: remove it, {_ELSEWHERE}',
    errno.EMFILE: 'raise the limit of open files (ulimit -n)',
}


class SpoolUnusable(Exception):  # noqa: N818 - a state of the directory, which the handler survives
    """A spool cannot be kept where it should be.

    Args:
        reason: what is wrong, with which path, and what to do about it.
        number: the `errno` of the error that caused it, if the file system gave one.
    """

    def __init__(self, reason: str, number: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errno = number


class InMemory(str):
    """The message when segments are made in memory from now on."""

    __slots__ = ()

    @classmethod
    def because(cls, reason: str) -> InMemory:
        """Return the message for a reason."""
        return cls(f'{reason}. Events are kept in memory from now on; files are tried again now and then')


class BackInFiles(str):
    """The message when segments are files again."""

    __slots__ = ()


class OthersEvents(str):
    """The message when events may be left that belong to another user. Nothing is wrong where several share a directory."""

    __slots__ = ()

    @classmethod
    def below(cls, paths: Sequence[str], uid: int) -> OthersEvents:
        """Return the message for the directories of these users."""
        shown = ', '.join(paths[:_MOST_NAMED]) + (', ...' if len(paths) > _MOST_NAMED else '')
        return cls(
            f'{shown}: of other users, so what may wait there for this stream is not delivered from here. If this program has had '
            f'another uid before, give it to uid {uid} (chown -R), or run `firefighter spool replay` as its owner'
        )


def is_not_now(error: SpoolUnusable) -> bool:
    """Return whether an error is "not now", and not "never here"; see the table above."""
    # The length of a path is the path's own.
    return error.errno is not None and error.errno != errno.ENAMETOOLONG


class FailedCloses:
    """Reports that closing a file has failed, once for each time that it has."""

    def __init__(self) -> None:
        self._count = close_troubles.count

    def unreported(self) -> str | None:
        """Return what has failed since the last call, in words."""
        before, self._count = self._count, close_troubles.count
        if before == self._count:
            return None
        return (
            f'closing a file failed: {close_troubles.last} ({close_troubles.count} so far in this process). '
            'No event depends on it'
        )


class translate_errors:  # noqa: N801  # read as what it does
    """Turn an error of the file system into SpoolUnusable, in a `with` block.

    Not a generator: append comes here, and CPython 3.12 and 3.13 crash where there is no memory for one.

    Args:
        path: what the message is about. (Opened relative to descriptors, the error itself knows the last name only.)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """Raise SpoolUnusable in the place of an OSError."""
        if isinstance(error, OSError):
            what = error.strerror or type(error).__name__
            advice = _ADVICE.get(error.errno or 0)
            path = os.fspath(self._path)
            if error.errno == errno.ENOENT and '/~' in path:
                advice = f'`~` is not expanded here, write the whole path, {_ELSEWHERE}'
            reason = f'{path}: {what}' + (f'; {advice}' if advice else '')
            raise SpoolUnusable(reason, error.errno) from error
