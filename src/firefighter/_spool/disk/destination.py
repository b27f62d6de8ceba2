"""The destination of a spool's events. Only where it is equal does one handler deliver what another has left.

The name of a destination's folder is `<stream>-<hash>`. The first part is for people; what keeps two destinations apart is
the hash, which is taken of the JSON below. A field that is None is left out of that: so a field that a later version adds
changes neither the names that exist nor what an older version reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from urllib.parse import quote

__all__ = ['Destination']

# A stream's name has at most 64 characters (Firehose's API reference, CreateDeliveryStream); what is longer is no stream
# of Firehose's, and file systems end a name at 255 bytes.
_NAME_CHARACTERS = 64

# 80 bits: no two of a million destinations share a folder, and the name stays readable.
_HASH_CHARACTERS = 20


@dataclass(frozen=True)
class Destination:
    """A stream, and all that decides which stream of that name it is.

    Attributes:
        stream: the delivery stream's name.
        region: the region of the client.
        endpoint_url: the endpoint, where it is not AWS's own.
        profile: the profile that the credentials come from.
        account_or_key: the account, or else the access key id, where one is known.
        role_arn: the role that a web identity assumes.
        files: AWS's configuration files, where they are not in their usual places: a profile in another file is another one.
        endpoint_variant: "fips", "dualstack" or both.
    """

    stream: str
    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    account_or_key: str | None = None
    role_arn: str | None = None
    files: str | None = None
    endpoint_variant: str | None = None

    @cached_property
    def folder_name(self) -> str:
        """A name that is harmless whatever the stream is called, and no other destination's."""
        # Here, not above: importing hashlib takes 3 ms. Once: at the very end of the process nothing can be imported. SHA-256,
        # since blake2 is missing where FIPS rules.
        import hashlib  # noqa: PLC0415

        # `quote` leaves letters, digits and `_.-~`. No name begins with a dot, which could hide it, or lead upwards.
        name = quote(self.stream.encode('utf-8', 'surrogatepass'), safe='')[:_NAME_CHARACTERS]
        if name.startswith('.'):
            name = '%2E' + name[1:]
        return f'{name}-{hashlib.sha256(self.to_json()).hexdigest()[:_HASH_CHARACTERS]}'

    def to_json(self) -> bytes:
        """Return it as one line of JSON, always the same for the same destination."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        # As they are, and not escaped: of two lone surrogates in a row escapes would make one character.
        return json.dumps(known, ensure_ascii=False).encode('utf-8', 'surrogatepass')

    @classmethod
    def from_json(cls, data: bytes) -> Destination:
        """Read what `to_json` has written.

        Raises:
            ValueError: it is something else, or has fields that only a newer version knows.
        """
        values = json.loads(data.decode('utf-8', 'surrogatepass'))
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise ValueError(f'a destination consists of strings: {data!r}')
        return cls.from_parts(values)

    @classmethod
    def from_parts(cls, parts: Mapping[str, str | None]) -> Destination:
        """Make one of the parts in a segment's header, where a part that is not known is None.

        Raises:
            ValueError: there is no stream, or there are parts that only a newer version knows.
        """
        known = {name: part for name, part in parts.items() if part is not None}
        names = {field.name for field in fields(cls)}
        if 'stream' not in known or not known.keys() <= names:
            raise ValueError(f'not a destination of this version: {parts!r}')
        return cls(**known)
