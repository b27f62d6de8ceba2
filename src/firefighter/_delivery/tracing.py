"""Keeps requests of ours out of the program's traces.

Libraries that trace replace methods of botocore, urllib3 and http.client for a whole process. They would make a span, a segment or
a breadcrumb of each request of ours: in the trace that was open when our thread was started, or in one of its own. X-Ray's SDK may
even raise, where no segment is open.

So each request is made in a new, empty context (`contextvars`): most of these libraries keep there what is open. And those that the
program has imported are told to trace nothing, each in its own way. The context ends with the request, so whatever ends it leaves
nothing behind in a thread of the program's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ['opentelemetry_values', 'untraced']

_P = ParamSpec('_P')
_T = TypeVar('_T')

_is_untraced = ContextVar('_is_untraced', default=False)

opentelemetry_values: dict[str, object] = {}
"""What OpenTelemetry's context has while a request is made, beside what tells its instrumentations to trace nothing."""

# Datadog's name for it, and its number: the user wants nothing of the trace to be kept.
_USER_REJECT = -1


def untraced(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have no library trace what the function does in the calling thread."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        def run() -> _T:
            _is_untraced.set(True)
            _tell_libraries()
            return function(*args, **kwargs)

        return Context().run(run)

    return call


def _tell_libraries() -> None:
    for name, tell in _LIBRARIES.items():
        library = sys.modules.get(name)
        if library is not None:
            with suppress(
                Exception
            ):  # another version of it: a span too many is better than an event that is not sent
                tell(library)


def _suppress_opentelemetry(context: Any) -> None:
    # The second is the key of old versions.
    keys = (context._SUPPRESS_INSTRUMENTATION_KEY, 'suppress_instrumentation')  # noqa: SLF001  # instrumentations import it too
    context.attach(context.Context(dict.fromkeys(keys, True) | opentelemetry_values))


def _reject_in_ddtrace(trace: Any) -> None:
    """Have ddtrace reject the trace that the request belongs to. Nothing in it can turn tracing off for one context."""
    trace.tracer.context_provider.activate(trace.Context(sampling_priority=_USER_REJECT))


def _bypass_xray(core: Any) -> None:
    """Have X-Ray's recorder leave out what is untraced, from now on. Nothing in it can turn tracing off for one context.

    To open a segment that is not sent would not do: where X-Ray keeps segments with the tasks of asyncio, that would replace
    the segment of the task that the loop runs just now.
    """
    recorder = core.xray_recorder
    record, current = recorder.record_subsegment, recorder.current_subsegment
    if hasattr(record, 'leaves_out_untraced'):
        return

    def record_subsegment(
        wrapped: Any, instance: Any, args: Any, kwargs: Any, *rest: Any, **named: Any
    ) -> Any:
        if _is_untraced.get():
            return wrapped(*args, **kwargs)
        return record(wrapped, instance, args, kwargs, *rest, **named)

    def current_subsegment() -> Any:
        return None if _is_untraced.get() else current()

    record_subsegment.leaves_out_untraced = True  # type: ignore[attr-defined]
    recorder.current_subsegment = current_subsegment
    recorder.record_subsegment = record_subsegment


_LIBRARIES: dict[str, Callable[[Any], None]] = {
    'opentelemetry.context': _suppress_opentelemetry,
    'ddtrace.trace': _reject_in_ddtrace,
    'aws_xray_sdk.core': _bypass_xray,
}
