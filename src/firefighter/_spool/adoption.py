"""Taking over what dead producers have left, by the process that delivers to the same destination."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firefighter._spool import header as headers
from firefighter._spool.boot import boot_id
from firefighter._spool.destination import Destination
from firefighter._spool.directory import ProducerDirectory
from firefighter._spool.dead import adopt_dead
from firefighter._spool.files import SEGMENT_SUFFIX, map_file
from firefighter._spool.quarantine import Quarantine
from firefighter._spool.recovery import Recovery, recover
from firefighter._spool.segment import Segment
from firefighter._spool.unusable import SpoolUnusable

__all__ = ['Orphans']


class Orphans:
    """Finds dead producers of one destination and hands their segments over.

    Args:
        spool_dir: below which all producers are.
        destination: theirs and ours.
        adopt: takes a segment over.

    Attributes:
        quarantined_bytes: torn bytes put aside so far.
        newer: segments left alone, since a later version has written them.
    """
