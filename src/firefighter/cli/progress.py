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
        is_shown: whether anyone sees it; if not, a total need not be found out.
    """

    def __init__(self, show: Callable[[int, int], object], *, is_shown: bool = True) -> None:
        self._show = show
        self.is_shown = is_shown

    def update(self, done: int, total: int) -> None:
        """Show how far it is."""
        self._show(done, total)


@contextmanager
def progress(what: str, *, in_bytes: bool = False) -> Iterator[Progress]:
    """Show a bar on stderr until the block ends, where that is a terminal and rich is installed.

    Args:
        what: what is going on, in a word or two.
        in_bytes: whether what is reported are bytes, which are shown as KiB, MiB, ...
    """
    if not sys.stderr.isatty() or importlib.util.find_spec('rich') is None:
        yield Progress(lambda _done, _total: None, is_shown=False)
        return
    from rich import progress as rich  # noqa: PLC0415 - an extra, and slow to import
    from rich.console import Console  # noqa: PLC0415

    counter = rich.DownloadColumn(binary_units=True) if in_bytes else rich.MofNCompleteColumn()
    columns = (*rich.Progress.get_default_columns(), counter)
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None)
        yield Progress(lambda done, total: bars.update(bar, completed=done, total=total))
