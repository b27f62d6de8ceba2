"""What comes from outside, however odd, never raises."""

from __future__ import annotations

import pytest

from doubles import BabblingClient
from firefighter.logging import FirehoseHandler, FirehoseWarning


def test_an_unusable_environment_never_raises(monkeypatch) -> None:
    """FIREFIGHTER_STREAM is the environment's: a value that is no name warns like a missing one."""
    monkeypatch.setenv('FIREFIGHTER_STREAM', 'arn:aws:firehose:eu-west-1:1:deliverystream/bar')
    with pytest.warns(FirehoseWarning, match='FIREFIGHTER_STREAM'):
        FirehoseHandler().close()


def test_a_client_that_answers_nonsense_never_raises(make_handler, make_logger) -> None:
    """Not in the logging call, and not in flush or close either; the event stays pending."""
    handler = make_handler('bar', use_queues=False, boto3_client=BabblingClient(), shutdown_timeout_seconds=0)
    make_logger(handler).info('kept')
    assert not handler.flush(timeout_seconds=0.1)
    handler.close()
    assert handler.stats().pending == 1
