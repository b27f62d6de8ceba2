"""What a change did: the same calls and the same delivery, on the code here and on another checkout, in turns.

Two processes, one for each, measure a round when they are told to, one after the other; a ratio is the median of the
rounds' ratios. All figures are the CPU time of the measuring thread, in microseconds.

    git worktree add ../before HEAD~1
    python -m benchmarks.against ../before/src [--starts N] [--rounds N] [--disk DIR]
"""

from __future__ import annotations

import argparse
import atexit
import statistics
from collections.abc import Callable, Mapping

from benchmarks.contestant import Places, machine, program
from benchmarks.contestants import firehose
from benchmarks.peers.standard import null, queue_handler
from benchmarks.turns import ROOT, Side, serve

CALLS = 1_000


def measuring(disk: str) -> Callable[[], Mapping[str, float]]:
    """Return what measures a round."""
    # Behind the choice of the side: it imports firefighter.
    from benchmarks.call import mean_of_calls  # noqa: PLC0415
    from benchmarks.delivery import Delivery  # noqa: PLC0415

    places = Places(None, disk)
    atexit.register(places.remove)
    programs = {
        'NullHandler': program(null()),
        'QueueHandler': program(queue_handler()),
        'call, memory': program(firehose()),
        'call, disk': program(firehose(places.disk)),
    }
    delivery = Delivery()

    def one_round() -> Mapping[str, float]:
        result: dict[str, float] = {}
        for name, contestant in programs.items():
            result[name] = mean_of_calls(contestant, CALLS)[0]
            contestant.after_round()
        for name in ('call, memory', 'call, disk'):
            result[f'{name}, above NullHandler'] = result[name] - result['NullHandler']
        return result | delivery.measure(requests=2)

    return one_round


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
        serve(measuring(arguments.disk))
        return
    rounds = []
    for _ in range(arguments.starts):
        # Started anew several times: where a process happens to lie in memory makes it some percent faster or slower.
        sides = [
            Side('benchmarks.against', source, '--measure', '--disk', arguments.disk, before=source)
            for source in (arguments.before, str(ROOT / 'src'))
        ]
        rounds += [[side.ask() for side in sides] for _ in range(arguments.rounds + 5)][5:]
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
