r"""A segment's file: the format of its header page, version 1, and reading it.

**Format.** The page has 4,096 bytes, as 512 aligned words of 8 bytes in the order of the machine that wrote them.

    word 0        magic, 0x0A4C4F4F50534689; written last. On a little-endian machine the file begins `\x89FSPOOL\n`
    word 1        version of the format
    words 2, 3    boot id: 16 bytes as they are; all zero when it was not known
    words 4, 5    producer id: 16 bytes as they are
    word 6        number of events that the producer had committed before this segment
    word 7        size of the file in bytes
    word 8        committed: `events << 32 | tail`
    word 16       head
    word 24       length of the JSON in bytes
    word 25       zlib.crc32 of words 1 to 7, word 24 and the JSON
    byte 512 on   JSON: {"stream": "...", "destination": {...}}, UTF-8, padded with NUL

**Operation.** The page is complete before the file has its name. After that only words 8 and 16 change, so these are not under the
checksum. The page of a spare segment is synced earlier, with 0 in word 6, because the file's name has that number, too. In every
version words 0 and 1 mean the same: a segment that is newer than this reader is recognized by them, and left alone.

**Constraints.** All stores go through one `memoryview.cast('Q')`, each of them one aligned store of 8 bytes:
`struct.pack_into` zeroes its target first, which a kill in between makes permanent. The words are in the machine's order, because
words 8 and 16 are stored by the application's threads. A file from a machine of the other order is recognized by its magic, and its
header is refused.

**Reading.** A file is read only as far as a segment goes: a broken disk may have made up its size.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from firefighter._spool.disk.untrusted_directory import UntrustedDirectory
from firefighter._spool.layout import COMMITTED, HEAD, HEADER_BYTES, HEADER_WORDS, TAIL_MASK

__all__ = [
    'MAGIC_BYTES',
    'MOST_SEGMENT_BYTES',
    'SEGMENT_SUFFIX',
    'TEMPORARY_PREFIX',
    'VERSION',
    'Header',
    'NewerVersion',
    'NotASegment',
    'Progress',
    'SegmentFile',
    'has_room_for',
    'is_segment_name',
    'parse_header',
    'read_header',
    'read_progress',
    'read_segment',
    'write_header',
]

SEGMENT_SUFFIX = '.spool'
TEMPORARY_PREFIX = '.tmp-'

MAGIC = 0x0A4C4F4F50534689
MAGIC_BYTES = MAGIC.to_bytes(8, sys.byteorder)
VERSION = 1
ID_BYTES = 16

# Sixteen times what any version has written. A file is read into memory as a whole, sparse or not.
MOST_SEGMENT_BYTES = 64 * 1024 * 1024

_JSON_LENGTH = 24
_CHECKSUM = 25
_JSON_OFFSET = 512
_JSON_BYTES = HEADER_BYTES - _JSON_OFFSET
_OTHER_MAGIC = int.from_bytes(MAGIC_BYTES[::-1], sys.byteorder)


class NotASegment(Exception):  # noqa: N818 - an answer about a file, not a failure
    """The file is not a segment, or its header is damaged.

    Attributes:
        reason: what is wrong with it, in words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NewerVersion(Exception):  # noqa: N818 - as above
    """The segment was written by a later firefighter: to be left as it is.

    Attributes:
        version: the version that it is of.
    """

    def __init__(self, version: int) -> None:
        super().__init__(f'version {version} of the format; this firefighter reads up to version {VERSION}')
        self.version = version


@dataclass(frozen=True)
class Header:
    """The part of a segment's header that stays the same for the whole life of the file.

    Raises:
        ValueError: an id is not 16 bytes long, a number does not fit into its word, or stream and destination take more
            than 3,584 bytes of JSON.
    """

    stream: str
    """The delivery stream's name."""
    destination: Mapping[str, str | None]
    """The difference between this stream and another of the same name: region, endpoint URL, profile, account and such."""
    producer_id: bytes
    """16 bytes: which process and handler wrote it."""
    first_sequence: int
    """The number of events that the producer had committed before this segment's first one."""
    size_bytes: int
    """The size of the file; at least the header's 4,096, and less than 4 GiB since the tail has 32 bits."""
    boot_id: bytes | None = None
    """16 bytes: the boot of the machine in which it was written. None: not known."""
    version: int = VERSION
    """The version of the format."""

    def __post_init__(self) -> None:
        if len(self.producer_id) != ID_BYTES or len(self.boot_id or bytes(ID_BYTES)) != ID_BYTES:
            raise ValueError('a producer id and a boot id have 16 bytes each')
        if not HEADER_BYTES <= self.size_bytes <= TAIL_MASK:
            raise ValueError(
                f'a segment of {self.size_bytes} bytes: it takes from {HEADER_BYTES} to {TAIL_MASK}'
            )
        if not 0 <= self.first_sequence < 1 << 64:
            raise ValueError(f'{self.first_sequence} is no sequence number of 64 bits')
        if not has_room_for(self.stream, self.destination):
            raise ValueError(f'stream and destination take more than {_JSON_BYTES} bytes in the header')

    def to_json(self) -> bytes:
        """Return the part of the header that is text."""
        return _to_json(self.stream, self.destination)


class Progress(NamedTuple):
    """The two words of a header that change, as they were when the page was read."""

    events: int
    """Events committed."""
    tail: int
    """The offset in the file after the last event committed."""
    head: int
    """The offset in the file before which every event is settled."""


class SegmentFile(NamedTuple):
    """What is in a segment's file."""

    data: bytes
    """All of it, header page included."""
    header: Header | None
    """Its header; None when that is damaged."""
    refusal: str
    """What is wrong with the header, in words; empty when nothing is."""


def has_room_for(stream: str, destination: Mapping[str, str | None]) -> bool:
    """Return whether a header has room for the name of a stream and its destination."""
    return len(_to_json(stream, destination)) <= _JSON_BYTES


def write_header(words: memoryview, header: Header) -> None:
    """Write the whole header page of an empty segment, the magic last.

    Args:
        words: the segment's memory, or at least its first page, cast to 'Q'.
        header: what to write. Its tail and head become 4,096: the end of the header.
    """
    text = header.to_json()
    page = [0] * HEADER_WORDS
    page[1:8] = [
        header.version,
        *_words_of(header.boot_id or bytes(ID_BYTES)),
        *_words_of(header.producer_id),
        header.first_sequence,
        header.size_bytes,
    ]
    page[COMMITTED] = page[HEAD] = HEADER_BYTES
    page[_JSON_LENGTH] = len(text)
    page[_CHECKSUM] = _checksum(page, text)
    page[_JSON_OFFSET // 8 :] = _words_of(text.ljust(_JSON_BYTES, b'\0'))
    for index in range(1, HEADER_WORDS):
        words[index] = page[index]
    words[0] = MAGIC


def parse_header(page: bytes) -> Header:
    """Return the header that a file begins with.

    Args:
        page: the first 4,096 bytes of the file, or more. Any bytes whatsoever.

    Raises:
        NotASegment: it is not a header, it is damaged, or it was never finished. The file is quarantined as a whole.
        NewerVersion: it is of a later version. The file is left as it is.
    """
    page = bytes(page[:HEADER_BYTES])
    if len(page) < HEADER_BYTES:
        raise NotASegment(f'{len(page)} bytes are no header page')
    words = _words_of(page)
    _check_magic_and_version(words)
    text = page[_JSON_OFFSET : _JSON_OFFSET + words[_JSON_LENGTH]]
    if words[_CHECKSUM] != _checksum(words, text):
        raise NotASegment('the checksum of the header is wrong')
    boot_id = page[16:32]
    try:
        described = json.loads(text.decode('utf-8', 'surrogatepass'))
        if not _is_description(described):
            raise NotASegment('its JSON does not name a stream and a destination')
        return Header(
            stream=described['stream'],
            destination=described['destination'],
            producer_id=page[32:48],
            first_sequence=words[6],
            size_bytes=words[7],
            boot_id=boot_id if any(boot_id) else None,
            version=words[1],
        )
    except (ValueError, RecursionError) as error:
        raise NotASegment(f'the header makes no sense: {error}') from error


def read_progress(page: bytes) -> Progress:
    """Return the two words that change, right or wrong.

    Args:
        page: the first 4,096 bytes of the file, or more.
    """
    words = _words_of(page[:HEADER_BYTES])
    return Progress(words[COMMITTED] >> 32, words[COMMITTED] & TAIL_MASK, words[HEAD])


def is_segment_name(name: str) -> bool:
    """Return whether a file with this name may be a segment; it may be one that has not got its own name yet."""
    return name.endswith(SEGMENT_SUFFIX) or name.startswith(TEMPORARY_PREFIX)


def read_segment(descriptor: int) -> SegmentFile:
    """Read a segment's file.

    Args:
        descriptor: of a regular file that was opened to be read just now. It stays open.

    Raises:
        NewerVersion: a later firefighter has written it.
        OSError: it cannot be read, or is larger than its header says, which no segment is. Nothing but the header is read
            then.
    """
    with os.fdopen(descriptor, 'rb', closefd=False) as file:
        page = file.read(HEADER_BYTES)
        header, refusal = None, ''
        try:
            header = parse_header(page)
        except NotASegment as error:
            refusal = error.reason
        size_bytes = os.fstat(descriptor).st_size
        most_bytes = min(header.size_bytes, MOST_SEGMENT_BYTES) if header else MOST_SEGMENT_BYTES
        if size_bytes > most_bytes:
            raise OSError(
                errno.EFBIG, f'{size_bytes:,} bytes are no segment: this one has at most {most_bytes:,}'
            )
        return SegmentFile(page + file.read(max(0, size_bytes - len(page))), header, refusal)


def read_header(directory: UntrustedDirectory, name: str) -> Header:
    """Read a segment's header alone.

    Raises:
        OSError: it cannot be read, or is not a regular file.
        NotASegment, NewerVersion: as `parse_header`.
    """
    with directory.open_file(name) as file:
        return parse_header(file.read(HEADER_BYTES))


def _to_json(stream: str, destination: Mapping[str, str | None]) -> bytes:
    # Names may have lone surrogates (bytes of the environment that are no UTF-8): as they are, and not escaped,
    # since of two in a row escapes would make one character.
    described = {'stream': stream, 'destination': dict(destination)}
    return json.dumps(described, ensure_ascii=False).encode('utf-8', 'surrogatepass')


def _check_magic_and_version(words: list[int]) -> None:
    magic, version = words[0], words[1]
    if magic == _OTHER_MAGIC:
        raise NotASegment('it was written by a machine of the other byte order')
    if magic == 0:
        raise NotASegment('the header was never finished')
    if magic != MAGIC:
        raise NotASegment('it does not begin with the magic of a segment')
    if version > VERSION:
        raise NewerVersion(version)
    if version == 0:
        raise NotASegment('there is no version 0')


def _is_description(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get('stream'), str):
        return False
    destination = value.get('destination')
    return isinstance(destination, dict) and all(
        part is None or isinstance(part, str) for part in destination.values()
    )


def _checksum(words: list[int], text: bytes) -> int:
    constants = (*words[1:8], words[_JSON_LENGTH])
    return zlib.crc32(text, zlib.crc32(b''.join([word.to_bytes(8, sys.byteorder) for word in constants])))


def _words_of(data: bytes) -> list[int]:
    """Return the whole words in it, in the machine's order."""
    return memoryview(data)[: len(data) // 8 * 8].cast('Q').tolist()
