"""Who is behind an HTTP endpoint, and what is said of a stream to it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from descriptions import DESCRIPTIONS, http
from firefighter._advice import receivers
from firefighter._advice.advice import advise
from firefighter._advice.receivers import RECEIVERS, receiver_of, refused_requests
from firefighter._advice.stream import read

PAGE = Path(__file__).parents[3] / 'docs' / 'destinations.md'


def destination(url='https://example.com', name='logs', **more):
    return read(http(url, name, **more)).destination


def title_of(**endpoint):
    receiver = receiver_of(destination(**endpoint))
    return receiver and receiver.title


@pytest.mark.parametrize('receiver', RECEIVERS, ids=lambda receiver: receiver.title)
def test_it_is_told_by_its_url_and_by_its_name(receiver):
    """The URL is theirs, the name the user's: as AWS's console gives it, or as a program does."""
    for domain in receiver.domains:
        assert title_of(url=f'https://{domain}/x') == receiver.title
        assert title_of(url=f'https://logs.eu.{domain.upper()}:443') == receiver.title
        assert title_of(url=f'https://not{domain}') is None
        assert title_of(url=f'https://{domain}.example.com') is None
        assert title_of(url=f'https://example.com/{domain}') is None
    for name in receiver.names:
        for written in (name, name.title(), f'{name} logs - US', f'prod-{name.replace(" ", "_")}-2'):
            assert title_of(name=written) == receiver.title
        assert title_of(name=f'x{name}x') is None
    if receiver.path:
        assert title_of(url=f'https://example.com:443{receiver.path}/') == receiver.title


def test_the_url_counts_more_than_the_name():
    """Vector may stand before Datadog, and be called so; but Datadog's own address is Datadog's."""
    assert (
        title_of(url='https://aws-kinesis-http-intake.logs.datadoghq.com/v1/input', name='vector')
        == 'Datadog'
    )


@pytest.mark.parametrize(
    'odd',
    [
        {},
        {'EndpointConfiguration': None},
        {'EndpointConfiguration': 7},
        {'EndpointConfiguration': {}},
        {'EndpointConfiguration': {'Url': None, 'Name': None}},
        {'EndpointConfiguration': {'Url': 'https://[datadoghq.com/', 'Name': 7}},
    ],
)
def test_of_an_odd_description_nobody_is_told(odd):
    """A double may say anything."""
    assert receiver_of(odd) is None
    assert refused_requests(odd) is None


@pytest.mark.parametrize(
    ('name', 'found', 'cure'),
    [
        (
            'http-new-relic-as-the-console-has-it',
            (
                'New Relic refuses a request of more than 1,000,000 bytes with 413; the stream collects 5 MiB for one '
                'and does not compress it'
            ),
            'Set SizeInMBs=1 in the BufferingHints and ContentEncoding=GZIP in the RequestConfiguration of the stream',
        ),
        (
            'http-elastic-with-much',
            'Elastic refuses a request that has more than 100 MB when it is decompressed; the stream collects 64 MiB for one',
            'Set SizeInMBs=1 in the BufferingHints of the stream',
        ),
        (
            'http-datadog-with-much',
            'Datadog takes 65,536 events of a request and drops the others; the stream collects 5 MiB for one',
            'Set SizeInMBs=2 in the BufferingHints of the stream',
        ),
    ],
)
def test_settings_that_lose_events_in_silence_are_a_hazard(name, found, cure):
    """Firehose accepts the records, and the receiver refuses or drops them."""
    (hazard,) = advise(read(DESCRIPTIONS[name])).hazards
    assert (hazard.why, hazard.cure) == (found, cure)


@pytest.mark.parametrize(
    ('mib', 'encoding', 'wrong'),
    [(1, 'GZIP', 0), (1, 'NONE', 1), (2, 'GZIP', 1), (64, 'NONE', 2)],
)
def test_each_wrong_setting_is_named_once(mib, encoding, wrong):
    """With what to set instead."""
    refused = refused_requests(
        destination('https://aws-api.eu.newrelic.com/firehose/v1', mib=mib, encoding=encoding)
    )
    assert (refused.cure.count('=') if refused else 0) == wrong


@pytest.mark.parametrize('missing', ['BufferingHints', 'RequestConfiguration'])
def test_what_a_description_does_not_say(missing):
    """Of the buffer nothing is known then; requests are not compressed unless somebody has asked for it."""
    described = {
        **destination('https://aws-api.newrelic.com/firehose/v1', mib=1, encoding='GZIP'),
        missing: None,
    }
    assert bool(refused_requests(described)) == (missing == 'RequestConfiguration')


@pytest.mark.parametrize(
    'name',
    ['http-new-relic', 'http-elastic', 'http-datadog', 'http-grafana', 'http-sumo-logic', 'http-endpoint'],
)
def test_settings_as_the_receiver_wants_them_are_well(name):
    """Whoever has no rule for it takes any."""
    assert advise(read(DESCRIPTIONS[name])).hazards == ()


def test_a_receiver_that_splits_records_has_them_aggregated():
    """And one that does so if it is told to says how."""
    assert advise(read(DESCRIPTIONS['http-sumo-logic'])).options == {'aggregate': True}
    for name, told in (('http-opentelemetry', 'text_encoding'), ('http-vector', 'newline_delimited')):
        advice = advise(read(DESCRIPTIONS[name]))
        assert advice.options == {}
        assert told in advice.verdicts[0].why


@pytest.mark.parametrize('receiver', RECEIVERS, ids=lambda receiver: receiver.title)
def test_each_is_in_the_table_of_the_docs(receiver):
    """With the same limits."""
    section = PAGE.read_text('utf-8').partition('## HTTP endpoints')[2]
    rows = [row for row in section.splitlines() if row.startswith('| ')]
    (row,) = [row for row in rows if receiver.title.removeprefix('the ') in row.split('|')[1]]
    assert (f'{receiver.most_mib} MiB' in row) == (receiver.most_mib is not None)
    assert ('GZIP' in row) == receiver.needs_gzip


def test_where_a_rule_comes_from_is_said():
    """Of each that has rules of its own."""
    for receiver in RECEIVERS:
        says_nothing = receivers._silent(receiver.title) == (receiver.events, receiver.compressed)
        if receiver.most_mib or not says_nothing:
            assert (
                f'* {receiver.title.removeprefix("the ").removesuffix(" collector")}: ' in receivers.__doc__
            )
