"""Tables for people: with rich where that is installed, and lined up with spaces where it is not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone

__all__ = ['age', 'print_table', 'printable', 'printable_lines']

Row = Sequence[str | int]


def print_table(titles: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows under their titles; numbers to the right.

    Into a pipe each row is one plain line, without colours and never cut to a width.

    Args:
        titles: one for each column.
        rows: as many cells in each. Characters that are not printable are shown as escapes: names come from files.
    """
    if not sys.stdout.isatty() or not _print_rich(titles, rows):
        _print_plain(titles, rows)


def age(timestamp: object, now: datetime) -> str:
    """Return how long ago something was, in the largest unit that fits: "-" when the text is no timestamp.

    Args:
        timestamp: in ISO 8601, with its zone or in UTC.
        now: the time now, with its zone.
    """
    try:
        # `fromisoformat` takes no Z before Python 3.11.
        then = datetime.fromisoformat(str(timestamp).replace('Z', '+00:00'))
        seconds = int((now - (then if then.tzinfo else then.replace(tzinfo=timezone.utc))).total_seconds())
    except ValueError:
        return '-'
    for unit, length in (('d', 86_400), ('h', 3_600), ('min', 60)):
        if seconds >= length:
            return f'{seconds // length} {unit}'
    return f'{max(0, seconds)} s'


def printable(text: str) -> str:
    """Return a text on one line that does nothing to a terminal: with escapes where it has characters that are not printable.

    Names come from files, and whoever makes one may have put anything into it.
    """
    return text if text.isprintable() else text.encode('unicode_escape').decode('ascii')


def printable_lines(lines: bytes) -> bytes:
    """Return lines that do nothing to a terminal but begin new ones: with an escape for each character that is not printable.

    An event may hold what a client has sent.
    """
    text = lines.decode('utf-8', 'backslashreplace')
    shown = (c if c.isprintable() or c == '\n' else c.encode('unicode_escape').decode('ascii') for c in text)
    return ''.join(shown).encode()


def _print_plain(titles: Sequence[str], rows: Sequence[Row]) -> None:
    widths = [max(len(_text(cell)) for cell in column) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = zip(row, widths, strict=True)
        line = '  '.join(
            f'{_text(cell):{">" if isinstance(cell, int) else "<"}{width}}' for cell, width in cells
        )
        print(line.rstrip())


def _print_rich(titles: Sequence[str], rows: Sequence[Row]) -> bool:
    """Print the table with rich; return False without it."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra may be missing
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415
    except ImportError:
        return False
    table = Table(box=None, pad_edge=False, header_style='bold')
    for number, title in enumerate(titles):
        right = any(isinstance(row[number], int) for row in rows)
        table.add_column(title, justify='right' if right else 'left', overflow='fold')
    for row in rows:
        # As Text, so that a name in brackets is no markup.
        table.add_row(*(Text(_text(cell)) for cell in row))
    Console().print(table)
    return True


def _text(cell: str | int) -> str:
    if isinstance(cell, int):
        return f'{cell:,}'
    return printable(cell)
