"""Do the pytest fixtures work in a suite of somebody else?"""

from __future__ import annotations

pytest_plugins = ['pytester']

# Far more than these suites take, and below the limit of a test.
ENOUGH_SECONDS = 45
WARNINGS = ['-W', 'error', '-W', 'ignore:Boto3 will no longer support Python']
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
    result = pytester.runpytest_subprocess(*WARNINGS)
    result.assert_outcomes(passed=3)


def test_a_suite_that_does_not_ask_gets_nothing(pytester):
    """Installing the package changes nobody's fixtures."""
    pytester.makepyfile('def test_a_record_arrives(local_firehose): pass')
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'local_firehose' not found*"])


FORGETFUL = """
    import logging
    import pytest
    from firefighter.logging import FirehoseHandler

    shop = logging.getLogger('shop')

    def test_a_handler_on_a_logger(local_firehose, tmp_path):
        shop.addHandler(FirehoseHandler('bar', region_name='us-east-1', endpoint_url=local_firehose.url, spool_dir=tmp_path / 'spool'))
        shop.warning('order received')

    def test_a_handler_with_the_client(local_firehose, firehose_client):
        logging.getLogger().addHandler(FirehoseHandler('bar', boto3_client=firehose_client, send_interval=60))
        shop.warning('order received')

    def test_the_logger_is_as_before(local_firehose):
        assert not [handler for handler in shop.handlers + logging.getLogger().handlers if isinstance(handler, FirehoseHandler)]

    def test_a_handler_on_no_logger(local_firehose):
        kept.append(FirehoseHandler('bar', region_name='us-east-1', endpoint_url=local_firehose.url.replace('127.0.0.1', 'localhost')))
        kept[-1].handle(logging.makeLogRecord({'msg': 'order received'}))

    kept = []

    @pytest.mark.parametrize('local_firehose_arguments', [{'streams': ['bar'], 'faults': ['kms']}])
    def test_a_handler_that_cannot_deliver(local_firehose):
        shop.addHandler(FirehoseHandler('bar', region_name='us-east-1', endpoint_url=local_firehose.url))
        shop.warning('order received')

    def test_a_handler_of_the_environment(local_firehose, monkeypatch):
        monkeypatch.setenv('AWS_ENDPOINT_URL_FIREHOSE', local_firehose.url)
        shop.addHandler(FirehoseHandler('bar', region_name='us-east-1'))
        shop.warning('order received')

    def test_a_handler_that_is_gone(local_firehose):
        FirehoseHandler('bar').handle(logging.makeLogRecord({'msg': 'order received'}))

    def test_a_stream_that_is_not_there(local_firehose):
        shop.addHandler(FirehoseHandler('elsewhere'))
        shop.warning('order rejected')

    def test_a_handler_that_is_told_nothing(local_firehose):
        shop.addHandler(FirehoseHandler('bar'))
        shop.warning('order received')
"""
ELSEWHERE = """
    import logging
    from types import SimpleNamespace
    from firefighter.logging import FirehoseHandler

    class Client:
        meta = SimpleNamespace(config=SimpleNamespace(retries={'total_max_attempts': 1, 'mode': 'standard'}))

        def put_record_batch(self, *, DeliveryStreamName, Records):
            return {'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'x'} for _ in Records]}

    shop = logging.getLogger('shop')
    own = FirehoseHandler('bar', boto3_client=Client())
    shop.addHandler(own)

    def test_one(local_firehose, firehose_client):
        shop.addHandler(FirehoseHandler('bar', boto3_client=Client()))

    def test_two():
        assert shop.handlers[0] is own
        assert len(shop.handlers) == 2
"""
OLDER = """
    import logging
    from dataclasses import replace
    import pytest
    from firefighter.logging import FirehoseHandler

    shop = logging.getLogger('shop')
    older = FirehoseHandler('bar', region_name='us-east-1', send_interval=0, shutdown_timeout_seconds=20)
    shop.addHandler(older)
    pipeline = older._pipeline

    @pytest.mark.parametrize('number', range(2))
    def test_its_events_arrive_and_none_from_before(local_firehose, number):
        shop.warning('order %d received', number)
        assert older.flush(20)
        assert local_firehose.account('bar').records == 1

    @pytest.fixture
    def logged_before():
        shop.warning('logged before')

    def test_what_was_logged_before_waits(logged_before, local_firehose):
        assert not pipeline.lifecycle.flush(0)
        shop.warning('order received, but not flushed')

    def test_it_is_as_before():
        assert shop.handlers == [older]
        assert older._pipeline is pipeline
        assert older.stats().accepted == older.stats().pending == 1
        # The exit need not wait for what was logged before.
        older._options = replace(older._options, shutdown_timeout_seconds=0.1)
        pipeline.lifecycle.shutdown_timeout_seconds = 0.1
"""


def test_what_a_test_leaves_on_a_logger_is_closed_with_the_endpoint(pytester, monkeypatch):
    """Otherwise pytest's end waits ten seconds for each handler, and what was logged is lost."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(FORGETFUL)
    for name in ('AWS_DEFAULT_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'):
        monkeypatch.delenv(name, raising=False)
    result = pytester.runpytest_subprocess('-p', 'no:randomly', *WARNINGS)
    result.assert_outcomes(passed=9)
    assert 'undelivered' not in result.stderr.str()
    assert 'still delivering' not in result.stderr.str()
    delivered = [path.read_text() for path in pytester.path.rglob('bar-1-*')]
    assert sum(text.count('order received') for text in delivered) == 7


def test_an_endpoint_that_the_test_has_stopped_is_not_waited_for(pytester):
    """It does not come back. What could not be delivered is said."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("""
        import logging
        from firefighter.logging import FirehoseHandler

        def test_an_outage(local_firehose):
            shop = logging.getLogger('shop')
            shop.addHandler(FirehoseHandler('bar', shutdown_timeout_seconds=3600))
            local_firehose.stop()
            shop.warning('order received')
        """)
    result = pytester.runpytest_subprocess('-s', *WARNINGS, timeout=ENOUGH_SECONDS)
    result.assert_outcomes(passed=1)
    assert result.stderr.str().count('closed with 1 event undelivered') == 1


def test_a_proxy_of_the_environment_is_not_for_the_endpoint(pytester, monkeypatch):
    """A test that has one must not send its events there."""
    monkeypatch.delenv('no_proxy', raising=False)
    for name, value in {
        'HTTP_PROXY': 'http://127.0.0.1:9',
        'http_proxy': 'http://127.0.0.1:9',
        'NO_PROXY': 'intranet',
    }.items():
        monkeypatch.setenv(name, value)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("""
        import logging, os
        from firefighter.logging import FirehoseHandler

        def test_an_event(local_firehose):
            handler = FirehoseHandler('bar')
            handler.handle(logging.makeLogRecord({'msg': 'order received'}))
            assert handler.flush(20), handler.stats().last_error
            assert local_firehose.account('bar').records == 1
            assert 'intranet' in os.environ['NO_PROXY']
        """)
    pytester.runpytest_subprocess(*WARNINGS).assert_outcomes(passed=1)


def test_handlers_that_deliver_elsewhere_are_left_alone(pytester):
    """They are of other fixtures, or of the program that is tested."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(ELSEWHERE)
    pytester.runpytest_subprocess('-p', 'no:randomly', *WARNINGS).assert_outcomes(passed=2)


def test_a_handler_from_before_delivers_to_the_endpoint_while_it_is_there(pytester, monkeypatch):
    """What it had pending does not, and what it gets later goes to where it did before."""
    monkeypatch.setenv('AWS_ENDPOINT_URL_FIREHOSE', 'http://127.0.0.1:9')
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(OLDER)
    result = pytester.runpytest_subprocess('-p', 'no:randomly', *WARNINGS)
    result.assert_outcomes(passed=4)
    assert 'but not flushed' in ''.join(path.read_text() for path in pytester.path.rglob('bar-1-*'))


CAPTURED = """
    import logging
    import logging.config
    import subprocess
    import sys
    import threading

    import pytest
    from firefighter.formatting import JSONFormatter
    from firefighter.logging import FirehoseHandler, KeepUntilErrorHandler

    shop = logging.getLogger('shop')
    handler = FirehoseHandler('bar', fields={'service': 'shop'})
    shop.addHandler(handler)
    pipeline = handler._pipeline

    def test_a_handler_that_was_there_before(firehose_events):
        shop.warning('order %d received', 7, extra={'customer': 'Ann'})
        shop.error({'message': 'no stock', 'item': None})
        assert [event['message'] for event in firehose_events] == ['order 7 received', 'no stock']
        assert firehose_events[0].items() >= {'customer': 'Ann', 'service': 'shop', 'level': 'WARNING', 'logger': 'shop'}.items()
        assert handler.flush()
        handler.close()
        shop.warning('after the close')
        assert len(firehose_events) == 3

    @pytest.mark.parametrize('options', [
        {}, {'use_queues': False}, {'event_ids': True}, {'compression': 'gzip'}, {'spool_dir': 'spool'}, {'delivery_stream_name': None},
    ], ids=str)
    @pytest.mark.filterwarnings('ignore::firefighter.logging.FirehoseWarning')
    def test_a_handler_of_dictconfig(firehose_events, options, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        logging.config.dictConfig({
            'version': 1, 'disable_existing_loggers': False,
            'handlers': {'firehose': {'class': 'firefighter.logging.FirehoseHandler', 'delivery_stream_name': 'bar', **options}},
            'root': {'handlers': ['firehose'], 'level': 'INFO'},
        })
        logging.getLogger('elsewhere').info('Ahoy')
        assert [event['message'] for event in firehose_events] == ['Ahoy']
        assert firehose_events[0].get('sequence') == (0 if options.get('event_ids') else None)
        assert not [thread for thread in threading.enumerate() if 'firefighter' in thread.name]

    def test_a_handler_that_keeps_events_before_one(firehose_events):
        logger = logging.getLogger('kept')
        logger.setLevel(logging.DEBUG)
        logger.addHandler(KeepUntilErrorHandler(FirehoseHandler('bar')))
        logger.debug('kept')
        assert firehose_events == []
        logger.error('wrong')
        assert [event['message'] for event in firehose_events] == ['kept', 'wrong']

    def test_the_loggers_are_as_before():
        assert logging.getLogger('kept').handlers == []
        assert not logging.getLogger().handlers or not any(isinstance(each, FirehoseHandler) for each in logging.getLogger().handlers)
        assert shop.handlers == [handler]
        assert handler._pipeline is pipeline
        assert handler.stats().accepted == 0

    def test_batch_sender(firehose_events):
        import queue
        events = queue.Queue()
        handler = FirehoseHandler('bar', endpoint_url='http://127.0.0.1:9', compression='gzip')
        for item in (b'{"message":"queued"}', b'text', handler.END):
            events.put(item)
        handler.batch_sender(events, 'bar', 60)
        assert firehose_events == [{'message': 'queued'}, 'text']

    def test_other_formatters_and_long_events(firehose_events):
        other = FirehoseHandler('bar', oversize='truncate')
        logger = logging.Logger('foo')
        logger.addHandler(other)
        logger.info('x' * 5000)
        assert len(firehose_events[0]['message']) < 2000
        other.setFormatter(logging.Formatter('%(levelname)s %(message)s'))
        logger.info('Ahoy')
        assert firehose_events[1] == 'INFO Ahoy'
        logger.info('two\\nlines')
        assert firehose_events[2] == 'INFO two\\nlines'
        other.setFormatter(logging.Formatter('%(message)s'))
        logger.info('[' * 20_000)
        assert firehose_events[3].startswith('[[[')

    def test_what_a_dead_process_has_left_stays_where_it_is(firehose_events, tmp_path):
        keywords = {'spool_dir': str(tmp_path / 'spool'), 'region_name': 'us-east-1', 'endpoint_url': 'http://127.0.0.1:9'}
        program = (
            f"import logging, os; from firefighter.logging import FirehoseHandler; logger = logging.Logger('dead');"
            f"logger.addHandler(FirehoseHandler('bar', **{keywords})); logger.error('left'); os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, '-c', program], check=False)
        left = sorted((tmp_path / 'spool').rglob('*'))
        assert [path for path in left if path.suffix == '.spool']
        heir = FirehoseHandler('bar', **keywords)
        assert heir.flush()
        assert heir.stats().adopted == 0
        assert sorted((tmp_path / 'spool').rglob('*')) == left

    def test_nothing_is_left_of_the_test_before(firehose_events):
        assert firehose_events == []
"""


def test_what_a_program_logs_is_captured_without_an_endpoint(pytester):
    """Of each handler that there is or that the test makes; afterwards all is as before."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(CAPTURED)
    result = pytester.runpytest_subprocess(*WARNINGS, '-p', 'no:randomly', '-p', 'no:socket')
    result.assert_outcomes(passed=13)
