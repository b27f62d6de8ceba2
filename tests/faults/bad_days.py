"""Bad days: handlers that log over real HTTP while faults strike at random, and the account of each day.

A day: the dice choose some faults and how likely each is, the producers log in bursts, and now and then flush, or close
the handler and go on with it. Then the faults end, and everything is delivered. What arrived must be what was accepted
less what was dropped with a reason, and nothing more often than the account says that it may be.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from arrivals import adds_up, deliver_everything, messages_in
from doubles import DEADLINE_SECONDS
from firefighter.local import LocalFirehose
from firefighter.local.catalogue import CATALOGUE
from firefighter.logging import FirehoseHandler

if TYPE_CHECKING:
    from typing_extensions import Self

STREAM = 'bar'
# What one attempt may take. Nothing that answers at all takes half as long.
ATTEMPT_SECONDS = 2.0
SAMPLE_INTERVAL_SECONDS = 0.005
# Between two events of which a request may be refused for its content.
POISON_EVERY = 61
POISON = 'poison'

SMALL = (20, 60, 200)
LARGE = (300_000, 5_000, 900_000, 60_000)


@dataclass(frozen=True)
class Kind:
    """What is particular about a kind of day."""

    name: str
    handlers: int = 1
    threads: int = 1
    """For each handler."""
    disk: bool = False
    closes: bool = False
    """Whether a handler is closed now and then, in the middle of the trouble."""
    bursts: int = 16
    burst: int = 25
    """Events, by each thread."""
    sizes: tuple[int, ...] = SMALL
    options: Mapping[str, object] = field(default_factory=dict)


# 64 KiB, of which a burst of 500 small events is more.
BOUND = {'max_spool_bytes': 64 * 1024}

KINDS = (
    Kind('memory'),
    Kind('memory, four threads', threads=4, burst=10),
    Kind('memory, three handlers', handlers=3, burst=15),
    Kind('memory, closed and used again', closes=True),
    Kind('memory, at its bound: drop_oldest', bursts=6, burst=500, options=BOUND),
    Kind(
        'memory, at its bound: drop_newest', bursts=6, burst=500, options={**BOUND, 'overflow': 'drop_newest'}
    ),
    Kind(
        'memory, at its bound: block',
        bursts=4,
        burst=500,
        options={**BOUND, 'overflow': 'block', 'block_timeout_seconds': 0.002},
    ),
    Kind('memory, large events', bursts=5, burst=8, sizes=LARGE),
    Kind('disk', disk=True),
    Kind('disk, two handlers, two threads each', disk=True, handlers=2, threads=2, burst=15),
    Kind('disk, closed and used again', disk=True, closes=True),
    Kind('disk, large events', disk=True, bursts=5, burst=8, sizes=LARGE),
)

# What is chosen for a fault beside its probability, and from what; all others are as they are in the catalogue.
CHOICES: Mapping[str, Mapping[str, Sequence[float | str]]] = {
    'quota': {'records_per_second': (300, 1000, 3000)},
    'partial': {'share': (0.02, 0.3, 0.9, 1), 'code': ('ServiceUnavailableException', 'InternalFailure')},
    'slow': {'seconds': (0.01, 0.1, 0.3)},
    'dribble': {'seconds': (0.01, 0.1, 0.3)},
    'refused': {'seconds': (0.05, 0.2)},
    'too-few': {'entries': (-1, -3, -500)},
    'too-many': {'entries': (1, 3)},
    'invalid-record': {'containing': (POISON,)},
}
PROBABILITIES = (0.05, 0.4)
# Costs a whole attempt each time.
RARE = {'no-answer': (0.05, 0.1)}
# Goes on until somebody changes the key: no matter of chance.
NOT_MIXED = {'expired-key'}
MOST_FAULTS = 6


def draw_faults(dice: random.Random) -> dict[str, dict[str, object]]:
    """Return the faults of a day with their parameters: by the dice, and by nothing else."""
    mixable = sorted(CATALOGUE.keys() - NOT_MIXED)
    return {
        name: {
            'probability': round(dice.uniform(*RARE.get(name, PROBABILITIES)), 3),
            **{key: dice.choice(choices) for key, choices in CHOICES.get(name, {}).items()},
        }
        for name in sorted(dice.sample(mixable, dice.randint(1, MOST_FAULTS)))
    }


@dataclass
class Result:
    """What came of a day."""

    kind: str
    accepted: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    uncertain: int = 0
    missing: int = 0
    """Events that neither arrived nor were dropped."""
    twice: int = 0
    """Copies that arrived beyond the first, and events that arrived although they count as dropped."""
    unexplained: int = 0
    """Those of them that no lost answer explains, and what arrived and was never logged."""

    @property
    def good(self) -> bool:
        """Whether the promises were kept."""
        return not self.missing and not self.unexplained


class Producer(threading.Thread):
    """Logs numbered events in bursts, and does now and then what programs do with a handler."""

    def __init__(self, kind: Kind, handler: FirehoseHandler, name: str, dice: random.Random) -> None:
        super().__init__(name=f'producer {name}')
        self.logged: list[str] = []
        self._kind = kind
        self._handler = handler
        self._prefix = name
        self._dice = dice
        self._logger = logging.Logger(name)
        self._logger.addHandler(handler)

    def run(self) -> None:
        sizes = self._kind.sizes
        for _ in range(self._kind.bursts):
            for _ in range(self._kind.burst):
                number = len(self.logged)
                event = f'{self._prefix}.{number}'
                self._logger.info(
                    {
                        'message': event,
                        'padding': 'x' * sizes[number % len(sizes)],
                        POISON if number % POISON_EVERY == 0 else 'good': True,
                    }
                )
                self.logged.append(event)
            self._pause()

    def _pause(self) -> None:
        choice = self._dice.random()
        if choice < 0.2 and self._kind.closes:
            self._handler.close()
        elif choice < 0.9:
            self._handler.flush(self._dice.choice([0.0, 0.05, 0.2, 1.0]))


class BadDays:
    """An endpoint, and the dice.

    Args:
        folder: a new one for everything.
        seed: of the dice. The plan of a day is a function of the seed, the kind, and how many of that kind there were.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._days: Counter[str] = Counter()
        self._stack = ExitStack()
        self._endpoint = LocalFirehose(
            folder / 'delivered', streams=[STREAM], buffer_seconds=900, buffer_bytes=64 * 1024 * 1024
        )

    def __enter__(self) -> Self:
        self._stack.enter_context(self._endpoint)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @property
    def strikes(self) -> Mapping[str, int]:
        """How often each fault has struck so far."""
        return self._endpoint.strikes()

    def day(self, kind: Kind) -> Result:
        """Live through a day."""
        self._days[kind.name] += 1
        dice = random.Random(f'{self._seed}/{kind.name}/{self._days[kind.name]}')
        self._endpoint.clear_faults(seed=dice.randrange(2**32))
        for name, parameters in draw_faults(dice).items():
            self._endpoint.inject(name, **parameters)
        handlers = [self._make_handler(kind) for _ in range(kind.handlers)]
        producers = {
            handler: [
                Producer(kind, handler, f'{number}.{thread}', random.Random(dice.randrange(2**32)))
                for thread in range(kind.threads)
            ]
            for number, handler in enumerate(handlers)
        }
        try:
            self._produce(producers)
            self._endpoint.clear_faults()
            for handler in handlers:
                deliver_everything(handler)
        finally:
            for handler in handlers:
                handler.close()
        return self._result(kind, producers)

    def _make_handler(self, kind: Kind) -> FirehoseHandler:
        handler = FirehoseHandler(
            STREAM,
            region_name='eu-west-1',
            endpoint_url=self._endpoint.url,
            # The closing in the middle waits for so long; at the end nothing is left to wait for.
            shutdown_timeout_seconds=0.1,
            **({'spool_dir': self._folder / 'spool'} if kind.disk else {}),
            **kind.options,
        )
        handler._client.limit_timeouts(ATTEMPT_SECONDS)
        return handler

    @staticmethod
    def _produce(producers: Mapping[FirehoseHandler, Sequence[Producer]]) -> None:
        """Let them log, and hold each snapshot of an account meanwhile against P1."""
        threads = [thread for of_handler in producers.values() for thread in of_handler]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for handler in producers:
                stats = handler.stats()
                if not adds_up(stats):
                    raise AssertionError(f'this does not add up: {stats}')
            threads[0].join(SAMPLE_INTERVAL_SECONDS)
        for thread in threads:
            thread.join(DEADLINE_SECONDS)

    def _result(self, kind: Kind, producers: Mapping[FirehoseHandler, Sequence[Producer]]) -> Result:
        arrived = self._arrived()
        result = Result(kind.name)
        for handler, threads in producers.items():
            stats = handler.stats()
            logged = [event for thread in threads for event in thread.logged]
            times = [arrived.pop(event, 0) for event in logged]
            if stats.accepted != len(logged):
                raise AssertionError(f'{len(logged)} events were logged: {stats}')
            dropped = sum(stats.dropped.values())
            not_arrived = times.count(0)
            twice = sum(times) - (len(times) - not_arrived) + max(0, dropped - not_arrived)
            result.accepted += stats.accepted
            result.delivered += stats.delivered
            result.dropped.update({reason.value: events for reason, events in stats.dropped.items()})
            result.retried += stats.retried
            result.uncertain += stats.uncertain
            result.missing += max(0, not_arrived - dropped)
            result.twice += twice
            result.unexplained += max(0, twice - stats.uncertain)
        result.unexplained += sum(arrived.values())
        return result

    def _arrived(self) -> Counter[str]:
        """Return the events at the endpoint, and empty it."""
        self._endpoint.flush()
        arrived = messages_in(self._endpoint.folder)
        for path in list(self._files()):
            path.unlink()
        return arrived

    def _files(self) -> Iterator[Path]:
        return (path for path in self._endpoint.folder.rglob('*') if path.is_file())
