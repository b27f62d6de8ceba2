"""The syslog of a fleet of servers, in the traditional format."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.logs.chance import Chance, Clock

__all__ = ['syslog']

_HOSTS = tuple(
    f'{role}{number:02d}' for role in ('web', 'db', 'mail', 'gw', 'cache') for number in range(1, 13)
)
_USERS = (
    'root',
    'admin',
    'test',
    'oracle',
    'postgres',
    'ubuntu',
    'git',
    'deploy',
    'guest',
    'user',
    'ftp',
    'nagios',
    'pi',
)
_UNITS = (
    'apt-daily.service',
    'logrotate.service',
    'fwupd-refresh.service',
    'session-{}.scope',
    'man-db.service',
)
_JOBS = (
    'run-parts --report /etc/cron.hourly',
    '/usr/lib/sysstat/sa1 1 1',
    '/opt/backup/bin/incremental --quiet',
)


def syslog(chance: Chance) -> Iterator[str]:
    """Yield a line for each message."""
    clock = Clock(chance, 60.0)
    while True:
        # Padded with a space, as syslog does with days.
        time = clock.tick()
        program, message = chance.choices(*_PROGRAMS)[0](chance)
        pid = f'[{chance.rank(60_000) + 300}]' if program != 'kernel' else ''
        yield f'{time:%b} {time.day:2d} {time:%H:%M:%S} {chance.choice(_HOSTS)} {program}{pid}: {message}'


def _sshd(chance: Chance) -> tuple[str, str]:
    peer = f'{chance.client(30_000)} port {chance.randrange(1024, 65536)}'
    kind = chance.random()
    if kind < 0.4:
        return 'sshd', f'Failed password for invalid user {chance.common(_USERS)} from {peer} ssh2'
    if kind < 0.6:
        return 'sshd', f'Connection closed by authenticating user {chance.common(_USERS)} {peer} [preauth]'
    if kind < 0.8:
        return 'sshd', f'Received disconnect from {peer}:11: Bye Bye [preauth]'
    key = f'RSA SHA256:{chance.hexadecimal(32)}'
    return 'sshd', f'Accepted publickey for {chance.common(_USERS)} from {peer} ssh2: {key}'


def _firewall(chance: Chance) -> tuple[str, str]:
    uptime = f'[{chance.uniform(1e5, 9e6):.6f}]'
    ports = f'SPT={chance.randrange(1024, 65536)} DPT={chance.common((23, 445, 22, 3389, 8080, 80, 5060, 6379, 1433))}'
    return 'kernel', (
        f'{uptime} [UFW BLOCK] IN=eth0 OUT= SRC={chance.client(30_000)} DST=10.0.{chance.randrange(4)}.{chance.randrange(255)} '
        f'LEN={chance.choice((40, 44, 52, 60))} TOS=0x00 TTL={chance.randrange(40, 255)} ID={chance.randrange(65536)} PROTO=TCP {ports} '
        f'WINDOW={chance.choice((1024, 14600, 29200, 65535))} RES=0x00 SYN URGP=0'
    )


def _postfix(chance: Chance) -> tuple[str, str]:
    queue = chance.hexadecimal(10).upper()
    kind = chance.random()
    if kind < 0.4:
        return 'postfix/qmgr', (
            f'{queue}: from=<user{chance.rank(20_000)}@example.com>, size={int(chance.lognormvariate(9, 1))}, nrcpt=1 (queue active)'
        )
    if kind < 0.6:
        return 'postfix/smtpd', f'connect from unknown[{chance.client(30_000)}]'
    delays = '/'.join(f'{chance.expovariate(4):.2g}' for _ in range(4))
    return 'postfix/smtp', (
        f'{queue}: to=<user{chance.rank(90_000)}@example.org>, relay=mx{chance.rank(9)}.example.org[{chance.client(300)}]:25, '
        f'delay={chance.expovariate(0.5):.2g}, delays={delays}, dsn=2.0.0, status=sent (250 2.0.0 OK {chance.hexadecimal(12)})'
    )


def _cron(chance: Chance) -> tuple[str, str]:
    return 'CRON', f'(root) CMD ({chance.common(_JOBS)})'


def _systemd(chance: Chance) -> tuple[str, str]:
    unit = chance.common(_UNITS).format(chance.rank(90_000))
    return 'systemd', chance.choice(
        (
            f'Started {unit}.',
            f'{unit}: Succeeded.',
            f'{unit}: Consumed {chance.expovariate(1):.3f}s CPU time.',
        )
    )


def _haproxy(chance: Chance) -> tuple[str, str]:
    timers = '/'.join(str(int(chance.milliseconds(median))) for median in (1, 1, 2, 30, 40))
    return 'haproxy', (
        f'{chance.client()}:{chance.randrange(1024, 65536)} [02/Mar/2026:08:{chance.randrange(60):02d}:{chance.randrange(60):02d}.'
        f'{chance.randrange(1000):03d}] https~ app/web{chance.randrange(1, 13):02d} {timers} 200 {int(chance.lognormvariate(8, 1.5))} - - ---- '
        f'{chance.rank(900)}/{chance.rank(800)}/{chance.rank(90)}/{chance.rank(20)}/0 0/0 "GET /items/{chance.rank(500_000)} HTTP/1.1"'
    )


_PROGRAMS: tuple[tuple[Callable[[Chance], tuple[str, str]], ...], tuple[int, ...]] = (
    (_sshd, _firewall, _haproxy, _postfix, _systemd, _cron),
    (28, 18, 22, 18, 9, 5),
)
