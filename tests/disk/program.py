"""A program that logs what it is told to, and says what became of it.

    python program.py KEYWORDS      the handler's, as JSON

From its standard input it reads one command a line, and answers each with a line of JSON:

    log N SIZE      so many events with the next numbers, of about so many bytes each
    flush           the handler's answer
    stats           what the handler counts
"""

from __future__ import annotations

import json
import logging
import sys

from firefighter.logging import FirehoseHandler

# Below the limit of a test.
FLUSH_SECONDS = 40


def main() -> None:
    """Do one command after the other, until there is none."""
    handler = FirehoseHandler(**json.loads(sys.argv[1]))
    logger = logging.Logger('program')
    logger.addHandler(handler)
    number = 0
    for line in sys.stdin:
        command, *arguments = line.split()
        answer: object = None
        if command == 'log':
            count, size = map(int, arguments)
            for _ in range(count):
                logger.info({'n': number, 'pad': 'x' * size})
                number += 1
        elif command == 'flush':
            answer = handler.flush(FLUSH_SECONDS)
        elif command == 'stats':
            stats = handler.stats()
            answer = {'accepted': stats.accepted, 'dropped': stats.dropped, 'backing': stats.backing}
        print(json.dumps(answer), flush=True)  # noqa: T201 - to whoever gives the commands


if __name__ == '__main__':
    main()
