"""What becomes of events when the disk is cut off from processes that log. `make disk-test N=1000` cuts it more often."""

from __future__ import annotations

import pytest

from disk.cuts import CUTS, EXT4, XFS, Harness
from disk.filesystems import missing


@pytest.mark.parametrize('kind', [EXT4, XFS], ids=str)
def test_nobody_dies_nothing_torn_arrives_and_nothing_is_lost_that_was_whole_on_disk(kind, tmp_path):
    """P11, and P2 as far as a disk lets it hold."""
    lacking = missing(kind)
    if lacking is not None:
        pytest.skip(lacking)
    with Harness(tmp_path, kind, seed=3) as harness:
        results = [harness.round(cut) for cut in CUTS]
    for result in results:
        assert (result.killed_by_it, result.torn, result.lost) == (0, 0, 0), result
    assert sum(result.whole for result in results) > 0
