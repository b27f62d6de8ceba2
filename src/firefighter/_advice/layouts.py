"""Which layouts of an event (`JSONFormatter(layout=...)`) a destination knows, and what each asks of the stream.

Only what is documented is said, and of other destinations nothing:

* The collector's receiver decodes each record by itself: gh:open-telemetry/opentelemetry-collector-contrib,
  receiver/awsfirehosereceiver/logs_receiver.go, with `encoding` since its pull request 37262; extension/encoding/otlpencodingextension decodes one
  document.
* Files: https://github.com/open-telemetry/opentelemetry-specification/blob/main/specification/protocol/file-exporter.md
* Elastic puts a record into `message`: gh:elastic/integrations, packages/awsfirehose/docs/README.md
* Search: https://docs.opensearch.org/latest/mappings/supported-field-types/nested (arrays of objects are flattened)
"""

from __future__ import annotations

from firefighter._advice.reasons import Reason
from firefighter._advice.receivers import receiver_of
from firefighter._advice.stream import Kind, Stream

__all__ = ['layouts']

_SEARCH = frozenset({Kind.ELASTICSEARCH, Kind.OPENSEARCH, Kind.OPENSEARCH_SERVERLESS})
_OF_RECEIVERS = {
    'the OpenTelemetry collector': Reason(
        "the OpenTelemetry collector takes layout='otlp' with encoding: otlp_encoding (protocol: otlp_json), one document in a record",
        'Then leave out aggregate and compression: it decodes one document of a record',
    ),
    'Elastic': Reason(
        'Elastic puts each record as a text into the field message',
        "For the fields of layout='ecs' let an ingest pipeline parse it, with a json processor",
    ),
}


def layouts(stream: Stream) -> tuple[Reason, ...]:
    """Return what is known of layouts at a stream's destination."""
    if stream.kind in _SEARCH:
        return (
            Reason(
                f"{stream.kind.title} has the names of layout='ecs' in its common schema. With layout='otlp' attributes could not be "
                'searched by name: they are an array of keys and values'
            ),
        )
    if stream.kind.is_s3 and not (stream.converts or stream.processors.keys() & {'Lambda'}):
        return (
            Reason(
                "with layout='otlp' the files are OTLP JSON lines, as OpenTelemetry's file exporter writes them"
            ),
        )
    receiver = receiver_of(stream.destination) if stream.kind is Kind.HTTP else None
    known = _OF_RECEIVERS.get(receiver.title) if receiver else None
    return (known,) if known else ()
