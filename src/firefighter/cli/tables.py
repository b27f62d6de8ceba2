"""Tables and sentences for people: on a terminal no wider than that, in a pipe a line for each row or sentence."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from itertools import repeat, zip_longest
from typing import TextIO

__all__ = ['age', 'print_command', 'print_table', 'print_text', 'printable', 'printable_lines', 'wrapped']

Row = Sequence[str | int]

_BETWEEN = '  '


def print_table(titles: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows under their titles; numbers to the right.

    Into a pipe each row is one line, never cut to a width. On a terminal that is too narrow for it, long cells are wrapped between their
    words. If that is not enough, each row becomes a column, beside the titles and as many other rows as there is room for.

    Args:
        titles: one for each column.
        rows: as many cells in each. Characters that are not printable are shown as escapes: names come from files.
    """
    lines = [list(map(_text, row)) for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        narrow = _narrowed(
            widths, [max(map(_longest_word, column)) for column in zip(*lines, strict=True)], width
        )
        if narrow is None:
            _print_as_columns(lines, width)
            return
        widths = narrow
    for row in (titles, *rows):
        _print_row([*map(_text, row)], widths, [isinstance(cell, int) for cell in row])


def print_text(text: str, indent: str = '', hanging: str = '', file: TextIO | None = None) -> None:
    """Print a sentence; on a terminal wrapped between its words.

    Args:
        text: on one line.
        indent: what it begins with.
        hanging: what its further lines begin with, after the indent.
        file: where to; None: stdout.
    """
    file = file or sys.stdout
    if not file.isatty():
        print(indent + text, file=file)
        return
    for line in wrapped(text, shutil.get_terminal_size().columns, indent, indent + hanging):
        print(line, file=file)


def print_command(command: str, indent: str) -> None:
    """Print a shell's command; on a terminal in several lines that can be pasted together, a word never broken.

    Args:
        command: as `shlex.join` writes it.
        indent: what it begins with.
    """
    room = (shutil.get_terminal_size().columns if sys.stdout.isatty() else len(indent + command) + 2) - 2
    # Within quotes a space is no end of a word.
    words = ' '.join(shlex.quote(word).replace(' ', '\0') for word in shlex.split(command))
    lines = wrapped(words, room, indent, f'{indent}    ')
    print(' \\\n'.join(lines).replace('\0', ' '))


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


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int] | None:
    """Return widths for which there is room, the widest columns narrowed first; None where words would have to be broken."""
    narrowed = list(widths)
    while _total(narrowed) > room:
        wider = [number for number, width in enumerate(narrowed) if width > least[number]]
        if not wider:
            return None
        narrowed[max(wider, key=narrowed.__getitem__)] -= 1
    return narrowed


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_BETWEEN) * (len(widths) - 1)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _print_as_columns(lines: Sequence[Sequence[str]], room: int) -> None:
    """Print the titles, which are the first line, down the left side, and rows beside them."""
    titles, *rows = [[cell.strip() for cell in line] for line in lines]
    first = max(map(len, titles))
    while rows:
        count, widths = 0, [first]
        for row in rows:
            widest = max(map(len, row))
            if count and _total([*widths, widest]) > room:
                break
            widths.append(min(widest, max(room - first - len(_BETWEEN), 1)))
            count += 1
        for cells in zip(titles, *rows[:count], strict=True):
            _print_row(cells, widths)
        rows = rows[count:]
        if rows:
            print()


def _print_row(
    cells: Sequence[str], widths: Sequence[int], to_the_right: Iterable[bool] = repeat(False)
) -> None:
    in_lines = [
        [cell] if len(cell) <= width else wrapped(cell, width)
        for cell, width in zip(cells, widths, strict=True)
    ]
    for parts in zip_longest(*in_lines, fillvalue=''):
        columns = zip(parts, widths, to_the_right, strict=False)
        print(
            _BETWEEN.join(
                part.rjust(width) if right else part.ljust(width) for part, width, right in columns
            ).rstrip()
        )


def wrapped(text: str, width: int, indent: str = '', further: str = '') -> list[str]:
    """Return the text in lines, of which the further ones may have another indent.

    A word that is longer is a line of its own: whoever copies it gets all of it.
    """
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(cell: str | int) -> str:
    if isinstance(cell, int):
        return f'{cell:,}'
    return printable(cell)
