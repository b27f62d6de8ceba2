"""Do the customers ask for everything that the shop has to log?"""

import asyncio
import itertools

from firefighter._demo.shop import PRODUCTS
from firefighter._demo.traffic import KINDS, Rotation, all_visits


def kinds(visits):
    return {
        (method, path.rstrip('0123456789'), arguments.get('params', {}).get('page'))
        for method, path, arguments in visits
    }


def test_every_worker_sees_every_kind_of_visit():
    """The workers take turns, so none of them may always get the same."""
    visits = list(itertools.islice(all_visits(), 3 * KINDS))
    everything = {
        ('GET', '/products/', None),
        ('GET', '/search', '0'),
        ('GET', '/search', '1'),
        ('POST', '/orders', None),
        ('POST', '/payments', None),
    }

    for workers in (1, 2, 3):
        for worker in range(workers):
            assert kinds(visits[worker::workers]) == everything


def test_the_visits_are_always_the_same():
    """Two runs can be compared."""
    assert list(itertools.islice(all_visits(), 1000)) == list(itertools.islice(all_visits(), 1000))


def test_some_ask_for_what_there_is_not():
    """A shop without a warning in its log is no shop."""
    products = {path for _, path, _ in itertools.islice(all_visits(), 1000)}

    assert {f'/products/{PRODUCTS - 2}', f'/products/{PRODUCTS}'} <= products


def test_the_workers_take_turns():
    """Also when one has gone and another has come."""

    async def scene():
        rotation = Rotation(['a', 'b', 'c'])
        before = [await rotation.next(number) for number in range(4)]
        rotation.remove('b')
        without = {await rotation.next(number) for number in range(4)}
        rotation.add('d')
        assert 'b' not in rotation
        assert 'd' in rotation
        return before, without, {await rotation.next(number) for number in range(4)}

    assert asyncio.run(scene()) == (['a', 'b', 'c', 'a'], {'a', 'c'}, {'a', 'c', 'd'})


def test_customers_wait_while_there_is_no_worker():
    """The only one was killed; the next one gets them all."""

    async def scene():
        rotation = Rotation(['a'])
        rotation.remove('a')
        customer = asyncio.create_task(rotation.next(7))
        await asyncio.sleep(0)
        assert not customer.done()
        rotation.add('b')
        return await customer

    assert asyncio.run(scene()) == 'b'
