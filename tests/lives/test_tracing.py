"""Is delivery left out of the program's traces, and does it go on, whatever library traces boto3 and HTTP? By the real libraries.

X-Ray's SDK, OpenTelemetry and Sentry replace methods of botocore, urllib3 and http.client for the whole process (aws-xray-sdk-python#67,
opentelemetry-python PR#1291).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from programs import delivered

# Each way in which a request of ours is made. `in_trace` is the library's, and so is `traced`, what it has seen.
IN_EACH_WAY = """
import boto3, boto3.session
from botocore.config import Config

def refuse(**_):
    raise RuntimeError("can't start new thread")

class WithoutThreads(FirehoseHandler):
    def emit(self, record):
        super().emit(record, make_thread=refuse)

config = Config(retries={'total_max_attempts': 1, 'mode': 'standard'})
client = boto3.client('firehose', config=config)
handlers = {
    'threads': make(),
    'no queues': make(use_queues=False),
    'no threads': make(WithoutThreads),
    'a client': make(boto3_client=client),
    'a session': make(boto3_session=boto3.session.Session()),
}
root = logging.getLogger()
root.setLevel(logging.INFO)

def deliver(where):
    for way, handler in handlers.items():
        root.addHandler(handler)
        logging.info('by %s %s', way, where)
        assert handler.flush(), handler.stats()
        root.removeHandler(handler)
    handlers['threads']._pipeline.transport.describe('bar')  # as a handler that aggregates does

with in_trace():
    deliver('in a trace')
    client.list_delivery_streams()
deliver('in none')
for handler in handlers.values():
    handler.close()
tell(traced=traced(), **account(*handlers.values()))
"""
WAYS = ('threads', 'no queues', 'no threads', 'a client', 'a session')

XRAY = """
from aws_xray_sdk.core import patch_all, xray_recorder

class Emitter:
    sent = []

    def send_entity(self, entity):
        self.sent.append(entity)

    def set_daemon_address(self, address):
        pass

def seen(entity):
    return {entity.name: [seen(part) for part in entity.subsegments]}

def in_trace():
    return xray_recorder.in_segment('of the program')

def traced():
    return [seen(entity) for entity in Emitter.sent]

emitter = Emitter()
xray_recorder.configure(service='shop', sampling=False, emitter=emitter)
"""

REFUSE = """
xray_recorder.configure(context_missing='RUNTIME_ERROR')
patch_all(double_patch=True)
"""

OPENTELEMETRY = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

def in_trace():
    return trace.get_tracer('shop').start_as_current_span('of the program')

def traced():
    return [span.name for span in exporter.get_finished_spans()]
"""

SENTRY = """
import sentry_sdk, sentry_sdk.transport
from sentry_sdk.integrations.boto3 import Boto3Integration

class Transport(sentry_sdk.transport.Transport):
    sent = []

    def capture_envelope(self, envelope):
        self.sent += [item.payload.json for item in envelope.items if item.type in {'event', 'transaction'}]

sentry_sdk.init(
    'http://key@127.0.0.1:9/1',
    transport=Transport,
    traces_sample_rate=1.0,
    auto_session_tracking=False,
    auto_enabling_integrations=False,  # they import every library that is installed here
    integrations=[Boto3Integration()],
)

def in_trace():
    return sentry_sdk.start_transaction(name='of the program')

def traced():
    sentry_sdk.capture_message('what was before')
    sentry_sdk.flush()
    spans = [span['description'] for sent in Transport.sent for span in sent.get('spans', ())]
    (event,) = (sent for sent in Transport.sent if sent.get('message') == 'what was before')
    crumbs = [crumb['data'] for crumb in event['breadcrumbs']['values'] if crumb.get('category') == 'httplib']
    return {'spans': spans, 'requests': len(crumbs)}
"""


def everything_arrived(life, endpoint) -> None:
    """Once, and nothing beside it: what a library logs of a request of ours would be the next event."""
    messages = sorted(event['message'] for event in delivered(endpoint))
    assert messages == sorted(f'by {way} {where}' for way in WAYS for where in ('in a trace', 'in none'))
    figures = life.figures
    assert figures['accepted'] == figures['delivered'] == 2 * len(WAYS)
    assert (figures['uncertain'], figures['adds_up']) == (0, True)


@pytest.mark.parametrize('context_missing', ['RUNTIME_ERROR', 'LOG_ERROR'])
def test_with_xray_everything_arrives_without_a_segment_whatever_context_missing_says(
    context_missing, live, endpoint
):
    """By default X-Ray logs an error for each request outside of a segment, and can be told to raise one."""
    life = live(
        (
            XRAY,
            f'xray_recorder.configure(context_missing={context_missing!r})\npatch_all(double_patch=True)',
            IN_EACH_WAY,
        ),
        endpoint.url,
    )
    (segment,) = life.figures['traced']
    (parts,) = segment.values()
    # The program's own call, and what is below it.
    assert [list(part) for part in parts] == [['firehose']]
    everything_arrived(life, endpoint)


def test_with_xray_the_segments_of_asyncios_tasks_stay_as_they_are(live, endpoint):
    """X-Ray looks for them in the task that the loop runs just now, whichever thread asks."""
    life = live(
        (
            XRAY,
            """
            import asyncio
            from aws_xray_sdk.core.async_context import AsyncContext

            async def main():
                xray_recorder.configure(context=AsyncContext(), context_missing='RUNTIME_ERROR')
                patch_all(double_patch=True)
                async with xray_recorder.in_segment_async('of the program'):
                    logger.info('in a task')
                    assert handler.flush(), handler.stats()
                    async with xray_recorder.in_subsegment_async('after it'):
                        pass
                logger.info('in none')
                assert handler.flush(), handler.stats()

            handler = make()
            logger.addHandler(handler)
            asyncio.run(main())
            tell(traced=traced(), **account(handler))
            """,
        ),
        endpoint.url,
    )
    assert life.figures['traced'] == [{'of the program': [{'after it': []}]}]
    assert [event['message'] for event in delivered(endpoint)] == ['in a task', 'in none']
    assert life.figures['uncertain'] == 0


class Keys(BaseHTTPRequestHandler):
    """Gives temporary keys, as STS does for a role and ECS does in a container. They expire within minutes, so botocore renews them with each request."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers['Content-Length']))
        self.answer(
            f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
            <Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
            <SessionToken>token</SessionToken><Expiration>{self.end}</Expiration></Credentials>
            </AssumeRoleResult></AssumeRoleResponse>"""
        )

    def do_GET(self) -> None:
        keys = {
            'AccessKeyId': 'ASIAEXAMPLE',
            'SecretAccessKey': 'secret',
            'Token': 'token',
            'Expiration': self.end,
        }
        self.answer(json.dumps(keys))

    @property
    def end(self) -> str:
        return f'{datetime.now(timezone.utc) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}'

    def answer(self, text: str) -> None:
        self.server.requests += 1
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def keys() -> Iterator[ThreadingHTTPServer]:
    """A service that gives keys."""
    with ThreadingHTTPServer(('127.0.0.1', 0), Keys) as server:
        server.requests = 0
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


OF_A_ROLE = """
[profile base]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = secret

[profile writer]
role_arn = arn:aws:iam::123456789012:role/writer
source_profile = base
"""


@pytest.mark.parametrize(
    ('library', 'nothing', 'options', 'variable'),
    [
        (XRAY + REFUSE, [], "boto3_profile_name='writer'", 'AWS_ENDPOINT_URL_STS'),
        (
            SENTRY,
            {'spans': [], 'requests': 0},
            'boto3_session=boto3.session.Session()',
            'AWS_CONTAINER_CREDENTIALS_FULL_URI',
        ),
    ],
    ids=['of a role, by X-Ray', "of a container, in the constructor, by Sentry's SDK"],
)
def test_what_is_asked_for_credentials_is_not_traced_either(
    library, nothing, options, variable, live, endpoint, keys, tmp_path
):
    """By botocore: it asks by clients and connections of its own, which are traced as any other."""
    config = tmp_path / 'config'
    config.write_text(OF_A_ROLE)
    life = live(
        (
            library,
            f"""
            import boto3.session
            for name in 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY':
                del os.environ[name]
            handler = make({options})
            logger.addHandler(handler)
            for number in range(2):
                logger.info('event %d', number)
                assert handler.flush(), handler.stats()
            handler.close()
            tell(traced=traced(), **account(handler))
            """,
        ),
        endpoint.url,
        environment={'AWS_CONFIG_FILE': str(config), variable: f'http://127.0.0.1:{keys.server_port}/'},
    )
    assert [event['message'] for event in delivered(endpoint)] == ['event 0', 'event 1']
    assert keys.requests >= 2
    assert life.figures['traced'] == nothing
    assert life.figures['uncertain'] == 0
    assert 'FirehoseWarning' not in life.said
    assert 'firefighter:' not in life.said


@pytest.mark.parametrize(
    ('library', 'instrumentor', 'span'),
    [
        ('botocore', 'BotocoreInstrumentor', 'Firehose.ListDeliveryStreams'),
        ('urllib3', 'URLLib3Instrumentor', 'POST'),
    ],
)
def test_opentelemetry_makes_no_span_of_a_request_of_ours(library, instrumentor, span, live, endpoint):
    """Neither below the span that is open as the event is logged, nor one of its own."""
    module = f'opentelemetry.instrumentation.{library}'
    pytest.importorskip(module)
    life = live(
        (OPENTELEMETRY, f'from {module} import {instrumentor}\n{instrumentor}().instrument()\n', IN_EACH_WAY),
        endpoint.url,
    )
    assert life.figures['traced'] == [span, 'of the program']
    everything_arrived(life, endpoint)


def test_sentry_has_neither_spans_nor_breadcrumbs_of_requests_of_ours(live, endpoint):
    """It would put them into the transaction that is open as the thread starts, or with the program's next error."""
    life = live((SENTRY, IN_EACH_WAY), endpoint.url)
    own = life.figures['traced']['spans']
    assert own[0] == 'aws.firehose.ListDeliveryStreams'
    assert not [span for span in own if 'PutRecordBatch' in span]
    assert len(own) == 2  # the call, and its request
    assert 1 <= life.figures['traced']['requests'] <= 2
    everything_arrived(life, endpoint)
