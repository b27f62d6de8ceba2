"""Is what is bound to a context in the events of just that context? With threads, tasks and the libraries that have such variables."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import json
import logging
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import orjson
import pytest

from doubles import DEADLINE_SECONDS, AcceptingClient
from firefighter.context import bind, unbind
from firefighter.formatting import JSONFormatter
from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, PATIENT, delivered

TASKS = 8


@pytest.fixture(autouse=True)
def in_an_empty_context():
    """What a test binds, and what another has left, ends with it."""
    unbind()
    yield
    unbind()


@pytest.fixture
def log_with(make_handler):
    """Return a function that makes a logger whose events have a context, and one that returns the events."""

    def make(*context):
        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client)
        handler.setFormatter(JSONFormatter(context=context))
        logger = logging.Logger('shop')
        logger.addHandler(handler)

        def events():
            assert handler.flush()
            return [orjson.loads(event) for event in client.events]

        return logger, events

    return make


def check_own(events, count=TASKS):
    """Each event has the number that its own task has bound, and its message is the same number."""
    assert sorted(event['number'] for event in events) == sorted([*range(count)] * (len(events) // count))
    for event in events:
        assert event['message'] == str(event['number'])


async def request(app, path):
    """Ask an ASGI application, as a server does."""
    sent = []

    async def receive():
        await asyncio.sleep(0)
        return {'type': 'http.request', 'body': b'', 'more_body': False}

    async def send(message):
        await asyncio.sleep(0)
        sent.append(message)

    scope = {
        'type': 'http',
        'asgi': {'version': '3.0'},
        'http_version': '1.1',
        'method': 'GET',
        'scheme': 'http',
        'path': path,
        'raw_path': path.encode(),
        'root_path': '',
        'query_string': b'',
        'headers': [],
        'client': None,
        'server': ('127.0.0.1', 80),
    }
    await app(scope, receive, send)
    assert sent[0]['status'] == 200


class TestWhereProgramsRun:
    def test_each_thread_has_its_own(self, log_with):
        """At the same time, and what is bound elsewhere is not in them."""
        logger, events = log_with('firefighter')
        barrier = threading.Barrier(TASKS)

        def work(number):
            with bind(number=number):
                for _ in range(20):
                    barrier.wait(DEADLINE_SECONDS)
                    logger.info(str(number))
            logger.info('after')

        threads = [threading.Thread(target=work, args=(number,)) for number in range(TASKS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_SECONDS)
        check_own([event for event in events() if event['message'] != 'after'])
        assert [event for event in events() if event['message'] == 'after' and 'number' in event] == []
        assert len(events()) == TASKS * 21

    def test_a_thread_that_a_pool_reuses_has_what_its_work_is_given(self, log_with):
        """A copy of the context, as the docs say."""
        logger, events = log_with('firefighter')
        with ThreadPoolExecutor(1) as pool, bind(number=0):
            pool.submit(contextvars.copy_context().run, logger.info, '0').result(DEADLINE_SECONDS)
            unbind('number')
            pool.submit(contextvars.copy_context().run, logger.info, 'without').result(DEADLINE_SECONDS)
        first, second = events()
        assert first['number'] == 0
        assert 'number' not in second

    def test_each_task_has_its_own_also_in_threads_of_asyncio(self, log_with):
        """A task begins with what was bound where it was made; what it binds itself is its own."""
        logger, events = log_with('firefighter')

        async def work(number):
            bind(number=number)
            for _ in range(5):
                logger.info(str(number))
                await asyncio.sleep(0)
                await asyncio.to_thread(logger.info, str(number))

        async def main():
            bind(request='r')
            await asyncio.gather(*(work(number) for number in range(TASKS)))
            logger.info('after')

        asyncio.run(main())
        *of_tasks, after = events()
        check_own(of_tasks)
        assert {event['request'] for event in of_tasks} == {'r'}
        assert 'number' not in after
        assert after['request'] == 'r'

    @pytest.mark.parametrize('library', ['starlette', 'fastapi'])
    def test_the_thread_of_an_endpoint_has_what_its_request_has_bound(self, library, log_with):
        """A middleware binds it; the endpoint is no coroutine, so a pool of threads runs it."""
        pytest.importorskip(library)
        logger, events = log_with('firefighter')
        ran_in = set()

        def work(number):
            ran_in.add(threading.current_thread())
            bind(within=True)
            logger.info(str(number))

        if library == 'fastapi':
            fastapi = importlib.import_module('fastapi')
            app = fastapi.FastAPI()

            def session(number: int):
                with bind(session=number):
                    yield number

            @app.get('/{number}')
            def endpoint(number: int, session: int = fastapi.Depends(session)):
                work(number)
        else:
            applications, routing, responses = (
                importlib.import_module(f'starlette.{name}')
                for name in ('applications', 'routing', 'responses')
            )

            def endpoint(request):
                work(int(request.path_params['number']))
                return responses.PlainTextResponse('')

            app = applications.Starlette(routes=[routing.Route('/{number}', endpoint)])

        async def middleware(scope, receive, send):
            with bind(number=int(scope['path'][1:])):
                await app(scope, receive, send)
                logger.info(str(int(scope['path'][1:])))

        async def main():
            await asyncio.gather(*(request(middleware, f'/{number}') for number in range(TASKS)))
            logger.info('after')

        asyncio.run(main())
        assert threading.current_thread() not in ran_in
        *of_requests, after = events()
        check_own(of_requests)
        assert len(of_requests) == 2 * TASKS
        assert [event.get('within') for event in of_requests].count(True) == TASKS
        assert 'number' not in after

    @pytest.mark.skipif(not hasattr(os, 'fork'), reason='this forks')
    def test_a_task_of_celerys_pool_has_its_own(self, tmp_path):
        """Bound by the signals that Celery sends before and after each; by the recipe of the docs, with a real worker."""
        pytest.importorskip('celery')
        page = (pathlib.Path(__file__).parents[2] / 'docs' / 'configuration.md').read_text('utf-8')
        (recipe,) = re.findall(
            r'^```python\n(from celery\.signals import task_postrun.*?)^```', page, re.MULTILINE | re.DOTALL
        )
        shop = f"""
        import logging, os, sys
        from celery import Celery
        from celery.signals import after_setup_logger, after_setup_task_logger
        from celery.utils.log import get_task_logger
        from firefighter.formatting import JSONFormatter
        from firefighter.logging import FirehoseHandler
        app = Celery('shop', broker='filesystem://localhost')
        app.conf.update(broker_transport_options={{'data_folder_in': 'queue', 'data_folder_out': 'queue', 'control_folder': 'control'}})
        handler = FirehoseHandler('bar', send_interval=0)
        handler.setFormatter(JSONFormatter(context=['firefighter']))

        @after_setup_logger.connect
        @after_setup_task_logger.connect
        def ship_logs(logger, **_):
            logger.addHandler(handler)

        @app.task
        def work(number):
            bind(number=number)
            get_task_logger('shop').warning('%d', number)

        if 'worker' not in sys.argv:
            for folder in ('queue', 'control'):
                os.mkdir(folder)
            for number in range({TASKS}):
                print(work.delay(number).id)
        """
        (tmp_path / 'shop.py').write_text(PATIENT + recipe + textwrap.dedent(shop), 'utf-8')
        with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as endpoint:
            surroundings = {
                **os.environ,
                'PYTHONPATH': os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')])),
                'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
            }
            told = subprocess.run(
                [sys.executable, '-Wignore', '-m', 'shop'],
                cwd=tmp_path,
                env=surroundings,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            ids = told.stdout.split()
            worker = subprocess.Popen(
                [
                    sys.executable,
                    '-Wignore',
                    '-m',
                    'celery',
                    '-A',
                    'shop',
                    'worker',
                    '--concurrency=2',
                    '--loglevel=WARNING',
                    '--without-gossip',
                    '--without-mingle',
                    '--without-heartbeat',
                ],
                cwd=tmp_path,
                env=surroundings,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                deadline = monotonic() + ENOUGH_SECONDS
                events = []
                while len(events) < TASKS:
                    assert monotonic() < deadline
                    events = [event for event in delivered(endpoint) if event['logger'] == 'shop']
            finally:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
        check_own(events)
        assert sorted(event['task_id'] for event in events) == sorted(ids)


class TestLibraries:
    def test_structlogs_variables_are_in_the_events_of_the_standard_library(self, log_with):
        """And once in those of structlog itself, which merges them into its dict."""
        structlog = pytest.importorskip('structlog')
        logger, events = log_with('structlog')
        log = structlog.wrap_logger(
            logger,
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        with structlog.contextvars.bound_contextvars(request_id='5f2b', when={'raw': b'x'}):
            logger.info('by logging')
            log.info('by structlog', order=1)
            log.info('own', request_id='other')
        logger.info('after')
        first, second, third, after = events()
        assert (first['request_id'], first['when']) == ('5f2b', {'raw': 'x'})
        assert (second['request_id'], second['when'], second['order']) == ('5f2b', {'raw': 'x'}, 1)
        assert 'extra' not in second
        assert (third['request_id'], third['extra']) == ('other', {'request_id': '5f2b'})
        assert 'request_id' not in after

    def test_the_current_span_of_opentelemetry_is_named(self, log_with):
        """By the ids that its SDK has given it; in tasks too, and nothing without a span."""
        sdk = pytest.importorskip('opentelemetry.sdk.trace')
        tracer = sdk.TracerProvider().get_tracer('shop')
        logger, events = log_with('opentelemetry')
        spans = {}

        async def work(number):
            with tracer.start_as_current_span(str(number)) as span:
                spans[str(number)] = span.get_span_context()
                await asyncio.sleep(0)
                logger.info(
                    str(number), extra={'otelTraceID': '1', 'otelSpanID': '2', 'otelTraceSampled': True}
                )
                await asyncio.to_thread(logger.info, str(number), extra={'raw': b'x', 'otelTraceID': '1'})

        async def main():
            await asyncio.gather(*map(work, range(TASKS)))

        asyncio.run(main())
        logger.info('after', extra={'otelTraceID': '1'})
        *of_spans, after = events()
        assert len(of_spans) == 2 * TASKS
        for event in of_spans:
            span = spans[event['message']]
            assert event['trace_id'] == format(span.trace_id, '032x')
            assert event['span_id'] == format(span.span_id, '016x')
            assert event['trace_sampled'] is True
            assert not [name for name in event if name.startswith('otel')]
        assert 'trace_id' not in after
        assert after['otelTraceID'] == '1'

    def test_what_opentelemetrys_instrumentor_puts_on_records_is_not_repeated(self, log_with):
        """With the real one, which replaces logging's factory of records."""
        instrumentation = pytest.importorskip('opentelemetry.instrumentation.logging')
        sdk = pytest.importorskip('opentelemetry.sdk.trace')
        logger, events = log_with('opentelemetry')
        instrumentor = instrumentation.LoggingInstrumentor()
        instrumentor.instrument(inject_trace_context=True)
        try:
            with sdk.TracerProvider().get_tracer('shop').start_as_current_span('order') as span:
                logger.info('Ahoy')
                logger.info('Ahoy', exc_info=ValueError('no'))
            logger.info('after')
        finally:
            instrumentor.uninstrument()
        *of_span, after = events()
        assert [name for name in after if 'trace' in name.lower()] == []
        for event in of_span:
            assert event['trace_id'] == format(span.get_span_context().trace_id, '032x')
            assert [name for name in event if name.startswith('otel')] == ['otelServiceName']

    def test_the_id_of_asgi_correlation_id_is_that_of_the_request(self, log_with, monkeypatch):
        """As its middleware has given it."""
        # It imports this where it is there, which imports eventlet, which warns, and from then on at each fork.
        monkeypatch.setitem(sys.modules, 'sentry_sdk', None)
        library = pytest.importorskip('asgi_correlation_id')
        logger, events = log_with('asgi-correlation-id')
        answers = []

        async def app(scope, receive, send):
            logger.info('Ahoy')
            await asyncio.to_thread(logger.info, 'Ahoy')
            await send({'type': 'http.response.start', 'status': 200, 'headers': []})
            await send({'type': 'http.response.body', 'body': b''})

        async def middleware(scope, receive, send):
            async def note(message):
                answers.extend(
                    value.decode()
                    for name, value in message.get('headers', [])
                    if name.lower() == b'x-request-id'
                )
                await send(message)

            await library.CorrelationIdMiddleware(app)(scope, receive, note)

        asyncio.run(request(middleware, '/'))
        logger.info('after')
        first, second, after = events()
        assert first['correlation_id'] == second['correlation_id'] == answers[0]
        assert 'correlation_id' not in after

    def test_the_id_of_django_guid_is_that_of_the_request(self, tmp_path):
        """With Django, which configures logging itself, and its middleware."""
        pytest.importorskip('django_guid')
        program = """
        import logging
        import django
        from django.conf import settings
        from django.http import HttpResponse
        from django.urls import path

        def view(request):
            logging.getLogger('shop').warning('Ahoy')
            return HttpResponse('')

        urlpatterns = [path('', view)]
        settings.configure(
            ROOT_URLCONF=__name__,
            ALLOWED_HOSTS=['testserver'],
            INSTALLED_APPS=['django_guid'],
            MIDDLEWARE=['django_guid.middleware.guid_middleware'],
            LOGGING={
                'version': 1,
                'formatters': {'json': {'()': 'firefighter.formatting.JSONFormatter', 'context': ['django-guid']}},
                'handlers': {'stdout': {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout', 'formatter': 'json'}},
                'loggers': {'shop': {'handlers': ['stdout']}},
            },
        )
        django.setup()
        from django.test import Client
        print(Client().get('/')['Correlation-ID'])
        logging.getLogger('shop').warning('after')
        """
        told = run_program(program, tmp_path)
        event, answered, after = told.splitlines()
        assert json.loads(event)['correlation_id'] == answered
        assert 'correlation_id' not in json.loads(after)

    def test_an_invocation_of_lambda_is_named(self, tmp_path):
        """By the real runtime, beside its own handler, which puts the request id on the record as well."""
        pytest.importorskip('awslambdaric')
        (tmp_path / 'shop.py').write_text(
            textwrap.dedent("""
            import logging, sys
            from firefighter.formatting import JSONFormatter

            stdout = logging.StreamHandler(sys.__stdout__)
            stdout.setFormatter(JSONFormatter(context=['lambda']))
            root, shop = logging.getLogger(), logging.getLogger('shop')
            root.addHandler(stdout)
            shop.addHandler(stdout)
            shop.propagate = False
            shop.warning('init')

            def handler(event, context):
                shop.warning(context.aws_request_id)
                if event['last']:
                    root.warning(context.aws_request_id)
                    raise SystemExit
            """)
        )
        program = """
        import json, os, sys, threading
        from http.server import BaseHTTPRequestHandler, HTTPServer
        import subprocess

        numbers = iter(range(2))

        class Runtime(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                number = next(numbers)
                self.send_response(200)
                self.send_header('Lambda-Runtime-Aws-Request-Id', f'request-{number}')
                self.send_header('Lambda-Runtime-Deadline-Ms', '99999999999999')
                self.send_header('Lambda-Runtime-Invoked-Function-Arn', 'arn')
                if number:
                    self.send_header('Lambda-Runtime-Trace-Id', 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1')
                body = json.dumps({'last': number == 1}).encode()
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.rfile.read(int(self.headers['Content-Length']))
                self.send_response(202)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *_):
                pass

        server = HTTPServer(('127.0.0.1', 0), Runtime)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'127.0.0.1:{server.server_port}'
        subprocess.run(
            [sys.executable, '-m', 'awslambdaric', 'shop.handler'],
            env={**os.environ, 'AWS_LAMBDA_RUNTIME_API': address},
        )
        """
        events = [
            json.loads(line)
            for line in run_program(program, tmp_path).splitlines()
            if line.startswith('{"timestamp"')
        ]
        init, first, second, third = events
        assert 'aws_request_id' not in init
        assert first['message'] == first['aws_request_id'] == 'request-0'
        assert second['message'] == second['aws_request_id'] == 'request-1'
        assert third['logger'] == 'root'
        assert third['aws_request_id'] == 'request-1'
        assert 'extra' not in third
        assert 'xray_trace_id' not in first
        assert second['xray_trace_id'] == '1-5759e988-bd862e3fe1be46a994272793'


def run_program(program, folder):
    """Run a program in a folder; return what it has written to stdout."""
    (folder / 'program.py').write_text(textwrap.dedent(program), 'utf-8')
    ended = subprocess.run(
        [sys.executable, '-Wignore', 'program.py'],
        cwd=folder,
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join(filter(None, [str(folder), os.environ.get('PYTHONPATH')])),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ended.stdout
