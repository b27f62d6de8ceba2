"""Whose requests are answered: those that no web page can have made.

A page that somebody visits may post to an address of their machine, and once its own name leads there (DNS rebinding) it may also
read the answer. But its browser adds `Origin` to whatever it posts, and calls us by the page's own name in `Host`. SDKs and
curl send no `Origin`, and the names that they call us by are known.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from firefighter.local.protocol import ServiceError

FORBIDDEN = 403
UNSUPPORTED_MEDIA_TYPE = 415

# What a program on the same machine calls it, whatever it listens on.
_ALWAYS = ('localhost', '127.0.0.1', '::1')
# Not an address but all of the machine's.
_EVERYWHERE = frozenset({'0.0.0.0', '::'})  # noqa: S104 - compared with, not listened on
_NAME = re.compile(r'[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*')


class Callers:
    """Tells requests that are meant for the endpoint from those of web pages.

    Args:
        host: the address that the endpoint listens on. If it is all of the machine's, a `Host` may be any address: no page
            can have an address of this machine for its own, only a name.
        allowed: other names that it may be called by.

    Raises:
        ValueError: one of these is no name.
    """

    def __init__(self, host: str, allowed: Iterable[str]) -> None:
        self._names = {*_ALWAYS, host.lower(), *map(_checked_name, allowed)}
        self._any_address = host in _EVERYWHERE

    def check(self, headers: Mapping[str, str]) -> None:
        """Refuse the request with these headers unless it is meant for us.

        Raises:
            ServiceError: status 403.
        """
        if 'Origin' in headers:
            message = 'Requests of web pages, which have a header Origin, are not answered'
            raise ServiceError('ForbiddenException', message, FORBIDDEN)
        name = _name(headers.get('Host', ''))
        if name in self._names or (self._any_address and _is_address(name)):
            return
        message = (
            f'The local endpoint is not called {name!r}. If it is meant to be, start it with --allow-host {name}, '
            f'or in Python with allow_hosts=[{name!r}]'
        )
        raise ServiceError('ForbiddenException', message, FORBIDDEN)


def _checked_name(text: str) -> str:
    if _is_address(text) or _NAME.fullmatch(text):
        return text.lower()
    raise ValueError(
        f'{text!r} is no name of a host; write it alone, without http:// and without a port, such as firehose'
    )


def _name(host: str) -> str:
    """Return the name or the address in a header `Host`, without its port."""
    name = host[1:].partition(']')[0] if host.startswith('[') else host.partition(':')[0]
    return name.rstrip('.').lower()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
