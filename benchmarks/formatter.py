"""What `JSONFormatter.encode` costs above the bare encoder, and what each trick in it saves.

Run as `python -m benchmarks.formatter`, for a part alone with `whole`, `timestamp`, `extras`, `event`, `context`, `redaction` or
`layouts` behind.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from contextvars import Context, ContextVar
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from benchmarks.interleaved import Timing, machine, measure, report

from firefighter._event.careful_encoding import STANDARD_ATTRIBUTES
from firefighter._event.timestamp import THREE_DIGITS
from firefighter.context import bind
from firefighter.formatting import JSONFormatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from firefighter._event.layouts import LayoutName

EXTRAS = {'status': 200, 'user': 'ada', 'request_id': '5f2b8c0e'}
NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.timezone.utc)
OWN_COUNT = len(vars(logging.makeLogRecord({})))


def record_of(
    message: object, *args: object, extra: dict[str, object] | None = None, error: Any = None
) -> Any:
    """Make a record as a logger does."""
    logger = logging.getLogger('shop.views')
    return logger.makeRecord(
        'shop.views', logging.INFO, '/srv/shop.py', 7, message, args, error, 'view', extra
    )


RECORDS = {
    'message with arguments': record_of('GET %s took %d ms', '/items/42', 12),
    'and three extras': record_of('GET %s took %d ms', '/items/42', 12, extra=dict(EXTRAS)),
    'a dict message': record_of({'message': 'GET /items/42', 'status': 200, 'user': 'ada', 'ms': 12}),
    'three extras, one a datetime': record_of('GET', extra={**EXTRAS, 'begun': NOON}),
    'three extras, one an integer beyond 53 bits': record_of(
        'GET', extra={**EXTRAS, 'ns': 1_769_860_800_000_000_000}
    ),
    'three extras, one refused': record_of('GET', extra={**EXTRAS, 'raw': b'abc'}),
    'an exception': record_of('no', error=(ValueError, ValueError('no'), None)),
}


class StandardJSON(logging.Formatter):
    """What programs write themselves: the standard library's formatter and json."""

    def encode(self, record: logging.LogRecord) -> bytes:
        """Return the record's line."""
        event = {
            'timestamp': dt.datetime.fromtimestamp(record.created, dt.timezone.utc).isoformat(),
            'level': record.levelname,
            'logger': record.name,
            'message': record.getMessage(),
        }
        event.update({name: value for name, value in vars(record).items() if name not in STANDARD_ATTRIBUTES})
        if record.exc_info:
            event['exception'] = self.formatException(record.exc_info)
        return json.dumps(event, default=str).encode() + b'\n'


def whole() -> None:
    """Compare the formatter with the bare encoder given the finished event, and with the floor below both."""
    formatter = JSONFormatter()
    rich = JSONFormatter(
        fields={'service': 'api', 'env': 'prod', 'build': {'id': 7}}, include=['pid', 'thread']
    )
    standard = StandardJSON()
    for title, record in RECORDS.items():
        dump = partial(orjson.dumps, orjson.loads(formatter.encode(record)), None, orjson.OPT_APPEND_NEWLINE)
        ways: dict[str, Callable[[Any], object]] = {
            'orjson.dumps of the finished event': lambda _, dump=dump: dump(),  # type: ignore[misc]
            'and record.getMessage()': lambda one, dump=dump: (one.getMessage(), dump()),  # type: ignore[misc]
            'JSONFormatter': formatter.encode,
            'with three fields and two origins': rich.encode,
            'standard library': standard.encode,
        }
        report(title, measure(ways, record))


def timestamp() -> None:
    """Compare ways to write the time."""
    beginning, start = '2026-01-31T12:34:56.', 1769862896.0

    def table(created: float) -> str:
        micros = int((created - start) * 1e6 + 0.5)
        return f'{beginning}{THREE_DIGITS[micros // 1000]}{THREE_DIGITS[micros % 1000]}Z'

    def format_spec(created: float) -> str:
        return f'{beginning}{int((created - start) * 1e6 + 0.5):06d}Z'

    def calendar(created: float) -> str:
        return (
            dt.datetime.fromtimestamp(created, dt.timezone.utc).isoformat(timespec='microseconds')[:-6] + 'Z'
        )

    ways = {'kept second, table of digits': table, 'kept second, {:06d}': format_spec, 'datetime': calendar}
    report('Timestamp', measure(ways, start + 0.789012))


def extras() -> None:  # noqa: C901 - five alternatives
    """Compare ways to find three extras behind a record's own attributes."""
    head = ('timestamp', 'level', 'logger', 'message')

    def backwards(attributes: dict[str, object]) -> None:
        event = dict.fromkeys(head)
        size = len(event) + len(attributes) - OWN_COUNT
        for name in reversed(attributes):
            if name not in STANDARD_ATTRIBUTES:
                event[name] = attributes[name]
            else:
                break
        if len(event) != size:
            raise LookupError

    def forwards(attributes: dict[str, object]) -> None:
        event = dict.fromkeys(head)
        for name in islice(attributes, OWN_COUNT, None):
            if name in STANDARD_ATTRIBUTES or name in event:
                raise LookupError
            event[name] = attributes[name]

    def difference(attributes: dict[str, object]) -> None:
        event = dict.fromkeys(head)
        for name in attributes.keys() - STANDARD_ATTRIBUTES:
            if name in event:
                raise LookupError
            event[name] = attributes[name]

    def all_tested(attributes: dict[str, object]) -> None:
        event = dict.fromkeys(head)
        for name, value in attributes.items():
            if name not in STANDARD_ATTRIBUTES:
                if name in event:
                    raise LookupError
                event[name] = value

    ways = {
        'none (the head alone)': lambda _: dict.fromkeys(head),
        'from the end': backwards,
        'skip forwards': forwards,
        'set difference': difference,
        'test all': all_tested,
    }
    report('Extras', measure(ways, vars(RECORDS['and three extras'])))


def event() -> None:
    """Compare ways to make the event's dict, and to make its line without one."""
    constants = {'service': 'api', 'env': 'prod'}
    template: dict[str, object] = {'timestamp': None, 'level': None, 'logger': None, 'message': None}
    rich = template | constants
    prefix = b'Z","level":"INFO","logger":"shop.views","message":'

    def copied(values: tuple[str, ...]) -> dict[str, object]:
        made = template.copy()
        made['timestamp'], made['level'], made['logger'], made['message'] = values
        return made

    def copied_with_constants(values: tuple[str, ...]) -> dict[str, object]:
        made = rich.copy()
        made['timestamp'], made['level'], made['logger'], made['message'] = values
        return made

    def literal(values: tuple[str, ...]) -> dict[str, object]:
        return {'timestamp': values[0], 'level': values[1], 'logger': values[2], 'message': values[3]}

    def literal_with_constants(values: tuple[str, ...]) -> dict[str, object]:
        return {**literal(values), **constants}

    def dumped(values: tuple[str, ...]) -> bytes:
        return orjson.dumps(copied(values), None, orjson.OPT_APPEND_NEWLINE)

    def spliced(values: tuple[str, ...]) -> bytes:
        return b'{"timestamp":"%b%b%b}\n' % (values[0].encode(), prefix, orjson.dumps(values[3]))

    values = ('2026-01-31T12:34:56.789012', 'INFO', 'shop.views', 'GET /items/42 took 12 ms')
    ways = {'copy of a template': copied, 'literal': literal}
    report('The dict', measure(ways, values))
    ways = {'copy of a template': copied_with_constants, 'literal': literal_with_constants}
    report('The dict, with two constants', measure(ways, values))
    report(
        'The line', measure({'copy of a template, one dumps': dumped, 'fragments joined': spliced}, values)
    )


BOUND = {
    'tenant': 'acme',
    'account': 'ada',
    'session': '0af7651916cd43dd8448eb211c80319c',
    'route': '/items/42',
    'method': 'GET',
    'attempt': 1,
    'weight': 12.5,
    'zone': 'eu-west-1a',
    'beta': True,
    'referrer': None,
}


def context() -> None:
    """Compare ten fields from the context with none, and with ten constants; and say what it costs to bind them."""
    variables = {name: ContextVar[object](name) for name in BOUND}
    with_values = Context()
    for name, value in BOUND.items():
        with_values.run(variables[name].set, value)
    with_values.run(bind, **BOUND)
    with_values.run(structlog.contextvars.bind_contextvars, **BOUND)
    plain = JSONFormatter()
    ways: dict[str, JSONFormatter] = {
        'ten bound fields': JSONFormatter(context=['firefighter']),
        'ten constants (`fields`)': JSONFormatter(fields=BOUND),
        "ten variables of one's own": JSONFormatter(context=variables.values()),
        "ten of structlog's": JSONFormatter(context=['structlog']),
    }
    for title in ('message with arguments', 'and three extras', 'a dict message'):
        record = RECORDS[title]
        nothing_bound = {'no context': plain.encode, 'nothing bound': ways['ten bound fields'].encode}
        timings = Context().run(measure, nothing_bound, record)
        for name, formatter in ways.items():
            # Two at a time: CPython adapts a call to the one function that it calls, as a program has it.
            timings |= with_values.run(measure, {'no context': plain.encode, name: formatter.encode}, record)
        report(title, timings)
    bindings: dict[str, Callable[[Any], object]] = {
        'one name': lambda _: bind(tenant='acme'),
        'ten names': lambda fields: bind(**fields),
    }
    report('To bind', Context().run(measure, bindings, BOUND))


# With the event's own four: twenty keys.
SIXTEEN = {
    **EXTRAS,
    'verb': 'GET',
    'path': '/items/42',
    'took_ms': 12.5,
    'customer': 'acme',
    'region': 'eu-west-1a',
    'host': 'ip-10-0-0-17',
    'pid': 4711,
    'remote_addr': '10.1.2.3',
    'user_agent': 'Mozilla/5.0 (X11; Linux x86_64)',
    'bytes_sent': 5120,
    'cached': False,
    'again': 1,
    'visit': '0af7651916cd43dd8448eb211c80319c',
}
LISTED = (
    *('password', 'passwd', 'secret', 'token', 'api_*', '*_key'),
    *('authorization', 'cookie', 'credit_card', 'ssn'),
)
CARD = r're:\b\d{13,16}\b'


def redaction() -> None:
    """Compare events with and without something to hide with those of a formatter that hides nothing."""
    plain, names = JSONFormatter(), JSONFormatter(redact=LISTED)
    pattern, both = JSONFormatter(redact=[CARD]), JSONFormatter(redact=[*LISTED, CARD])
    items = [{'sku': 'a-17', 'count': 2}, {'sku': 'b-4', 'count': 1}]
    records = {
        'a message with arguments': RECORDS['message with arguments'],
        'twenty keys': record_of('GET %s', '/items/42', extra=SIXTEEN),
        'twenty keys, a dict message': record_of({'message': 'GET /items/42', **SIXTEEN}),
        'twenty keys and a listed one': record_of('GET %s', '/items/42', extra=SIXTEEN | {'token': 'x'}),
        'twenty keys, one of them a list of objects': record_of(
            'GET %s', '/items/42', extra=SIXTEEN | {'pid': items}
        ),
    }
    ways = {'ten names': names, 'one pattern': pattern, 'ten names and a pattern': both}
    for title, record in records.items():
        timings: dict[str, Timing] = {}
        for name, formatter in ways.items():
            timings |= measure({'nothing to hide': plain.encode, name: formatter.encode}, record)
        report(title, timings)
    with_values = Context()
    with_values.run(bind, **BOUND)
    bound = {
        'nothing to hide': JSONFormatter(context=['firefighter']).encode,
        'ten names': JSONFormatter(context=['firefighter'], redact=LISTED).encode,
    }
    for title in ('a message with arguments', 'twenty keys'):
        report(f'{title}, and ten bound fields', with_values.run(measure, bound, records[title]))


def layouts() -> None:
    """Compare the layouts with the plain event."""
    options: dict[str, Any] = {'fields': {'service': 'api', 'env': 'prod'}, 'include': ['pid', 'thread']}
    formatters = {'plain': JSONFormatter(**options)}
    names: tuple[LayoutName, ...] = ('otlp', 'ecs')
    for name in names:
        formatters[f'layout={name!r}'] = JSONFormatter(layout=name, **options)
    for title in ('message with arguments', 'and three extras', 'an exception'):
        ways = {name: formatter.encode for name, formatter in formatters.items()}
        report(title, measure(ways, RECORDS[title]))


TABLES: dict[str, Callable[[], None]] = {
    'whole': whole,
    'timestamp': timestamp,
    'extras': extras,
    'event': event,
    'context': context,
    'redaction': redaction,
    'layouts': layouts,
}


def main() -> None:
    """Print the tables that are named, or all."""
    print(f'orjson {orjson.__version__}; {machine()}')
    for name in sys.argv[1:] or TABLES:
        TABLES[name]()


if __name__ == '__main__':
    main()
