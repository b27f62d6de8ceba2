"""The programs in `examples/`, run by the command in their first line: a copy in a folder of its own, which waits as long as a busy machine needs."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec

import pytest

from firefighter.local import LocalFirehose
from programs import PATIENT

__all__ = ['EXAMPLES', 'NOTHING_IS_SENT_BEFORE_THE_END', 'Example', 'orders']

EXAMPLES = pathlib.Path(__file__).parents[1] / 'examples'

# Of what is on its way when a process is killed nobody knows whether it arrives. So nothing is, where a test counts to the event.
NOTHING_IS_SENT_BEFORE_THE_END = (
    'FirehoseHandler.MAX_BATCH_SIZE = FirehoseHandler.MAX_BATCH_COUNT = 1 << 20\n'
)


class Example:
    """A copy of `examples/NAME`. The test is skipped where something is missing that it imports.

    Args:
        name: of the example.
        folder: where the copy goes.
        begins: code that goes in front of what the program does, after PATIENT.
        ends: code that goes after it.

    Attributes:
        folder: where the copy is.
        environment: what the command needs around it.
    """

    def __init__(self, name: str, folder: pathlib.Path, begins: str = '', ends: str = '') -> None:
        self.folder = folder / name
        shutil.copytree(EXAMPLES / name, self.folder, ignore=shutil.ignore_patterns('__pycache__', 'spool'))
        program = next(
            path for path in map(self.folder.joinpath, ('settings.py', 'shop.py')) if path.exists()
        )
        text = program.read_text('utf-8')
        needed = [name] if name in {'django', 'gevent'} else []  # what shop.py does not import
        for module in [*re.findall(r'^(?:from|import) (\w+)', text, re.MULTILINE), *needed]:
            # Not imported here: some libraries change what others do.
            if find_spec(module) is None:
                pytest.skip(f'there is no {module} here')
        place, command = re.match(r'# cd (\S+) && (.+)\n', text).groups()
        assert place == f'examples/{name}'
        self._words = shlex.split(command)
        # Where gevent has patched what there is, and before there is a handler.
        begin = re.search(r'^from firefighter|^[A-Z_]+ = ', text, re.MULTILINE).start()
        program.write_text(text[:begin] + PATIENT + begins + text[begin:] + ends, 'utf-8')
        path = os.pathsep.join(filter(None, [str(self.folder), os.environ.get('PYTHONPATH')]))
        self.environment: Mapping[str, str] = {'PYTHONPATH': path, 'PYTHONDONTWRITEBYTECODE': '1'}

    def surroundings(self, endpoint: LocalFirehose, **more: str) -> Mapping[str, str]:
        """Return the whole environment of a command whose events go to an endpoint."""
        return {**os.environ, **self.environment, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **more}

    def command(self, *more: str, without: tuple[str, ...] = ()) -> list[str]:
        """Return the command of the first line, its program being the one of this environment; skip the test where there is none.

        Args:
            more: what goes at its end.
            without: words that are left out.
        """
        program, *words = self._words
        return [_installed(program), *(word for word in words if word not in without), *more]


def _installed(program: str) -> str:
    if program == 'python':
        return sys.executable
    path = pathlib.Path(sys.executable).with_name(program)
    return str(path) if path.exists() else pytest.skip(f'there is no {program} here')


def orders(*numbers: int) -> list[str]:
    """Return the messages that the examples log of these orders."""
    return [f'order {number}' for number in numbers]
