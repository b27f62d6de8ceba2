"""The log of services written in Go: key=value."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.logs.chance import Chance, Clock

__all__ = ['keyvalue']

_PARTS = ('ingester', 'distributor', 'querier', 'compactor', 'gateway', 'ruler')
_CALLERS = (
    'push.go:311',
    'http.go:194',
    'flush.go:172',
    'retry.go:73',
    'table_manager.go:171',
    'memberlist.go:82',
    'block.go:418',
)
_MESSAGES = (
    'request served', 'block flushed', 'query executed', 'stream created', 'retrying', 'member joined', 'table uploaded',
    'compaction done', 'slow request', 'sample out of order',
)  # fmt: skip
_STATUS = (200, 200, 204, 404, 429, 500, 503)


def keyvalue(chance: Chance) -> Iterator[str]:
    """Yield a line for each message."""
    clock = Clock(chance, 500.0)
    while True:
        time = f'{clock.tick():%Y-%m-%dT%H:%M:%S.%f}{chance.randrange(1000):03d}Z'
        part, message = chance.common(_PARTS), chance.common(_MESSAGES)
        line = (
            f'ts={time} level={chance.common(("info", "debug", "warn", "error"))} caller={chance.common(_CALLERS)} component={part} '
            f'pod={part}-{chance.randrange(20)} tenant={_tenant(chance.rank(3_000))} msg="{message}"'
        )
        kind = chance.random()
        if kind < 0.5:
            line += (
                f' method={chance.common(("POST", "GET"))} path=/api/v1/{chance.common(("push", "query", "query_range", "labels"))} '
                f'status={chance.common(_STATUS)} duration={_duration(chance.milliseconds(8.0))} bytes={int(chance.lognormvariate(9, 1.5))} '
                f'traceID={chance.hexadecimal(16)}'
            )
        elif kind < 0.8:
            line += f' series={chance.rank(900_000)} samples={int(chance.lognormvariate(6, 1.2))} block={chance.hexadecimal(26).upper()}'
        else:
            line += f' peer={chance.client(500)}:{chance.choice((7946, 9095, 9096))} attempt={chance.rank(5) + 1} err="context deadline exceeded"'
        yield line


def _tenant(number: int) -> str:
    return f'team-{number * 48_271 % 99_991}'


def _duration(milliseconds: float) -> str:
    """Return it as Go writes durations."""
    return f'{milliseconds:.6f}ms' if milliseconds < 1_000 else f'{milliseconds / 1_000:.9f}s'
