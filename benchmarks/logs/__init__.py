"""Logs as services write them, made up with a fixed seed: five kinds, as large as they are asked for.

What makes real logs hard to compress is in them: request ids, addresses, users and paths of which few are common and many
rare, latencies and sizes of all magnitudes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.logs.access import access
from benchmarks.logs.chance import Chance
from benchmarks.logs.java import java
from benchmarks.logs.keyvalue import keyvalue
from benchmarks.logs.service import service
from benchmarks.logs.syslog import syslog

__all__ = ['KINDS', 'SEED', 'Kind', 'entries']

SEED = 6


class Kind(NamedTuple):
    """A kind of log.

    Attributes:
        name: of its file.
        title: for tables.
        make: yields entries without end, each without its last newline.
        entry_begins: what an entry's first line matches, where entries have several; for `firefighter cost`.
    """

    name: str
    title: str
    make: Callable[[Chance], Iterator[str]]
    entry_begins: str | None = None


KINDS = {
    kind.name: kind
    for kind in (
        Kind('access', 'web access', access),
        Kind('service', 'JSON service events', service),
        Kind('java', 'Java, with stack traces', java, entry_begins='^[0-9]{4}-'),
        Kind('syslog', 'syslog', syslog),
        Kind('keyvalue', 'key=value', keyvalue),
    )
}


def entries(kind: Kind, size_bytes: int, seed: int = SEED) -> Iterator[bytes]:
    """Yield entries, each with its newline, until they have at least so many bytes."""
    made = 0
    for entry in kind.make(Chance(seed)):
        line = entry.encode() + b'\n'
        yield line
        made += len(line)
        if made >= size_bytes:
            return
