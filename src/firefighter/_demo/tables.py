"""The tables that the screen shows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.progress_bar import ProgressBar
from rich.table import Table

from firefighter._cost.bill import Bill
from firefighter._cost.report import money, written
from firefighter._cost.ways import ONE_PER_RECORD
from firefighter._demo.account import Account
from firefighter._demo.bill import REGION
from firefighter._demo.scenario import Progress
from firefighter.local import Account as EndpointAccount

BAR_WIDTH = 24


def moving(progress: Progress, endpoint: EndpointAccount, seconds: float) -> Table:
    """Return how far the traffic has come.

    Args:
        progress: what the customers have seen so far.
        endpoint: what has arrived at Firehose so far.
        seconds: how long the traffic is to last.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=10)
    table.add_column(justify='right', min_width=8)
    table.add_column()
    bar = ProgressBar(total=seconds, completed=progress.elapsed_seconds, width=BAR_WIDTH)
    table.add_row('  time', f'{progress.elapsed_seconds:.1f} s', bar)
    table.add_row('  customers', f'{progress.answered:,}', 'HTTP requests answered')
    table.add_row('  web shop', f'{sum(progress.logged.values()):,}', 'events logged')
    table.add_row('  Firehose', f'{endpoint.records:,}', 'of them received')
    table.add_row('  files', f'{endpoint.objects:,}', f'with {endpoint.delivered_records:,} of them')
    return table


def events(account: Account) -> Table:
    """Return what became of the events."""
    table = _table('What became of the log events')
    table.add_row('accepted', f'{account.accepted:,}', 'logging calls in the processes of the shop')
    if account.adopted:
        table.add_row('adopted', f'{account.adopted:,}', "of these, the killed worker's, sent by another")
    table.add_row('delivered', f'{account.delivered:,}', 'found again in the files')
    table.add_row('missing', f'{account.missing:,}', 'logged, but in no file', style=_alarm(account.missing))
    table.add_row('duplicated', f'{account.duplicated:,}', 'copies beyond the first')
    for name, number in (('dropped', account.dropped), ('pending', account.pending)):
        if number:
            table.add_row(name, f'{number:,}', "by the handlers' own account", style=_alarm(number))
    return table


def costs(endpoint: EndpointAccount) -> Table:
    """Return what it took to deliver them."""
    table = _table('What that took')
    table.add_row('requests', f'{endpoint.requests:,}', 'to Firehose, each with many records')
    table.add_row('records', f'{endpoint.records:,}', 'one for each event')
    table.add_row('bytes', f'{endpoint.bytes:,}', 'in the records')
    table.add_row('bytes billed', f'{endpoint.billed_bytes:,}', 'Firehose rounds each record up to 5,120')
    return table


def bill(bills: Sequence[Bill]) -> Table:
    """Return what Amazon would charge for a month like this, as it was sent and otherwise."""
    table = _table(f'What a month at this rate would cost in {REGION}')
    for each in bills:
        sent = 'as here' if each.way == ONE_PER_RECORD else f'with {written(each)}'
        table.add_row(each.way.name, money(each.dollars), sent)
    return table


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify='left', title_style='bold', box=None, show_header=False, padding=(0, 1)
    )
    table.add_column(min_width=14)
    table.add_column(justify='right', min_width=12)
    table.add_column()
    return table


def _alarm(number: int) -> str | None:
    return 'bold red' if number else None
