"""The ways to send that are compared: each is what a user would write as the handler's keywords."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, NamedTuple

from firefighter._options import Options
from firefighter.logging import FirehoseHandler

__all__ = ['ONE_PER_RECORD', 'WAYS', 'Way']


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


ONE_PER_RECORD = Way('one per record', MappingProxyType({}))

WAYS = (
    ONE_PER_RECORD,
    Way('aggregated', MappingProxyType({'aggregate': True})),
)
