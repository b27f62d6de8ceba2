"""Objects as Firehose writes them that nobody can take lines from, made by hand where no library is at hand."""

from __future__ import annotations

import io
import zipfile

__all__ = ['FOREIGN', 'zipped']


def zipped(data: bytes) -> bytes:
    """Return a ZIP archive with one file, as Firehose makes of an object."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('data', data)
    return archive.getvalue()


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def raw_snappy(data: bytes) -> bytes:
    """Return a block of Snappy in which nothing is shorter: literals alone."""
    pieces = [data[start : start + 60] for start in range(0, len(data), 60)]
    return _varint(len(data)) + b''.join(bytes([len(piece) - 1 << 2]) + piece for piece in pieces)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, 'big') + data


def snappy_of_java(data: bytes) -> bytes:
    """Return the stream of snappy-java, which Firehose writes for `Snappy`."""
    return b'\x82SNAPPY\0' + bytes([0, 0, 0, 1, 0, 0, 0, 1]) + _sized(raw_snappy(data))


def snappy_of_hadoop(data: bytes) -> bytes:
    """Return a block of Hadoop's codec, which Firehose writes for `HADOOP_SNAPPY`."""
    return len(data).to_bytes(4, 'big') + _sized(raw_snappy(data))


def framed_snappy(data: bytes) -> bytes:
    """Return Google's framing format, with one piece that is not compressed and a checksum that nobody looks at."""
    piece = bytes(4) + data
    return b'\xff\x06\0\0sNaPpY\x01' + len(piece).to_bytes(3, 'little') + piece


_LINES = b'{"message":"m","producer":"11111111111111111111111111111111","sequence":0}\n' * 5

# name of the object -> its bytes, and what is to be said of it.
FOREIGN = {
    'a.zip': (zipped(_LINES), 'a ZIP archive'),
    'empty.zip': (zipped(b''), 'a ZIP archive'),
    'java.snappy': (snappy_of_java(_LINES), 'Snappy (of snappy-java)'),
    'hadoop.snappy': (snappy_of_hadoop(_LINES), 'Snappy (of Hadoop)'),
    'hadoop': (snappy_of_hadoop(_LINES * 10_000), 'Snappy (of Hadoop)'),
    'framed': (framed_snappy(_LINES), 'Snappy (framed)'),
    'raw.snappy': (raw_snappy(_LINES), 'Snappy'),
    'a.parquet': (b'PAR1' + bytes(range(200)) + b'PAR1', 'Parquet'),
    'orc': (b'ORC\n\x0b\n\x03\0\0\0\x12' + bytes(99), 'ORC'),
    'avro': (b'Obj\x01\x04\x14avro.codec', 'Avro'),
    'utf-16': (_LINES.decode().encode('utf-16'), 'text in UTF-16'),
}
