"""Which names are public? A change here is a change of the interface."""

from __future__ import annotations

import inspect
import logging

import firefighter
import firefighter.context
import firefighter.formatting
import firefighter.integrations.loguru
import firefighter.integrations.opentelemetry
import firefighter.integrations.prometheus
import firefighter.integrations.structlog
import firefighter.logging
import firefighter.stats
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason, Stats


def test_the_package_exports_its_version_only() -> None:
    """Importing `firefighter` brings nothing else."""
    assert isinstance(firefighter.__version__, str)
    assert list(firefighter.__all__) == ['__version__']


def test_the_door_exports_the_handler_its_warning_and_the_flush_on_signals() -> None:
    """The names of `firefighter.logging`."""
    assert sorted(firefighter.logging.__all__) == [
        'FirehoseHandler',
        'FirehoseWarning',
        'KeepUntilErrorHandler',
        'LimitFilter',
        'flush_on_signals',
    ]


def test_the_integrations_export_few_names_each() -> None:
    """The names of `firefighter.integrations.loguru`, `prometheus`, `opentelemetry` and `structlog`."""
    assert list(firefighter.integrations.loguru.__all__) == ['make_sink', 'sink']
    assert list(firefighter.integrations.prometheus.__all__) == ['FirehoseCollector']
    names = ['FirehoseLogRecordExporter', 'observe_handlers']
    assert list(firefighter.integrations.opentelemetry.__all__) == names
    names = ['EventRenderer', 'FirehoseLogger', 'FirehoseLoggerFactory']
    assert list(firefighter.integrations.structlog.__all__) == names


def test_the_context_exports_bind_and_unbind() -> None:
    """And what `bind` returns."""
    assert sorted(firefighter.context.__all__) == ['Binding', 'bind', 'unbind']


def test_the_statistics_export_two_names() -> None:
    """The names of `firefighter.stats`."""
    assert sorted(firefighter.stats.__all__) == ['DropReason', 'Stats']


def test_the_handlers_public_members_are_these() -> None:
    """What `FirehoseHandler` adds to `logging.Handler`, or overrides, without an underscore."""
    ours = FirehoseHandler.__mro__[: FirehoseHandler.__mro__.index(logging.Handler)]
    members = {name for one in ours for name in vars(one) if not name.startswith('_')}
    assert members == {
        'END',
        'FLUSH',
        'MAX_BATCH_COUNT',
        'MAX_BATCH_SIZE',
        'MAX_RECORD_SIZE',
        'batch_sender',
        'close',
        'emit',
        'flush',
        'handle',
        'setFormatter',
        'stats',
    }


def test_the_reasons_for_a_drop_are_these() -> None:
    """Their values are what `on_drop`, metrics and dashboards see."""
    assert {reason.value for reason in DropReason} == {
        'overflow',
        'oversize',
        'refused',
        'no_stream',
        'disabled',
        'failed',
        'undelivered',
    }


def test_the_statistics_have_these_fields() -> None:
    """In this order."""
    assert list(inspect.signature(Stats).parameters) == [
        'accepted',
        'delivered',
        'dropped',
        'dropped_bytes',
        'pending',
        'spool_bytes',
        'requests',
        'records',
        'sent_bytes',
        'retried',
        'uncertain',
        'queue_age_seconds',
        'dead_letters',
        'oversize',
        'truncated',
        'suppressed',
        'hook_errors',
        'last_error',
        'backing',
        'adopted',
        'markers',
        'quarantined_bytes',
        'newer_producers',
        'aggregates',
    ]
