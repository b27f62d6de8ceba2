"""Do the customers ask for everything that the shop has to log?"""

import itertools

from firefighter._demo.shop import PRODUCTS
from firefighter._demo.traffic import KINDS, all_visits


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
