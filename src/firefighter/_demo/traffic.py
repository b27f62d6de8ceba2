"""The customers: HTTP requests to the workers at a steady rate."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp

from firefighter._demo.scenario import Progress, Scenario
from firefighter._demo.shop import LOGGED_HEADER, PRODUCTS, WORKER_HEADER

# Requests under way at once; at the default rate a few would do, and on a slow machine it bounds the queue.
CLIENTS = 32
# A prime, so that the workers, who take turns, see all kinds of visits.
KINDS = 37
SEARCHES = (5, 15, 25, 30)
PAYMENTS = (9, 18, 27, 36)
TIMEOUT = aiohttp.ClientTimeout(total=10)

Visit = tuple[str, str, dict[str, Any]]
"""Method, path and the other arguments of a request."""


async def make_traffic(scenario: Scenario, urls: Sequence[str], progress: Progress) -> None:
    """Send requests until the time is up, and keep the account of the answers.

    Args:
        scenario: how many, how long.
        urls: the workers' addresses, which take turns.
        progress: where to count.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    visits = enumerate(itertools.islice(all_visits(), round(scenario.rate * scenario.seconds)))

    async def client() -> None:
        for number, (method, path, arguments) in visits:
            await asyncio.sleep(began + number / scenario.rate - loop.time())
            progress.elapsed_seconds = loop.time() - began
            if progress.elapsed_seconds > scenario.seconds:
                return
            url = urls[number % len(urls)] + path
            await _visit(session.request(method, url, **arguments), progress)

    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
    progress.elapsed_seconds = loop.time() - began


def all_visits() -> Iterator[Visit]:
    """Yield what the customers ask for, without end and always the same."""
    for number in itertools.count():
        kind = number % KINDS
        if kind in SEARCHES:
            # The last of the searches wants the long page.
            page = SEARCHES.index(kind) == len(SEARCHES) - 1
            yield 'GET', '/search', {'params': {'words': 'warme Füße 靴下', 'page': str(int(page))}}
        elif kind in PAYMENTS:
            yield 'POST', '/payments', {'json': {'order': number}}
        elif kind % 3 == 0:
            items = [{'product': number % PRODUCTS, 'price': 12.5}] * (1 + number % 4)
            yield 'POST', '/orders', {'json': {'order': number, 'items': items}}
        else:
            # One in 26 is beyond the last product.
            yield 'GET', f'/products/{number % (PRODUCTS + 20)}', {}


async def _visit(request: Any, progress: Progress) -> None:
    try:
        async with request as response:
            await response.read()
    except (aiohttp.ClientError, asyncio.TimeoutError):
        progress.failed += 1
        return
    progress.answered += 1
    worker, logged = int(response.headers[WORKER_HEADER]), int(response.headers[LOGGED_HEADER])
    progress.logged[worker] = max(progress.logged[worker], logged)
