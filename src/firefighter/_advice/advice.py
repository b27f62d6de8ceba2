"""What to write: which options fit a stream, why, and what about the stream itself is to be changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from firefighter._advice.fit import Fit, fit
from firefighter._advice.layouts import layouts
from firefighter._advice.reasons import Reason
from firefighter._advice.receivers import refused_requests
from firefighter._advice.refusals import refusals
from firefighter._advice.stream import UNCOMPRESSED, Kind, Stream

__all__ = ['CAUTIOUS', 'Advice', 'Verdict', 'advise']

_CODECS = {'.gz': 'gzip', '.zst': 'zstd'}
# Of the two that fit, the one that all readers know: Hive, Spark, Athena, pandas, zcat.
_PREFERRED = 'gzip'
_PREFERRED_EXTENSION = '.json.gz'


@dataclass(frozen=True)
class Verdict:
    """Of one option.

    Attributes:
        option: its name.
        value: what to give it; None: leave it out.
        why: the reason, for people.
    """

    option: str
    value: bool | int | str | None
    why: str


@dataclass(frozen=True)
class Advice:
    """What to write.

    Attributes:
        verdicts: of `aggregate`, `max_aggregated_events`, `compression` and the stream's `FileExtension`.
        options: the keyword arguments for the handler, as the stream is now.
        file_extension: what the stream's FileExtension should be for `better`; None: nothing is to be changed.
        better: the keyword arguments once it is.
        hazards: what will go wrong whatever the options, and what to do.
        refusals: what the destination does not take in an event, and what avoids it.
        layouts: which layouts of an event it knows, and what each asks for.
    """

    verdicts: tuple[Verdict, ...]
    options: Mapping[str, bool | int | str]
    file_extension: str | None = None
    better: Mapping[str, bool | int | str] = field(default_factory=dict)
    hazards: tuple[Reason, ...] = ()
    refusals: tuple[Reason, ...] = ()
    layouts: tuple[Reason, ...] = ()


def advise(stream: Stream) -> Advice:
    """Return the advice for a stream that takes puts."""
    fits = fit(stream)
    codec = next((codec for end, codec in _CODECS.items() if stream.file_extension.endswith(end)), None)
    compressible = not fits.obstacles
    change = compressible and codec is None
    used = codec if compressible else None
    return Advice(
        verdicts=(
            *_of_events(fits, implied=used is not None),
            Verdict('compression', used, _why_compression(fits, used)),
            *_of_extension(stream, compressible=compressible, codec=codec),
        ),
        options=_options(fits, used),
        file_extension=_PREFERRED_EXTENSION if change else None,
        better=_options(fits, _PREFERRED) if change else {},
        hazards=tuple(_hazards(stream, codec, compressible=compressible)),
        refusals=refusals(stream),
        layouts=layouts(stream),
    )


CAUTIOUS = Advice(
    (
        Verdict(
            'aggregate',
            None,
            'nothing is known of the destination, and one event in a record is safe anywhere',
        ),
        Verdict('max_aggregated_events', None, 'has no effect without aggregate'),
        Verdict('compression', None, 'nothing is known of the destination'),
    ),
    {},
)
"""The advice where nothing is known of the stream."""


def _options(fits: Fit, codec: str | None) -> dict[str, bool | int | str]:
    if codec is not None:
        return {'compression': codec}
    most = fits.events.most_events
    if most == 1:
        return {}
    return {'aggregate': True} if most is None else {'aggregate': True, 'max_aggregated_events': most}


def _of_events(fits: Fit, *, implied: bool) -> Iterator[Verdict]:
    most, reason = fits.events
    why = f'compression implies it; {reason}' if implied else str(reason)
    yield Verdict('aggregate', None if most == 1 else True, why)
    if most is None:
        yield Verdict('max_aggregated_events', None, 'as many as a record holds')
    elif most == 1:
        yield Verdict('max_aggregated_events', None, 'has no effect without aggregate')
    else:
        yield Verdict(
            'max_aggregated_events',
            most,
            'the stream does not split larger records, and does not report that',
        )


def _why_compression(fits: Fit, used: str | None) -> str:
    if len(fits.obstacles) == 1:
        return str(fits.obstacles[0])
    if fits.obstacles:  # to fix one of them would not be enough, and may harm
        return '; '.join(obstacle.why for obstacle in fits.obstacles)
    if used is None:
        return f'{_PREFERRED} fits once FileExtension is {_PREFERRED_EXTENSION}: readers choose the codec by the name'
    extra = "; before Python 3.14 it needs pip install 'firefighter[zstd]'" if used == 'zstd' else ''
    return f'nothing on the way looks into the records, and FileExtension says {used} to readers{extra}'


def _of_extension(stream: Stream, *, compressible: bool, codec: str | None) -> Iterator[Verdict]:
    if not stream.kind.is_s3:
        return
    if not compressible:
        yield Verdict('FileExtension', None, 'only for files that the handler compresses')
    elif codec is None:
        now = repr(stream.file_extension) if stream.file_extension else 'not set'
        yield Verdict('FileExtension', _PREFERRED_EXTENSION, f'for compression; it is {now}')
    else:
        yield Verdict('FileExtension', stream.file_extension, 'as it is')


def _hazards(stream: Stream, codec: str | None, *, compressible: bool) -> Iterator[Reason]:
    if stream.kind is Kind.SPLUNK and stream.destination.get('HECEndpointType') != 'Raw':
        yield Reason(
            'Splunk refuses events that are no envelopes ({"event": ...}), as those of JSONFormatter are not',
            'Set HECEndpointType=Raw, or give the handler a formatter that makes envelopes',
        )
    if stream.kind is Kind.REDSHIFT and 'json' not in _copy_options(stream).lower():
        yield Reason(
            'COPY does not expect JSON, which is what the handler writes',
            "Add FORMAT AS JSON 'auto' to the COPY options, or give the handler a formatter of your own",
        )
    if stream.kind is Kind.HTTP and (refused := refused_requests(stream.destination)):
        yield refused
    processors = stream.processors.keys()
    if (
        'RecordDeAggregation' in processors
        and 'AppendDelimiterToRecord' not in processors
        and not stream.converts
    ):
        yield Reason(
            'deaggregation takes the newlines away, and nothing puts them back: the files would be one line',
            'Add the processor AppendDelimiterToRecord (the console calls it "New line delimiter")',
        )
    if codec is not None and not compressible and stream.compression == UNCOMPRESSED:
        yield Reason(
            f'the files are named {stream.file_extension}, and nothing compresses them so: readers would fail',
            'Take FileExtension off the stream',
        )


def _copy_options(stream: Stream) -> str:
    command = stream.destination.get('CopyCommand')
    return str(command.get('CopyOptions') or '') if isinstance(command, Mapping) else ''
