"""The demo from the beginning to the end: processes up, traffic, one of them killed, processes down, account."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any

from firefighter._demo.account import Killed, Report, settle
from firefighter._demo.bill import read_bills
from firefighter._demo.complaints import complaints
from firefighter._demo.delivered import read_delivered
from firefighter._demo.left_behind import left_behind
from firefighter._demo.processes import Child, while_all_live
from firefighter._demo.scenario import STREAM, Progress, Scenario
from firefighter._demo.screen import Result, Screen
from firefighter._demo.traffic import Rotation, make_traffic
from firefighter.local import Account as EndpointAccount
from firefighter.local import LocalFirehoseClient

REFRESH_SECONDS = 0.25

# A handler sends at most once a second, so what waits rises and falls. A worker is killed when it has this many events to
# lose, or, where nobody visits it, after two seconds of looking.
WORTH_A_KILL = 100
LOOK_SECONDS = 0.02
PATIENT_LOOKS = 100


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
            await children.enter_async_context(Worker(number, client.url, scenario, screen))
            for number in range(1, scenario.workers + 1)
        ]
        await asyncio.gather(*(worker.ready() for worker in workers))
        screen.begin(scenario, client.url, hindrance=_hindrance(workers))
        rotation = Rotation(worker.url for worker in workers)
        victim: Worker | None = None
        left: tuple[int, ...] = ()
        async with (
            _meanwhile(_keep_showing(progress, client, screen)),
            _meanwhile(make_traffic(scenario, rotation, progress)) as traffic,
        ):
            if _hindrance(workers) is None:
                await while_all_live(
                    [endpoint, *workers], asyncio.wait([traffic], timeout=scenario.kill_after_seconds)
                )
                victim = workers.pop(len(workers) // 2)
                left = await while_all_live([endpoint, *workers], _kill(victim, rotation, scenario))
                screen.tell_kill(progress, victim.number, len(left))
                heir = await children.enter_async_context(
                    Worker(scenario.workers + 1, client.url, scenario, screen)
                )
                workers.append(heir)
                await while_all_live([endpoint, *workers], heir.ready())
                rotation.add(heir.url)
                screen.tell_replacement(progress, heir.number)
            await while_all_live([endpoint, *workers], asyncio.wait([traffic]))
            await traffic
        screen.end_traffic(progress)
        reports = await while_all_live([endpoint], _reports(workers))
        endpoint_account = await asyncio.to_thread(_flushed_account, client)
        endpoint.ask_to_end()
        await endpoint.ended()
    delivered = read_delivered(scenario.bucket)
    # What it had promised is known now, when its last answers have been read too.
    killed = Killed(victim.number, progress.logged[victim.number], left) if victim else None
    account = settle(reports, delivered, killed)
    wrong = complaints(account)
    bills = read_bills(delivered.files, scenario.workers, progress.elapsed_seconds)
    screen.show(Result(scenario, progress, account, wrong, endpoint_account, delivered, bills))
    return not wrong


def _endpoint(scenario: Scenario, screen: Screen) -> Child:
    arguments = ('local', str(scenario.folder), '--port', '0', '--stream', STREAM)
    return Child('the local endpoint', 'firefighter.cli.main:main', *arguments, complain=screen.complain)


def _address_in(line: str) -> str:
    """Return the URL in the line that `firefighter local` prints when it is ready."""
    return line.partition('listening on ')[2].partition(',')[0]


class Worker(Child):
    """One process of the web service.

    Args:
        number: which one.
        endpoint_url: the local endpoint's.
        scenario: what the demo is asked to do.
        screen: where to show what it writes to stderr.

    Attributes:
        url: its address, once it is ready.
        hindrance: why its events would not survive its death, once it is ready; None when they would.
    """

    def __init__(self, number: int, endpoint_url: str, scenario: Scenario, screen: Screen) -> None:
        self.number = number
        self.url = ''
        self.hindrance: str | None = None
        configuration = scenario.folder / f'worker-{number}.json'
        configuration.write_text(
            json.dumps(logging_configuration(number, endpoint_url, str(scenario.spool_dir)), indent=2)
        )
        super().__init__(
            f'worker {number}',
            'firefighter._demo.service:main',
            str(number),
            str(configuration),
            complain=screen.complain,
        )

    async def ready(self) -> None:
        """Wait until it listens.

        Raises:
            ChildError: it ended instead, or said nothing for 30 s.
        """
        told = json.loads(await self.line())
        self.url = told['url']
        self.hindrance = None if told['backing'] == 'disk' else told['trouble'] or 'its events are in memory'


def logging_configuration(worker: int, endpoint_url: str, spool_dir: str) -> Mapping[str, Any]:
    """Return how a worker logs, as any program might: plain values for `logging.config.dictConfig`.

    Args:
        worker: its number among its like, which each of its events carries.
        endpoint_url: the local endpoint's.
        spool_dir: where its handler keeps what is not delivered yet.
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
                'spool_dir': spool_dir,
                'event_ids': True,
                'fields': {'service': 'shop', 'worker': worker},
                'include': ['pid'],
                'filters': ['numbered'],
            }
        },
        'root': {'level': 'INFO', 'handlers': ['firehose']},
        # What delivery itself logs is never an event. Here it shall not take a number, either.
        'loggers': {name: {'propagate': False} for name in ('boto3', 'botocore', 'urllib3')},
    }


@contextlib.asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Do some work while the block lasts, and no longer.

    Whether it failed is to be asked of the task. Should the endpoint die, the showing stumbles too; the death is reported,
    and that is enough.
    """
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _hindrance(workers: Sequence[Worker]) -> str | None:
    """Return why no worker can be killed without a loss, or None."""
    return next((worker.hindrance for worker in workers if worker.hindrance), None)


async def _kill(victim: Worker, rotation: Rotation, scenario: Scenario) -> tuple[int, ...]:
    """Kill a worker while it has something to lose; return the numbers of the events that it has left."""
    for _ in range(PATIENT_LOOKS):
        if len(left_behind(scenario.spool_dir, victim.pid)) >= WORTH_A_KILL:
            break
        await asyncio.sleep(LOOK_SECONDS)
    victim.kill()
    # At once: a request that fails from now on has been cut off.
    rotation.remove(victim.url)
    await victim.death()
    return left_behind(scenario.spool_dir, victim.pid)


async def _keep_showing(progress: Progress, client: LocalFirehoseClient, screen: Screen) -> None:
    while screen.is_live:
        screen.update(progress, await asyncio.to_thread(client.account, STREAM))
        await asyncio.sleep(REFRESH_SECONDS)


async def _reports(workers: Sequence[Worker]) -> list[Report]:
    for worker in workers:
        worker.ask_to_end()
    reports = [Report.from_json(json.loads(await worker.line())) for worker in workers]
    for worker in workers:
        await worker.ended()
    return reports


def _flushed_account(client: LocalFirehoseClient) -> EndpointAccount:
    client.flush()
    return client.account(STREAM)
