"""What `firefighter.logging` needs as soon as a handler is made, and not before: all of it is loaded by one import of this module."""

# OpenSSL has to be loaded by the thread that makes the handler: in a worker of uWSGI, TLS fails ("unknown error") where a delivery
# thread loads it first. It is part of boto3's imports, which come in that thread.
import hashlib  # noqa: F401

from firefighter._delivery.clients import ClientFactory, ClientOptions
from firefighter._delivery.diagnostics import Diagnostics, stderr_takes_more
from firefighter._delivery.due import Rules
from firefighter._delivery.spool_source import SpoolSource
from firefighter._event.encoder import why_slow
from firefighter._event.formatter import JSONFormatter
from firefighter._handler.lifecycle import State
from firefighter._handler.options import (
    Options,
    check_arguments,
    check_queue_arguments,
    check_seconds,
    check_stream_name,
    raise_unknown,
)
from firefighter._handler.pipeline import Pipeline
from firefighter.stats import DropReason

__all__ = [
    'ClientFactory',
    'ClientOptions',
    'Diagnostics',
    'DropReason',
    'JSONFormatter',
    'Options',
    'Pipeline',
    'Rules',
    'SpoolSource',
    'State',
    'check_arguments',
    'check_queue_arguments',
    'check_seconds',
    'check_stream_name',
    'raise_unknown',
    'stderr_takes_more',
    'why_slow',
]
