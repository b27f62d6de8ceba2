"""Numbers that `firefighter.logging` needs before a handler is made. Nothing is imported here, to keep that module quick to import."""

__all__ = [
    'DOCUMENTED_BATCH_COUNT',
    'DOCUMENTED_BATCH_SIZE',
    'DOCUMENTED_RECORD_SIZE',
    'OPEN',
    'TARGET_BATCH_BYTES',
]

DOCUMENTED_BATCH_SIZE = 5 * 1024
"""The documented value of FirehoseHandler.MAX_BATCH_SIZE, in bytes."""

DOCUMENTED_BATCH_COUNT = 500
"""The documented value of FirehoseHandler.MAX_BATCH_COUNT."""

DOCUMENTED_RECORD_SIZE = 1024
"""The documented value of FirehoseHandler.MAX_RECORD_SIZE, in bytes."""

TARGET_BATCH_BYTES = 64 * 1024
"""The default of `target_batch_bytes`: more than this waiting, and a batch of aggregates is due."""

OPEN = 1
"""The value of a lifecycle's `open_mark` while events go straight to the spool and their calls return."""
