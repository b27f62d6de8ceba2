"""A folder in place of S3: `<folder>/<bucket>/<key>`.

An object appears whole or not at all: it is written beside the buckets, in `.incoming`, and then renamed. So a
reader may list and read the folder at any time. Not flushed to the disk: this is no place for what must last.
"""

from __future__ import annotations

import errno
import os
import pathlib
import re
import stat
import sys
import uuid
from contextlib import suppress
from io import BufferedWriter

from firefighter.local.protocol import invalid_argument

# S3's own rule, less its special cases. It keeps `.incoming` and `..` out, too.
_BUCKET = re.compile(r'[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]')
# What stands in for a destination that is no bucket, such as `_opensearch`.
_OTHER_DESTINATION = re.compile(r'_[a-z]+')
# A uuid4's digits: the names of what is being written.
_UNFINISHED = re.compile(r'[0-9a-f]{32}')
# Of most file systems. Windows, which cannot be asked, has these, too, unless told otherwise.
_USUAL_NAME_BYTES, _USUAL_PATH_BYTES = 255, 4096


class Folder:
    """Writes objects into a folder, which is made if it is missing.

    Args:
        path: where the buckets are.

    Raises:
        OSError: the folder cannot be made or written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path).resolve()
        self._incoming = self.path / '.incoming'
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._most_name_bytes = _limit(self.path, 'PC_NAME_MAX', _USUAL_NAME_BYTES)
        self._most_path_bytes = _limit(self.path, 'PC_PATH_MAX', _USUAL_PATH_BYTES)

    def place(self, bucket: str, key: str) -> pathlib.Path:
        """Return where an object is written.

        Args:
            bucket: one that `check_bucket` let pass.
            key: the object's name in the bucket.

        Raises:
            OSError: the file system can have no file of that name, or it would be outside the folder.
            UnicodeError: the name cannot be a file's, since its text is not whole.
        """
        target = self.path / bucket / key
        longest = max(len(os.fsencode(part)) for part in target.parts)
        # The path's end, a NUL, counts.
        if longest > self._most_name_bytes or len(os.fsencode(target)) >= self._most_path_bytes:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(target))
        # A key is checked where it is made, and there may be a link on the way.
        if self.path not in pathlib.Path(os.path.realpath(target)).parents:
            raise OSError(errno.EXDEV, 'It leads out of the folder', str(target))
        return target

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Put one object.

        Args:
            bucket: one that `check_bucket` let pass.
            key: the object's name in the bucket.
            body: its content.

        Raises:
            OSError: it could not be written; then there is no object.
        """
        try:
            self._write(bucket, key, body)
        except FileNotFoundError:
            # The folder was emptied meanwhile, or another endpoint that just started took the file for a dead one's.
            self._write(bucket, key, body)

    def _write(self, bucket: str, key: str, body: bytes) -> None:
        target = self.place(bucket, key)
        unfinished = self._incoming / uuid.uuid4().hex
        try:
            # Made each time, since a person may empty the folder while the endpoint runs.
            self._incoming.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open('xb') as file:
                _lock(file)
                file.write(body)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def remove_unfinished(self) -> None:
        """Remove what endpoints that have died in the middle of writing have left.

        What another one writes just now stays: it holds a lock on it, or, on Windows, has it open. So does what no endpoint has made: a link, a
        pipe, whose opening waits for a reader, and whatever has another name.
        """
        for path in self._incoming.glob('*'):
            # It may be being written, or its writer may just have finished.
            with suppress(OSError):
                if not (_UNFINISHED.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode)):
                    continue
                with open(path, 'ab', opener=_open_regular) as file:
                    _lock(file, wait=False)
                # Not while it is open, which Windows forbids. If somebody has begun to write it by now, they write it again.
                path.unlink()

    def read(self, bucket: str) -> bytes:
        """Return what is in a bucket's objects, one behind the other, in the order in which they were written.

        Raises:
            ServiceError: the bucket's name could lead out of the folder.
        """
        if not _OTHER_DESTINATION.fullmatch(bucket):
            check_bucket(bucket)
        objects = [path for path in (self.path / bucket).rglob('*') if path.is_file()]
        return b''.join(
            path.read_bytes() for path in sorted(objects, key=lambda path: path.stat().st_mtime_ns)
        )

    def close(self) -> None:
        """Remove what a reader of the folder need not see."""
        try:
            self._incoming.rmdir()
        except OSError:
            # Another endpoint is writing into the same folder, or somebody has removed it.
            return


def _limit(path: pathlib.Path, name: str, usual: int) -> int:
    """Return a limit of the file system that a path is on, in bytes."""
    if not hasattr(os, 'pathconf'):
        return usual
    try:
        most = os.pathconf(path, name)
    except (OSError, ValueError):
        return usual
    # -1 where there is no limit.
    return most if most > 0 else usual


def _open_regular(path: str, flags: int) -> int:
    """Open what was a regular file just now, without waiting or following a link if it is none any more."""
    return os.open(path, flags | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_NONBLOCK', 0))


def _lock(file: BufferedWriter, *, wait: bool = True) -> None:
    """Lock a file that is being written, for as long as it is open. Nothing happens on Windows.

    Raises:
        OSError: somebody else has the lock, and `wait` is false.
    """
    if sys.platform == 'win32':
        return
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError:  # also where no descriptor is free
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # A file system without locks can be written to all the same.
        if not wait:
            raise


def check_bucket(name: str) -> str:
    """Return a bucket's name, or refuse it.

    Raises:
        ServiceError: S3 would not have such a bucket.
    """
    if not _BUCKET.fullmatch(name) or '..' in name:
        raise invalid_argument(f'{name!r} is not a name that a bucket can have')
    return name


def check_key_part(text: str) -> str:
    """Return a part of a key, or refuse it.

    Raises:
        ServiceError: S3 takes it, but in a folder it would lead elsewhere.
    """
    if text.startswith('/') or '\\' in text or {'.', '..'} & set(text.split('/')) or '\0' in text:
        raise invalid_argument(f'{text!r} cannot be a path in the folder of the local endpoint')
    return text
