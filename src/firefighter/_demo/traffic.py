"""The customers: HTTP requests to the workers at a steady rate."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
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


class Rotation:
    """The workers' addresses, which take turns, as behind a load balancer.

    Args:
        urls: those to begin with.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        self._urls = list(urls)
        self._open = asyncio.Event()
        self._open.set()

    def __contains__(self, url: str) -> bool:
        return url in self._urls

    async def next(self, number: int) -> str:
        """Return whose turn it is with this visit; wait while there is nobody."""
        await self._open.wait()
        return self._urls[number % len(self._urls)]

    def remove(self, url: str) -> None:
        """Send nobody there any more."""
        self._urls.remove(url)
        if not self._urls:
            self._open.clear()

    def add(self, url: str) -> None:
        """Send customers there too."""
        self._urls.append(url)
        self._open.set()


async def make_traffic(scenario: Scenario, rotation: Rotation, progress: Progress) -> None:
    """Send requests until the time is up, and keep the account of the answers.

    Args:
        scenario: how many, how long.
        rotation: the workers' addresses.
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
            url = await rotation.next(number)
            if await _answered(session.request(method, url + path, **arguments), progress):
                progress.answered += 1
            elif url in rotation:
                progress.failed += 1
            else:
                progress.cut_off += 1

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


async def _answered(request: Any, progress: Progress) -> bool:
    try:
        async with request as response:
            # Whatever becomes of the rest of the answer: this much was logged.
            worker, logged = int(response.headers[WORKER_HEADER]), int(response.headers[LOGGED_HEADER])
            progress.logged[worker] = max(progress.logged[worker], logged)
            await response.read()
    except (aiohttp.ClientError, asyncio.TimeoutError):
        return False
    return True
