"""An error says what to write instead."""

from __future__ import annotations

import errno
import logging
import logging.config
import math
import os
import warnings

import pytest

from firefighter._spool.disk.errors import SpoolUnusable, translate_errors
from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler, FirehoseWarning


@pytest.mark.parametrize(
    ('written', 'meant'),
    [
        ('stream', 'delivery_stream_name'),
        ('max_spool_size', 'max_spool_bytes'),
        ('endpoint', 'endpoint_url'),
        ('oversized', 'oversize'),
    ],
)
def test_an_unknown_option_is_answered_with_the_one_that_was_meant(written, meant):
    """A typo costs a second, not a search in the docs."""
    with pytest.raises(TypeError, match=f'no option {written}; did you mean {meant}'):
        FirehoseHandler('bar', **{written: 'x'})


def test_in_dict_config_the_wrong_name_is_the_one_that_was_written():
    """`logging.config` calls again with `strm` where an error has 'stream' in quotes."""
    handlers = {'firehose': {'class': 'firefighter.logging.FirehoseHandler', 'stream': 'bar'}}
    with pytest.raises(ValueError, match='firehose') as raised:
        logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False, 'handlers': handlers})
    assert (
        str(raised.value.__cause__)
        == 'FirehoseHandler has no option stream; did you mean delivery_stream_name?'
    )


@pytest.mark.parametrize(
    ('written', 'instead'),
    [
        ('filters', 'addFilter'),
        ('formatter', 'setFormatter'),
        ('ignore_case', 'JSONFormatter'),
        ('redac', 'did you mean redact.*JSONFormatter'),
    ],
)
def test_what_is_set_elsewhere_is_answered_with_where(written, instead):
    """Other handlers take it in the constructor, or the formatter has it."""
    with pytest.raises(TypeError, match=f'has no option {written}[:;] .*{instead}'):
        FirehoseHandler('bar', **{written: []})


def test_a_level_in_the_place_of_use_queues_is_answered_with_the_levels_name():
    """As `logging.StreamHandler(stream, level)` is not written either, but many try."""
    with pytest.raises(TypeError, match='not 20; to give the level, write level='):
        FirehoseHandler('bar', logging.INFO)


@pytest.mark.parametrize(
    ('words', 'options', 'said'),
    [
        (('%(message)s',), {}, r"takes no format; .*'\(\)': firefighter.formatting.JSONFormatter"),
        ((), {'ignorecase': True}, 'no option ignorecase; did you mean ignore_case'),
        ((), {'event_ids': True}, 'no option event_ids; there are fields, include'),
    ],
)
def test_the_formatter_says_which_options_it_has(words, options, said):
    """Where one writes `class`, dictConfig gives it a format by position."""
    with pytest.raises(TypeError, match=said):
        JSONFormatter(*words, **options)


def test_one_text_of_several_names_is_answered_with_the_list_of_them():
    """What is written there is what to write."""
    with pytest.raises(TypeError, match=r"like \['host', 'pid'\], not one string"):
        FirehoseHandler('bar', include='host, pid')


def test_a_text_is_no_formatter():
    """It has a `format` of its own, which would make each event that text."""
    with pytest.raises(TypeError, match=r"like logging.Formatter\('json'\), not a string"):
        FirehoseHandler('bar').setFormatter('json')


@pytest.mark.parametrize(('seconds', 'kind'), [('x', TypeError), (True, TypeError), (math.nan, ValueError)])
def test_flush_says_what_it_waits_by(seconds, kind):
    """As the constructor does of its own times."""
    with pytest.raises(kind, match='timeout_seconds must be'):
        FirehoseHandler('bar').flush(seconds)


def test_a_home_that_is_not_expanded_is_named(monkeypatch, tmp_path):
    """A shell would have done it."""
    monkeypatch.chdir(tmp_path)
    with pytest.warns(FirehoseWarning, match='`~` is not expanded here, write the whole path'):
        FirehoseHandler('bar', spool_dir='~/spool')


@pytest.mark.parametrize('path', ['', 'spool\0'])
def test_a_spool_dir_that_is_no_path_is_refused(path, monkeypatch, tmp_path):
    """Also where the environment names another: a variable that was not set must not make memory of the disk in silence."""
    monkeypatch.setenv('FIREFIGHTER_SPOOL_DIR', str(tmp_path))
    with pytest.raises(
        ValueError, match=r'spool_dir must be the path of a directory.*None keeps events in memory'
    ):
        FirehoseHandler('bar', spool_dir=path)


def test_an_option_like_none_is_answered_with_all_there_are():
    """And with nothing that is no option."""
    with pytest.raises(TypeError, match=r'there are delivery_stream_name, .*on_dead_letter$') as raised:
        FirehoseHandler('bar', zzz=1)
    assert 'args' not in str(raised.value)


@pytest.mark.parametrize('name', ['use_queues', 'protect_fields'])
@pytest.mark.parametrize('value', ['False', 'no', None, 2, 0.5])
def test_a_flag_is_true_or_false(name, value):
    """The text 'False', as a settings file may have it, would be true."""
    with pytest.raises(TypeError, match=f'{name} must be True or False'):
        FirehoseHandler('bar', **{name: value})


@pytest.mark.parametrize(
    ('written', 'meant'), [('INF', 'INFO'), ('info', 'INFO'), ('Warnings', 'WARNING'), ('TRACES', 'TRACE')]
)
@pytest.mark.parametrize('by_position', [False, True])
def test_a_level_that_is_none_is_answered_with_the_one_that_was_meant(
    monkeypatch, written, meant, by_position
):
    """Also where that is one that the program has added."""
    monkeypatch.setitem(logging._nameToLevel, 'TRACE', 5)
    with pytest.raises(ValueError, match=f"level cannot be '{written}'; did you mean '{meant}'"):
        _with_level(written, by_position=by_position)


def _with_level(level, *, by_position):
    return (
        FirehoseHandler('bar', True, 60, None, None, level)
        if by_position
        else FirehoseHandler('bar', level=level)
    )


def test_a_level_like_none_is_answered_with_all_there_are():
    """The program's own among them."""
    with pytest.raises(ValueError, match=r"level cannot be 'x'; there are CRITICAL, .*NOTSET$"):
        FirehoseHandler('bar', level='x')
    with pytest.raises(
        TypeError, match=r"level must be the name of a level, such as 'INFO', or its number, not 1\.5"
    ):
        FirehoseHandler('bar', level=1.5)


@pytest.mark.parametrize(
    ('name', 'others'),
    [
        ('level', {}),
        ('extra', {}),
        ('host', {'include': ['host']}),
        ('data', {'protect_fields': True}),
        ('sequence', {'event_ids': True}),
    ],
)
def test_a_field_with_a_name_of_the_events_is_answered_with_what_to_write(name, others):
    """It would take the place of the event's own value, or be replaced by it."""
    FirehoseHandler('bar', fields={f'own_{name}': 1}, **others)
    with pytest.raises(
        ValueError, match=f"fields cannot use '{name}', the event's own name: write .* 'own_{name}'"
    ):
        FirehoseHandler('bar', fields={name: 1}, **others)


@pytest.mark.parametrize('url', ['127.0.0.1:4573', 'localhost', '', 'http://', 'ftp://x'])
def test_an_endpoint_is_a_url(url):
    """Otherwise it would be found out at the first delivery, and the events would wait for ever."""
    with pytest.raises(ValueError, match="endpoint_url must be 'https:"):
        FirehoseHandler('bar', endpoint_url=url)


@pytest.mark.parametrize('value', ['1', 'true', 'True', 'YES', 'on'])
def test_what_says_yes_disables(monkeypatch, value):
    """Logs of a test run must not end in production for the want of a 1."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', value)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        handler = FirehoseHandler()
    handler.emit(None)
    assert handler.stats().dropped == {'disabled': 1}


@pytest.mark.parametrize('value', ['0', 'false', 'no', 'off', ''])
def test_what_says_no_does_not_disable(monkeypatch, value):
    """And is no reason to warn."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', value)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert FirehoseHandler('bar').stats().dropped == {}


def test_what_says_neither_is_complained_of(monkeypatch):
    """It is the environment: it never raises."""
    monkeypatch.setenv('FIREFIGHTER_DISABLED', 'perhaps')
    with pytest.warns(
        FirehoseWarning, match="FIREFIGHTER_DISABLED is 'perhaps', which disables nothing: set it to 1"
    ):
        FirehoseHandler('bar')


def test_a_handler_says_which_stream_it_is_for():
    """In a debugger, and where logging names its handlers."""
    assert repr(FirehoseHandler('bar', level='INFO')) == "<FirehoseHandler 'bar' (INFO)>"


@pytest.mark.parametrize('name', ['leave_out', 'ignore_case', 'redact', 'layout'])
def test_an_option_of_the_formatter_is_not_the_handlers(name):
    """The message says where it goes."""
    with pytest.raises(TypeError, match=rf'handler\.setFormatter\(JSONFormatter\({name}=\.\.\.\)\)'):
        FirehoseHandler('bar', **{name: True})


def test_a_directory_whose_name_begins_so_keeps_the_advice_for_its_own_trouble():
    """It may be called `~old`, on a disk that is full."""
    with (
        pytest.raises(SpoolUnusable, match='No space left on device; make room there'),
        translate_errors('/srv/~old'),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
