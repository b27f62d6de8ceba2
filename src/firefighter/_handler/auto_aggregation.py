"""Puts `aggregate='auto'` into a pipeline: when it may ask, in which thread, and with whom it shares what it has found."""

from __future__ import annotations

import threading
from collections.abc import Callable

from firefighter._delivery.auto_aggregation import AutoAggregation
from firefighter._delivery.sender import Sender
from firefighter._delivery.spool_source import SpoolSource
from firefighter._delivery.transport import BotoTransport
from firefighter._handler.lifecycle import Lifecycle
from firefighter._handler.place import Place
from firefighter._process.exit_and_forks import exiting
from firefighter._process.subinterpreters import in_subinterpreter, start_thread

__all__ = ['make_auto_aggregation']


def make_auto_aggregation(
    stream: str,
    source: SpoolSource,
    sender: Sender,
    lifecycle: Lifecycle,
    place: Place,
    transport: BotoTransport,
    say: Callable[[str], object],
    max_events: int | None,
) -> AutoAggregation:
    """Make what switches the source of a handler's own spool.

    Args:
        stream: the delivery stream's name.
        source: the spool, as delivery sees it.
        sender: delivers it.
        lifecycle: of the handler.
        place: where the spool is kept.
        transport: asks.
        say: writes a line for people.
        max_events: the handler's `max_aggregated_events`.
    """

    def may_ask() -> bool:
        # Only beside a delivery thread. A thread of the program's waits for its own events, AWS Lambda freezes a thread that is left
        # behind, and a subinterpreter waits for all threads at its end.
        has_thread = sender.requests.make_thread is not None and not in_subinterpreter()
        return has_thread and lifecycle.is_open and not exiting() and source.spool.account().delivered > 0

    def describe() -> object:
        try:
            return transport.describe(stream)
        finally:
            if lifecycle.is_closed:  # meanwhile, and with it all other connections
                transport.close_connections()

    def start(function: Callable[[], None]) -> None:
        start_thread(
            sender.requests.make_thread or threading.Thread, function, (), f'firefighter-{stream}-question'
        )

    return AutoAggregation(
        stream,
        source,
        describe=describe,
        may_ask=may_ask,
        start_thread=start,
        shared=place.shared_finding(),
        say=say,
        max_events=max_events,
    )
