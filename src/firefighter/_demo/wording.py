"""Numbers and paths as a person reads them."""

from __future__ import annotations

import pathlib
import shlex
import shutil
import sys


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f'{number:,} {singular if number == 1 else plural or singular + "s"}'


def shown(path: pathlib.Path) -> str:
    """Return an absolute path as short as it can be written here."""
    here = pathlib.Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def quoted(path: pathlib.Path) -> str:
    """Return a path as a word of a shell's command line."""
    return shlex.quote(shown(path))


def own_command() -> str:
    """Return the first word of a command line that runs this program again."""
    if shutil.which('firefighter'):
        return 'firefighter'
    return quoted(pathlib.Path(sys.executable).with_name('firefighter'))
