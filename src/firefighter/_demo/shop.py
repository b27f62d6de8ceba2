"""The web service: a small shop that logs as web services do.

Plain messages, business events as dicts, extras, tracebacks, all the scripts of the world, and texts far longer than
anybody planned for. Each answer names the worker and how many events it has logged so far.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

logger = logging.getLogger('shop')

WORKER_HEADER = 'X-Worker'
LOGGED_HEADER = 'X-Logged'

CUSTOMERS = ('Žofie Nováková', '山田太郎', 'Zoë Ångström', 'محمد', 'Ólafur 🧊', 'Anna')
PRODUCTS = 500
# Results on the first and the second page: the log line of the one has about 2 kB, of the other 7 kB.
SEARCH_RESULTS = (20, 80)


class PaymentError(Exception):
    """The bank does not answer."""


def application(worker: int, count_logged: Callable[[], int]) -> web.Application:
    """Return the service.

    Args:
        worker: the number of this process among its like.
        count_logged: tells how many events this process has logged.
    """
    shop = web.Application()
    shop.router.add_get('/products/{product}', _product)
    shop.router.add_get('/search', _search)
    shop.router.add_post('/orders', _order)
    shop.router.add_post('/payments', _payment)

    async def name_what_was_logged(_: web.Request, response: web.StreamResponse) -> None:
        response.headers[WORKER_HEADER] = str(worker)
        response.headers[LOGGED_HEADER] = str(count_logged())

    shop.on_response_prepare.append(name_what_was_logged)
    return shop


async def _product(request: web.Request) -> web.Response:
    product = int(request.match_info['product'])
    if product >= PRODUCTS:
        logger.warning('no product %d', product, extra={'product': product})
        raise web.HTTPNotFound
    logger.info('product %d was looked at', product, extra={'product': product, 'in_stock': product % 7 > 0})
    return web.json_response({'product': product})


async def _search(request: web.Request) -> web.Response:
    words, page = request.query['words'], int(request.query['page'])
    results = [
        {
            'product': number,
            'title': f'{words} №{number}',
            'score': round(1 / (number + 1), 4),
            'reason': 'title',
        }
        for number in range(SEARCH_RESULTS[page])
    ]
    logger.info('search for %r', words, extra={'words': words.split(), 'results': results})
    return web.json_response({'results': len(results)})


async def _order(request: web.Request) -> web.Response:
    order = await request.json()
    customer = CUSTOMERS[order['order'] % len(CUSTOMERS)]
    logger.info(
        {
            'message': 'order placed',
            'order': order['order'],
            'customer': {'name': customer, 'new': order['order'] % 5 == 0},
            'items': order['items'],
            'total': sum(item['price'] for item in order['items']),
        }
    )
    logger.info('%s was sent a confirmation\nof order %d', customer, order['order'])
    return web.json_response({'order': order['order']}, status=HTTPStatus.CREATED)


async def _payment(request: web.Request) -> web.Response:
    order = (await request.json())['order']
    try:
        _charge(order)
    except PaymentError:
        logger.exception('payment of order %d failed', order, extra={'order': order, 'attempt': 1})
        raise web.HTTPBadGateway from None
    return web.json_response({'order': order})


def _charge(order: int) -> None:
    try:
        _ask_the_bank()
    except TimeoutError as error:
        raise PaymentError(f'order {order} could not be charged: Zahlung fehlgeschlagen ✗') from error


def _ask_the_bank() -> None:
    raise TimeoutError('no answer from the bank within 3 s')
