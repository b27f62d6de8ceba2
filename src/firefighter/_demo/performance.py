"""The demo from the beginning to the end: processes up, traffic, processes down, account."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any

from firefighter._demo.account import Report, settle
from firefighter._demo.complaints import complaints
from firefighter._demo.delivered import read_delivered
from firefighter._demo.processes import Child, while_all_live
from firefighter._demo.scenario import STREAM, Progress, Scenario
from firefighter._demo.screen import Result, Screen
from firefighter._demo.traffic import make_traffic
from firefighter.local import Account as EndpointAccount
from firefighter.local import LocalFirehoseClient

# The bucket of a stream that was created without a destination.
BUCKET = 'logs'
REFRESH_SECONDS = 0.25


async def perform(scenario: Scenario, screen: Screen) -> bool:
    """Run the demo, and return whether every event arrived.

    Args:
        scenario: what to do. Its folder is there, and empty.
        screen: where to show it.

    Raises:
        ChildError: the endpoint or a worker ended too early.
        EndpointError: the endpoint does not answer, or cannot write into the folder.
    """
    progress = Progress()
    async with contextlib.AsyncExitStack() as children:
        endpoint = await children.enter_async_context(_endpoint(scenario, screen))
        client = LocalFirehoseClient(_address_in(await endpoint.line()))
        workers = [
            await children.enter_async_context(_worker(number, client.url, scenario, screen))
            for number in range(1, scenario.workers + 1)
        ]
        urls = await asyncio.gather(*(worker.line() for worker in workers))
        screen.begin(scenario, client.url)
        await while_all_live([endpoint, *workers], _under_traffic(scenario, urls, progress, client, screen))
        screen.end_traffic(progress)
        reports = await while_all_live([endpoint], _reports(workers))
        endpoint_account = await asyncio.to_thread(_flushed_account, client)
        endpoint.ask_to_end()
        await endpoint.ended()
    delivered = read_delivered(scenario.folder / BUCKET)
    account = settle(reports, delivered)
    wrong = complaints(account)
    screen.show(Result(scenario, progress, account, wrong, endpoint_account, delivered))
    return not wrong


def _endpoint(scenario: Scenario, screen: Screen) -> Child:
    arguments = ('local', str(scenario.folder), '--port', '0', '--stream', STREAM)
    return Child('the local endpoint', 'firefighter.cli.main:main', *arguments, complain=screen.complain)


def _address_in(line: str) -> str:
    """Return the URL in the line that `firefighter local` prints when it is ready."""
    return line.partition('listening on ')[2].partition(',')[0]


def _worker(number: int, endpoint_url: str, scenario: Scenario, screen: Screen) -> Child:
    configuration = scenario.folder / f'worker-{number}.json'
    configuration.write_text(json.dumps(logging_configuration(number, endpoint_url), indent=2))
    return Child(
        f'worker {number}',
        'firefighter._demo.service:main',
        str(number),
        str(configuration),
        complain=screen.complain,
    )


def logging_configuration(worker: int, endpoint_url: str) -> Mapping[str, Any]:
    """Return how a worker logs, as any program might: plain values for `logging.config.dictConfig`.

    Args:
        worker: its number among its like, which each of its events carries.
        endpoint_url: the local endpoint's.
    """
    return {
        'version': 1,
        'disable_existing_loggers': False,
        'filters': {'numbered': {'()': 'firefighter._demo.service.Numbered'}},
        'handlers': {
            'firehose': {
                'class': 'firefighter.logging.FirehoseHandler',
                'delivery_stream_name': STREAM,
                'region_name': 'us-east-1',
                'endpoint_url': endpoint_url,
                'fields': {'service': 'shop', 'worker': worker},
                'include': ['pid'],
                'filters': ['numbered'],
            }
        },
        'root': {'level': 'INFO', 'handlers': ['firehose']},
        # What delivery itself logs is never an event. Here it shall not take a number, either.
        'loggers': {name: {'propagate': False} for name in ('boto3', 'botocore', 'urllib3')},
    }


async def _under_traffic(
    scenario: Scenario, urls: list[str], progress: Progress, client: LocalFirehoseClient, screen: Screen
) -> None:
    showing = asyncio.create_task(_keep_showing(progress, client, screen))
    try:
        await make_traffic(scenario, urls, progress)
    finally:
        showing.cancel()
        # Should the endpoint die, the showing stumbles too; the death is reported, and that is enough.
        await asyncio.gather(showing, return_exceptions=True)


async def _keep_showing(progress: Progress, client: LocalFirehoseClient, screen: Screen) -> None:
    while screen.is_live:
        screen.update(progress, await asyncio.to_thread(client.account, STREAM))
        await asyncio.sleep(REFRESH_SECONDS)


async def _reports(workers: list[Child]) -> list[Report]:
    for worker in workers:
        worker.ask_to_end()
    reports = [Report.from_json(json.loads(await worker.line())) for worker in workers]
    for worker in workers:
        await worker.ended()
    return reports


def _flushed_account(client: LocalFirehoseClient) -> EndpointAccount:
    client.flush()
    return client.account(STREAM)
