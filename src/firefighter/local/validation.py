"""The service model's constraints, checked as AWS checks them before it looks at anything else.

boto3 itself checks only types, required members and minimum lengths, so a program that works with an endpoint
that checks nothing may be refused by the real one. The model is botocore's: what boto3 sends is measured by the
same description that boto3 was built from.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader

from firefighter.local.protocol import ServiceError, problem, validation_error

Shape = Mapping[str, Any]

_PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    'structure': dict, 'list': list, 'map': dict, 'string': str, 'blob': str, 'boolean': bool,
    'integer': int, 'long': int, 'float': (int, float), 'double': (int, float), 'timestamp': (int, float),
}  # fmt: skip

_JAVA_CLASSES: Mapping[str, str] = {
    r'\p{L}': r'\w', r'\p{N}': r'\w', r'\p{Z}': ' \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000'
}  # fmt: skip


@functools.cache
def service_model() -> Mapping[str, Any]:
    """Return botocore's description of Firehose."""
    model: Mapping[str, Any] = Loader().load_service_model('firehose', 'service-2')
    return model


def members(operation: str) -> tuple[str, ...]:
    """Return the names of an operation's arguments."""
    shape = service_model()['operations'][operation]['input']['shape']
    return tuple(_shape(shape)['members'])


def check(operation: str, payload: Mapping[str, Any]) -> None:
    """Refuse a call whose arguments break the model's constraints.

    Args:
        operation: such as `CreateDeliveryStream`.
        payload: its arguments.

    Raises:
        ServiceError: `ValidationException` with all broken constraints, or `SerializationException` for a value
            of another type than the model gives it.
    """
    check_shape(service_model()['operations'][operation]['input']['shape'], payload)


def check_shape(name: str, value: Any, path: str = '') -> None:
    """Refuse a value that breaks the constraints of one of the model's shapes.

    Args:
        name: the shape's, such as `S3DestinationConfiguration`.
        value: what should have it.
        path: where it stands in the call.

    Raises:
        ServiceError: as for `check`.
    """
    problems = list(_problems(_shape(name), value, path))
    if problems:
        raise validation_error(problems)


def _shape(name: str) -> Shape:
    shape: Shape = service_model()['shapes'][name]
    return shape


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind = shape['type']
    fits = isinstance(value, _PYTHON_TYPES[kind]) and (kind == 'boolean' or not isinstance(value, bool))
    if not fits:
        raise ServiceError('SerializationException', f'The value at {path!r} is not a {kind}')
    if kind == 'structure':
        yield from _structure_problems(shape, value, path)
    elif kind == 'list':
        yield from _range_problems(shape, len(value), f'[{len(value)} members]', path, 'have length')
        for number, member in enumerate(value, 1):
            yield from _problems(_shape(shape['member']['shape']), member, f'{path}.{number}.member')
    elif kind == 'string':
        yield from _string_problems(shape, value, path)
    elif kind in {'integer', 'long', 'float', 'double'}:
        yield from _range_problems(shape, value, value, path, 'have value')


def _structure_problems(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape['members'].items():
        inner = f'{path}.{_java_name(name)}'.lstrip('.')
        if value.get(name) is not None:
            yield from _problems(_shape(member['shape']), value[name], inner)
        elif name in shape.get('required', ()):
            yield problem(None, inner, 'Member must not be null')


def _string_problems(shape: Shape, value: str, path: str) -> Iterator[str]:
    yield from _range_problems(shape, len(value), value, path, 'have length')
    pattern = shape.get('pattern')
    if pattern and not _compiled(pattern).fullmatch(value):
        yield problem(value, path, f'Member must satisfy regular expression pattern: {pattern}')
    choices = shape.get('enum')
    if choices and value not in choices:
        yield problem(value, path, f'Member must satisfy enum value set: [{", ".join(choices)}]')


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Java's classes of letters, numbers and separators, which Python's patterns do not have. They stand in brackets, beside `_`.
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _range_problems(shape: Shape, size: float, shown: object, path: str, verb: str) -> Iterator[str]:
    if 'min' in shape and size < shape['min']:
        yield problem(shown, path, f'Member must {verb} greater than or equal to {shape["min"]}')
    if 'max' in shape and size > shape['max']:
        yield problem(shown, path, f'Member must {verb} less than or equal to {shape["max"]}')


def _java_name(name: str) -> str:
    # AWS's messages name members as its Java code does: deliveryStreamName, s3DestinationConfiguration.
    return name[0].lower() + name[1:]
