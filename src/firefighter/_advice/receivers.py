"""Who is behind an HTTP endpoint, told by its URL and its name, and what is known of each.

Firehose hands a receiver each record as it is (https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html).
Whether that takes a record apart, what it unpacks, and how large a request may be, is its own affair. What is here stands on their
documentation. Where that says nothing, a rule says so, and one event in a record is safe. (gh: is https://github.com.)

* Datadog: gh:DataDog/documentation, content/en/logs/guide/send-aws-services-logs-with-the-datadog-kinesis-firehose-destination.md
* New Relic: gh:newrelic/docs-website, src/content/docs/logs/forward-logs/stream-logs-using-kinesis-data-firehose.mdx
* Elastic: gh:elastic/integrations, packages/awsfirehose/docs/README.md
* Sumo Logic: gh:SumoLogic/sumologic-documentation, docs/send-data/hosted-collectors/amazon-aws/aws-kinesis-firehose-logs-source.md
* Grafana: gh:grafana/alloy, docs/sources/reference/components/loki/loki.source.awsfirehose.md; the URL of Grafana Cloud:
  https://grafana.com/docs/grafana-cloud/monitor-infrastructure/monitor-cloud-provider/aws/logs/firehose-logs/config-firehose-logs/
* OpenTelemetry: gh:open-telemetry/opentelemetry-collector-contrib, extension/encoding/textencodingextension; it unpacks gzip since its
  pull requests 40932 and 47848 (0.152)
* Vector: gh:vectordotdev/vector, website/cue/reference/components/sources/generated/aws_kinesis_firehose.cue, and its pull request 7700
* Cribl: https://docs.cribl.io/stream/4.20/sources-kinesis-firehose/ and https://docs.cribl.io/stream/event-breaker-function
* Coralogix: https://coralogix.com/docs/external/terraform-coralogix-aws/modules/firehose-logs/
* Dynatrace: https://docs.dynatrace.com/docs/observe-and-explore/logs/lma-limits
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from firefighter._advice.reasons import Bound, Reason

__all__ = ['RECEIVERS', 'Receiver', 'receiver_of', 'refused_requests']


@dataclass(frozen=True)
class Receiver:
    """Who takes what Firehose sends.

    Attributes:
        title: its name.
        domains: the host of its URL is one of these, or in one.
        names: what the endpoint's name may contain, in lower case.
        path: what the path of its URL ends in; empty where that says nothing.
        events: how many in a record.
        compressed: why records must not be compressed.
        most_mib: the most that Firehose may collect for a request, and `above` what becomes of more.
        above: without a full stop.
        needs_gzip: whether Firehose has to compress the requests.
    """

    title: str
    domains: tuple[str, ...]
    names: tuple[str, ...]
    events: Bound
    compressed: Reason
    path: str = ''
    most_mib: int | None = None
    above: str = ''
    needs_gzip: bool = False


def _silent(title: str) -> tuple[Bound, Reason]:
    """Return the rules for a receiver that says nothing of what it does to a record."""
    return (
        Bound(
            1,
            Reason(
                f'{title} does not say whether it splits records',
                'If a test shows that yours does, aggregate=True fits too',
                certain=False,
            ),
        ),
        Reason(f'{title} does not say whether it decompresses records', certain=False),
    )


RECEIVERS = (
    Receiver(
        'New Relic',
        ('newrelic.com',),
        ('new relic', 'newrelic'),
        *_silent('New Relic'),
        most_mib=1,
        above='New Relic refuses a request of more than 1,000,000 bytes with 413',
        needs_gzip=True,
    ),
    Receiver(
        'Elastic',
        ('elastic.co', 'elastic.cloud', 'elastic-cloud.com', 'found.io', 'cloud.es.io'),
        ('elastic', 'elasticsearch'),
        *_silent('Elastic'),
        most_mib=1,
        above='Elastic refuses a request that has more than 100 MB when it is decompressed',
    ),
    Receiver(
        'Datadog',
        ('datadoghq.com', 'datadoghq.eu', 'ddog-gov.com'),
        ('datadog',),
        *_silent('Datadog'),
        most_mib=2,
        above='Datadog takes 65,536 events of a request and drops the others',
    ),
    Receiver(
        'Grafana',
        ('grafana.net',),
        ('grafana', 'loki', 'alloy'),
        Bound(1, Reason('Grafana writes each record as one line of the log')),
        Reason('Grafana writes each record as one line of the log, and would get compressed bytes'),
        path='/awsfirehose/api/v1/push',
    ),
    Receiver(
        'Sumo Logic',
        ('sumologic.com', 'sumologic.net'),
        ('sumo logic', 'sumologic', 'sumo'),
        Bound(
            None,
            Reason(
                'Sumo Logic splits records at newlines',
                'Turn off "Multiline Processing" of its source: it would guess which lines belong together',
            ),
        ),
        Reason('Sumo Logic does not say whether it decompresses records', certain=False),
    ),
    Receiver(
        'the OpenTelemetry collector',
        (),
        ('opentelemetry', 'otel', 'otelcol', 'adot'),
        Bound(
            1,
            Reason(
                'the OpenTelemetry collector splits records if its receiver is told to',
                'With an encoding that does (text_encoding, or json_log_encoding with array_mode: false) aggregate=True fits too',
                certain=False,
            ),
        ),
        Reason(
            'the OpenTelemetry collector decompresses records since 0.152, by gzip, and splits them if its receiver is told to',
            certain=False,
        ),
    ),
    Receiver(
        'Vector',
        (),
        ('vector',),
        Bound(
            1,
            Reason(
                'Vector splits records if its source is told to',
                'With framing.method: newline_delimited aggregate=True fits too',
                certain=False,
            ),
        ),
        Reason(
            'Vector decompresses records, by gzip, and splits them if its source is told to', certain=False
        ),
    ),
    Receiver(
        'Cribl',
        ('cribl.cloud',),
        ('cribl',),
        Bound(
            1,
            Reason(
                "Cribl's source does not split records",
                'If an Event Breaker function in your pipeline does, aggregate=True fits too',
                certain=False,
            ),
        ),
        Reason('Cribl does not say whether it decompresses records', certain=False),
    ),
    Receiver(
        'Coralogix',
        ('coralogix.com', 'coralogix.us', 'coralogix.in', 'coralogixsg.com'),
        ('coralogix',),
        *_silent('Coralogix'),
    ),
    Receiver('Dynatrace', ('dynatrace.com',), ('dynatrace',), *_silent('Dynatrace')),
    *(
        Receiver(title, domains, names, *_silent(title))
        for title, domains, names in (
            ('Honeycomb', ('honeycomb.io',), ('honeycomb',)),
            ('Axiom', ('axiom.co',), ('axiom',)),
            ('Better Stack', ('betterstack.com', 'betterstackdata.com'), ('better stack', 'betterstack')),
            ('Logz.io', ('logz.io',), ('logz io', 'logz')),
            ('OpenObserve', ('openobserve.ai',), ('openobserve',)),
        )
    ),
)
"""All that are known, in the order in which they are looked for."""


def receiver_of(destination: Mapping[str, Any]) -> Receiver | None:
    """Return who is behind an HTTP endpoint, by its description; None when nobody knows."""
    endpoint = _mapping(destination.get('EndpointConfiguration'))
    host, path = _parts(str(endpoint.get('Url') or ''))
    for receiver in RECEIVERS:
        if any(f'.{host}'.endswith(f'.{domain}') for domain in receiver.domains):
            return receiver
        if receiver.path and path.rstrip('/').endswith(receiver.path):
            return receiver
    # The name is the user's own: a word in it that is the name of one of them.
    name = f' {" ".join(re.findall("[a-z0-9]+", str(endpoint.get("Name") or "").lower()))} '
    return next(
        (receiver for receiver in RECEIVERS if any(f' {word} ' in name for word in receiver.names)), None
    )


def _parts(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or '').rstrip('.'), parts.path
    except ValueError:
        return '', ''


def refused_requests(destination: Mapping[str, Any]) -> Reason | None:
    """Return what of a stream's own settings makes the receiver refuse requests, or drop events of them.

    Firehose accepts every record all the same, and puts what is refused into the backup bucket: the program is never told.
    """
    receiver = receiver_of(destination)
    if receiver is None or receiver.most_mib is None:
        return None
    wrong, cures = [], []
    size = _mapping(destination.get('BufferingHints')).get('SizeInMBs')
    if isinstance(size, int) and size > receiver.most_mib:
        wrong.append(f'collects {size} MiB for one')
        cures.append(f'SizeInMBs={receiver.most_mib} in the BufferingHints')
    if (
        receiver.needs_gzip
        and _mapping(destination.get('RequestConfiguration')).get('ContentEncoding') != 'GZIP'
    ):
        wrong.append('does not compress it')
        cures.append('ContentEncoding=GZIP in the RequestConfiguration')
    if not wrong:
        return None
    return Reason(
        f'{receiver.above}; the stream {" and ".join(wrong)}', f'Set {" and ".join(cures)} of the stream'
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
