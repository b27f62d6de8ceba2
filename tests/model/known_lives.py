"""Programs that have broken a promise once, each made as small as it goes: they are lived in every run, beside the generated ones.

`python tests/model/report.py --shrink SEED` makes such a program of a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ['KNOWN_LIVES', 'KNOWN_SEEDS']

Actions = Sequence[Sequence[Any]]
Program = dict[str, Any]

QUICK = {'send_interval': 0.02, 'shutdown_timeout_seconds': 0.3}
DISK = {**QUICK, 'disk': True}
SYNCHRONOUS = {**QUICK, 'use_queues': False, 'sync_timeout_seconds': 0.6}


def _life(*threads: Actions, before: Actions = (), wind_down: str | None = None, **more: Any) -> Program:
    return {'before': before, 'threads': threads, 'wind_down': wind_down, **more}


def _program(name: str, *lives: Program) -> Program:
    return {'name': name, 'lives': lives}


def _in_state(mode: Sequence[Any], **handlers: Any) -> Actions:
    """Return what puts the endpoint into a state and makes handlers, whose names begin with any letter and end with a slot."""
    return [*(['open', int(name[1:]), options] for name, options in handlers.items()), ['endpoint', *mode]]


KNOWN_SEEDS = {
    8: 'events on disk of handlers that were replaced, among twenty directories',
    58: 'a signal handler logs inside close, while dictConfig holds the lock of logging: nobody goes on',
    117: 'dictConfig closes a handler that is still being made',
    4: 'a destructor logs to a closed handler that is collected together with it',
    1007: 'what a destructor logs while the directory is made, or in a forked child before our hook comes',
    1053: "botocore's client is collected together with what logs in its destructor",
    1031: 'a forked child ends with events on disk, and its directory goes while its parent lives',
    1033: 'two close and one logs; killed, what was to be on disk is not there',
}
"""Seeds of programs that have broken a promise, and what it was; as the generator stands."""

_DIED_WITH_EVENTS = _life([['log', 0, 30, 100], ['kill']], before=_in_state(['down'], _0=DISK))

KNOWN_LIVES: Sequence[Program] = (
    _program(
        'what the collector logs in the delivery thread is an event',
        _life(
            *[[['log from del', 0, 20], ['log', 0, 20, 0], ['pause', 0.05]] * 5] * 2,
            before=_in_state(['up'], _0={**QUICK, 'compression': 'gzip'}),
            collect_every=20,
        ),
    ),
    _program(
        'what a signal handler logs during a synchronous call is an event',
        _life(
            [['log', 0, 3, 0]] * 6,
            [['log from signal', 0, 1], ['pause', 0.01]] * 20,
            before=_in_state(['slow', 0.05], _0=SYNCHRONOUS),
        ),
    ),
    _program(
        'closed again and again while others log, a handler on disk stays on disk',
        _life(
            [['log', 0, 60, 0]] * 6 + [['endpoint', 'down'], ['log', 0, 60, 0], ['kill']],
            [['close', 0]] * 60,
            [['log', 0, 60, 0]] * 8,
            before=_in_state(['up'], _0=DISK),
            switch_interval=1e-5,
        ),
    ),
    _program(
        'what is logged first from a destructor, while others log, is on disk as all else',
        _life(
            [['log from del', 0, 15]],
            [['log', 0, 30, 900]],
            before=_in_state(['up'], _0=DISK),
            collect_every=100,
        ),
    ),
    _program(
        'what a forked child has left on disk outlives it, whatever its parent does',
        _life(
            [
                *[['fork', [['log from del', 0, 2], ['log', 0, 37, 0], ['log', 1, 17, 900]], 'exit']] * 3,
                *[['log', 1, 35, 0], ['close', 0]],
            ],
            [['log', 0, 26, 9000], ['log', 1, 700, 60], ['close', 0]],
            [['log', 0, 36, 0], ['close', 1], ['log', 1, 29, 900]],
            before=_in_state(['down'], _0=DISK, _1={**DISK, 'aggregate': True}),
            collect_every=100,
        ),
    ),
    _program(
        'two close, one logs: nothing is closed twice',
        _life(
            [['log', 0, 60, 0]] * 8,
            *[[['close', 0]] * 60] * 2,
            before=_in_state(['up'], _0=DISK),
            wind_down='well first',
            switch_interval=1e-5,
        ),
    ),
    _program(
        'a handler that is closed holds nothing of the dead',
        _DIED_WITH_EVENTS,
        _life(
            [['log', 0, 1, 0], ['flush', 0, 0.5], ['close', 0]],
            before=_in_state(['down'], _0=DISK),
            wind_down='well last',
        ),
    ),
    _program(
        'a handler that is replaced holds nothing of the dead',
        _DIED_WITH_EVENTS,
        _life(
            [['log', 0, 1, 0], ['flush', 0, 0.5], ['replace', [[0, QUICK]]]],
            before=_in_state(['down'], _0=DISK),
            wind_down='well last',
        ),
    ),
    _program(
        'a flush after a close keeps to its own time',
        _life(
            [
                *[['log', 0, 5, 0], ['pause', 0.1], ['close', 0], ['endpoint', 'down'], ['pause', 0.3]],
                *[['endpoint', 'silent'], ['flush', 0, 0.5], ['close', 0], ['flush', 0, 0.5]],
            ],
            before=_in_state(['silent'], _0=QUICK),
        ),
    ),
    _program(
        'the exit of who finds an orphan keeps to its time',
        _DIED_WITH_EVENTS,
        _life([], before=_in_state(['silent'], _0=DISK)),
    ),
    _program(
        'late events cost no time',
        _life([['log', 0, 5, 0]], before=_in_state(['silent'], _0=QUICK), late=12),
    ),
    _program(
        'late events arrive once, or uncertain says so',
        _life([['log', 0, 3, 0]], before=_in_state(['slow', 1.5], _0=QUICK), late=3),
    ),
    _program(
        'dictConfig waits for nobody who delivers in the logging call',
        _life(
            [['log', 0, 2, 0], ['replace', [[0, SYNCHRONOUS]]], ['log', 0, 1, 0], ['replace', [[0, SYNCHRONOUS]]]],
            [['pause', 0.3], ['open', 1, QUICK], ['log', 1, 3, 0]],
            before=_in_state(['silent'], _0={**SYNCHRONOUS, 'shutdown_timeout_seconds': 10, 'sync_timeout_seconds': 2}),
        ),
    ),
    _program(
        'configured anew many times, nothing is left',
        _life([['log', 0, 1, 0], ['replace', [[0, DISK]]]] * 30, before=_in_state(['up'], _0=DISK), wind_down='well first'),
    ),
    _program(
        'made and forgotten many times, nothing is left',
        _life([['log', 0, 1, 0], ['forget', 0, True], ['open', 0, DISK]] * 20, before=_in_state(['up'], _0=DISK), wind_down='well first'),
    ),
    _program(
        'replaced during an outage, they deliver when it is over',
        _life(
            [['log', 0, 40, 100], ['replace', [[0, QUICK]]], ['log', 0, 40, 100], ['replace', [[0, DISK]]]] * 4,
            before=_in_state(['down'], _0=DISK),
            wind_down='well last',
        ),
    ),
    _program(
        'a handler that is just being made may be closed by dictConfig',
        _life(
            [['replace', [[0, QUICK]]]] * 30,
            *[[['open', slot, DISK], ['open', slot, QUICK]] * 15 for slot in (1, 2)],
            switch_interval=1e-5,
        ),
    ),
    _program(
        'of aggregated events, too, uncertain admits all copies',
        _life(
            [['log', 0, 400, 0], ['flush', 0, 0.3], ['log', 0, 400, 0], ['flush', 0, 1.5], ['endpoint', 'up'], ['flush', 0, 5.0]],
            before=_in_state(['losing'], _0={**QUICK, 'compression': 'gzip'}),
        ),
    ),
    _program(
        'whatever it said before, at its end a process says what is lost',
        _life(
            [['log', 0, 5, 0], ['close', 0], ['log', 0, 20, 0]],
            before=_in_state(['down'], _0=QUICK),
        ),
    ),
    _program(
        'a forked child has its own, and its parent too',
        _life(
            [
                ['log', 0, 20, 0],
                *[['fork', [['log', 0, 10, 0], ['log', 1, 2, 0], ['close', 0]], end] for end in ('exit', 'kill', '_exit')],
                ['log', 0, 20, 0],
            ],
            [['log', 0, 40, 0], ['fork', [['log', 0, 10, 0], ['log from del', 0, 5]], 'exit'], ['close', 0]],
            [['log', 1, 3, 0], ['log from signal', 0, 2]],
            before=_in_state(['up'], _0=DISK, _1={**SYNCHRONOUS, 'disk': True}),
            wind_down='well first',
        ),
    ),
)  # fmt: skip
