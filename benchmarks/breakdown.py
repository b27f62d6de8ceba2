"""Where the time of a call goes, by leaving its steps out one after the other.

Every row is one more step than the row above it, with everything that is below it in a real call; so its cost is what it adds
in place, with the processor's caches and predictors as they are there. (Alone, in a loop of its own, a step seems to
cost half or less.) CPU time of the calling thread, in turns, medians.

    python -m benchmarks.breakdown [--rounds N]
"""

from __future__ import annotations

import argparse
import gc
import logging
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from os import getpid
from typing import Any

from benchmarks.contestant import log, machine, quiet_logger
from benchmarks.contestants import firehose
from benchmarks.peers.standard import null

from firefighter._delivery.limits import MAX_RECORD_BYTES
from firefighter._delivery.logged_by_delivery import threads_of_ours
from firefighter._spool.layout import COMMITTED, ONE_EVENT, TAIL_MASK
from firefighter._spool.spool import Spool
from firefighter.logging import FirehoseHandler

CALLS = 500

Handle = Callable[[logging.LogRecord], Any]


class Stepwise(logging.NullHandler):
    """A handler that does what it is told."""

    def __init__(self, handle: Handle) -> None:
        super().__init__()
        self.handle = handle  # type: ignore[assignment, method-assign]


def steps(handler: FirehoseHandler, spool: Spool) -> dict[str, Handle]:  # noqa: C901  # one small function for each row
    """Return handlers, each with one step more than the one before."""
    formatter = handler._json_formatter  # noqa: SLF001
    encode, append = formatter.encode, spool.append
    pipeline = handler._pipeline  # noqa: SLF001
    lock = spool._lock  # noqa: SLF001

    def message(record: logging.LogRecord) -> None:
        record.getMessage()

    def copy(record: logging.LogRecord) -> None:
        line = encode(record)
        mapping, words, _, _ = spool._live  # noqa: SLF001
        committed = words[COMMITTED]
        tail = committed & TAIL_MASK
        mapping[tail : tail + len(line)] = line
        words[COMMITTED] = committed + len(line) + ONE_EVENT

    def copy_locked(record: logging.LogRecord) -> None:
        line = encode(record)
        with lock:
            mapping, words, _, _ = spool._live  # noqa: SLF001
            committed = words[COMMITTED]
            tail = committed & TAIL_MASK
            mapping[tail : tail + len(line)] = line
            words[COMMITTED] = committed + len(line) + ONE_EVENT

    def appended(record: logging.LogRecord) -> None:
        append(encode(record))

    def guarded(record: logging.LogRecord) -> None:
        if not pipeline.open_mark[0]:
            return
        append(encode(record))

    def marked(record: logging.LogRecord) -> None:
        if record.thread in threads_of_ours or not pipeline.open_mark[0]:
            return
        append(encode(record))

    def sized(record: logging.LogRecord) -> None:
        if record.thread in threads_of_ours or not pipeline.open_mark[0]:
            return
        line = encode(record)
        size = len(line)
        if size > handler.MAX_RECORD_SIZE or size > MAX_RECORD_BYTES:
            return
        append(line)

    def by_pid(record: logging.LogRecord) -> None:
        if pipeline.pid != getpid():
            return
        append(encode(record))

    return {
        'encode: the message with its arguments': message,
        'encode: the rest (timestamp, extras, orjson)': encode,
        'append: copy the line, commit it': copy,
        'append: the lock': copy_locked,
        'append: our own lock?, rolling over, alarms, set aside': appended,
        'emit: open, and not a forked child?': guarded,
        'emit: not on a thread of ours?': marked,
        'emit: oversize?': sized,
        'emit and handle: filters, whose formatter, exceptions, two calls': handler.handle,
        '(instead of the page that a fork wipes: getpid)': by_pid,
    }


def make_room(spool: Spool, logger: logging.Logger) -> None:
    """See to it that no turn has to roll over: some of the steps cannot."""
    while True:
        _, words, limit, _ = spool._live  # noqa: SLF001
        if limit - (words[COMMITTED] & TAIL_MASK) > CALLS * 300:
            return
        log(logger, 0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=200)
    arguments = parser.parse_args()
    contestant = firehose()
    handler = contestant.handler
    assert isinstance(handler, FirehoseHandler)
    loggers = {'logging: make a LogRecord (NullHandler)': quiet_logger(null().handler)}
    log(quiet_logger(handler), 0)  # opens it
    spool = handler._pipeline.spool  # noqa: SLF001
    loggers |= {name: quiet_logger(Stepwise(handle)) for name, handle in steps(handler, spool).items()}
    times: dict[str, list[float]] = {name: [] for name in loggers}
    gc.disable()
    for _ in range(arguments.rounds):
        for name, logger in loggers.items():
            contestant.after_round()
            make_room(spool, quiet_logger(handler))
            begin = time.thread_time()
            for number in range(CALLS):
                logger.info(
                    'order %d shipped to %s',
                    number,
                    'Oslo',
                    extra={'user': 42, 'path': '/orders', 'took_ms': 3.2},
                )
            times[name].append(1e9 * (time.thread_time() - begin) / CALLS)
    gc.enable()
    contestant.close()
    report(times, arguments.rounds)


def report(times: dict[str, list[float]], rounds: int) -> None:
    """Print the table, in Markdown."""
    print(f'{machine()}\n{rounds} rounds of {CALLS:,} calls, medians\n')
    print('| step | it adds, ns | the call so far, ns |\n|---|---|---|')
    first, *_ = names = list(times)
    print(f'| {first} | {statistics.median(times[first]):.0f} | {statistics.median(times[first]):.0f} |')
    *in_order, instead = names
    for before, name in [
        *pairwise(in_order),
        ('append: our own lock?, rolling over, alarms, set aside', instead),
    ]:
        added = statistics.median(own - other for own, other in zip(times[name], times[before], strict=True))
        print(f'| {name} | {added:.0f} | {statistics.median(times[name]):.0f} |')


if __name__ == '__main__':
    main()
