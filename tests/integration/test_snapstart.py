"""AWS Lambda's SnapStart: many clones of one snapshot, each with events of its own. The hooks are the real library's."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections import Counter

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, delivered, end_of, program

# As Lambda's runtime (awslambdaric) runs the hooks: those before the snapshot from the last one on, each once. Restoring twice is what two
# clones see of each other: the process id is the same, and so is everything in memory.
SNAPSHOT = """
from snapshot_restore_py import get_after_restore, get_before_snapshot, register_before_snapshot

def take_snapshot():
    hooks = get_before_snapshot()
    while hooks:
        function, arguments, keywords = hooks.pop()
        function(*arguments, **keywords)

def restore():
    for function, arguments, keywords in get_after_restore():
        function(*arguments, **keywords)
"""


@pytest.fixture
def endpoint(tmp_path):
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as started:
        yield started


def run(code, environment, **options):
    """Run a program that has a `handler`, as a function of Lambda that is about to be snapshot; return its end."""
    options = {'event_ids': True, 'send_interval': 60, **options}
    ended = end_of(
        program(f'{SNAPSHOT}\n{textwrap.dedent(code)}', **options),
        {'AWS_LAMBDA_INITIALIZATION_TYPE': 'snap-start', **environment},
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr, ended.stdout


@pytest.mark.parametrize('place', ['memory', 'disk'])
def test_each_clone_is_a_producer_of_its_own(place, endpoint, tmp_path):
    """All that the initialization has logged is delivered before the snapshot, and nothing is held then: no thread, no directory."""
    environment = {'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url}
    if place == 'disk':
        environment['FIREFIGHTER_SPOOL_DIR'] = str(tmp_path / 'spool')
    said, _ = run(
        """
        logger.info('initialization')
        register_before_snapshot(logger.info, 'a hook')
        take_snapshot()
        assert handler.stats().delivered == 2, handler.stats()
        for thread in threading.enumerate():
            if thread.name.startswith('firefighter'):
                thread.join(40)
                assert not thread.is_alive()
        for path, _, files in os.walk(os.environ.get('FIREFIGHTER_SPOOL_DIR', '/nowhere')):
            assert files in ([], ['destination.json']), (path, files)
        for clone in 'first', 'second':
            restore()
            assert handler.stats().accepted == 0, handler.stats()
            logger.info(clone)
            logger.info(clone)
        """,
        environment,
    )
    assert said == ''
    events = delivered(endpoint)
    assert Counter((event['message'], event['sequence']) for event in events) == {
        ('initialization', 0): 1,
        ('a hook', 1): 1,
        ('first', 0): 1,
        ('first', 1): 1,
        ('second', 0): 1,
        ('second', 1): 1,
    }
    producers = {event['message']: event['producer'] for event in events}
    assert len(events) == 6
    assert len(set(producers.values())) == 3
    assert producers['initialization'] == producers['a hook']


@pytest.mark.parametrize('kind', ['its own', "a subclass's"])
def test_what_cannot_be_delivered_before_the_snapshot_is_delivered_by_the_clone(kind):
    """With the numbers that it has: it is the same event in all clones. Two handlers wait for it no longer than one."""
    said, printed = run(
        """
        from botocore.exceptions import EndpointConnectionError

        class Client:
            def __init__(self):
                self.down, self.received, self.more = True, [], threading.Condition()

            def put_record_batch(self, *, DeliveryStreamName, Records):
                if self.down:
                    raise EndpointConnectionError(endpoint_url='https://example.com')
                with self.more:
                    self.received += [record['Data'].decode() for record in Records]
                    self.more.notify_all()
                return {'FailedPutCount': 0, 'RequestResponses': [{'RecordId': 'x'} for _ in Records]}

        restored = threading.Event()

        class Own(FirehoseHandler):
            def batch_sender(self, *arguments):
                restored.wait(40)  # it begins when the handler has begun anew
                super().batch_sender(*arguments)

        client = Client()
        logger.removeHandler(handler)
        for _ in range(2):
            logger.addHandler(KIND('bar', boto3_client=client, event_ids=True, shutdown_timeout_seconds=0.5))
        logger.info('initialization')
        take_snapshot()
        client.down = False
        restore()
        restored.set()
        logger.info('clone')
        for each in logger.handlers:
            assert each.flush(40)
            assert each.stats().delivered == each.stats().accepted == 1, each.stats()
        # A flush delivers what was pending before as well.
        assert len(client.received) == 4
        print(''.join(client.received))
        """.replace('KIND', 'FirehoseHandler' if kind == 'its own' else 'Own'),
        {},
    )
    events = [json.loads(line) for line in printed.split('\n') if line]
    assert Counter((event['message'], event['sequence']) for event in events) == {
        ('initialization', 0): 2,
        ('clone', 0): 2,
    }
    assert len({event['producer'] for event in events}) == 4
    assert 'closed with 1 event undelivered' in said


@pytest.mark.parametrize('imported', [False, True])
def test_without_snapshots_the_library_is_left_alone_unless_the_program_has_it(imported, endpoint):
    """It may be installed where no snapshot is ever taken; but a program that registers hooks of its own expects some."""
    code = f"""
    import sys
    if {imported}:
        import snapshot_restore_py
    from firefighter.logging import FirehoseHandler
    FirehoseHandler('bar')
    library = sys.modules.get('snapshot_restore_py')
    print(len(library.get_before_snapshot()) + len(library.get_after_restore()) if library else None)
    """
    printed = subprocess.check_output(
        [sys.executable, '-c', textwrap.dedent(code)], text=True, timeout=ENOUGH_SECONDS
    )
    assert printed == f'{2 if imported else None}\n'
