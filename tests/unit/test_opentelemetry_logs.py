"""What becomes of OpenTelemetry's log records? By its own SDK, the oldest and the newest that we support."""

from __future__ import annotations

import json
import logging
import threading
import time
import warnings
from types import SimpleNamespace

import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient, BlockingClient
from firefighter._delivery.logged_by_delivery import as_own_output, as_thread_of_ours, threads_of_ours
from firefighter.formatting import JSONFormatter
from firefighter.local import LocalFirehose
from firefighter.logging import FirehoseHandler, LimitFilter
from firefighter.stats import DropReason
from otlp import attributes, only, parsed

sdk = pytest.importorskip('opentelemetry.sdk._logs')

from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: E402

from firefighter.integrations.opentelemetry import FirehoseLogRecordExporter  # noqa: E402

PROCESSORS = [SimpleLogRecordProcessor, BatchLogRecordProcessor]
INFO = SimpleNamespace(value=9)


@pytest.fixture(autouse=True)
def no_thread_of_ours():
    """A thread in which an earlier test has made a request is a program's."""
    threads_of_ours.discard(threading.get_ident())


class Telemetry:
    """A logger of the standard library whose records go to OpenTelemetry, and from there to a handler."""

    def __init__(self, handler, processor, logger='shop'):
        self.handler = handler
        self.exporter = FirehoseLogRecordExporter(handler)
        self.provider = sdk.LoggerProvider(
            Resource({'service.name': 'api', 'n': 1}, 'https://example.org/schema'), shutdown_on_exit=False
        )
        self.provider.add_log_record_processor(processor(self.exporter))
        with warnings.catch_warnings():  # another package has the handler since 1.40
            warnings.simplefilter('ignore', DeprecationWarning)
            self.logging_handler = sdk.LoggingHandler(logger_provider=self.provider)
        self.logger = logging.Logger(logger, logging.DEBUG) if logger else logging.getLogger()
        self.logger.addHandler(self.logging_handler)


@pytest.fixture
def telemeter(make_handler):
    """Make them; each ends with the test."""
    made = []

    def make(processor=SimpleLogRecordProcessor, *, logger='shop', **options):
        options.setdefault('boto3_client', AcceptingClient())
        made.append(Telemetry(make_handler('bar', **options), processor, logger))
        return made[-1]

    yield make
    for telemetry in made:
        telemetry.logger.removeHandler(telemetry.logging_handler)
        telemetry.provider.shutdown()


def data_of(body='Ahoy', given=None, severity=INFO, scope='shop', **fields):
    """Return a record as a processor hands it to an exporter, with fields that only some SDKs have."""
    defaults = {
        'timestamp': None,
        'observed_timestamp': 5,
        'trace_id': 0,
        'span_id': 0,
        'trace_flags': None,
        'severity_text': None,
        'severity_number': severity,
        'attributes': given,
    }
    record = SimpleNamespace(body=body, **{**defaults, **fields})
    return SimpleNamespace(
        log_record=record,
        resource=Resource({}),
        instrumentation_scope=InstrumentationScope(scope),
    )


def result(exporter, *batch):
    return exporter.export(batch).name


@pytest.mark.parametrize('processor', PROCESSORS)
def test_a_record_arrives_as_otlp_with_its_resource_scope_and_trace(processor, telemeter):
    """One document a line, by OpenTelemetry's own definitions."""
    client = AcceptingClient()
    told = telemeter(processor, boto3_client=client)
    with TracerProvider(shutdown_on_exit=False).get_tracer('x').start_as_current_span('y') as span:
        before = time.time_ns()
        told.logger.warning('took %d ms', 12, extra={'user': 'ada', 'n': 2})
    try:
        raise ValueError('no')
    except ValueError:
        told.logger.exception('failed')
    assert told.provider.force_flush()
    assert told.exporter.force_flush()
    first, second = [only(parsed(event)) for event in client.events]
    resource, scope, record = first
    assert attributes(resource.resource.attributes) == {'service.name': 'api', 'n': 1}
    assert resource.schema_url == 'https://example.org/schema'
    assert scope.scope.name in {'shop', 'opentelemetry.sdk._logs._internal'}  # before 1.27
    assert before - 10**6 <= record.time_unix_nano <= time.time_ns()
    assert record.severity_number == 13
    assert record.severity_text in {'WARN', 'WARNING'}
    assert record.body.string_value == 'took 12 ms'
    assert {'user': 'ada', 'n': 2}.items() <= attributes(record.attributes).items()
    context = span.get_span_context()
    assert int.from_bytes(record.trace_id, 'big') == context.trace_id
    assert int.from_bytes(record.span_id, 'big') == context.span_id
    assert record.flags & 1
    assert attributes(second[2].attributes)['exception.type'] == 'ValueError'
    assert second[2].trace_id == b''


def test_it_is_an_exporter_of_the_sdk():
    """Whatever it is called there."""
    from opentelemetry.sdk._logs import export

    assert issubclass(
        FirehoseLogRecordExporter, getattr(export, 'LogRecordExporter', None) or export.LogExporter
    )


class Odd:
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (None, None),
        (b'a\xff', 'a\\xff'),
        ({'a': [1, {'b': 2.5}]}, {'a': [1, {'b': 2.5}]}),
        ((1, 'x'), [1, 'x']),
        (2**63, str(2**63)),
        (float('nan'), None),
        ('\udcff', '\\udcff'),
        ({1: 2}, {'1': 2}),
        (True, True),
        (Odd(), f'<unprintable {Odd.__module__}.Odd: ValueError>'),
    ],
)
def test_any_value_is_what_it_is_in_any_event(value, expected, telemeter):
    """As body and as attribute."""
    from otlp import plain

    client = AcceptingClient()
    told = telemeter(boto3_client=client)
    assert result(told.exporter, data_of(value, {'key': value, 'other': 1})) == 'SUCCESS'
    assert told.exporter.force_flush()
    record = only(parsed(client.events[0]))[2]
    assert plain(record.body) == expected
    assert attributes(record.attributes) == {'key': expected, 'other': 1}
    assert record.HasField('body') is (expected is not None)


def test_all_fields_of_a_record(telemeter):
    """Those of newer SDKs as well."""
    client = AcceptingClient()
    told = telemeter(boto3_client=client)
    data = data_of(
        timestamp=1,
        observed_timestamp=2,
        event_name='order.placed',
        severity=SimpleNamespace(value=10),
        severity_text='NOTICE',
        trace_flags=1,
        trace_id=0xA,
        span_id=0xB,
        scope='shop',
    )
    data.instrumentation_scope = InstrumentationScope('shop', '1.2', 'https://example.org/scope', {'a': 1})
    data.log_record.attributes = type('Bounded', (dict,), {'dropped': 3})(user='ada')
    assert result(told.exporter, data) == 'SUCCESS'
    assert told.exporter.force_flush()
    _, scope, record = only(parsed(client.events[0]))
    assert (scope.scope.name, scope.scope.version, scope.schema_url) == (
        'shop',
        '1.2',
        'https://example.org/scope',
    )
    assert attributes(scope.scope.attributes) == {'a': 1}
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (1, 2)
    assert (record.event_name, record.severity_text, record.severity_number) == (
        'order.placed',
        'NOTICE',
        10,
    )
    assert (record.trace_id.hex(), record.span_id.hex()) == (f'{10:032x}', f'{11:016x}')
    assert record.dropped_attributes_count == 3


class TestOptions:
    def test_the_level_and_the_filters_of_the_handler_count(self, telemeter):
        """By the record's severity. One without a severity has no level to be below of."""
        client = AcceptingClient()
        told = telemeter(boto3_client=client, level='WARNING')
        seen = []
        told.handler.addFilter(lambda record: seen.append(record) or record.getMessage() != 'no')
        severities = {'info4': 12, 'warn': 13, 'fatal': 21, 'no': 17, 'unknown': 0}
        batch = [
            data_of(body, {'code.file.path': 'a.py', 'code.line.number': 7}, SimpleNamespace(value=number))
            for body, number in severities.items()
        ]
        assert result(told.exporter, *batch, data_of('none', None, None)) == 'SUCCESS'
        assert told.exporter.force_flush()
        bodies = [only(parsed(event))[2].body.string_value for event in client.events]
        assert bodies == ['warn', 'fatal', 'unknown', 'none']
        assert [(record.levelno, record.name, record.pathname, record.lineno) for record in seen[:3]] == [
            (30, 'shop', 'a.py', 7),
            (50, 'shop', 'a.py', 7),
            (40, 'shop', 'a.py', 7),
        ]

    def test_a_limit_is_one_for_each_call_site(self, telemeter):
        """Where the SDK says which that is."""
        told = telemeter()
        told.handler.addFilter(LimitFilter(events_per_second=1))
        sites = [data_of('x', {'code.file.path': f'{site}.py', 'code.line.number': 7}) for site in range(20)]
        assert result(told.exporter, *sites) == 'SUCCESS'
        assert told.handler.stats().accepted == 20

    def test_events_have_ids_where_the_handler_gives_them(self, telemeter):
        """At the top, where `audit` looks."""
        client = AcceptingClient()
        told = telemeter(boto3_client=client, event_ids=True, oversize='truncate')
        assert result(told.exporter, data_of('one'), data_of('x' * 3000)) == 'SUCCESS'
        told.handler.MAX_RECORD_SIZE = 900
        assert result(told.exporter, data_of('x' * 3000, {'a': 'y' * 2000})) == 'SUCCESS'
        assert told.exporter.force_flush()
        events = [json.loads(event) for event in client.events]
        assert [event['sequence'] for event in events] == [0, 1, 2]
        assert len(client.events[2]) <= 900
        cut = only(parsed(client.events[2], ignore=True))[2]
        assert cut.body.string_value.endswith('…')
        assert attributes(cut.attributes)['truncated']['original_bytes'] > 5000

    def test_the_events_of_logging_and_those_of_the_exporter_go_by_one_handler(self, telemeter, make_logger):
        """In their order."""
        client = AcceptingClient()
        told = telemeter(boto3_client=client, event_ids=True)
        told.handler.setFormatter(JSONFormatter(layout='otlp'))
        logger = make_logger(told.handler)
        logger.info('one')
        assert result(told.exporter, data_of('two')) == 'SUCCESS'
        logger.info('three')
        assert told.handler.flush()
        bodies = [only(parsed(event, ignore=True))[2].body.string_value for event in client.events]
        assert bodies == ['one', 'two', 'three']
        assert [json.loads(event)['sequence'] for event in client.events] == [0, 1, 2]

    def test_what_cannot_take_lines_raises(self, make_handler):
        """A stream's name, another handler, and a subclass that wants records."""

        class WithEmit(FirehoseHandler):
            def emit(self, message, *args):
                super().emit(message, *args)

        with pytest.raises(TypeError, match=r"FirehoseLogRecordExporter\(FirehoseHandler\('bar'\)\)"):
            FirehoseLogRecordExporter('bar')
        with pytest.raises(TypeError, match='WithEmit has its own'):
            FirehoseLogRecordExporter(make_handler('bar', kind=WithEmit, boto3_client=AcceptingClient()))


class TestResult:
    def test_after_shutdown_nothing_is_taken(self, telemeter):
        """As OpenTelemetry's specification has it. The handler has delivered what was exported before, and serves others on."""
        client = AcceptingClient()
        told = telemeter(boto3_client=client)
        assert result(told.exporter, data_of('one')) == 'SUCCESS'
        told.exporter.shutdown()
        assert len(client.events) == 1
        assert result(told.exporter, data_of('two')) == 'FAILURE'
        told.exporter.shutdown()
        logger = logging.Logger('x')
        logger.addHandler(told.handler)
        logger.warning('three')
        assert told.handler.flush()
        assert len(client.events) == 2

    def test_what_is_dropped_is_a_failure(self, telemeter):
        """For its size, or for lack of room where the new event gives way; counted as always."""
        told = telemeter(oversize='drop')
        assert result(told.exporter, data_of('one'), data_of('x' * 2000)) == 'FAILURE'
        assert told.handler.stats().dropped == {DropReason.OVERSIZE: 1}
        client = BlockingClient()
        full = telemeter(boto3_client=client, overflow='drop_newest', max_spool_bytes=2**17)
        results = [result(full.exporter, data_of('x' * 1000)) for _ in range(200)]
        assert results[0] == 'SUCCESS'
        assert results[-1] == 'FAILURE'
        dropped = full.handler.stats().dropped[DropReason.OVERFLOW]
        assert results.count('FAILURE') == dropped
        client.release()

    def test_where_there_is_no_stream_it_is_a_failure(self, make_handler):
        """The constructor has said so."""
        with pytest.warns(Warning, match='no delivery stream'):
            handler = make_handler(boto3_client=AcceptingClient())
        assert result(FirehoseLogRecordExporter(handler), data_of()) == 'FAILURE'
        assert handler.stats().dropped == {DropReason.NO_STREAM: 1}

    def test_what_cannot_be_read_is_counted_and_the_others_go_on(self, telemeter, capfd):
        """Nothing is raised into the SDK."""
        told = telemeter()
        assert result(told.exporter, object(), data_of('one')) == 'FAILURE'
        stats = told.handler.stats()
        assert (stats.accepted, stats.dropped) == (2, {DropReason.FAILED: 1})
        assert 'an event was dropped' in capfd.readouterr().err

    def test_ctrl_c_passes_and_is_counted(self, telemeter):
        """As in `emit`."""

        class Exiting:
            def __str__(self):
                raise SystemExit

        told = telemeter()
        with pytest.raises(SystemExit):
            told.exporter.export([data_of('x', {'a': Exiting()})])
        assert told.handler.stats().dropped == {DropReason.FAILED: 1}

    def test_a_flush_that_comes_to_nothing_says_so(self, telemeter):
        """Within its time."""
        client = BlockingClient()
        told = telemeter(boto3_client=client)
        assert result(told.exporter, data_of('one')) == 'SUCCESS'
        assert told.exporter.force_flush(50) is False
        client.release()
        assert told.exporter.force_flush(int(DEADLINE_SECONDS * 1000))


@pytest.mark.parametrize('processor', PROCESSORS)
@pytest.mark.parametrize('both', [False, True])
def test_delivery_is_not_its_own_customer(processor, both, telemeter, tmp_path):
    """With OpenTelemetry's handler on the root logger at DEBUG, where botocore tells of each request; and ours beside it.

    What the program itself does with botocore is an event.
    """
    with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
        told = telemeter(processor, logger=None, boto3_client=None, endpoint_url=endpoint.url)
        root = told.logger
        root.setLevel(logging.DEBUG)
        if both:
            root.addHandler(told.handler)
        root.info('one')
        for _ in range(3):
            assert told.provider.force_flush()
            assert told.handler.flush()
        logging.getLogger('botocore').debug('of the program')
        assert told.provider.force_flush()
        assert told.handler.flush()
        root.setLevel(logging.WARNING)
        endpoint.flush()
        text = b''.join(path.read_bytes() for path in endpoint.folder.rglob('*') if path.is_file())
        stats = told.handler.stats()
    assert text.count(b'"one"') == text.count(b'of the program') == 1 + both
    assert b'Making request' not in text
    assert b'Starting new HTTP' not in text
    assert stats.suppressed > 20
    assert stats.pending == 0


def test_what_a_hook_exports_makes_no_batch_due(telemeter, monkeypatch):
    """On a thread of ours: else each delivery would bring about the next one."""
    told = telemeter()
    assert result(told.exporter, data_of('one')) == 'SUCCESS'
    quiet = []
    source = told.handler._pipeline.source
    append = source.append_quietly
    monkeypatch.setattr(source, 'append_quietly', lambda line: quiet.append(line) or append(line))
    assert as_thread_of_ours(result)(told.exporter, data_of('two')) == 'SUCCESS'
    assert [only(parsed(line))[2].body.string_value for line in quiet] == ['two']
    assert told.exporter.force_flush()
    assert told.handler.stats().delivered == 2


@pytest.mark.parametrize('on_disk', [False, True])
def test_a_value_may_close_the_handler(on_disk, telemeter, tmp_path):
    """In the middle of its own record, which opens it again."""
    told = telemeter(spool_dir=tmp_path if on_disk else None)

    class Closing:
        def __str__(self):
            told.handler.close()
            return 'closed'

    for _ in range(3):
        assert result(told.exporter, data_of(Closing())) == 'SUCCESS'
    assert told.exporter.force_flush()
    assert told.handler.stats().delivered == 3


def test_what_delivery_says_itself_is_no_event(telemeter):
    """A program may have put a logger in the place of stderr."""
    told = telemeter()
    assert as_own_output(result)(told.exporter, data_of('of our own')) == 'SUCCESS'
    stats = told.handler.stats()
    assert (stats.accepted, stats.suppressed) == (0, 1)


def test_metrics_alone_need_no_sdk():
    """It is imported with the exporter."""
    import subprocess
    import sys

    code = (
        'import sys; import firefighter.integrations.opentelemetry as ours; ours.observe_handlers\n'
        'assert "opentelemetry.sdk._logs" not in sys.modules\n'
        'try: ours.nothing\nexcept AttributeError as error: assert "nothing" in str(error)\n'
        'else: raise SystemExit(1)\n'
        'sys.modules["opentelemetry.sdk._logs"] = None\n'
        'try: from firefighter.integrations.opentelemetry import FirehoseLogRecordExporter\n'
        'except ModuleNotFoundError as error: assert "firefighter[opentelemetry]" in str(error), error\n'
        'else: raise SystemExit(1)'
    )
    subprocess.run([sys.executable, '-W', 'error', '-c', code], check=True, timeout=60)


def test_what_the_formatter_hides_is_hidden_here_too(make_handler):
    """By its name as an attribute, in whatever depth; by a pattern in the body, too. Nothing that is named like our own parts is lost."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.setFormatter(JSONFormatter(redact=['password', 'body', 'attributes', 's*e', r're:4\d{3}']))
    exporter = FirehoseLogRecordExporter(handler)
    given = {'user': 'ada', 'customer': {'password': 'hunter2'}, 'attributes': 5, 'redacted': 'mine'}
    assert result(exporter, data_of('card 4711', given), data_of('Ahoy')) == 'SUCCESS'
    assert handler.flush()
    (_, scope, record), (_, _, other) = (only(parsed(event)) for event in client.events)
    assert scope.scope.name == 'shop'
    assert record.body.string_value == 'card <redacted>'
    hidden = attributes(record.attributes)
    assert hidden['user'] == 'ada'
    assert hidden['customer'] == {'password': '<redacted>'}
    assert hidden['attributes'] is None
    assert hidden['redacted'] == 'mine'
    assert [hidden[name] for name in hidden if name.startswith('redacted_')] == [3]
    assert other.body.string_value == 'Ahoy'
    assert attributes(other.attributes) == {}


def test_more_values_than_an_event_may_have_take_nothing_else_along(make_handler):
    """Of a list that is too long there are the first values; attributes and resource stay. What surrounds them in OTLP is too much."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    assert result(FirehoseLogRecordExporter(handler), data_of([1] * 100_001, {'user': 'ada'})) == 'SUCCESS'
    assert handler.flush()
    _, _, record = only(parsed(client.events[0]))
    assert attributes(record.attributes)['user'] == 'ada'
    assert record.body.string_value.startswith('[1,1,')
    assert record.body.string_value.endswith('"<the first 100000 of 100001>"]')


@pytest.mark.parametrize(
    'odd',
    [
        {'timestamp': -1},
        {'timestamp': 1 << 64},
        {'timestamp': 1.5e18},
        {'timestamp': 'now'},
        {'trace_id': (1 << 128) + 5, 'span_id': 1 << 64},
        {'severity_text': 17},
        {'severity': 17},
        {'severity': 99},
        {'trace_flags': -1},
    ],
    ids=str,
)
def test_what_the_definitions_do_not_have_is_left_out_or_made_a_text(odd, make_handler):
    """A reader refuses a request for one line that it cannot decode."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    assert result(FirehoseLogRecordExporter(handler), data_of(**odd)) == 'SUCCESS'
    assert handler.flush()
    _, _, record = only(parsed(client.events[0]))
    assert record.body.string_value == 'Ahoy'
    assert record.severity_text == ('17' if 'severity_text' in odd else '')
    assert record.severity_number == {17: 17, 99: 0}.get(odd.get('severity'), 9)
    assert record.time_unix_nano == (int(1.5e18) if odd.get('timestamp') == 1.5e18 else 0)


def test_a_limit_holds_for_each_scope_where_nobody_says_which_line_it_was(make_handler):
    """OpenTelemetry's own loggers do not."""
    client = AcceptingClient()
    handler = make_handler('bar', boto3_client=client)
    handler.addFilter(LimitFilter(1))
    exporter = FirehoseLogRecordExporter(handler)
    for number in range(3):
        assert result(exporter, data_of(scope=f'module {number}')) == 'SUCCESS'
    assert handler.flush()
    assert [only(parsed(event))[1].scope.name for event in client.events] == [
        f'module {number}' for number in range(3)
    ]
