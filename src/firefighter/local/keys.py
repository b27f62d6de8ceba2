"""Names of objects: `<evaluated prefix><stream>-<version>-<YYYY-MM-DD-HH-MM-SS>-<uuid><extension>`.

The rules are those of AWS's page "Custom prefixes for Amazon S3 objects"
(https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html):

* A prefix may hold `!{timestamp:<Java date pattern>}` and `!{firehose:random-string}` (11 characters, anew at each
  place); an error prefix `!{firehose:error-output-type}` too.
* A prefix without a timestamp gets `!{timestamp:yyyy/MM/dd/HH/}` at its end, as if it had been written there.
  So `logs` becomes `logs2026/...`; the page's last example shows a slash between the two, and so does moto, but
  its rule, and its remark that a prefix which ends with a slash appears as a folder, do not.
* Without an error prefix, failed records go to `<prefix><error type>/yyyy/MM/dd/HH/`; but a prefix with expressions
  needs an error prefix, and an error prefix with expressions needs the error type.
* Times are those of the oldest record in the object, in UTC or in the stream's own time zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from firefighter.local.folder import check_key_part
from firefighter.local.protocol import invalid_argument

# After evaluation, says the page.
MAX_PREFIX_LENGTH = 512
RANDOM_STRING_LENGTH = 11
# Their texts are the longest that a pattern can have: a Wednesday in September, and one in a month of two digits.
LONGEST_TIMES = (datetime(2026, 9, 30, 23, 59, 59), datetime(2026, 12, 30, 23, 59, 59))  # noqa: DTZ001 - texts

_EXPRESSION = re.compile(r'!\{([^:}]*):([^}]*)\}')
# One quoted literal, or one run of the same letter, or one other character.
_DATE_TOKEN = re.compile(r"'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z'])")
# The letters of Java's DateTimeFormatter that are of use in a prefix.
_DATE_FIELDS = {
    'yyyy': '%Y', 'uuuu': '%Y', 'YYYY': '%G', 'yy': '%y', 'MM': '%m', 'dd': '%d', 'HH': '%H', 'mm': '%M', 'ss': '%S',
    'DDD': '%j', 'MMM': '%b', 'MMMM': '%B', 'EEE': '%a', 'EEEE': '%A',
}  # fmt: skip
_SHORT_FIELDS = {
    'M': 'month',
    'd': 'day',
    'H': 'hour',
    'm': 'minute',
    's': 'second',
    'y': 'year',
    'u': 'year',
}


@dataclass(frozen=True)
class Prefixes:
    """A stream's two prefixes, checked when made.

    Attributes:
        delivered: for records that arrived well.
        failed: for those that did not; None as in the rules above.

    Raises:
        ServiceError: they break one of the rules.
    """

    delivered: str = ''
    failed: str | None = None

    def __post_init__(self) -> None:
        if 'firehose:error-output-type' in self.delivered:
            raise invalid_argument('Prefix cannot contain !{firehose:error-output-type}')
        if self.failed is None and '!{' in self.delivered:
            raise invalid_argument('ErrorOutputPrefix cannot be null when Prefix contains expressions')
        if self.failed and '!{' in self.failed and '!{firehose:error-output-type}' not in self.failed:
            raise invalid_argument(
                'ErrorOutputPrefix with expressions must contain !{firehose:error-output-type}'
            )
        for evaluated in [*self.longest(), *self.longest('format-conversion-failed')]:
            if len(evaluated) > MAX_PREFIX_LENGTH:
                raise invalid_argument(
                    f'A prefix is longer than {MAX_PREFIX_LENGTH} characters once evaluated'
                )
            # Literals in quotes may have what is refused in the prefix itself.
            check_key_part(evaluated)

    def longest(self, error_type: str | None = None) -> list[str]:
        """Return the prefix of an object at the times when it is longest.

        Args:
            error_type: as for `evaluate`.

        Raises:
            ServiceError: it cannot be evaluated.
        """
        return [
            self.evaluate(when, random_string=lambda: 'x' * RANDOM_STRING_LENGTH, error_type=error_type)
            for when in LONGEST_TIMES
        ]

    def evaluate(
        self, when: datetime, *, random_string: Callable[[], str], error_type: str | None = None
    ) -> str:
        """Return the prefix of one object.

        Args:
            when: the arrival of the object's oldest record, in the stream's time zone.
            random_string: gives 11 random characters.
            error_type: why the object's records failed, such as `processing-failed`; None if they did not.
        """
        template = self.delivered
        if error_type is not None:
            template = f'{self.delivered}{error_type}/' if self.failed is None else self.failed
        if '!{' in _EXPRESSION.sub('', template):
            raise invalid_argument('The sequence !{ can only appear in !{namespace:value} expressions')
        if '!{timestamp:' not in template:
            template += '!{timestamp:yyyy/MM/dd/HH/}'

        def replacement(match: re.Match[str]) -> str:
            namespace, value = match.groups()
            if namespace == 'timestamp':
                return format_time(value, when)
            if (namespace, value) == ('firehose', 'random-string'):
                return random_string()
            if (namespace, value) == ('firehose', 'error-output-type') and error_type is not None:
                return error_type
            raise invalid_argument(f'Prefix expression {match.group()} is not supported')

        return _EXPRESSION.sub(replacement, template)


def object_name(stream_name: str, version: str, when: datetime, unique: str, extension: str = '') -> str:
    """Return what follows the prefix.

    Args:
        stream_name: the delivery stream's name.
        version: its version, `1` until its destination is changed.
        when: the arrival of the object's oldest record, in the stream's time zone.
        unique: a UUID.
        extension: such as `.gz`.
    """
    return f'{stream_name}-{version}-{when:%Y-%m-%d-%H-%M-%S}-{unique}{extension}'


def format_time(pattern: str, when: datetime) -> str:
    """Return a time in a pattern of Java's DateTimeFormatter; letters in single quotes stand for themselves.

    Raises:
        ServiceError: a letter of the pattern is not supported here.
    """
    written, position = [], 0
    while position < len(pattern):
        token = _DATE_TOKEN.match(pattern, position)
        if token is None:
            raise invalid_argument(f'Timestamp pattern {pattern!r} has a quote that is not closed')
        position = token.end()
        literal, letters, _, other = token.groups()
        if letters is not None:
            written.append(_time_field(letters, when))
        elif other is not None:
            written.append(other)
        else:
            written.append(literal.replace("''", "'") or "'")
    return ''.join(written)


def _time_field(letters: str, when: datetime) -> str:
    if letters in _DATE_FIELDS:
        return when.strftime(_DATE_FIELDS[letters])
    if letters in _SHORT_FIELDS:
        return str(getattr(when, _SHORT_FIELDS[letters]))
    raise invalid_argument(f'Timestamp pattern letters {letters!r} are not supported')
