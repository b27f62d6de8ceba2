"""Twenty awkward events, and what each library's JSON has of them: `python -m benchmarks.awkward [--write PAGE]`.

Each library is set up as its own documentation says, with its own way to bind context. An event is logged; what comes out is read as
JSON, strictly, and looked at. Nothing here takes time, so nothing is measured.

    yes          one line of JSON that has it
    otherwise    what there is instead: `lost`, `raises` (into the program), `no JSON`, `2 lines`, or what is wrong in the event
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import contextvars
import datetime as dt
import decimal
import importlib
import importlib.metadata
import io
import itertools
import json
import logging
import pathlib
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, redirect_stderr
from typing import Any, NamedTuple, NoReturn

import numpy as np

from firefighter.context import bind
from firefighter.formatting import JSONFormatter

LONG = f'{"x" * 300_000} end'
BEGIN = '<!-- awkward events: begin -->'
END = '<!-- awkward events: end -->'


class Library(NamedTuple):
    """One way to log JSON.

    Attributes:
        logger: what a program calls: `info(message, ...)`, `exception(message)`.
        lines: returns what has come out so far.
        bind: adds fields to the events of a context, for a while.
        extra: returns the keyword arguments that give an event these fields.
    """

    logger: Any
    lines: Callable[[], str]
    bind: Callable[..., AbstractContextManager[Any]]
    extra: Callable[[Mapping[str, Any]], Mapping[str, Any]]


def as_extra(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields as the standard library's logging takes them."""
    return {'extra': dict(fields)}


@contextlib.contextmanager
def binds_nothing(**_: object) -> Iterator[None]:
    """Stand for what a library does not have."""
    yield


def with_formatter(formatter: logging.Formatter, binder: Callable[..., Any] = binds_nothing) -> Library:
    """Return a logger of the standard library whose lines a formatter makes."""
    out = io.StringIO()
    logger = logging.getLogger(f'shop-{next(_numbers)}')
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return Library(logger, out.getvalue, binder, as_extra)


# Each imports its own, so that ours can be tried without the others.


def ours() -> Library:
    """Return the standard library's logging with our formatter."""
    return with_formatter(JSONFormatter(context=['firefighter'], redact=['password']), bind)


def powertools() -> Library:
    """Return the Logger of Powertools for AWS Lambda."""
    module: Any = importlib.import_module('aws_lambda_powertools')

    out = io.StringIO()
    # Loggers of one name share their handlers.
    logger = module.Logger(service=f'shop-{next(_numbers)}', stream=out)
    return Library(logger, out.getvalue, logger.append_context_keys, as_extra)


def structlog_json() -> Library:
    """Return structlog with the processors of its own recipe for JSON."""
    structlog: Any = importlib.import_module('structlog')

    out = io.StringIO()
    processors = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.dict_tracebacks,
        structlog.processors.TimeStamper(fmt='iso', utc=True),
        structlog.processors.JSONRenderer(),
    ]
    logger = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return Library(logger, out.getvalue, structlog.contextvars.bound_contextvars, dict)


def python_json_logger() -> Library:
    """Return the standard library's logging with the formatter of python-json-logger."""
    module: Any = importlib.import_module('pythonjsonlogger.json')

    return with_formatter(module.JsonFormatter('{levelname}{name}{message}', style='{'))


def ecs() -> Library:
    """Return the standard library's logging with the formatter of ecs-logging."""
    module: Any = importlib.import_module('ecs_logging')

    return with_formatter(module.StdlibFormatter())


_numbers = itertools.count()
LIBRARIES: dict[str, tuple[str, Callable[[], Library]]] = {
    'firefighter': ('', ours),
    'Powertools Logger': ('aws-lambda-powertools', powertools),
    'structlog': ('structlog', structlog_json),
    'python-json-logger': ('python-json-logger', python_json_logger),
    'ecs-logging': ('ecs-logging', ecs),
}


# What an event should have. Each returns what is wrong with it, or nothing.


def has(event: object, text: str) -> bool:
    """Return whether a text is in one of the event's strings."""
    if isinstance(event, dict):
        return any(has(value, text) for value in event.values())
    if isinstance(event, list):
        return any(has(value, text) for value in event)
    return isinstance(event, str) and text in event


def find(event: object, name: str) -> Any:
    """Return the value of a key, wherever it is in the event, or None."""
    if isinstance(event, dict):
        if name in event:
            return event[name]
        return next((found for value in event.values() if (found := find(value, name)) is not None), None)
    if isinstance(event, list):
        return next((found for value in event if (found := find(value, name)) is not None), None)
    return None


def texts(*wanted: str) -> Callable[[Any], str]:
    """Return a check for texts that must all be somewhere in the event."""

    def check(event: Any) -> str:
        missing = [text for text in wanted if not has(event, text)]
        return f'without {missing[0]!r}' if missing else ''

    return check


def value(name: str, *wanted: object) -> Callable[[Any], str]:
    """Return a check for a key with one of these values."""

    def check(event: Any) -> str:
        found = find(event, name)
        if any(type(found) is type(right) and found == right for right in wanted):
            return ''
        return 'missing' if found is None else f'{short(found)}'

    return check


def is_there(name: str) -> Callable[[Any], str]:
    """Return a check for a key, with whatever value."""
    return lambda event: '' if find(event, name) is not None else 'missing'


def short(found: object) -> str:
    """Return a value as a table may show it."""
    text = json.dumps(found, ensure_ascii=False)
    return f'`{text if len(text) <= 30 else text[:29] + "…"}`'.replace('|', '\\|')


# The events.


class Awkward(NamedTuple):
    """An event: its row in the table, how it is logged, and what is to be seen of it."""

    text: str
    log: Callable[[Library], object]
    check: Callable[[Any], str]
    events: int = 1


def fail(error: Exception) -> NoReturn:
    """Raise an exception."""
    raise error


def fails(library: Library) -> None:
    """Log an exception with a cause and a context."""
    try:
        try:
            try:
                fail(KeyError('the context'))
            except KeyError:
                fail(ValueError('the cause'))
        except ValueError as error:
            raise RuntimeError('the error') from error
    except RuntimeError:
        library.logger.exception('failed')


def fails_in_a_group(library: Library) -> None:
    """Log a group of exceptions."""
    try:
        fail(ExceptionGroup('some', [ValueError('the first'), OSError('the second')]))  # noqa: F821  # Python 3.11
    except Exception:
        library.logger.exception('failed')


class UnprintableError(Exception):
    """An exception that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError('no text')

    __repr__ = __str__


def fails_unprintably(library: Library) -> None:
    """Log an exception that cannot be printed."""
    try:
        fail(UnprintableError())
    except UnprintableError:
        library.logger.exception('failed')


def bound(library: Library) -> None:
    """Log with bound context, and after it."""
    with library.bind(request_id='r-1'):
        library.logger.info('inside')


def bound_in_tasks(library: Library) -> None:
    """Log in two tasks, each with context of its own, one amid the other."""

    async def request(number: int) -> None:
        with library.bind(request_id=f'r-{number}'):
            await asyncio.sleep(0)
            library.logger.info('in task %d', number)

    async def both() -> None:
        await asyncio.gather(request(1), request(2))

    contextvars.copy_context().run(asyncio.run, both())


def own_context(events: Any) -> str:
    """Check that each task's event has its own context, and no other."""
    for number, event in enumerate(events, 1):
        if find(event, 'request_id') != f'r-{number}':
            return short(find(event, 'request_id')) if find(event, 'request_id') else 'missing'
    return ''


def with_fields(**fields: Any) -> Callable[[Library], object]:
    """Return how an event with some fields is logged."""
    return lambda library: library.logger.info('Ahoy', **library.extra(fields))


def circle() -> dict[str, Any]:
    """Return a dict that is in itself."""
    one: dict[str, Any] = {'name': 'Ann'}
    one['self'] = one
    return one


def deep(levels: int) -> list[Any]:
    """Return lists in lists."""
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


def hides(event: Any) -> str:
    """Check that the secret is nowhere, and what is beside it is there."""
    if has(event, 'hunter2'):
        return 'in clear'
    return '' if has(event, 'Ann') else 'all of it is missing'


def all_levels_below(event: Any) -> str:
    """Check that a deep value is there, as far as it can be."""
    return '' if isinstance(find(event, 'tree'), (list, str)) else 'missing'


def says_bytes(event: Any) -> str:
    """Check that bytes are there, as text or as base64."""
    return '' if has(event, 'Ann') or has(event, 'QW5uIP8=') else short(find(event, 'payload'))


def plain_values(event: Any) -> str:
    """Check that values without a JSON equivalent are told by their contents."""
    wanted = {'price': '1.10', 'id': '12345678-1234-5678-1234-567812345678', 'day': '2026-11-30'}
    for name, text in wanted.items():
        found = find(event, name)
        if str(found) != text:
            return f'{name}: {short(found)}'
    tags = find(event, 'tags')
    return '' if tags == ['a'] else f'tags: {short(tags)}'


EVENTS = [
    Awkward(
        'a dict as message',
        lambda library: library.logger.info({'message': 'Ahoy', 'user': 17}),
        value('user', 17),
    ),
    Awkward(
        'arguments that do not fit the message',
        lambda library: library.logger.info('%d orders', 'many'),
        texts('%d orders', 'many'),
    ),
    Awkward('an exception with its cause and context', fails, texts('the error', 'the cause', 'the context')),
    Awkward('an exception group', fails_in_a_group, texts('some', 'the first', 'the second')),
    Awkward('an exception that cannot be printed', fails_unprintably, texts('failed', 'UnprintableError')),
    Awkward('context that is bound', bound, value('request_id', 'r-1')),
    Awkward('context of two asyncio tasks at once', bound_in_tasks, own_context, events=2),
    Awkward(
        'an extra field called `level`',
        with_fields(level='my own', mine=1),
        texts('my own'),
    ),
    Awkward('a number of numpy', with_fields(count=np.int64(5)), value('count', 5)),
    Awkward('an array of numpy', with_fields(counts=np.arange(3)), value('counts', [0, 1, 2])),
    Awkward(
        'NaN and infinity',
        with_fields(ratio=float('nan'), most=float('inf'), mine=1),
        value('mine', 1),
    ),
    Awkward(
        'an integer of 25 digits',
        with_fields(total=10**24),
        value('total', 10**24, '1000000000000000000000000'),
    ),
    Awkward(
        'Decimal, UUID, date and set',
        with_fields(
            price=decimal.Decimal('1.10'),
            id=uuid.UUID('12345678123456781234567812345678'),
            day=dt.date(2026, 11, 30),
            tags={'a'},
        ),
        plain_values,
    ),
    Awkward('bytes that are no UTF-8', with_fields(payload=b'Ann \xff'), says_bytes),
    Awkward(
        'a dict with keys that are no strings', with_fields(by={1: 'one', (2, 3): 'two'}), texts('one', 'two')
    ),
    Awkward('a dict that is in itself', with_fields(owner=circle()), texts('Ann')),
    Awkward('lists within 1,000 lists', with_fields(tree=deep(1000)), all_levels_below),
    Awkward(
        'a lone surrogate, an emoji, a NUL and a newline', with_fields(text='a\ud800😀\x00\nb'), texts('😀')
    ),
    Awkward(
        'a message of 300 KB',
        lambda library: library.logger.info(LONG),
        texts(' end'),
    ),
    Awkward(
        'a password three levels down',
        with_fields(order={'items': [{'customer': {'name': 'Ann', 'password': 'hunter2'}}]}),
        hides,
    ),
]


def strictly(constant: str) -> float:
    """Refuse what JSON does not have."""
    raise ValueError(constant)


def verdict(make: Callable[[], Library], awkward: Awkward) -> str:
    """Log an event by a library, and return what the table says of it."""
    library = make()
    try:
        with redirect_stderr(io.StringIO()):
            awkward.log(library)
    except Exception as error:
        return f'raises {type(error).__name__}'
    lines = library.lines().splitlines()
    if not lines:
        return 'lost'
    if len(lines) != awkward.events:
        return f'{len(lines)} lines'
    try:
        events = [json.loads(line.encode(), parse_constant=strictly) for line in lines]
    except (ValueError, RecursionError):
        return 'no JSON'
    return awkward.check(events if awkward.events > 1 else events[0]) or 'yes'


def table() -> list[list[str]]:
    """Return the rows of the table, the first of them its head."""
    rows = [['event', *(f'{name} {version(package)}'.strip() for name, (package, _) in LIBRARIES.items())]]
    rows += [
        [awkward.text, *(verdict(make, awkward) for _, make in LIBRARIES.values())] for awkward in EVENTS
    ]
    rights = [[row[column] for row in rows[1:]].count('yes') for column in range(1, len(rows[0]))]
    return [*rows, [f'**of {len(EVENTS)}**', *(f'**{right}**' for right in rights)]]


def version(package: str) -> str:
    """Return the version of another package."""
    return importlib.metadata.version(package) if package else ''


def as_markdown(rows: list[list[str]]) -> str:
    """Return a table as Markdown."""
    head, *others = (f'| {" | ".join(row)} |' for row in rows)
    return '\n'.join([head, f'|{"---|" * len(rows[0])}', *others])


def main() -> None:
    """Print the table, or write it into a page between its two marks."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.awkward')
    parser.add_argument('--write', metavar='PAGE', type=pathlib.Path)
    page = parser.parse_args().write
    if sys.version_info < (3, 11):
        parser.error('an exception group needs Python 3.11')
    text = as_markdown(table())
    if page is None:
        print(text)
        return
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f'{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}')


if __name__ == '__main__':
    main()
