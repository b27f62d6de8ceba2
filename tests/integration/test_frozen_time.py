"""Does delivery keep its deadlines in a program whose tests freeze the time? With the real freezegun and time-machine (freezegun#129)."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from programs import ENOUGH_SECONDS

FREEZERS = {
    'freezegun': 'from freezegun import freeze_time\nfreeze = lambda: freeze_time("2030-01-01")',
    'freezegun, ticking': 'from freezegun import freeze_time\nfreeze = lambda: freeze_time("2030-01-01", auto_tick_seconds=3600)',
    'time-machine': 'import time_machine\nfreeze = lambda: time_machine.travel("2030-01-01", tick=False)',
}
IMPORT = 'from firefighter.logging import FirehoseHandler'
LIFE = """
handler = FirehoseHandler('bar', endpoint_url='http://127.0.0.1:9', shutdown_timeout_seconds=1)
logger = logging.getLogger('foo')
logger.setLevel(logging.INFO)
logger.addHandler(handler)
with freeze():
    logger.info('one')
    assert not handler.flush(1)
    logger.info('two')
    handler.close()
    assert handler.stats().pending == 2
"""


@pytest.mark.parametrize('frozen_at_import', [False, True])
@pytest.mark.parametrize('freezer', FREEZERS)
def test_a_flush_and_a_close_end_while_time_is_frozen(freezer, frozen_at_import, monkeypatch):
    """Nothing answers there, so only a clock ends them; in a process of its own, since what hangs would hang the tests."""
    pytest.importorskip('time_machine' if 'machine' in freezer else 'freezegun')
    imports = f'with freeze():\n    {IMPORT}' if frozen_at_import else IMPORT
    program = '\n'.join(['import logging', FREEZERS[freezer], imports, textwrap.dedent(LIFE)])
    ended = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=ENOUGH_SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stderr
