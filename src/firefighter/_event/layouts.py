"""The other shapes that an event can have (`JSONFormatter(layout=...)`).

A layout is the last step: it reads the line of an event, which is plain JSON whatever the program has logged, and writes another one. So
there is one encoder, and a layout never sees an object of the program's.

Each layout is a module with `make`, which returns that step, and `truncate`, which cuts a line and leaves it in the layout.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

from firefighter._event import ecs_layout, otlp_layout

__all__ = ['LayoutName', 'make_layout', 'truncate_laid_out']

LayoutName = Literal['otlp', 'ecs']

_LAYOUTS = ('otlp', 'ecs')


def make_layout(
    name: LayoutName,
    constants: Collection[str],
    include: Collection[str],
    redact: Callable[[bytes], bytes],
) -> Callable[[bytes], bytes]:
    """Return the function that lays out the line of an event.

    Args:
        name: the layout's.
        constants: the names in the formatter's `fields`.
        include: the formatter's.
        redact: hides in a line what is not to be seen. The event's has passed it.

    Raises:
        ValueError: there is no such layout.
    """
    if name not in _LAYOUTS:
        raise ValueError(f'layout must be one of {", ".join(map(repr, _LAYOUTS))}, not {name!r}')
    if name == 'otlp':  # which alone adds what the event does not have
        return otlp_layout.make(constants, include, redact)
    return ecs_layout.make(constants, include)


def truncate_laid_out(line: bytes, limit: int, truncate_plain: Callable[[bytes, int], bytes]) -> bytes | None:
    """Return the line of a layout cut to a number of bytes; None where it is of another shape than ours.

    Args:
        line: it begins as a line of one of the layouts does.
        limit: the most bytes of the result, unless that leaves no room for the smallest mark.
        truncate_plain: cuts the line of any JSON object, and adds its size under `truncated`.
    """
    layout = otlp_layout if line.startswith(b'{"resourceLogs"') else ecs_layout
    try:
        cut: bytes | None = layout.truncate(line, limit, truncate_plain)
    except (LookupError, TypeError, ValueError, AttributeError):  # a foreign formatter's
        return None
    return cut
