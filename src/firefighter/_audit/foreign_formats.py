r"""What an object is that has no lines to audit, told by its first bytes.

Firehose itself writes some of these: ZIP, two kinds of Snappy, and Parquet or ORC where it converts. Its Snappy is the stream of
snappy-java, which begins with `\x82SNAPPY\0`, and not that of Google's framing format; its HADOOP_SNAPPY is Hadoop's block format,
which has no magic bytes: https://github.com/floci-io/floci/issues/2328 has compared real objects byte for byte. Hadoop's blocks:
https://github.com/qualtrics/hadoop-snappy (README).
"""

from __future__ import annotations

import codecs
import re

__all__ = ['BEGINNING_BYTES', 'foreign_format']

BEGINNING_BYTES = 512
"""How much of an object is looked at."""

_MAGICS: tuple[tuple[bytes, str], ...] = (
    (rb'PK(\x03\x04|\x05\x06)', 'a ZIP archive'),
    (rb'\x82SNAPPY\0', 'Snappy (of snappy-java)'),
    (rb'\xff\x06\0\0sNaPpY', 'Snappy (framed)'),
    (rb'PAR1|PARE', 'Parquet'),
    (rb'ORC.{0,6}[\0-\x08\x0e-\x1f]', 'ORC'),
    (rb'Obj\x01', 'Avro'),
    (rb'BZh[1-9](1AY&SY|\x17rE8P\x90)', 'bzip2'),
    (rb'\xfd7zXZ\0', 'xz'),
    (rb'\x04"M\x18', 'lz4'),
    (rb'\xff\xfe|\xfe\xff', 'text in UTF-16'),
)
_FORMATS = [(re.compile(magic, re.DOTALL), name) for magic, name in _MAGICS]
_HADOOP_SNAPPY = 'Snappy (of Hadoop)'
_BY_EXTENSION = {
    '.zip': 'a ZIP archive',
    '.snappy': 'Snappy',
    '.parquet': 'Parquet',
    '.orc': 'ORC',
    '.avro': 'Avro',
    '.bz2': 'bzip2',
    '.xz': 'xz',
    '.lz4': 'lz4',
}
_COMPRESSED_PART = re.compile(rb'\n(?:\x1f\x8b\x08|\x28\xb5\x2f\xfd)')
# Without those that a text may have: BEL, BS, TAB, LF, VT, FF, CR and ESC.
_CONTROL = re.compile(rb'[\0-\x06\x0e-\x1a\x1c-\x1f]')


def foreign_format(beginning: bytes, name: str = '') -> str | None:
    """Return what an object is, in a sentence; None for what may be lines.

    Args:
        beginning: its first BEGINNING_BYTES bytes, or all of a shorter one.
        name: the object's; its extension counts where the bytes say nothing.
    """
    found = next((format_name for magic, format_name in _FORMATS if magic.match(beginning)), None)
    if found is None and _is_hadoop_snappy(beginning):
        found = _HADOOP_SNAPPY
    if found is None and beginning and not beginning.lstrip().startswith(b'{'):
        found = next((title for end, title in _BY_EXTENSION.items() if name.endswith(end)), None)
        if found is None and _is_binary(beginning):
            return 'it is neither text nor gzip nor zstd'
    return None if found is None else f'it is {found}; unpack or convert it first'


def _is_hadoop_snappy(beginning: bytes) -> bool:
    """Return whether it is a block: its size, the size of what is compressed, and then that, which begins with its own size."""
    size = int.from_bytes(beginning[:4], 'big')
    compressed = int.from_bytes(beginning[4:8], 'big')
    inner, shift = 0, 0
    for byte in beginning[8:13]:
        inner |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of the number
            break
    # Of less than 16 MiB, so the first byte is one that no text has.
    return beginning[:1] == b'\0' and 0 < inner <= size and 0 < compressed <= 32 + size + size // 6


def _is_binary(beginning: bytes) -> bool:
    """Return whether it is no text in any encoding: with NULs, or with control characters and not in UTF-8."""
    part = _COMPRESSED_PART.search(beginning)
    # NULs that fill a block are no part of a text.
    text = (beginning[: part.start()] if part else beginning).strip(b'\0 \t\r\n')
    if b'\0' in text:
        return True
    try:
        codecs.getincrementaldecoder('utf-8')().decode(text)  # a character may be cut at the end
    except UnicodeDecodeError:
        return _CONTROL.search(text) is not None
    return False
