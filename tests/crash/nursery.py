"""A process that forks others on demand, so that a thousand of them cost no thousand starts of Python.

    python nursery.py DESCRIPTOR

It reads one request of JSON at a time from the socket that is its descriptor, and answers each with one number. It has one
thread and no handler: what it forks is as new as any process that has just imported firefighter.

    {"start": one of the roles, ...}        with a descriptor to report to: forks; the answer is the process's id
    {"reap": pid}                           waits for its end; the answer is the status

When the socket ends it ends, and so does what it has forked (those have the other end of nothing).
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3  # noqa: F401  # what the children would import, each for itself

from firefighter._delivery.pace import Backoff
from firefighter.logging import FirehoseHandler

# Beside what Python puts there for a program: its own folder.
sys.path.append(str(Path(__file__).parents[1]))

from arrivals import adds_up
from lives import Life
from scripted_client import ScriptedClient

REQUEST_BYTES = 4096
# How long an heir tries. Far beyond any recovery, and below the limit of a test.
HEIR_SECONDS = 40


def produce(settings: dict[str, Any], report: int) -> None:
    """Log numbered events as fast as it goes, and report each when its call has returned. Does not end by itself."""
    handler = FirehoseHandler(**settings['handler'])
    logger = logging.Logger('crash')
    logger.addHandler(handler)
    sizes = settings['sizes']

    def log(thread: int) -> None:
        name = f'{settings["name"]}.{thread}'
        number = 0
        while True:
            logger.info({'by': name, 'n': number, 'pad': 'x' * sizes[number % len(sizes)]})
            os.write(report, b'%d %d\n' % (thread, number))
            number += 1

    for thread in range(1, settings['threads']):
        threading.Thread(target=log, args=(thread,), daemon=True).start()
    log(0)


def inherit(settings: dict[str, Any], report: int) -> None:
    """Deliver what the dead have left, and report how that went. Logs nothing."""
    handler = FirehoseHandler(**settings['handler'])
    if settings['ticks']:
        threading.Thread(target=tick, args=(handler, report), daemon=True).start()
    complete = handler.flush(HEIR_SECONDS)
    stats = handler.stats()
    backing = stats.backing
    handler.close()
    os.write(
        report,
        b'%s\n'
        % json.dumps(
            {
                'complete': complete,
                'adopted': stats.adopted,
                'delivered': stats.delivered,
                'pending': stats.pending,
                'quarantined': stats.quarantined_bytes,
                'backing': backing,
                'error': stats.last_error,
            }
        ).encode(),
    )


def tick(handler: FirehoseHandler, report: int) -> None:
    """Give the one who is to kill this process moments to choose from: how many events are delivered, again and again."""
    while True:
        os.write(report, b'%d\n' % handler.stats().delivered)
        time.sleep(0)


def live(settings: dict[str, Any], report: int) -> None:
    """Do what a script says, report what has become of it, and die at once, wherever delivery is."""
    Backoff.seconds = lambda self, *_: 0.001
    ledger = os.open(settings['ledger'], os.O_WRONLY | os.O_CREAT)

    def store(events: Sequence[bytes], told: bool) -> None:
        os.write(ledger, b''.join((b'+' if told else b'?') + event for event in events))

    client = ScriptedClient(store)
    handler = FirehoseHandler('bar', boto3_client=client, **settings['handler'])
    life = Life(handler, client.follow, settings['name'])
    for action in settings['script']:
        life.act(*action)
    stats = handler.stats()
    account = {
        'logged': life.logged,
        'accepted': stats.accepted,
        'dropped': stats.dropped,
        'adds up': adds_up(stats),
        'backing': stats.backing,
    }
    os.write(report, json.dumps(account).encode())


ROLES: dict[str, Callable[[dict[str, Any], int], None]] = {
    'producer': produce,
    'heir': inherit,
    'life': live,
}


def main(control: socket.socket) -> None:
    """Answer requests until there are no more."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 1)
        if not request:
            return
        settings = json.loads(request)
        if 'reap' in settings:
            _, answer = os.waitpid(settings['reap'], 0)
        else:
            answer = start(control, settings, descriptors[0])
        control.sendall(b'%d\n' % answer)


def start(control: socket.socket, settings: dict[str, Any], report: int) -> int:
    """Fork a process for a role; return its id."""
    pid = os.fork()
    if pid:
        os.close(report)
        return pid
    control.close()
    try:
        ROLES[settings['start']](settings, report)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == '__main__':
    faulthandler.enable()  # where a store into a file was, if one of them dies of it
    main(socket.socket(fileno=int(sys.argv[1])))
