"""Does each example work as it stands?"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from firefighter.local import LocalFirehose
from programs import PATIENT, without_waiting

EXAMPLES = pathlib.Path(__file__).parents[2] / 'examples'

RUN = "exec(open(path).read(), {'__file__': path})"
RUN_DJANGO = """
import logging, logging.config, runpy
logging.config.dictConfig(runpy.run_path(path)['LOGGING'])
logging.getLogger('django.request').info('GET /')
"""
RUN_LAMBDA = """
import os, runpy
# Its two seconds are no time for a busy machine, which may need more to import boto3 alone.
flush = FirehoseHandler.flush
FirehoseHandler.flush = lambda handler, timeout_seconds: flush(handler, 20 * timeout_seconds)
function = runpy.run_path(path)['handler']
assert function({'order_id': 'o-17'}, None) == {'statusCode': 200}
os._exit(0)
"""
# How each example is run, and what it logs.
PROGRAMS = {
    'dictconfig.py': (RUN, 'order received'),
    'yaml_config.py': (RUN, 'order received'),
    'django_settings.py': (RUN_DJANGO, 'GET /'),
    'aws_lambda.py': (RUN_LAMBDA, 'order received'),
}


def test_each_example_is_tested():
    """A new one needs its line here."""
    assert {path.name for path in EXAMPLES.glob('*.py')} == PROGRAMS.keys()


@pytest.mark.parametrize(('name', 'program', 'message'), [(name, *rest) for name, rest in PROGRAMS.items()])
def test_the_example_delivers_its_event(name, program, message, tmp_path):
    """Run in a process of its own, it says nothing, and its one event arrives."""
    with LocalFirehose(tmp_path, streams=['bar']) as endpoint:
        ended = subprocess.run(
            [sys.executable, '-c', f'{PATIENT}path = {str(EXAMPLES / name)!r}\n{program}'],
            env={
                **os.environ,
                'AWS_ENDPOINT_URL_FIREHOSE': endpoint.url,
                'FIREFIGHTER_STREAM': 'bar',
            },
            capture_output=True,
            text=True,
            timeout=45,
            check=False,
        )
        assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
        endpoint.flush()
        (delivered,) = [path for path in endpoint.folder.rglob('*') if path.is_file()]
    event = json.loads(delivered.read_text('utf-8'))
    assert event['message'] == message
    assert event['service'] == 'shop'
