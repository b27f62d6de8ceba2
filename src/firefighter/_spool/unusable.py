"""What is wrong with a spool directory, in words that its owner can act on."""

from __future__ import annotations

import errno
import os

__all__ = ['SpoolUnusable', 'explained']

_ELSEWHERE = 'or choose another spool_dir'

# What to do about an error of the file system. Whatever is not here is said in the system's own words.
_ADVICE = {
    errno.EACCES: f'give this user the right to read and write there, {_ELSEWHERE}',
    errno.EPERM: f'give this user the right to read and write there, {_ELSEWHERE}',
    errno.EROFS: 'choose a spool_dir that can be written to',
    errno.ENOSPC: f'make room there, {_ELSEWHERE}',
    errno.EDQUOT: f'make room in this quota, {_ELSEWHERE}',
    errno.ENOENT: f'make the directory that it should be in, {_ELSEWHERE}',
    # What O_NOFOLLOW and O_DIRECTORY say when a link or a file is in the way.
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
        number: the `errno` of the error behind it, if the file system gave one.
    """

    def __init__(self, reason: str, number: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errno = number


class explained:  # noqa: N801  # read as what it does
    """Turn an error of the file system into SpoolUnusable, in a `with` block.

    No generator: append comes here, and where there is no memory for one, CPython 3.12 and 3.13 crash.

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
            reason = f'{os.fspath(self._path)}: {what}' + (f'; {advice}' if advice else '')
            raise SpoolUnusable(reason, error.errno) from error
