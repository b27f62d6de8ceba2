"""How `--help` is laid out: no line is wider than the terminal, and none breaks within a word."""

from __future__ import annotations

import argparse
import re

from firefighter.cli.tables import wrapped

__all__ = ['HelpFormatter']

# An example or a row: something, a gap, and what it is.
_ROW = re.compile(r'(\s+\S.*?\s{2,})(\S.*)')
# Narrower than that a text is not legible beside its example, and goes below it.
_LEGIBLE = 30


class HelpFormatter(argparse.HelpFormatter):
    """Wraps paragraphs to the terminal, and leaves lines that are indented, as examples are, lines of their own."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(' '.join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        paragraph: list[str] = []
        for line in [*text.splitlines(), '']:
            if line[:1].strip():
                paragraph.append(line)
                continue
            lines += wrapped(' '.join(paragraph), width)
            paragraph.clear()
            lines += _row(line, width) if line else ['']
        return '\n'.join(f'{indent}{line}'.rstrip() for line in lines)


def _row(line: str, width: int) -> list[str]:
    """Return an indented line as it is, or wrapped: what comes after a gap, beside or below what comes before it."""
    found = _ROW.fullmatch(line)
    if len(line) <= width or not found:
        return [line]
    example, text = found.groups()
    if width - len(example) >= _LEGIBLE:
        return wrapped(text, width, example, ' ' * len(example))
    below = ' ' * 6
    return [example.rstrip(), *wrapped(text, width, below, below)]
