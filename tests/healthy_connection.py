"""A connection of the doctor's on which all is well, but for what a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firefighter._delivery.outcomes import Answer, Outcome
from firefighter._doctor.connection import Credentials, Described

__all__ = ['HealthyConnection']


@dataclass
class HealthyConnection:
    """Answers as it is told; `sent` is what was put, with the stream's name."""

    description: Mapping[str, Any] | None = None
    found_credentials: Credentials | None = field(default_factory=lambda: Credentials('AKIDEXAMPLE', 'env'))
    found_region: str | None = 'eu-west-1'
    found_endpoint_source: str | None = None
    described: Described | None = None
    answer: Answer = field(default_factory=lambda: Answer([Outcome.ACCEPTED]))
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    def credentials(self) -> Credentials | None:
        return self.found_credentials

    def region(self) -> str | None:
        return self.found_region

    def endpoint_url(self) -> str:
        return 'https://firehose.eu-west-1.amazonaws.com'

    def endpoint_source(self) -> str | None:
        return self.found_endpoint_source

    def describe(self, stream: str) -> Described:
        return self.described or Described(self.description, skew_seconds=0.2)

    def put(self, stream: str, event: bytes) -> Answer:
        self.sent.append((stream, event))
        return self.answer
