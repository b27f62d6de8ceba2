"""Does a directory ever give less than memory? One that cannot be, one that goes away, and destinations beyond all measure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == 'win32', reason='there is no spool on disk on Windows')

# What a program finds in FIREFIGHTER_SPOOL_DIR, and what it does before it makes a handler. It is in a directory of its own.
UNUSABLE = {
    'a loop of links': ('loop/spool', "os.symlink('loop', 'loop')"),
    'a loop of two links': ('one', "os.symlink('one', 'two'); os.symlink('two', 'one')"),
    'a relative one in a deleted directory': (
        'spool',
        "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
    ),
    'a dot in a deleted directory': ('.', "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')"),
    'a name of 300 characters': ('x' * 300, ''),
    'a path of 5,000 characters': ('x/' * 2500, ''),
    'a path through a file': ('file/spool', "open('file', 'w').close()"),
    'a file': ('file', "open('file', 'w').close()"),
    'nothing but a parent that is missing': ('missing/spool', ''),
}


@pytest.mark.parametrize('given', ['environment', 'argument'])
@pytest.mark.parametrize('unusable', UNUSABLE)
def test_a_directory_that_cannot_be_is_said_once_and_memory_is_used(
    given, unusable, live, endpoint, arrived, tmp_path
):
    """One FirehoseWarning says why; no exception, and the events are delivered."""
    spool_dir, prepare = UNUSABLE[unusable]
    (tmp_path / 'place').mkdir()
    life = live(
        f"""
        {prepare or 'pass'}
        raised = None
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter('always')
            try:
                handler = make()
                logger.addHandler(handler)
                logger.info('one')
                handler.close()
                logger.info('two')
                flushed = handler.flush()
            except Exception as error:
                raised = repr(error)
        ours = [str(warning.message) for warning in given if warning.category is FirehoseWarning]
        tell(raised=raised, warnings=ours)
        if raised is not None:
            os._exit(0)
        tell(backing=handler.stats().backing, flushed=flushed, **account(handler))
        """,
        endpoint.url,
        cwd=tmp_path / 'place',
        environment={'FIREFIGHTER_SPOOL_DIR': spool_dir} if given == 'environment' else None,
        **({'spool_dir': spool_dir} if given == 'argument' else {}),
    )
    figures = life.figures
    assert figures['raised'] is None
    assert len(figures['warnings']) == 1, figures
    assert 'spool_dir cannot be used' in figures['warnings'][0]
    assert (figures['backing'], figures['flushed'], figures['adds_up']) == ('memory', True, True)
    assert arrived() == {'one': 1, 'two': 1}


@pytest.mark.parametrize('configured', ['dictConfig', 'the constructor'])
def test_an_endpoint_url_that_no_file_has_room_for_is_said_once_and_memory_is_used(
    configured, live, endpoint, arrived, spool_dir
):
    """The destination is written into each file; one of 4,000 characters does not go in. The logging call does not raise."""
    life = live(
        """
        raised = None
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter('always')
            try:
                if CONFIGURED == 'dictConfig':
                    logging.config.dictConfig(config())
                    (handler,) = logging.getLogger().handlers
                else:
                    handler = make()
                    logger.addHandler(handler)
                for number in range(10):
                    logger.info('event %d', number)
            except Exception as error:
                raised = repr(error)
        ours = [str(warning.message) for warning in given if warning.category is FirehoseWarning]
        tell(raised=raised, warnings=ours)
        tell(flushed=handler.flush(), backing=handler.stats().backing, **account(handler))
        """.replace('CONFIGURED', repr(configured)),
        endpoint.url,
        endpoint_url=f'{endpoint.url}/?{"x" * 4000}',
        spool_dir=spool_dir,
    )
    figures = life.figures
    assert figures['raised'] is None
    assert len(figures['warnings']) == 1, figures
    assert (figures['backing'], figures['flushed'], figures['adds_up']) == ('memory', True, True)
    assert figures['accepted'] == figures['delivered'] == 10
    assert arrived() == dict.fromkeys((f'event {number}' for number in range(10)), 1)


@pytest.mark.parametrize('place', ['memory', 'disk'])
@pytest.mark.parametrize('use_queues', [True, False])
def test_at_every_depth_of_the_stack_an_event_whose_call_returned_arrives(
    use_queues, place, live, endpoint, arrived, spool_dir
):
    """Where append rolls over it goes deepest: a RecursionError in there is nobody's but ours, and loses nothing."""
    life = live(
        """
        handler = make()
        logger.info('before')
        handler.flush()
        returned, raised_inside = [], []

        def log(number):
            record = logging.makeLogRecord({'msg': f'event {number} ' + 'x' * 300_000, 'name': 'foo', 'levelname': 'INFO'})
            try:
                handler.handle(record)
            except RecursionError as error:
                # At the door it is the caller's own: there was not even room for the call.
                frames, trace = [], error.__traceback__
                while trace is not None:
                    frames.append(trace.tb_frame.f_code.co_filename)
                    trace = trace.tb_next
                if any(os.sep + '_spool' + os.sep in name for name in frames):
                    raised_inside.append(number)
            else:
                returned.append(number)

        def deep(levels, number):
            if levels:
                deep(levels - 1, number)
            else:
                log(number)

        sys.setrecursionlimit(400)
        for number in range(60):
            try:
                deep(400 - 8 - number, number)
            except RecursionError:
                pass
        sys.setrecursionlimit(1000)
        handler.handle(logging.makeLogRecord({'msg': 'last'}))
        flushed = handler.flush(30)
        tell(flushed=flushed, returned=returned, raised_inside=raised_inside, **account(handler))
        """,
        endpoint.url,
        spool_dir=spool_dir if place == 'disk' else None,
        max_spool_bytes=128 * 1024 * 1024,
        send_interval=60,
        use_queues=use_queues,
    )
    figures = life.figures
    messages = {message.split(' x')[0] for message in arrived()}
    assert figures['raised_inside'] == []
    assert len(figures['returned']) > 20
    # What could not even be encoded is dropped, and counted.
    missing = {f'event {number}' for number in figures['returned']} - messages
    assert len(missing) <= figures['dropped']
    assert figures['accepted'] >= len(figures['returned']) + 1
    assert figures['flushed']
    assert 'last' in messages
    assert figures['adds_up']


# At once: the handler may make it again in the middle of a removal.
RENAME = 'os.rename(spool_dir, spool_dir + ".old")'
REMOVE = f'{RENAME}; shutil.rmtree(spool_dir + ".old")'
GONE = {
    'removed, and a file in its place': f'{RENAME}; open(spool_dir, "w").close(); shutil.rmtree(spool_dir + ".old")',
    'renamed, and a file in its place': f'{RENAME}; open(spool_dir, "w").close()',
    'removed, and a loop in its place': f'{RENAME}; os.symlink(spool_dir, spool_dir); shutil.rmtree(spool_dir + ".old")',
}


@pytest.mark.parametrize('use_queues', [True, False])
@pytest.mark.parametrize('noticed', ['while it runs', 'when it is used again'])
@pytest.mark.parametrize('gone', GONE)
def test_backing_says_memory_once_the_directory_is_gone_and_cannot_be_made_again(
    gone, noticed, use_queues, live, endpoint, arrived, spool_dir
):
    """Whoever reads it has to know that a kill would lose what waits; the events are delivered."""
    life = live(
        f"""
        import shutil

        spool_dir = OPTIONS['spool_dir']
        handler = make()
        logger.addHandler(handler)
        logger.info('before')
        handler.flush()
        tell(backing_before=handler.stats().backing)
        if {noticed.startswith('when')}:
            handler.close()
        {GONE[gone]}

        def log_on():
            numbers.append(len(numbers))
            logger.info('event %d', numbers[-1])
            handler.flush()
            return handler.stats().backing == 'memory'

        numbers = []
        until(log_on)
        tell(backing=handler.stats().backing, events=len(numbers), **account(handler))
        handler.close()
        logger.info('last')
        handler.flush()
        tell(backing_at_last=handler.stats().backing, **account(handler))
        """,
        endpoint.url,
        spool_dir=spool_dir,
        send_interval=0.02,
        use_queues=use_queues,
    )
    figures = life.figures
    assert (figures['backing_before'], figures['backing'], figures['backing_at_last']) == (
        'disk',
        'memory',
        'memory',
    )
    assert figures['adds_up']
    assert figures['delivered'] == figures['accepted'] == figures['events'] + 2
    assert arrived() == dict.fromkeys(
        {'before', 'last', *(f'event {number}' for number in range(figures['events']))}, 1
    )


def test_a_directory_that_is_removed_and_can_be_made_again_goes_on_keeping_events_over_a_kill(
    begin, live, endpoint, arrived, spool_dir
):
    """As long as `backing` says "disk", that is what it is."""
    life = begin(
        f"""
        import shutil

        spool_dir = OPTIONS['spool_dir']
        handler = make()
        logger.addHandler(handler)
        logger.info('before')
        handler.flush()
        {REMOVE}
        until(lambda: logger.info('noticed') or handler.flush() and os.path.isdir(spool_dir))
        tell(noticed=True)
        wait_to_be_told()
        for number in range(100):
            logger.info('event %d', number)
        tell(backing=handler.stats().backing)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        endpoint.url,
        spool_dir=spool_dir,
        send_interval=0.02,
    )
    assert life.hear('noticed')
    endpoint.inject('reset-before')
    life.go_on()
    assert life.end(killed=True)['backing'] == 'disk'
    endpoint.clear_faults()
    assert live('tell(flushed=make().flush(20))', endpoint.url, spool_dir=spool_dir).figures['flushed']
    assert {f'event {number}' for number in range(100)} <= arrived().keys()
    assert Path(spool_dir).is_dir()
