"""Which options fit which destination, and which would destroy what arrives?"""

from __future__ import annotations

import pytest

from descriptions import DESCRIPTIONS, described, processing, processor, s3
from firefighter._advice.advice import CAUTIOUS, advise
from firefighter._advice.fit import fit
from firefighter._advice.problems import problems
from firefighter._advice.stream import Kind, read

# name -> the options that do not fit, of `aggregate=True`, of at most 500 events, and of `compression`.
HARMFUL = {
    's3': ((), (), ()),
    's3-by-its-older-name': ((), (), ()),
    's3-with-extension-gz': ((), (), ()),
    's3-with-extension-zst': ((), (), ()),
    's3-with-firehose-gzip': ((), (), ('compression',)),
    's3-with-delimiter': ((), (), ('compression',)),
    's3-with-delimiter-switched-off': ((), (), ()),
    's3-with-delimiter-and-extension-gz': ((), (), ('compression',)),
    's3-with-lambda': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    's3-with-conversion': ((), (), ('compression',)),
    's3-with-conversion-switched-off': ((), (), ()),
    's3-partitioned': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    's3-partitioned-deaggregated': (
        ('max_aggregated_events',),
        (),
        ('compression', 'compression', 'compression', 'max_aggregated_events'),
    ),
    's3-partitioned-deaggregated-without-newlines': (
        ('max_aggregated_events',),
        (),
        ('compression', 'compression', 'max_aggregated_events'),
    ),
    's3-partitioned-deaggregated-by-newline': (
        ('max_aggregated_events',),
        (),
        ('compression', 'compression', 'compression', 'max_aggregated_events'),
    ),
    's3-partitioned-deaggregated-by-another-delimiter': (
        ('aggregate',),
        ('aggregate',),
        ('compression', 'compression', 'compression', 'aggregate'),
    ),
    's3-partitioned-deaggregated-then-lambda': (
        ('max_aggregated_events',),
        (),
        ('compression', 'compression', 'compression', 'compression', 'max_aggregated_events'),
    ),
    's3-with-decompression': ((), (), ()),
    'redshift': ((), (), ('compression',)),
    'redshift-without-json': ((), (), ('compression',)),
    'elasticsearch': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'opensearch': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'opensearch-with-lambda': (
        ('aggregate',),
        ('aggregate',),
        ('compression', 'compression', 'aggregate'),
    ),
    'opensearch-serverless': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'splunk-raw': ((), (), ('compression',)),
    'splunk-event': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-endpoint': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-new-relic': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-new-relic-as-the-console-has-it': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-elastic': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-elastic-with-much': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-datadog': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-datadog-with-much': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-grafana': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-sumo-logic': ((), (), ('compression',)),
    'http-opentelemetry': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-vector': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-cribl': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-coralogix': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'http-dynatrace': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'snowflake': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'iceberg': (('aggregate',), ('aggregate',), ('compression', 'aggregate')),
    'from-a-kinesis-stream': ((), (), ()),
    'creating': ((), (), ()),
    'creating-failed': ((), (), ()),
    'encryption-failed': ((), (), ()),
}
STREAMS = {name: read(description) for name, description in DESCRIPTIONS.items()}


def found(stream, *, aggregate=True, max_aggregated_events=None, compression=None):
    return problems(
        stream,
        aggregate=aggregate,
        max_aggregated_events=max_aggregated_events,
        compression=compression,
    )


def test_each_description_has_its_row():
    """A new one cannot be forgotten."""
    assert HARMFUL.keys() == DESCRIPTIONS.keys()


@pytest.mark.parametrize('name', HARMFUL)
def test_what_would_destroy_events_is_found(name):
    """Of aggregation, of aggregation by 500, and of compression, which aggregates too."""
    by_aggregation, by_500, by_compression = HARMFUL[name]
    stream = STREAMS[name]
    for options, expected in (
        ({}, by_aggregation),
        ({'max_aggregated_events': 500}, by_500),
        ({'compression': 'gzip'}, by_compression),
        ({'compression': 'zstd'}, by_compression),
    ):
        assert tuple(problem.option for problem in found(stream, **options)) == expected


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_one_event_in_a_record_never_is_a_problem(name):
    """Which is what a handler without these options sends."""
    assert found(STREAMS[name], aggregate=False) == []


@pytest.mark.parametrize('name', DESCRIPTIONS)
def test_what_is_advised_is_never_warned_of(name):
    """The doctor and the handler go by the same rules, now and when the stream has been changed as advised."""
    advice = advise(STREAMS[name])
    for options in (advice.options, advice.better):
        aggregate = 'aggregate' in options or 'compression' in options
        assert found(STREAMS[name], **{**options, 'aggregate': aggregate}) == []


def test_a_file_extension_that_is_set_as_advised_is_what_was_meant():
    """With it the better arguments are the arguments."""
    before = advise(STREAMS['s3'])
    after = advise(read(described(s3(FileExtension=before.file_extension))))
    assert (after.options, after.better) == (before.better, {})


def test_more_than_500_events_are_not_taken_apart_and_the_number_is_said():
    """AWS: the request succeeds, and the rest of the record is gone."""
    stream = STREAMS['s3-partitioned-deaggregated']
    (problem,) = found(stream, max_aggregated_events=501)
    assert problem.text.startswith('max_aggregated_events=501 does not fit the stream: ')
    assert problem.text.endswith('; write max_aggregated_events=500')


def test_a_problem_says_the_option_the_reason_and_what_to_do():
    """In one line, since that is what is written to stderr."""
    (problem,) = found(STREAMS['s3-with-delimiter'], compression='gzip')
    assert problem.text == (
        "compression='gzip' does not fit the stream: AppendDelimiterToRecord writes a newline between the compressed "
        'records, and most readers stop or fail there; leave out compression'
    )


@pytest.mark.parametrize(
    'name',
    [
        'http-endpoint',
        'http-new-relic',
        'http-datadog',
        'http-elastic',
        'http-opentelemetry',
        'http-vector',
        'http-cribl',
        'http-coralogix',
        'http-dynatrace',
        's3-with-lambda',
        'splunk-event',
    ],
)
def test_what_depends_on_others_is_said_to_be_so(name):
    """Nobody but the user knows what the server or the function does."""
    (problem,) = found(STREAMS[name])
    assert problem.text.startswith('aggregate=True may not fit the stream: ')


@pytest.mark.parametrize(
    'description',
    [
        {},
        {'Destinations': None},
        {'Destinations': []},
        {'Destinations': ['S3']},
        {'Destinations': [{'DestinationId': 'a'}]},
        {'Destinations': [{'QuantumDestinationDescription': {}}]},
    ],
)
def test_of_a_destination_that_is_not_known_one_event_in_a_record_is_advised(description):
    """A Firehose to come, or a double in somebody's test."""
    stream = read({'DeliveryStreamType': 'DirectPut', **description})
    assert stream.kind is Kind.UNKNOWN
    assert advise(stream).options == {}
    assert [problem.option for problem in found(stream, compression='gzip')] == ['compression', 'aggregate']


def test_what_a_processor_to_come_does_nobody_knows_here():
    """So nothing but one event in a record is safe."""
    stream = read(described(s3(**processing(processor('Encryption')))))
    assert advise(stream).options == {}
    assert (
        fit(stream).events.reason.why == 'this version of firefighter does not know the processor Encryption'
    )


@pytest.mark.parametrize('odd', [None, 'on', 7, ['x'], {'Enabled': True}, {'Enabled': True, 'Processors': 7}])
def test_odd_shapes_count_as_absent(odd):
    """A double may say anything; delivery must not stumble over it."""
    stream = read(described(s3(ProcessingConfiguration=odd, DynamicPartitioningConfiguration=['x'])))
    assert (stream.processors, stream.partitions) == ({}, False)


def test_without_a_description_nothing_is_advised():
    """One event in a record is safe anywhere."""
    assert CAUTIOUS.options == CAUTIOUS.better == {}
