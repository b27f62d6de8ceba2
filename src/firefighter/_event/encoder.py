"""The JSON encoder: orjson; the standard library's where orjson cannot be used.

orjson does not support subinterpreters. From Python 3.12 on, those that are isolated refuse to import it. Others import it, but in all of
them it goes on using the classes of the first one. Once that has ended, this is freed memory: orjson 3.13.0 raises whatever happens
to be there on Python 3.10 to 3.12, and ends the process on 3.13 to 3.15 (a segmentation fault). So no subinterpreter uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firefighter._process.subinterpreters import in_subinterpreter

if TYPE_CHECKING:
    import orjson

__all__ = ['orjson', 'why_slow']

why_slow: str | None = None
"""Why it is not orjson, and what to do about that, in words; None where it is."""

_SLOW = 'Events are encoded by the standard library, which takes up to three times as long'

if in_subinterpreter():
    from firefighter._event import plain_json as orjson  # type: ignore[no-redef]

    why_slow = (
        f'this is a subinterpreter of Python, in which orjson does not work. {_SLOW}. To run the program in the main interpreter: '
        '`WSGIApplicationGroup %{GLOBAL}` in the configuration of mod_wsgi, `single-interpreter = true` in that of uWSGI'
    )
else:
    try:
        import orjson
    except ImportError as error:
        from firefighter._event import plain_json as orjson  # type: ignore[no-redef]

        why_slow = (
            f'orjson cannot be imported ({error}). {_SLOW}. To mend it, install orjson for this Python again'
        )
