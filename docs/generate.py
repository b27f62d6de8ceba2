"""Write into the docs what stands in the code, so that no option is documented twice.

    python docs/generate.py            rewrite the generated parts
    python docs/generate.py --check    fail when one of them is out of date

A generated part stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
"""

from __future__ import annotations

import inspect
import pathlib
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from types import ModuleType

from firefighter._audit.accounts import ProducerAccount, Totals
from firefighter._event import ecs_layout, otlp_layout
from firefighter.formatting import JSONFormatter
from firefighter.integrations.metrics import METRICS
from firefighter.integrations.prometheus import FirehoseCollector
from firefighter.local import Account
from firefighter.local.catalogue import CATALOGUE
from firefighter.local.fault_plan import TRIGGERS, Armed
from firefighter.logging import FirehoseHandler
from firefighter.stats import DropReason, Stats

HERE = pathlib.Path(__file__).parent

# The options that most programs set, in fewer words than in the table of all.
EVERYDAY_OPTIONS = {
    'delivery_stream_name': 'the stream. Without it, the environment variable `FIREFIGHTER_STREAM`.',
    'region_name': 'its region. Without it, the region is found as for any boto3 client.',
    'fields': "constants to add to each event, such as `{'service': 'shop', 'env': 'prod'}`.",
    'include': 'origin to add to each event: any of "host", "pid", "process", "thread", "source".',
    'spool_dir': 'a directory where events wait, so that they survive the death of the process. Without it, the '
    'environment variable `FIREFIGHTER_SPOOL_DIR`; without both, memory.',
    'aggregate': "many events in one Firehose record, for a smaller bill. With `'auto'` the handler asks AWS whether the stream takes "
    "them. `compression='gzip'` saves more, on plain S3. `firefighter doctor STREAM` prints which of these the stream allows.",
}


def options() -> str:
    """Return the table of the handler's arguments, from its signature and its docstring."""
    defaults = inspect.signature(FirehoseHandler).parameters
    rows = ['| argument | default | meaning |', '|---|---|---|']
    for name, text in _arguments(FirehoseHandler).items():
        default = defaults[name.lstrip('*')].default
        shown = '' if name.startswith('*') else f'`{default!r}`'
        rows.append(f'| `{name}` | {shown} | {text} |')
    return '\n'.join(rows)


def everyday_options() -> str:
    """Return the table of the options that most programs set."""
    defaults = inspect.signature(FirehoseHandler).parameters
    rows = ['| option | default | meaning |', '|---|---|---|']
    rows += [
        f'| `{name}` | `{defaults[name].default!r}` | {text} |' for name, text in EVERYDAY_OPTIONS.items()
    ]
    return '\n'.join(rows)


def event() -> str:
    """Return what the formatter's docstring says of the event."""
    text = inspect.getdoc(JSONFormatter) or ''
    return text[text.index('The event has') : text.index('Args:')].strip()


def table_of(module: ModuleType) -> str:
    """Return the table in a module's docstring."""
    return '\n'.join(line for line in str(module.__doc__).splitlines() if line.startswith('|'))


def stats() -> str:
    """Return the table of `Stats`' fields and of the reasons, from the strings behind them."""
    rows = ['| field | meaning |', '|---|---|']
    rows += [f'| `{name}` | {text} |' for name, text in _attributes(Stats).items()]
    rows += ['', '| `DropReason` | meaning |', '|---|---|']
    reasons = _attributes(DropReason)
    rows += [f'| `{reason.value}` | {reasons[reason.name]} |' for reason in DropReason]
    return '\n'.join(rows)


def metrics() -> str:
    """Return the table of the metrics, from their one description."""
    rows = ['| `stats()` | Prometheus | OpenTelemetry | unit | meaning |', '|---|---|---|---|---|']
    for metric, family in zip(METRICS, FirehoseCollector([]).describe(), strict=True):
        name = f'{family.name}_total' if family.type == 'counter' else family.name
        label = f'{{{metric.label}}}' if metric.label else ''
        rows.append(
            f'| `{metric.stats_field}` | `{name}{label}` | `firefighter.{metric.name}` '
            f'| `{metric.unit.value}` | {metric.text} |'
        )
    return '\n'.join(rows)


def audit_json() -> str:
    """Return the tables of what `firefighter audit --json` writes, from the docstrings of the accounts."""
    of_a_producer = _arguments(ProducerAccount, 'Attributes')
    sums = [f'`{field.name}`' for field in fields(Totals) if field.name in of_a_producer]
    of_all = {
        'objects': 'files or objects that were found.',
        'unreadable': 'those of them that could not be read to their end; stderr names each.',
        **_arguments(Totals, 'Attributes'),
    }
    head = ['| field | meaning |', '|---|---|']
    return '\n'.join(
        [
            *head,
            *(f'| `{name}` | {text} |' for name, text in of_a_producer.items()),
            '',
            f'In the last line `producer` is null, and {", ".join(sums)} are the sums over all producers. It has also:',
            '',
            *head,
            *(f'| `{name}` | {text} |' for name, text in of_all.items()),
        ]
    )


def account() -> str:
    """Return the table of what an account counts, from its docstring."""
    rows = ['| counter | counts |', '|---|---|']
    rows += [f'| `{name}` | {text} |' for name, text in _arguments(Account, 'Attributes').items()]
    return '\n'.join(rows)


def faults() -> str:
    """Return the table of the endpoint's faults, from their catalogue."""
    rows = ['| fault | what the client sees | parameters |', '|---|---|---|']
    for name, named in CATALOGUE.items():
        parameters = ', '.join(
            f'`{key}={value}`' for key, value in named.parameters.items() if key != 'message'
        )
        rows.append(f'| `{name}` | {named.effect} | {parameters} |')
    return '\n'.join(rows)


def triggers() -> str:
    """Return the table of what every fault takes."""
    texts = _arguments(Armed, 'Attributes')
    rows = ['| parameter | default | meaning |', '|---|---|---|']
    rows += [f'| `{name}` | `{default}` | {texts[name]} |' for name, default in TRIGGERS.items()]
    return '\n'.join(rows)


def example(name: str) -> Callable[[], str]:
    """Return what gives an example's file as a block of code."""
    language = {'py': 'python'}.get(ending := name.rpartition('.')[2], ending)

    def block() -> str:
        text = (HERE.parent / 'examples' / name).read_text(encoding='utf-8')
        return f'```{language}\n{text}```'

    return block


def printed_by_doctor() -> str:
    """Return what `firefighter doctor` prints of a stream to S3, as the tests hold it."""
    text = (HERE.parent / 'tests' / 'fixtures' / 'doctor' / 's3.txt').read_text(encoding='utf-8')
    return f'```\n$ firefighter doctor bar\n{text}```'


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ('../README.md', 'everyday options'): everyday_options,
    ('handler.md', 'everyday options'): everyday_options,
    ('handler.md', 'options'): options,
    ('handler.md', 'event'): event,
    ('handler.md', 'otlp'): partial(table_of, otlp_layout),
    ('handler.md', 'ecs'): partial(table_of, ecs_layout),
    ('delivery-guarantees.md', 'stats'): stats,
    ('delivery-guarantees.md', 'audit json'): audit_json,
    ('metrics.md', 'metrics'): metrics,
    ('doctor.md', 'printed'): printed_by_doctor,
    ('configuration.md', 'dictconfig'): example('dictconfig.py'),
    ('configuration.md', 'yaml'): example('yaml_config.yaml'),
    ('configuration.md', 'django'): example('django/settings.py'),
    ('configuration.md', 'lambda'): example('aws_lambda/shop.py'),
    ('configuration.md', 'celery'): example('celery/shop.py'),
    ('configuration.md', 'rq'): example('rq/shop.py'),
    ('configuration.md', 'uwsgi'): example('uwsgi/uwsgi.ini'),
    ('configuration.md', 'fastapi'): example('fastapi/shop.py'),
    ('local-endpoint.md', 'account'): account,
    ('local-endpoint.md', 'faults'): faults,
    ('local-endpoint.md', 'triggers'): triggers,
}


def _arguments(documented: type, section_name: str = 'Args') -> dict[str, str]:
    """Return the entries of a section of a Google docstring."""
    section = (inspect.getdoc(documented) or '').split(f'{section_name}:\n', 1)[1]
    section = re.split(r'\n(?=\S)', section, maxsplit=1)[0]
    entries = re.findall(r'^    (\*{0,2}\w+): (.*(?:\n {8,}.*)*)', section, re.MULTILINE)
    return {name: ' '.join(text.split()) for name, text in entries}


def _attributes(documented: type) -> dict[str, str]:
    """Return what the string behind each attribute of a class says."""
    found = re.findall(
        r'^    (\w+)(?::[^\n=]+)?(?: = [^\n]+)?\n    """(.*?)"""',
        inspect.getsource(documented),
        re.DOTALL | re.MULTILINE,
    )
    return {name: ' '.join(text.split()) for name, text in found}


def render(page: str) -> str:
    """Return a page with its generated parts as they should be."""
    text = (HERE / page).read_text(encoding='utf-8')
    for (of_page, name), make in PARTS.items():
        if of_page == page:
            begin, end = f'<!-- begin: {name} -->\n', f'<!-- end: {name} -->'
            before, _, rest = text.partition(begin)
            text = before + begin + make() + '\n' + end + rest.partition(end)[2]
    return text


def main() -> None:
    """Rewrite or check every page."""
    for page in sorted({page for page, _ in PARTS}):
        text = render(page)
        if '--check' not in sys.argv:
            (HERE / page).write_text(text, encoding='utf-8')
        elif text != (HERE / page).read_text(encoding='utf-8'):
            sys.exit(f'docs/{page} is out of date: run `make docs`')


if __name__ == '__main__':
    main()
