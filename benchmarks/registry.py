"""Who is measured: every row of the tables of calls, how it is made, and what has to be installed for it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from benchmarks.contestant import Contestant, Places, Program, program

ANCESTOR = Path(sys.prefix) / 'ancestor'
"""Where `make bench` puts firefighter 0.1.1: apart, since our package has the same name."""


class Row(NamedTuple):
    """One contestant.

    Attributes:
        maker: a module of this folder, and the function in it that makes the contestant.
        place: where its files go; the folder is the function's first argument.
        options: further arguments of the function.
        needs: what has to be importable.
        ancestor: whether `firefighter` is to be version 0.1.1 in its process.
    """

    maker: str
    place: Literal['tmpfs', 'disk'] | None = None
    options: Mapping[str, Any] = {}
    needs: str | None = None
    ancestor: bool = False

    @property
    def missing(self) -> str | None:
        """What is not installed."""
        if self.ancestor and not ANCESTOR.is_dir():
            return 'firefighter 0.1.1'
        if self.needs is not None and importlib.util.find_spec(self.needs) is None:
            return self.needs
        return None

    @property
    def path(self) -> str | None:
        """What goes before all other packages in its process."""
        return str(ANCESTOR) if self.ancestor else None

    def make(self, places: Places) -> Program:
        """Make it, in this process."""
        module, _, name = self.maker.partition(':')
        function = getattr(importlib.import_module(f'benchmarks.{module}'), name)
        folders = [getattr(places, self.place)] if self.place else []
        made = function(*folders, **self.options)
        return program(made) if isinstance(made, Contestant) else made


_OURS = 'contestants:firehose'
FLOOR, QUEUE, LISTENING = 'NullHandler', 'QueueHandler', 'QueueHandler, listening'

CALLS: Mapping[str, Row] = {
    FLOOR: Row('peers.standard:null'),
    QUEUE: Row('peers.standard:queue_handler'),
    LISTENING: Row('peers.standard:queue_listening'),
    'FileHandler, JSON': Row('contestants:file_handler', 'disk'),
    'firefighter, memory': Row(_OURS),
    'firefighter, tmpfs': Row(_OURS, 'tmpfs'),
    'firefighter, disk': Row(_OURS, 'disk'),
    'firefighter, memory, delivering': Row(_OURS, options={'delivering': True}),
    'firefighter, tmpfs, delivering': Row(_OURS, 'tmpfs', {'delivering': True}),
    'firefighter, disk, delivering': Row(_OURS, 'disk', {'delivering': True}),
    'firefighter, memory, event ids': Row(_OURS, options={'event_ids': True}),
    'firefighter 0.1.1': Row('peers.ancestor:ancestor', ancestor=True),
    'watchtower': Row('peers.cloudwatch:watchtower', needs='watchtower'),
    'python-logstash-async': Row('peers.logstash:logstash', needs='logstash_async'),
    'OpenTelemetry, batching': Row('peers.telemetry:open_telemetry', needs='opentelemetry.sdk'),
    'loguru, enqueue': Row('peers.loguru_queue:loguru', 'disk', needs='loguru'),
    'structlog, to a file': Row('peers.structlog_file:structlog', 'disk', needs='structlog'),
    'structlog, firefighter': Row('structlog_ways:direct', needs='structlog'),
    'structlog, firefighter, delivering': Row(
        'structlog_ways:direct', options={'delivering': True}, needs='structlog'
    ),
    'structlog, through logging': Row('structlog_ways:through_logging', needs='structlog'),
}


def present(rows: Mapping[str, Row], places: Places) -> dict[str, Row]:
    """Return the rows that can be measured here; say on stderr which cannot, and why."""
    found = {}
    for name, row in rows.items():
        reason = f'{row.missing} is not installed' if row.missing else None
        if row.place is not None and getattr(places, row.place) is None:
            reason = f'no {row.place} here'
        if reason is None:
            found[name] = row
        else:
            print(f'left out: {name} ({reason})', file=sys.stderr)
    return found
