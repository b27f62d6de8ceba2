"""Does an error bring with it what its own request has kept, under a real server? By the recipe of the docs."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from firefighter.local import LocalFirehose
from programs import ENOUGH_SECONDS, PATIENT, delivered, without_waiting

pytestmark = pytest.mark.once

PAGE = (pathlib.Path(__file__).parents[2] / 'docs' / 'configuration.md').read_text('utf-8')
MIDDLEWARE = re.search(r'^```python\n(.[^`]*^class BeginRequest:.*?)^```', PAGE, re.MULTILINE | re.DOTALL)[1]

# Four requests at once, each in a thread of starlette's, of which the third fails. uvicorn logs that in the task of the request.
SERVER = """
import logging, sys, threading, urllib.error, urllib.request
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from firefighter.logging import FirehoseHandler

logging.getLogger('asyncio').setLevel(logging.INFO)
shop = logging.getLogger('shop')
handler = FirehoseHandler('bar', region_name='eu-west-1')
logging.basicConfig(handlers=[KeepUntilErrorHandler(handler)], level=logging.DEBUG)
all_here = threading.Barrier(4, timeout=40)

class Begun:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        shop.debug('task of %s', scope.get('path'))
        await self.app(scope, receive, send)

def endpoint(request):
    number = request.path_params['number']
    all_here.wait()
    shop.debug('thread of /%d', number)
    all_here.wait()
    if number == 3:
        raise LookupError('no stock')
    return PlainTextResponse('sold')

def ask(number):
    try:
        urllib.request.urlopen(f'http://127.0.0.1:{port}/{number}', timeout=40).read()
    except urllib.error.HTTPError as error:
        assert (number, error.code) == (3, 500)

def ask_all():
    clients = [threading.Thread(target=ask, args=(number,)) for number in range(1, 5)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    server.should_exit = True

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        global port
        shop.debug('before all requests')
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        threading.Thread(target=ask_all).start()

app = Starlette(routes=[Route('/{number:int}', endpoint)])
app.add_middleware(Begun)
app.add_middleware(BeginRequest)
server = Server(uvicorn.Config(app, port=0, log_config=None, log_level='error', ws='none'))
server.run()
"""


@pytest.mark.skipif(
    not find_spec('uvicorn') or not find_spec('starlette'), reason='needs uvicorn and starlette'
)
def test_a_failing_request_brings_its_own_events_and_no_others(tmp_path):
    """What its task has kept, and the thread that it was handed to, though the error comes in the task afterwards."""
    with LocalFirehose(tmp_path / 'firehose', streams=['bar'], buffer_seconds=900) as endpoint:
        ended = subprocess.run(
            [
                sys.executable,
                '-c',
                f"{PATIENT}\nimport os\nos.environ['AWS_ENDPOINT_URL_FIREHOSE'] = {endpoint.url!r}\n{MIDDLEWARE}\n{SERVER}",
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
        )
        assert (ended.returncode, without_waiting(ended.stderr)) == (0, '')
        arrived = [event for event in delivered(endpoint) if event['logger'] in {'shop', 'uvicorn.error'}]
    assert [event['message'].strip() for event in arrived] == [
        'task of /3',
        'thread of /3',
        'Exception in ASGI application',
    ]
    assert arrived[-1]['exception']['message'] == 'no stock'
