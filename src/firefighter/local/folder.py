"""A folder in place of S3: `<folder>/<bucket>/<key>`.

An object appears whole or not at all: it is written beside the buckets, in `.incoming`, and then renamed. So a
reader may list and read the folder at any time. Not flushed to the disk: this is no place for what must last.
"""

from __future__ import annotations

import os
import pathlib
import re
import uuid

from firefighter.local.protocol import invalid_argument

# S3's own rule, less its special cases. It keeps `.incoming` and `..` out, too.
_BUCKET = re.compile(r'[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]')


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

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Put one object.

        Args:
            bucket: one that `check_bucket` let pass.
            key: the object's name in the bucket.
            body: its content.

        Raises:
            OSError: it could not be written; then there is no object.
        """
        target = self.path / bucket / key
        unfinished = self._incoming / uuid.uuid4().hex
        try:
            # Made each time, since a person may empty the folder while the endpoint runs.
            self._incoming.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(body)
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def read(self, bucket: str) -> bytes:
        """Return what is in a bucket's objects, one behind the other, in the order in which they were written."""
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
