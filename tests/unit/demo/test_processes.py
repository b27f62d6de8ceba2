"""Does every child process end with the demo, and does the demo notice when one ends before?"""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from firefighter._demo.processes import Child, ChildError, environment, while_all_live

ACTORS = """
import os, signal, sys, threading

def waits(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print('ready', os.getpid(), flush=True)
    threading.Event().wait()

def deaf(arguments):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('ready', os.getpid(), flush=True)
    threading.Event().wait()

def fails(arguments):
    sys.stderr.write(f'cannot do {arguments}\\n')
    return 3
"""


@pytest.fixture(autouse=True)
def _actors(tmp_path, monkeypatch):
    (tmp_path / 'actors.py').write_text(ACTORS)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)


def child(role, *arguments, complain=lambda line: None):
    return Child(role, f'actors:{role}', *arguments, complain=complain)


async def pid_of(actor):
    word, pid = (await actor.line()).split()
    assert word == 'ready'
    return int(pid)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize('role', ['waits', 'deaf'])
def test_no_child_outlives_its_block(role):
    """Whatever it does with SIGTERM."""

    async def scene():
        async with child(role) as actor:
            pid = await pid_of(actor)
            assert is_alive(pid)
        return pid

    assert not is_alive(asyncio.run(scene()))


def test_a_child_that_is_asked_to_end_ends_well():
    """SIGTERM is the way; `ended` says nothing then."""

    async def scene():
        async with child('waits') as actor:
            await pid_of(actor)
            actor.ask_to_end()
            await actor.ended()

    asyncio.run(scene())


def test_a_child_that_is_killed_gets_to_run_nothing_more():
    """Not even what it does with SIGTERM; its death is told, and killing the dead is no error."""

    async def scene():
        async with child('deaf') as actor:
            assert await pid_of(actor) == actor.pid
            actor.kill()
            death = await actor.death()
            actor.kill()
            return death

    assert asyncio.run(scene()) == 'deaf was killed by SIGKILL'


def test_a_child_that_fails_is_named_with_its_last_words():
    """The reason stands on its stderr; the status says that there is one."""
    complaints = []

    async def scene():
        async with child('fails', 'this', complain=complaints.append) as actor:
            with pytest.raises(ChildError, match=r'^fails ended with status 3$'):
                await actor.line()
            with pytest.raises(ChildError, match=r'^fails ended with status 3$'):
                await actor.ended()

    asyncio.run(scene())
    assert complaints == ["fails: cannot do ['this']"]


def test_the_death_of_one_child_ends_the_work_of_all():
    """The work would otherwise go on against nobody, and its account be of no use."""

    async def scene():
        async with child('waits') as survivor, child('deaf') as victim:
            await pid_of(survivor)
            os.kill(await pid_of(victim), signal.SIGKILL)
            await while_all_live([survivor, victim], asyncio.Event().wait())

    with pytest.raises(ChildError, match=r'^deaf was killed by SIGKILL in the middle of the demo$'):
        asyncio.run(scene())


def test_work_that_ends_before_its_children_gives_its_result():
    """And its own error."""

    async def fine():
        return 7

    async def broken():
        raise LookupError

    async def scene():
        async with child('waits') as actor:
            await pid_of(actor)
            assert await while_all_live([actor], fine()) == 7
            with pytest.raises(LookupError):
                await while_all_live([actor], broken())

    asyncio.run(scene())


def test_a_child_ends_when_the_demo_has_gone_without_a_word():
    """The kernel closes the demo's end of the pipe, also after SIGKILL."""
    command = [sys.executable, '-m', 'firefighter._demo.tethered', 'actors:deaf']
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(os.environ)
    ) as process:
        assert process.stdout.readline().startswith(b'ready')
        process.stdin.close()

        assert process.wait(timeout=30) == 1


def test_nothing_in_a_childs_environment_leads_out_of_this_machine():
    """No credentials, endpoint or profile of the user's, no proxy, no setting of the library's."""
    inherited = {
        'PATH': '/bin',
        'AWS_PROFILE': 'production',
        'AWS_SESSION_TOKEN': 'x',
        'AWS_ENDPOINT_URL_FIREHOSE': 'https://example.com',
        'FIREFIGHTER_DISABLED': '1',
        'HTTPS_PROXY': 'http://proxy',
        'http_proxy': 'http://proxy',
    }

    assert environment(inherited) == {
        'PATH': '/bin',
        'AWS_ACCESS_KEY_ID': 'demo',
        'AWS_SECRET_ACCESS_KEY': 'demo',
        'AWS_CONFIG_FILE': os.devnull,
        'AWS_SHARED_CREDENTIALS_FILE': os.devnull,
        'PYTHONSAFEPATH': '1',
    }
