"""The parts of a page of docs that a benchmark writes: each stands between two comments with its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def fill(page: Path, parts: Mapping[str, str]) -> None:
    """Put each text where the page has its name; nothing is written where one is missing.

    Args:
        page: a file of Markdown.
        parts: texts, by name. Each goes between the lines `<!-- begin: NAME -->` and `<!-- end: NAME -->`, instead of
            what was there.

    Raises:
        ValueError: the page has no place of that name.
    """
    text = page.read_text(encoding='utf-8')
    for name, part in parts.items():
        begin, end = f'<!-- begin: {name} -->\n', f'<!-- end: {name} -->\n'
        before, found, rest = text.partition(begin)
        _, ends, after = rest.partition(end)
        if not (found and ends):
            message = (
                f'{page} has no place for {name!r}: write the lines {begin.strip()!r} and {end.strip()!r}'
            )
            raise ValueError(message)
        text = f'{before}{begin}{part}\n{end}{after}'
    page.write_text(text, encoding='utf-8')
