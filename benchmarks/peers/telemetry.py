"""OpenTelemetry's LoggingHandler, with the processor that exports in batches on a thread."""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import Any

from benchmarks.contestant import Contestant

_ROOM = 100_000
"""Events. The default of 2,048 is full after some milliseconds at this speed, and drops the rest, which is fast."""


class Discarding:
    """An exporter that throws the records away, which is the least that it can do."""

    def __init__(self, success: Any) -> None:
        self._success = success

    def export(self, _: Any) -> Any:
        """Take a batch."""
        return self._success

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, *_: object) -> bool:
        """Do nothing."""
        return True


def open_telemetry() -> Contestant:
    """Export at full speed, to nowhere."""
    sdk: Any = importlib.import_module('opentelemetry.sdk._logs')
    export: Any = importlib.import_module('opentelemetry.sdk._logs.export')
    provider = sdk.LoggerProvider()
    exporter = Discarding(export.LogRecordExportResult.SUCCESS)
    provider.add_log_record_processor(export.BatchLogRecordProcessor(exporter, max_queue_size=_ROOM))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # it moves to another package, some day
        handler: logging.Handler = sdk.LoggingHandler(logger_provider=provider)
    return Contestant(handler, provider.force_flush, provider.shutdown)
