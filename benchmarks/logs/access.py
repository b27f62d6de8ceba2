"""A web server's access log, in the combined format."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from benchmarks.logs.chance import Chance, Clock

__all__ = ['access']

_METHODS = ('GET', 'GET', 'GET', 'POST', 'HEAD', 'PUT', 'DELETE')
_STATUS = (200, 200, 200, 304, 302, 404, 301, 201, 403, 499, 500, 400, 206, 503, 429)
_SECTIONS = (
    'products', 'search', 'cart', 'api/v2/orders', 'api/v2/items', 'static/js', 'static/css', 'images', 'account',
    'checkout', 'reviews', 'blog', 'api/v2/users', 'help', 'sitemap', 'wp-login.php', 'feeds', 'compare',
)  # fmt: skip
_WORDS = (
    'lamp', 'table', 'oak', 'garden', 'blue', 'chair', 'led', 'kitchen', 'wall', 'shelf', 'outdoor', 'small', 'rug', 'mirror',
    'vintage', 'steel', 'set', 'round', 'glass', 'bench', 'pillow', 'cotton', 'hook', 'frame', 'candle', 'basket', 'linen',
)  # fmt: skip
_SITES = ('https://shop.example.com/', 'https://www.google.com/', 'https://www.bing.com/', 'https://t.co/')
_SYSTEMS = (
    'Windows NT 10.0; Win64; x64', 'Macintosh; Intel Mac OS X 10_15_7', 'X11; Linux x86_64', 'Linux; Android 14; Pixel 8',
    'Linux; Android 13; SM-S918B', 'iPhone; CPU iPhone OS 17_4 like Mac OS X', 'iPad; CPU OS 16_6 like Mac OS X',
)  # fmt: skip
_BOTS = (
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
    'curl/8.5.0',
    'python-requests/2.31.0',
    'kube-probe/1.29',
)


def access(chance: Chance) -> Iterator[str]:
    """Yield a line for each request."""
    clock = Clock(chance, 350.0)
    while True:
        time = f'{clock.tick():%d/%b/%Y:%H:%M:%S +0000}'
        user = f'user{chance.rank(60_000)}' if chance.random() < 0.15 else '-'
        status = chance.common(_STATUS)
        size = 0 if status == HTTPStatus.NOT_MODIFIED else int(chance.lognormvariate(8.5, 1.6))
        yield (
            f'{chance.client()} - {user} [{time}] "{chance.common(_METHODS)} {_path(chance)} HTTP/{chance.choice(("1.1", "2.0"))}" '
            f'{status} {size} "{_referer(chance)}" "{_agent(chance)}"'
        )


def _path(chance: Chance) -> str:
    section = chance.common(_SECTIONS)
    kind = chance.random()
    if section.startswith('static'):
        return (
            f'/{section}/{chance.common(_WORDS)}.{_fingerprint(chance.rank(400))}.{section[-3:].strip("/")}'
        )
    if kind < 0.45:
        return f'/{section}/{chance.rank(500_000)}'
    if kind < 0.6:
        return f'/{section}?q={chance.common(_WORDS)}+{chance.common(_WORDS)}&page={chance.rank(40) + 1}'
    if kind < 0.75:
        return f'/{section}/{chance.common(_WORDS)}-{chance.common(_WORDS)}-{chance.rank(90_000)}?sid={chance.hexadecimal(16)}'
    return f'/{section}/'


def _fingerprint(number: int) -> str:
    """Return the part of a file's name that changes with its content: the same for the same file."""
    return f'{number * 0x9E37_79B1 & 0xFFFF_FFFF:08x}'


def _referer(chance: Chance) -> str:
    if chance.random() < 0.4:
        return '-'
    site = chance.common(_SITES)
    return f'{site.rstrip("/")}{_path(chance)}' if chance.random() < 0.5 else site


def _agent(chance: Chance) -> str:
    if chance.random() < 0.12:
        return chance.common(_BOTS)
    chrome = f'{125 - chance.rank(30)}.0.{chance.rank(6_000)}.{chance.rank(150)}'
    return f'Mozilla/5.0 ({chance.common(_SYSTEMS)}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome} Safari/537.36'
