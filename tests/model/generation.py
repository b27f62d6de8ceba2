"""Programs out of a seed: what a program may do with handlers, in an order that nobody would think of.

A program is plain data, so that one that has found something can be written down, made smaller, and lived again:

    {'name': ..., 'lives': [life, ...]}

The lives are processes, one after the other, that share a directory and an endpoint; what state the endpoint is left in, the next
one finds. A life has `before`, three `threads`, and `after`, each a list of actions (the methods of `program.Program`), and

    wind_down           None: it ends as it is. Else everything is closed and let go of, with an endpoint that is made well
                        before ("well first") or afterwards ("well last"); then nothing may be left
    late                events that an exit function logs into each open handler after all others have run
    kill_after          so many logging calls have returned: then all of it is killed
    collect_every       threshold of the garbage collector, so that it runs in any thread
    switch_interval     of the interpreter, so that threads meet in the middle of things
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

__all__ = ['generate']

Actions = list[list[Any]]
Life = dict[str, Any]

QUEUED, SYNCHRONOUS = (0, 1), 2
SIZES = (0, 0, 0, 100, 900, 9_000)
LEAST_SPOOL_BYTES = 65_536
MODES: Sequence[tuple[tuple[Any, ...], int]] = (
    (('up',), 30),
    (('down',), 20),
    (('silent',), 14),
    (('swallowing',), 6),
    (('losing',), 8),
    (('slow', 0.2), 6),
    (('slow', 1.5), 6),
    (('throttling',), 5),
    (('throttled',), 2),
    (('unavailable',), 3),
)
ENDS = ('exit', 'exit', '_exit', 'kill')


def generate(seed: int) -> dict[str, Any]:
    """Return the program of a seed: always the same one."""
    dice = Random(f'model {seed}')
    count = dice.choices([1, 2, 3], [5, 4, 1])[0]
    return {'name': f'seed {seed}', 'lives': [_life(dice, number == count - 1) for number in range(count)]}


def _life(dice: Random, last: bool) -> Life:
    sudden = dice.random() < (0.25 if last else 0.6)
    writer = _Writer(dice, sudden)
    life: Life = {
        'before': [['endpoint', *_mode(dice)], *writer.opening()],
        'threads': [writer.thread() for _ in range(3)],
        'after': writer.few(2) if not sudden and dice.random() < 0.4 else [],
        'wind_down': None if sudden else dice.choice([None, 'well first', 'well last', 'well last']),
    }
    if sudden:
        _end_suddenly(dice, life)
    elif life['wind_down'] is None and dice.random() < 0.4:
        life['late'] = dice.randint(1, 12)
    if dice.random() < 0.4:
        life['collect_every'] = dice.choice([20, 100])
    if dice.random() < 0.4:
        life['switch_interval'] = 1e-5
    return life


def _end_suddenly(dice: Random, life: Life) -> None:
    if dice.random() < 0.4:
        # So many are logged at least, if nothing waits; else it is killed when its threads are done.
        life['kill_after'] = dice.randint(1, 120)
        life['after'] = [['kill']]
    else:
        thread = dice.choice(life['threads'])
        thread[dice.randint(1, len(thread)) :] = [[dice.choice(['kill', 'kill', '_exit'])]]


def _mode(dice: Random) -> list[Any]:
    modes, weights = zip(*MODES, strict=True)
    return list(dice.choices(modes, weights)[0])


class _Writer:
    """Writes the actions of a life.

    Args:
        dice: as they fall.
        sudden: whether it ends without an account, so that nothing may give way at a bound: nobody would know of it.
    """

    def __init__(self, dice: Random, sudden: bool) -> None:
        self._dice = dice
        self._sudden = sudden
        self._disk_share = 0.85 if sudden else 0.6
        self._forks = dice.choice([0, 1, 1, 2])
        self._choices: Sequence[tuple[Callable[[], Actions], float]] = (
            (self._log, 8),
            (self._burst, 1),
            (self._log_from_del, 2),
            (self._log_from_signal, 2),
            (self._flush, 2),
            (self._close, 3),
            (self._replace, 2),
            (self._reload_often, 0.4),
            (self._forget, 1.5),
            (self._open, 1.5),
            (self._fork, 1.5),
            (self._endpoint, 2),
            (self._pause, 1),
        )

    def opening(self) -> Actions:
        """Return what makes the first handlers."""
        return [action for slot in (*QUEUED, SYNCHRONOUS) for action in self._open_in(slot)]

    def thread(self) -> Actions:
        """Return what a thread does."""
        return self.few(self._dice.randint(3, 8))

    def few(self, count: int) -> Actions:
        """Return so many things to do, some of which are several actions."""
        makers, weights = zip(*self._choices, strict=True)
        return [action for make in self._dice.choices(makers, weights, k=count) for action in make()]

    def _slot(self) -> int:
        return self._dice.choice([*QUEUED, *QUEUED, SYNCHRONOUS])

    def _log(self) -> Actions:
        slot = self._slot()
        most = 3 if slot == SYNCHRONOUS else 40
        return [['log', slot, self._dice.randint(1, most), self._dice.choice(SIZES)]]

    def _burst(self) -> Actions:
        return [['log', self._dice.choice(QUEUED), self._dice.randint(500, 1200), 60]]

    def _log_from_del(self) -> Actions:
        slot = self._slot()
        return [['log from del', slot, self._dice.randint(1, 2 if slot == SYNCHRONOUS else 20)]]

    def _log_from_signal(self) -> Actions:
        return [['log from signal', self._slot(), self._dice.randint(1, 2)]]

    def _flush(self) -> Actions:
        return [['flush', self._slot(), self._dice.choice([0.0, 0.05, 0.5])]]

    def _close(self) -> Actions:
        return [['close', self._slot()]]

    def _forget(self) -> Actions:
        return [['forget', self._slot(), self._dice.random() < 0.7]]

    def _open(self) -> Actions:
        return self._open_in(self._slot())

    def _open_in(self, slot: int) -> Actions:
        return [['open', slot, self._options(slot)]]

    def _replace(self) -> Actions:
        slots = self._dice.choice([[0], [1], [0, 1], [2], [0, 2]])
        return [['replace', [[slot, self._options(slot)] for slot in slots]]]

    def _reload_often(self) -> Actions:
        return [
            action for _ in range(8) for action in ([['log', 0, 1, 0], ['replace', [[0, self._options(0)]]]])
        ]

    def _fork(self) -> Actions:
        if self._forks == 0:
            return self._log()
        self._forks -= 1
        makers = (self._log, self._log, self._flush, self._close, self._log_from_del)
        actions = [
            action for make in self._dice.choices(makers, k=self._dice.randint(1, 4)) for action in make()
        ]
        return [['fork', actions, self._dice.choice(ENDS)]]

    def _endpoint(self) -> Actions:
        return [['endpoint', *_mode(self._dice)]]

    def _pause(self) -> Actions:
        return [['pause', self._dice.choice([0.01, 0.05, 0.3])]]

    def _options(self, slot: int) -> dict[str, Any]:
        dice = self._dice
        options: dict[str, Any] = {
            'send_interval': dice.choice([0, 0.02, 0.3]),
            'shutdown_timeout_seconds': dice.choice([0, 0.3, 1]),
        }
        if dice.random() < self._disk_share:
            options['disk'] = True
        if slot == SYNCHRONOUS:
            options |= {'use_queues': False, 'sync_timeout_seconds': 0.6}
        if dice.random() < 0.3:
            options['event_ids'] = True
        shape = dice.random()
        if shape < 0.15:
            options['aggregate'] = True
        elif shape < 0.35:
            options['compression'] = 'gzip'
        if dice.random() < 0.2:
            options['max_in_flight'] = 1
        if not self._sudden and dice.random() < 0.25:
            options['max_spool_bytes'] = LEAST_SPOOL_BYTES
            options['overflow'] = dice.choice(['drop_oldest', 'drop_newest', 'block'])
            options['block_timeout_seconds'] = 0.02
        return options
