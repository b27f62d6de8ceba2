"""How much of a stream's quota is used, and which limit is met first?"""

from __future__ import annotations

import pytest

from firefighter._cost.quotas import MIB, Quota, quota_of


@pytest.mark.parametrize('region', ['us-east-1', 'us-west-2', 'eu-west-1'])
def test_three_regions_take_more(region):
    """500,000 records, 2,000 requests and 5 MiB a second."""
    assert quota_of(region) == (500_000, 2_000, 5 * MIB)


def test_all_other_regions_take_less():
    """100,000 records, 1,000 requests and 1 MiB a second."""
    assert quota_of('ap-northeast-1') == (100_000, 1_000, MIB)


@pytest.mark.parametrize(
    ('sent', 'expected'),
    [
        (Quota(50_000, 0, 0), (0.1, 'records')),
        (Quota(50_000, 1_000, 0), (0.5, 'requests')),
        (Quota(50_000, 1_000, 10 * MIB), (2.0, 'bytes')),
    ],
)
def test_the_share_is_that_of_the_limit_that_is_met_first(sent, expected):
    """More than 1.0 is throttled."""
    assert quota_of('us-east-1').share_used(sent) == expected
