"""Events of a web service, as our own formatter writes them: a line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus

from benchmarks.logs.chance import Chance, Clock

__all__ = ['service']

_HOSTS = tuple(f'api-7d9f{number * 2654435761 % 65536:04x}-{number:05x}' for number in range(24))
_ROUTES = (
    'GET /v1/items/{id}', 'GET /v1/search', 'POST /v1/cart', 'GET /v1/orders/{id}', 'POST /v1/orders', 'GET /v1/users/me',
    'PATCH /v1/users/{id}', 'POST /v1/payments', 'DELETE /v1/cart/{id}', 'GET /v1/stock', 'POST /v1/events', 'GET /healthz',
)  # fmt: skip
_QUERIES = (
    'select_item',
    'select_order',
    'insert_order',
    'update_stock',
    'select_user',
    'select_prices',
    'upsert_cart',
)
_TROUBLES = (
    'upstream timed out', 'payment was declined', 'stock changed meanwhile', 'rate limit reached', 'token has expired',
    'connection reset by peer', 'duplicate key value violates unique constraint "orders_pkey"',
)  # fmt: skip
_LOGGERS = ('shop.http', 'shop.db', 'shop.cache', 'shop.payments', 'shop.auth', 'shop.jobs')


def service(chance: Chance) -> Iterator[str]:
    """Yield a line for each event."""
    clock = Clock(chance, 900.0)
    while True:
        kind = chance.random()
        if kind < 0.5:
            event = _request(chance, clock.tick())
        elif kind < 0.8:
            event = _query(chance, clock.tick())
        elif kind < 0.92:
            event = _cache(chance, clock.tick())
        else:
            event = _trouble(chance, clock.tick())
        yield json.dumps(event, separators=(',', ':'))


def _event(chance: Chance, time: datetime, level: str, logger: str, message: str) -> dict[str, object]:
    return {
        'timestamp': f'{time:%Y-%m-%dT%H:%M:%S.%fZ}',
        'level': level,
        'logger': logger,
        'message': message,
        'service': 'shop',
        'env': 'prod',
        'host': chance.choice(_HOSTS),
        'request_id': chance.uuid(),
    }


def _request(chance: Chance, time: datetime) -> dict[str, object]:
    route, status = (
        chance.common(_ROUTES),
        chance.choices((200, 201, 304, 404, 401, 500), (80, 8, 5, 4, 2, 1))[0],
    )
    return _event(
        chance,
        time,
        'ERROR' if status == HTTPStatus.INTERNAL_SERVER_ERROR else 'INFO',
        'shop.http',
        'request',
    ) | {
        'route': route,
        'status': status,
        'duration_ms': round(chance.milliseconds(24.0), 3),
        'bytes_out': int(chance.lognormvariate(7.0, 1.4)),
        'user_id': chance.rank(800_000),
        'client': chance.client(),
    }


def _query(chance: Chance, time: datetime) -> dict[str, object]:
    query = chance.common(_QUERIES)
    return _event(chance, time, 'DEBUG', 'shop.db', f'query {query}') | {
        'rows': chance.rank(200),
        'duration_ms': round(chance.milliseconds(2.1), 3),
        'shard': chance.randrange(16),
    }


def _cache(chance: Chance, time: datetime) -> dict[str, object]:
    key = f'item:{chance.rank(500_000)}:{chance.choice(("price", "stock", "text"))}'
    return _event(chance, time, 'DEBUG', 'shop.cache', f'{chance.choice(("hit", "hit", "miss"))} {key}') | {
        'age_s': round(chance.expovariate(1 / 300), 1)
    }


def _trouble(chance: Chance, time: datetime) -> dict[str, object]:
    message = f'{chance.common(_TROUBLES)}: order {chance.rank(2_000_000)}'
    return _event(chance, time, 'WARNING', chance.common(_LOGGERS), message) | {
        'attempt': chance.rank(4) + 1,
        'trace_id': chance.hexadecimal(32),
        'user_id': chance.rank(800_000),
    }
