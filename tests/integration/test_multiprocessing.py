"""Do the workers of `multiprocessing` deliver what they log?"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from firefighter.local import LocalFirehose
from programs import PATIENT, without_waiting

PROGRAM = """
import logging, multiprocessing
from firefighter.logging import FirehoseHandler

logger = logging.getLogger('foo')
logger.setLevel(logging.INFO)
logger.addHandler(FirehoseHandler('bar'))

def work():
    pass

if METHOD == 'fork':
    import os
    os.register_at_fork(after_in_child=lambda: logger.info('of the child'))
elif __name__ != '__main__':
    logger.info('of the child')

if __name__ == '__main__':
    logger.info('of the parent')
    process = multiprocessing.get_context(METHOD).Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0
"""


@pytest.mark.parametrize('place', ['memory', 'disk'])
@pytest.mark.parametrize('method', ['fork', 'spawn', 'forkserver'])
def test_a_multiprocessing_child_delivers_its_events(method, place, tmp_path):
    """Such children end by `os._exit`, without the exit functions of the interpreter.

    Also what a hook of the fork logs, or the main module while it is imported: before multiprocessing has made the child its own. What a child logs
    later is in test_examples.
    """
    spool = {'FIREFIGHTER_SPOOL_DIR': str(tmp_path / 'spool')} if place == 'disk' else {}
    program = tmp_path / 'program.py'
    program.write_text(PATIENT + PROGRAM.replace('METHOD', repr(method)))
    with LocalFirehose(tmp_path / 'firehose', streams=['bar']) as endpoint:
        ended = subprocess.run(
            [sys.executable, program],
            env={**os.environ, 'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url, **spool},
            capture_output=True,
            text=True,
            timeout=45,
            check=False,
        )
        assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
        endpoint.flush()
        lines = b''.join(path.read_bytes() for path in endpoint.folder.rglob('*') if path.is_file())
    assert sorted(line for line in (b'of the child', b'of the parent') if line in lines) == [
        b'of the child',
        b'of the parent',
    ]
    assert lines.count(b'\n') == 2
    assert not list(tmp_path.glob('spool/*/*/*/*.spool'))
