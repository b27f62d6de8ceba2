"""A progress bar for people: with rich, and only on a terminal."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ['Progress', 'progress']


class Progress:
    """What a loop reports to.

    Args:
        show: called with what is done and the total.
    """

    def __init__(self, show: Callable[[int, int], object]) -> None:
        self._show = show

    def update(self, done: int, total: int) -> None:
        """Show how far it is."""
        self._show(done, total)


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """Show a bar on stderr until the block ends, where that is a terminal and rich is installed.

    Args:
        what: what is going on, in a word or two.
    """
    if not sys.stderr.isatty() or importlib.util.find_spec('rich') is None:
        yield Progress(lambda _done, _total: None)
        return
    from rich import progress as rich  # noqa: PLC0415 - an extra, and slow to import
    from rich.console import Console  # noqa: PLC0415

    columns = (*rich.Progress.get_default_columns(), rich.MofNCompleteColumn())
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield Progress(lambda done, total: bars.update(bar, completed=done, total=total))
