"""What a person sees: what is going on while it runs, then what became of the events.

On a terminal the middle part moves; into a file or a pipe go only the lines that stay.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from rich.console import Console
from rich.live import Live

from firefighter._cost.bill import Bill
from firefighter._cost.report import verdict
from firefighter._demo import tables
from firefighter._demo.account import Account, KilledAccount
from firefighter._demo.delivered import Delivered
from firefighter._demo.scenario import Progress, Scenario
from firefighter._demo.wording import count, own_command, quoted, shown
from firefighter.local import Account as EndpointAccount


@dataclass(frozen=True)
class Result:
    """Everything that there is to show at the end.

    Attributes:
        scenario: what was asked for.
        progress: what the customers saw.
        account: what became of the events.
        complaints: what is not as it should be.
        endpoint: what the local endpoint took and delivered.
        delivered: the files.
        bills: what a month like this would cost, each way of sending; none where nothing was delivered.
    """

    scenario: Scenario
    progress: Progress
    account: Account
    complaints: Sequence[str]
    endpoint: EndpointAccount
    delivered: Delivered
    bills: Sequence[Bill] = ()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise what any other output raises; rich would exit, from the middle of a running event loop."""
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class Screen:
    """Writes to a console.

    Args:
        file: where to; None: stdout.

    Attributes:
        is_live: whether `update` is of use.
    """

    def __init__(self, file: IO[str] | None = None) -> None:
        self._console = _Console(file=file, highlight=False, markup=False, emoji=False)
        self.is_live = self._console.is_terminal
        self._live: Live | None = None
        self._seconds = 0.0

    def begin(self, scenario: Scenario, endpoint_url: str, hindrance: str | None) -> None:
        """Say what is about to happen.

        Args:
            scenario: what was asked for.
            endpoint_url: the local endpoint's.
            hindrance: why no process will be killed; None when one will be.
        """
        workers = count(scenario.workers, 'worker process', 'worker processes')
        self.say('firefighter demo: do all the logs of a busy web service arrive?', style='bold')
        self.say(f"""
  customers   {scenario.rate:g} HTTP requests a second, for {scenario.seconds:g} s
      |
  web shop    {workers} that log through firefighter's FirehoseHandler
      |
  Firehose    Amazon's service that gathers log events and stores them as files;
      |       here a stand-in for it on this machine, {endpoint_url}
  files       {shown(scenario.folder)}
""")
        if hindrance is None:
            self.say('While they serve, one of the workers is killed without a warning.\n')
        else:
            self.complain('No worker is killed this time: what it had not delivered would be lost.')
            self.say(f'  {hindrance}\n')
        self._seconds = scenario.seconds
        if self.is_live:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()

    def update(self, progress: Progress, endpoint: EndpointAccount) -> None:
        """Show how far it has come, on a terminal."""
        if self._live is not None:
            self._live.update(tables.moving(progress, endpoint, self._seconds), refresh=True)

    def tell_kill(self, progress: Progress, worker: int, left: int) -> None:
        """Say that a worker has been killed, and what it has left in its spool."""
        at = f'{progress.elapsed_seconds:4.1f} s'
        self.say(f'{at}  Worker {worker} is killed while it logs (SIGKILL, as by kill -9).')
        self.say(f'        {count(left, "event")} not delivered yet: they stay in its spool on disk.')

    def tell_replacement(self, progress: Progress, worker: int) -> None:
        """Say that a new worker takes the killed one's place."""
        at = f'{progress.elapsed_seconds:4.1f} s'
        self.say(f'{at}  Worker {worker} takes its place, and delivers what is in that spool.\n')

    def end_traffic(self, progress: Progress) -> None:
        """Say that the traffic is over, and what comes now."""
        self.close()
        rate = progress.answered / progress.elapsed_seconds
        self.say(f'{count(progress.answered, "HTTP request")} answered, {rate:,.0f} a second.')
        if progress.failed:
            self.complain(f'{count(progress.failed, "HTTP request")} not answered.')
        if progress.cut_off:
            self.say(f'{count(progress.cut_off, "HTTP request")} cut off by the kill.')
        self.say('Now the workers are told to end, and deliver what they still have.\n')

    def show(self, result: Result) -> None:
        """Show what became of the events."""
        self._console.print(tables.events(result.account))
        self.say()
        self._console.print(tables.costs(result.endpoint))
        self.say()
        self._say_verdict(result)
        self.say()
        self._say_where(result.scenario, result.delivered.files)
        self._say_bill(result.bills)

    def say(self, text: str = '', style: str | None = None) -> None:
        """Write something, its lines as long as they are: it may be one to copy."""
        self._console.print(text, style=style, soft_wrap=True)

    def complain(self, line: str) -> None:
        """Write a line about something that is not as it should be."""
        self.say(line, style='red')

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say_verdict(self, result: Result) -> None:
        if result.complaints:
            self.say('NOT as it should be:', style='bold red')
            for complaint in result.complaints:
                self.complain(f'  {complaint}')
        else:
            events, files = (
                count(result.account.accepted, 'event'),
                count(len(result.delivered.files), 'file'),
            )
            self.say(f'Nothing is missing: {events} in {files}.', style='bold green')
            producers = count(result.delivered.audit.producers, 'process', 'processes')
            self.say(f'The files prove it: {producers} numbered their events, and no number is missing.')
            if result.account.killed:
                self._say_what_the_kill_cost(result.account.killed)

    def _say_what_the_kill_cost(self, account: KilledAccount) -> None:
        left = count(len(account.killed.left), 'event')
        self.say(
            f'Nothing was lost by the kill: the {left} that worker {account.killed.worker} had left are there.'
        )
        if account.repeated:
            self.say(f"""\
{count(account.repeated, 'event')} of them arrived twice: on their way at the kill, with nobody left to hear
whether they had arrived. The id in each event tells a reader which.""")

    def _say_bill(self, bills: Sequence[Bill]) -> None:
        if bills:
            self.say()
            self._console.print(tables.bill(bills))
            self._console.print(verdict(bills), soft_wrap=not self.is_live)

    def _say_where(self, scenario: Scenario, files: tuple[pathlib.Path, ...]) -> None:
        folder = scenario.folder
        self.say(f'All the files:      ls -R {quoted(folder)}')
        if files:
            self.say(f'Audit them:         {own_command()} audit {quoted(scenario.bucket)}')
            self.say(f'Look at one event:  head -1 {quoted(files[0])}')
        self.say(f'How a process logs: cat {quoted(folder / "worker-1.json")}')
