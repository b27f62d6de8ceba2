r"""What a destination does not take in an event, however it travels: keys and values that are good JSON, and no good there.

docs/destinations.md has the same, with what to write instead. The sources:

* OpenSearch: empty and blank keys, and those that begin with a dot (https://github.com/elastic/elasticsearch/issues/70960 and 28948,
  https://github.com/opensearch-project/OpenSearch/pull/15126); a key with dots is a path
  (https://github.com/opensearch-project/OpenSearch/issues/20125).
* Redshift: texts longer than their column, of 65,535 bytes at most (https://docs.aws.amazon.com/redshift/latest/dg/t_preparing-input-data.html);
  a text that begins with NUL fails the file, and one with NUL in it is cut there (https://github.com/estuary/connectors/pull/839).
* Conversion: botocore's model of Firehose, OpenXJsonSerDe. Athena: https://github.com/rcongiu/Hive-JSON-Serde/issues/104.
"""

from __future__ import annotations

from collections.abc import Iterator

from firefighter._advice.reasons import Reason
from firefighter._advice.stream import Kind, Stream

__all__ = ['refusals']

_SEARCH = frozenset({Kind.ELASTICSEARCH, Kind.OPENSEARCH, Kind.OPENSEARCH_SERVERLESS})
_FORMATTER = 'give the handler a formatter that writes others (docs/destinations.md has one)'


def refusals(stream: Stream) -> tuple[Reason, ...]:
    """Return what the stream's destination refuses, and what avoids it."""
    return tuple(_refusals(stream))


def _refusals(stream: Stream) -> Iterator[Reason]:
    if stream.kind in _SEARCH:
        title = stream.kind.title
        yield Reason(
            f'{title} refuses an event with a key that is empty, blank or begins with a dot, and one in which "a.b" makes '
            'an object of what is a value in another event ("a")',
            f'Log other keys, or {_FORMATTER}',
        )
    if stream.kind is Kind.REDSHIFT:
        yield Reason(
            'a text that is longer than its column (65,535 bytes at most), or begins with NUL, makes COPY refuse the whole file',
            f'Add TRUNCATECOLUMNS to the COPY options; for NUL {_FORMATTER}',
        )
    if stream.converts:
        yield Reason(
            'conversion lowers the keys, so that two which differ in case alone become one, and Hive has no columns with '
            'dots in their names',
            'Give the handler JSONFormatter(ignore_case=True), and set ConvertDotsInJsonKeysToUnderscores=true in the '
            'OpenXJsonSerDe of the stream',
        )
    elif stream.kind.is_s3:
        yield Reason(
            'in Athena and Glue one event with two keys that differ in case alone makes each query of its file fail',
            'If they read the files, give the handler JSONFormatter(ignore_case=True)',
            certain=False,
        )
