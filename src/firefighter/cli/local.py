"""`firefighter local`: the embedded Firehose as a process of its own."""

from __future__ import annotations

import argparse
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from firefighter._handler.options import check_stream_name
from firefighter.cli.arguments import nonempty
from firefighter.cli.output import complain
from firefighter.local import EndpointError, LocalFirehose
from firefighter.local.buffering import MAX_BYTES, MAX_SECONDS, MIB
from firefighter.local.catalogue import CATALOGUE
from firefighter.local.fault_plan import TRIGGERS

# Where LocalStack's Firehose used to be, so that old settings find it.
DEFAULT_PORT = 4573
DEFAULT_STREAM = 'bar'
# What every refusal could change, and nobody needs to: the error's own words.
UNLISTED = frozenset({'code', 'message', 'status'})
DEFAULT_FOLDER = 'firehose-output'

# In one line, to paste. boto3, aioboto3 and the AWS command line read AWS_DEFAULT_REGION, all other SDKs read AWS_REGION.
ENVIRONMENT = (
    '  export AWS_ENDPOINT_URL_FIREHOSE={url} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 '
    'AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local'
)
_NARROW_ENVIRONMENT = ENVIRONMENT.format(url=f'http://127.0.0.1:{DEFAULT_PORT}').replace(
    ' AWS', ' \\\n      AWS'
)


def _fault_lines() -> str:
    lines = []
    for name, named in CATALOGUE.items():
        settings = ''.join(
            f' {key}={value}' for key, value in named.parameters.items() if key not in UNLISTED
        )
        lines.append(f'  {name:<20}{named.effect}' + (f' [{settings.strip()}]' if settings else ''))
    return '\n'.join(lines)


EPILOG = f"""\
Point any AWS SDK at it. Any access key works, but there must be one:

{_NARROW_ENVIRONMENT}

or in Python:

  boto3.client('firehose', region_name='us-east-1',
               endpoint_url='http://127.0.0.1:{DEFAULT_PORT}',
               aws_access_key_id='local', aws_secret_access_key='local')

Records arrive in FOLDER/logs/YYYY/MM/DD/HH/STREAM-1-YYYY-MM-DD-HH-MM-SS-UUID, one object for all
records of a buffering interval. More streams, with other destinations, can be made with CreateDeliveryStream.

When it is ready it prints one line: "firefighter local: listening on URL, delivering into FOLDER".
On SIGINT (Ctrl-C) and SIGTERM it writes its buffered records and ends. The exit status is 0 when all of them are
written, 1 when some are not, or when it cannot listen or deliver, and 2 for invalid arguments or without aiohttp.

In addition to AWS's protocol it answers:

  curl URL/_local/accounts         what each stream accepted, refused and delivered, as JSON
  curl URL/_local/strikes          how often each fault has struck
  J='Content-Type: application/json'
  curl -X POST -H "$J" URL/_local/flush          write all buffered records now
  curl -X POST -H "$J" URL/_local/clear-faults   remove all faults
  curl -H "$J" -d '{{"faults": [["slow", {{"seconds": 2}}]]}}' URL/_local/inject

It answers those who call it localhost, by an address of loopback, by --host or by an --allow-host, and no web page.

Faults, with their parameters and defaults. They strike puts, and are nested, the first one outermost:

{_fault_lines()}

These parameters work with every fault: {', '.join(f'{key}={value}' for key, value in TRIGGERS.items())}.
For example: --fault partial:share=0.3,probability=0.1 --fault reset-after:skip=10,times=1 --seed 7
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        'folder',
        type=nonempty,
        nargs='?',
        default=DEFAULT_FOLDER,
        metavar='FOLDER',
        help='where to deliver; created if missing (default: %(default)s)',
    )
    parser.add_argument(
        '--stream',
        type=_stream,
        action='append',
        metavar='NAME',
        help=f'a delivery stream to create at once; may be repeated (default: {DEFAULT_STREAM})',
    )
    parser.add_argument(
        '--port', type=_port, default=DEFAULT_PORT, help='0 takes a free one (default: %(default)s)'
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='the address to listen on. Any address other than loopback opens the endpoint to the network, '
        'without a password (default: %(default)s)',
    )
    parser.add_argument(
        '--allow-host',
        action='append',
        default=[],
        metavar='NAME',
        help='another name that it may be called by, such as the name of its container; may be repeated',
    )
    parser.add_argument(
        '--create-on-put',
        action='store_true',
        help='make streams as puts name them; with it, none is created at once unless --stream says so',
    )
    parser.add_argument(
        '--buffer-seconds',
        type=_up_to(MAX_SECONDS),
        default=1,
        metavar='N',
        help="how long a stream buffers records for one object; Firehose's own default is 300 "
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--buffer-mib',
        type=_up_to(MAX_BYTES // MIB),
        default=5,
        metavar='N',
        help="how many MiB it buffers at most; Firehose's own default is the same (default: %(default)s)",
    )
    parser.add_argument(
        '--fault',
        action='append',
        default=[],
        metavar='NAME[:PARAMETER=VALUE,...]',
        help='simulate a failure, see below; may be repeated',
    )
    parser.add_argument(
        '--seed', type=int, help='repeat the same faults, if the requests come in the same order'
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal comes, and return the exit status: 2 for what was typed, 1 if it cannot start or write everything."""
    streams = arguments.stream or ([] if arguments.create_on_put else [DEFAULT_STREAM])
    if len(streams) > len(set(streams)):
        return _fail(f'--stream names a stream twice: {" ".join(streams)}', status=2)
    try:
        endpoint = LocalFirehose(
            arguments.folder,
            streams=streams,
            host=arguments.host,
            port=arguments.port,
            buffer_seconds=arguments.buffer_seconds,
            buffer_bytes=int(arguments.buffer_mib * MIB),
            faults=arguments.fault,
            seed=arguments.seed,
            allow_hosts=arguments.allow_host,
            create_on_put=arguments.create_on_put,
        )
    except ValueError as error:
        return _fail(str(error), status=2)
    with _termination() as signals:
        try:
            endpoint.start()
        except ModuleNotFoundError as error:
            return _fail(str(error), status=2)
        except EndpointError as error:
            return _fail(str(error))
        print(
            f'firefighter local: listening on {endpoint.url}, delivering into {endpoint.folder}', flush=True
        )
        if sys.stdout.isatty():
            print(ENVIRONMENT.format(url=endpoint.url), flush=True)
        _wait_for(signals)
        try:
            endpoint.stop()
        except EndpointError as error:
            return _fail(str(error))
    return 0


@contextmanager
def _termination() -> Iterator[queue.SimpleQueue[int]]:
    # A SimpleQueue, since its `put` may interrupt its `get` in the same thread; an Event would deadlock.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = {
        number: signal.signal(number, lambda received, _: signals.put(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for(signals: queue.SimpleQueue[int]) -> None:
    while True:
        try:
            # With an end, since on Windows a wait without one is not interrupted by Ctrl-C.
            signals.get(timeout=1)
        except queue.Empty:
            continue
        return


def _stream(text: str) -> str:
    try:
        check_stream_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _port(text: str) -> int:
    with suppress(ValueError):
        if 0 <= int(text) < 1 << 16:
            return int(text)
    raise argparse.ArgumentTypeError(f'{text!r} is no port: a whole number from 0 to 65535')


def _up_to(most: int) -> Callable[[str], float]:
    def number(text: str) -> float:
        with suppress(ValueError):
            if 0 <= float(text) <= most:
                return float(text)
        raise argparse.ArgumentTypeError(f'{text!r} is no number from 0 to {most}')

    return number


def _fail(message: str, *, status: int = 1) -> int:
    complain('local', message)
    return status
