"""What a change did: the same calls and the same delivery, on the code here and on another checkout, in turns.

Two processes, one for each, measure a round when they are told to, one after the other; a ratio is the median of the
rounds' ratios. All figures are the CPU time of the measuring thread, in microseconds.

    git worktree add ../before HEAD~1
    python -m benchmarks.against ../before/src [--starts N] [--rounds N] [--disk DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, cast

from benchmarks.contestants import Places, firehose, machine, null, queue_handler, quiet_logger

ROOT = Path(__file__).parents[1]
CALLS = 1_000


class Side:
    """A process that measures one of the two."""

    def __init__(self, source: str, disk: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'benchmarks.against', source, '--measure', '--disk', disk],
            cwd=ROOT,
            env=os.environ | {'PYTHONPATH': f'{Path(source).resolve()}{os.pathsep}{ROOT}'},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def round(self) -> dict[str, float]:
        """Return what the next round has measured."""
        print(file=self._pipe(self._process.stdin), flush=True)
        return cast('dict[str, float]', json.loads(self._pipe(self._process.stdout).readline()))

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        return cast('IO[str]', pipe)


def serve(disk: str) -> None:
    """Measure a round for each line of stdin."""
    # Behind the choice of the side: they import firefighter.
    from benchmarks.call import mean_of_calls  # noqa: PLC0415
    from benchmarks.delivery import Delivery  # noqa: PLC0415

    places = Places(None, disk)
    contestants = {
        'NullHandler': null(),
        'QueueHandler': queue_handler(),
        'call, memory': firehose(),
        'call, disk': firehose(places.disk),
    }
    loggers = {name: quiet_logger(contestant.handler) for name, contestant in contestants.items()}
    delivery = Delivery()
    for _ in sys.stdin:
        result: dict[str, Any] = {}
        for name, contestant in contestants.items():
            result[name] = mean_of_calls(loggers[name], CALLS)[0]
            contestant.after_round()
        for name in ('call, memory', 'call, disk'):
            result[f'{name}, above NullHandler'] = result[name] - result['NullHandler']
        result |= delivery.measure(requests=2)
        print(json.dumps(result), flush=True)
    for contestant in contestants.values():
        contestant.close()
    places.remove()


def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('before', help='the src folder of another checkout')
    parser.add_argument('--starts', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=40, help='after each start')
    parser.add_argument('--disk', default='.')
    parser.add_argument('--measure', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        serve(arguments.disk)
        return
    rounds = []
    for _ in range(arguments.starts):
        # Started anew several times: where a process happens to lie in memory makes it some percent faster or slower.
        sides = [Side(source, arguments.disk) for source in (arguments.before, str(ROOT / 'src'))]
        rounds += [[side.round() for side in sides] for _ in range(arguments.rounds + 5)][5:]
        for side in sides:
            side.end()
    print(f'{machine()}\n{len(rounds)} rounds, medians\n')
    print('| | before, us | after, us | ratio | 10 % to 90 % |\n|---|---|---|---|---|')
    for name in rounds[0][0]:
        before, after = ([one[side][name] for one in rounds] for side in (0, 1))
        ratios = [mine / other for mine, other in zip(after, before, strict=True)]
        tenths = statistics.quantiles(ratios, n=10)
        print(
            f'| {name} | {statistics.median(before):.3f} | {statistics.median(after):.3f} '
            f'| {statistics.median(ratios):.3f} | {tenths[0]:.3f} to {tenths[-1]:.3f} |'
        )


if __name__ == '__main__':
    main()
