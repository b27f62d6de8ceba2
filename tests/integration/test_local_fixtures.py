"""Do the pytest fixtures work in a suite of somebody else?"""

from __future__ import annotations

pytest_plugins = ['pytester']

CONFTEST = "pytest_plugins = ['firefighter.testing']"
SUITE = """
    import pytest

    def test_a_record_arrives(local_firehose, firehose_client):
        firehose_client.put_record(DeliveryStreamName='bar', Record={'Data': b'Ahoy'})
        assert local_firehose.delivered() == b'Ahoy'

    def test_nothing_is_left_of_the_test_before(local_firehose):
        assert local_firehose.delivered() == b''

    @pytest.mark.parametrize('local_firehose_arguments', [{'streams': ['orders'], 'faults': ['kms']}])
    def test_the_endpoint_can_be_another(local_firehose, firehose_client):
        with pytest.raises(firehose_client.exceptions.InvalidKMSResourceException):
            firehose_client.put_record(DeliveryStreamName='orders', Record={'Data': b'Ahoy'})
"""


def test_a_suite_that_asks_for_the_fixtures_gets_them(pytester):
    """With one line in its conftest.py, also when warnings are errors."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess('-W', 'error', '-W', 'ignore:Boto3 will no longer support Python')
    result.assert_outcomes(passed=3)


def test_a_suite_that_does_not_ask_gets_nothing(pytester):
    """Installing the package changes nobody's fixtures."""
    pytester.makepyfile('def test_a_record_arrives(local_firehose): pass')
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'local_firehose' not found*"])
