"""The ways to send that are compared: each is what a user would write as the handler's keywords."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, NamedTuple

from firefighter._delivery.compression import compressor_of
from firefighter._handler.options import Options
from firefighter.logging import FirehoseHandler

__all__ = ['ONE_PER_RECORD', 'WAYS', 'Way', 'usable_ways']


class Way(NamedTuple):
    """A way to send.

    Attributes:
        name: for tables.
        keywords: of `FirehoseHandler`.
    """

    name: str
    keywords: Mapping[str, Any]

    @property
    def options(self) -> Options:
        """What the handler would go by: its defaults but for these keywords."""
        parameters = inspect.signature(FirehoseHandler).parameters
        defaults = {field.name: parameters[field.name].default for field in fields(Options)}
        return Options(**defaults | dict(self.keywords))

    @property
    def is_usable(self) -> bool:
        """Whether what it needs is installed."""
        try:
            codec = self.keywords.get('compression')
            return codec is None or bool(compressor_of(codec))
        except ValueError:
            return False


ONE_PER_RECORD = Way('one per record', MappingProxyType({}))

WAYS = (
    ONE_PER_RECORD,
    Way('aggregated', MappingProxyType({'aggregate': True})),
    Way('gzip', MappingProxyType({'compression': 'gzip'})),
    Way('zstd', MappingProxyType({'compression': 'zstd'})),
)


def usable_ways() -> list[Way]:
    """Return those of WAYS for which what they need is installed."""
    return [way for way in WAYS if way.is_usable]
