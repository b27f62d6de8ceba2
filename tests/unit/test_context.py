"""What does a formatter add from context variables, and where does it go?"""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import logging
import pickle
import sys
import types
import uuid
from contextlib import suppress
from contextvars import Context, ContextVar

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doubles import AcceptingClient
from firefighter._event import bound_fields
from firefighter._event.context import Context as EventContext
from firefighter.context import bind, unbind
from firefighter.formatting import JSONFormatter
from firefighter.logging import FirehoseHandler

tenant: ContextVar[object] = ContextVar('tenant')
OTHERS: ContextVar[object] = ContextVar('others', default=None)
NOT_A_VARIABLE = 5


@pytest.fixture(autouse=True)
def context_of_its_own():
    """What a test binds ends with it."""
    variables = (bound_fields.bound, tenant, OTHERS)
    before = [(variable, variable.set(None)) for variable in variables]
    yield
    for variable, token in before:
        variable.reset(token)


def unique(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len({*names}), names
    return dict(pairs)


def parsed(line):
    """Return an event, in which no object has a name twice."""
    import json

    event = json.loads(line, object_pairs_hook=unique)
    assert orjson.loads(line) == event
    return event


def event_of(message='Ahoy', extra=None, error=None, formatter=None, context=('firefighter',), **options):
    record = logging.getLogger('shop').makeRecord('shop', 20, '', 7, message, (), error, None, extra)
    return parsed((formatter or JSONFormatter(context=context, **options)).encode(record))


def added(**options):
    """Return what an event has beside what each has."""
    event = event_of(**options)
    return {
        name: event[name]
        for name in event
        if name not in {'timestamp', 'level', 'logger', 'message', 'exception'}
    }


def made_context(listed):
    return EventContext(listed, ['message'], frozenset())


class TestBinding:
    def test_fields_are_in_each_event_until_they_are_unbound(self):
        """Behind everything else; what is bound again has its new value."""
        assert added() == {}
        bind(request_id='5f2b', user='ada')
        assert added() == {'request_id': '5f2b', 'user': 'ada'}
        bind(user='bob', tenant=7)
        assert list(event_of(extra={'a': 1}))[3:] == ['message', 'a', 'request_id', 'user', 'tenant']
        assert added() == {'request_id': '5f2b', 'user': 'bob', 'tenant': 7}
        unbind('request_id', 'nothing of this name')
        assert added() == {'user': 'bob', 'tenant': 7}
        unbind()
        assert added() == {}
        unbind('user')
        bind()
        assert added() == {}

    def test_a_with_statement_puts_back_what_was_there(self):
        """Also where it ends by an exception."""
        bind(user='ada', zone='a')
        with suppress(ValueError), bind(user='bob', order=1):
            assert added() == {'user': 'bob', 'zone': 'a', 'order': 1}
            raise ValueError('no')
        assert added() == {'user': 'ada', 'zone': 'a'}

    def test_a_with_statement_puts_back_what_was_bound_anew_within_it(self):
        """A name that is known only later, after the login; other names stay."""
        bind(zone='a')
        with bind(user=None, zone='b'):
            bind(user='ada', order=1)
        assert added() == {'zone': 'a', 'order': 1}

    def test_its_end_leaves_other_names_alone(self):
        """Whatever the order in which they end, nothing of them is left."""
        first = bind(user='ada', zone='a')
        second = bind(order=1, user='bob')
        with first:
            pass
        assert added() == {'order': 1}
        with second:
            pass
        assert added() == {}

    def test_it_may_end_in_another_context(self):
        """As FastAPI ends a dependency in another thread. Nothing is bound there by that, and what is bound there stays."""
        bind(user='ada')
        binding = bind(user='bob')
        other = Context()
        other.run(bind, zone='a')
        other.run(binding.__exit__, None, None, None)
        assert other.run(added) == {'zone': 'a'}
        binding.__exit__(None, None, None)
        binding.__exit__(None, None, None)
        assert added() == {'user': 'ada'}

    def test_one_may_be_used_again(self):
        """Each `with` statement binds the same, whatever is bound around it, also in another context."""
        binding = bind(user='bob', order=1)
        for around in ({}, {'user': 'ada'}, {'zone': 'a'}):
            bind(**around)
            with binding:
                assert added() == around | {'user': 'bob', 'order': 1}
            assert added() == around
            unbind()
        for context in (Context(), Context()):
            with binding:
                assert added() == {'user': 'bob', 'order': 1}
                context.run(binding.__enter__)
                assert context.run(added) == {'user': 'bob', 'order': 1}
                context.run(binding.__exit__)
                assert context.run(added) == {}
            assert added() == {}

    def test_one_may_be_used_by_several_tasks_at_once(self):
        """Each has the fields within, and afterwards what it had before: nothing of another task's."""
        as_system = bind(user='system')
        with as_system:
            pass

        async def request(user: str, turns: int) -> list[object]:
            with bind(user=user):
                for _ in range(turns):
                    await asyncio.sleep(0)
                with as_system:
                    inside = added()
                    for _ in range(3):
                        await asyncio.sleep(0)
                return [inside, added()]

        async def both() -> object:
            return await asyncio.gather(request('ada', 1), request('bob', 2), request('eve', 3))

        assert asyncio.run(both()) == [[{'user': 'system'}, {'user': user}] for user in ('ada', 'bob', 'eve')]

    def test_as_a_decorator_it_binds_for_each_call(self):
        """Not where the function is defined; a call within a call, or one that raises, leaves nothing behind."""

        @bind(user='bob')
        def count_down(number: int, *, fail: bool = False) -> list[object]:
            """Say what is bound."""
            if fail:
                raise ValueError('no')
            seen = [added()]
            bind(number=number)
            return seen + (count_down(number - 1) if number else [added()])

        assert added() == {}
        assert count_down.__name__ == 'count_down'
        for _ in range(2):
            assert count_down(1) == [
                {'user': 'bob'},
                {'user': 'bob', 'number': 1},
                {'user': 'bob', 'number': 0},
            ]
            unbind('number')
            with pytest.raises(ValueError, match='no'):
                count_down(1, fail=True)
            assert added() == {}

    def test_as_a_decorator_it_binds_until_a_coroutine_ends(self):
        """Two that run at the same time have their own."""

        @bind(job='bill')
        async def work(number: int) -> object:
            with bind(number=number):
                await asyncio.sleep(0)
                return added()

        async def both() -> object:
            return await asyncio.gather(work(1), work(2)), added()

        @bind(job='bill')
        def work_later(number: int) -> object:
            return work.__wrapped__(number)

        assert asyncio.run(work_later(1)) == {'job': 'bill', 'number': 1}
        expected = [{'job': 'bill', 'number': 1}, {'job': 'bill', 'number': 2}]
        assert asyncio.run(both()) == (expected, {})

    def test_what_works_after_its_call_cannot_be_decorated(self):
        """A generator has not begun when the call ends; a class has no end. Nothing stays bound."""

        def generate():
            yield

        async def generate_later():
            yield

        for wrong in (generate, generate_later, staticmethod(len), dict, 5):
            with pytest.raises(
                TypeError, match=r'bind cannot decorate .*: write `with bind\(\.\.\.\):` within it'
            ):
                bind(user='bob')(wrong)
            assert added() == {}

    def test_values_are_encoded_when_they_are_bound(self):
        """What changes an object later changes no event, and nothing is asked for its text again."""

        class Counting:
            asked = 0

            def __str__(self):
                self.asked += 1
                return 'counted'

        items, counting = [1], Counting()
        bind(items=items, one=counting, nested={'at': dt.date(2026, 1, 2)})
        items.append(2)
        for _ in range(2):
            assert added() == {'items': [1], 'one': 'counted', 'nested': {'at': '2026-01-02'}}
            assert added(extra={'raw': b'x'})['items'] == [1]
        assert counting.asked == 1

    def test_what_json_does_not_have_becomes_what_it_becomes_in_any_event(self):
        """And binding it raises nothing."""

        class Broken:
            def __str__(self):
                raise RuntimeError('no')

        odd = {
            'large': 2**63,
            'larger': 2**60,
            'nan': float('nan'),
            'lone': '\ud800',
            'broken': Broken(),
            'id': uuid.UUID(int=1),
            'keys': {1: {2}},
            'name \udcff': 1,
        }
        bind(**odd)
        assert added() == added(extra=odd, context=())
        assert added()['broken'].startswith('<unprintable ')
        unbind()
        for name, value in odd.items():
            with bind(**{name: value}):
                assert added() == added(extra={name: value}, context=())
        with pytest.raises(TypeError):
            bind('ada')

    def test_a_formatter_that_does_not_name_it_has_none_of_it(self):
        """Nor has the handler by itself: what is not asked for costs nothing."""
        bind(user='ada')
        assert added(context=()) == {}
        assert added(context=[tenant]) == {}
        assert added(context=[tenant], extra={'raw': b'x'}) == {'raw': 'x'}


class TestNames:
    def test_what_finds_its_name_taken_is_kept_under_extra(self):
        """As an attribute that came as `extra`: of the event itself, of fields and origins, of a dict message, of the extras."""
        bind(level='mine', service='mine', pid='mine', user='mine', order='mine', ok=1)
        event = event_of({'user': 'ada'}, {'order': 5}, fields={'service': 'api'}, include=['pid'])
        assert (event['level'], event['service'], event['user'], event['order'], event['ok']) == (
            'INFO',
            'api',
            'ada',
            5,
            1,
        )
        assert event['extra'] == dict.fromkeys(['level', 'service', 'pid', 'user', 'order'], 'mine')

    @pytest.mark.parametrize('message', [{'user': 'ada'}, {'user': 'ada', 'message': 'Ahoy'}, 'Ahoy'])
    def test_also_where_an_event_has_as_many_names_as_usual(self, message):
        """A dict without a message has one name less of the event's own."""
        bind(zone='a', user='mine')
        assert event_of('Ahoy')['user'] == 'mine'
        event = event_of(message, None if type(message) is dict else {'user': 'ada'})
        assert (event['user'], event['zone'], event['extra']) == ('ada', 'a', {'user': 'mine'})

    def test_the_exception_stays_the_events_own(self):
        """Without one, the name is free."""
        bind(exception='mine', stack='mine', args='mine')
        assert added() == {'stack': 'mine', 'args': 'mine'}
        event = event_of(error=(ValueError, ValueError('no'), None))
        assert event['exception']['type'] == 'ValueError'
        assert event['extra'] == {'exception': 'mine'}

    def test_what_is_called_extra_moves_inside_where_that_is_needed(self):
        """As an attribute of that name."""
        bind(extra={'a': 1})
        assert added() == {'extra': {'a': 1}}
        assert added(extra={'level': 'mine'}) == {'extra': {'level': 'mine', 'extra': {'a': 1}}}

    def test_the_same_value_is_there_once(self):
        """A program may log what it has bound, and several sources may have it."""
        bind(user='ada', n=1)
        tenant.set('acme')
        OTHERS.set('acme')
        assert added(extra={'user': 'ada', 'n': 1}) == {'user': 'ada', 'n': 1}
        assert added(extra={'user': 'ada', 'n': True}) == {'user': 'ada', 'n': True, 'extra': {'n': 1}}
        assert added(message={'user': 'ada', 'raw': b'x'}) == {'user': 'ada', 'raw': 'x', 'n': 1}

    def test_with_protected_fields_and_without_case(self):
        """The message is under `data`; of two names that differ in case alone the context's is kept under `extra`."""
        bind(data='mine', user='ada', USER='bob')
        assert event_of({'a': 1}, protect_fields=True)['extra'] == {'data': 'mine'}
        assert added(ignore_case=True) == {'data': 'mine', 'user': 'ada', 'extra': {'USER': 'bob'}}

    @pytest.mark.parametrize('extra', [{}, {'raw': b'x'}, {'extra': 1}])
    @pytest.mark.parametrize('options', [{}, {'leave_out': ['other']}, {'ignore_case': True}])
    def test_nothing_in_it_can_pass_for_an_events_id(self, extra, options, make_handler, make_logger):
        """Nor be in the line twice."""
        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client, event_ids=True)
        handler.setFormatter(JSONFormatter(context=['firefighter', tenant, OTHERS], **options))
        tenant.set('acme')
        make_logger(handler).info('before', extra=extra)
        bind(producer='mine', sequence=7, user='ada')
        make_logger(handler).info('Ahoy', extra=extra)
        assert handler.flush()
        before, event = map(parsed, client.events)
        assert before['tenant'] == event['tenant'] == 'acme'
        assert (event['sequence'], len(event['producer']), event['user']) == (1, 32, 'ada')
        kept = (
            event['extra']['extra']
            if 'extra' in extra and 'producer' not in event['extra']
            else event['extra']
        )
        assert (kept['producer'], kept['sequence']) == ('mine', 7)

    def test_a_variable_cannot_pass_for_an_events_id_either(self, make_handler, make_logger):
        """Whatever its name."""
        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client, event_ids=True)
        handler.setFormatter(JSONFormatter(context=[ContextVar('sequence', default='mine')]))
        make_logger(handler).info('Ahoy')
        assert handler.flush()
        (event,) = map(parsed, client.events)
        assert (event['sequence'], event['extra']) == (0, {'sequence': 'mine'})

    def test_what_the_encoder_refuses_leaves_the_event_as_it_was(self):
        """Its values are then taken one by one, without a look at the record again."""
        bind(user='ada', zone='a')
        event = {'message': 'Ahoy', 'ns': 2**60}
        with pytest.raises(TypeError):
            made_context(['firefighter']).dumps(event, None, orjson.OPT_STRICT_INTEGER)
        assert event == {'message': 'Ahoy', 'ns': 2**60}
        assert parsed(made_context(['firefighter']).encode_event(event)) == {
            'message': 'Ahoy',
            'ns': 2**60,
            'user': 'ada',
            'zone': 'a',
        }


class TestVariables:
    def test_a_variable_is_there_under_its_name(self):
        """Unless it is not set, or None. Also by its path, as dictConfig has it."""
        assert added(context=[ContextVar('unset'), OTHERS]) == {}
        OTHERS.set('x')
        assert added(context=[ContextVar('unset', default=1), f'{__name__}:OTHERS']) == {
            'unset': 1,
            'others': 'x',
        }
        assert added(context=[f'{__name__}:TestVariables.inner']) == {'inner': 5}

    inner = ContextVar('inner', default=5)

    @pytest.mark.parametrize('extra', [{}, {'raw': b'x'}, {'ns': 2**60}, {'level': 1}])
    def test_any_value_is_written_as_it_is_in_any_event(self, extra):
        """Whatever else is in the event."""
        for value in (
            uuid.UUID(int=1),
            b'x',
            '\ud800',
            2**60,
            2**64,
            [{1: {2}}],
            Exception('no'),
            orjson.Fragment('{}'),
        ):
            tenant.set(value)
            bind(user='ada')
            event = event_of(extra=extra, context=[tenant, 'firefighter'])
            assert event['tenant'] == event_of(extra={'tenant': value}, context=())['tenant']
            assert event['user'] == 'ada'

    def test_two_of_one_name_are_both_there(self):
        """The first in its place."""
        tenant.set('a')
        other = ContextVar('tenant', default='b')
        assert added(context=[tenant, other]) == {'tenant': 'a', 'extra': {'tenant': 'b'}}
        assert added(context=[tenant, 'firefighter', other, tenant]) == {
            'tenant': 'a',
            'extra': {'tenant': 'b'},
        }

    def test_a_source_that_raises_loses_nothing(self, monkeypatch):
        """The event says what is wrong."""
        library = types.ModuleType('structlog.contextvars')
        library.get_contextvars = lambda: 1 / 0
        monkeypatch.setitem(sys.modules, 'structlog', types.ModuleType('structlog'))
        monkeypatch.setitem(sys.modules, 'structlog.contextvars', library)
        tenant.set('acme')
        bind(user='ada')
        assert added(context=['structlog', tenant, 'firefighter'], extra={'a': 1}) == {
            'a': 1,
            'context_error': 'structlog: ZeroDivisionError: division by zero',
            'tenant': 'acme',
            'user': 'ada',
        }


class TestOptions:
    @pytest.mark.parametrize(
        ('context', 'error', 'words'),
        [
            ('structlog', TypeError, r"like \['structlog'\]"),
            ('package.module:variable', TypeError, r"like \['package.module:variable'\]"),
            (tenant, TypeError, 'a list or tuple'),
            ([5], TypeError, '5 is int'),
            ([{}], TypeError, 'is dict'),
            (['structlgo'], ValueError, "did you mean 'structlog'"),
            (['?'], ValueError, "it knows 'firefighter', 'structlog', "),
            (['no.such.module:x'], ValueError, r"cannot find 'no\.such\.module:x': ModuleNotFoundError"),
            ([f'{__name__}:nothing'], ValueError, 'nothing'),
            ([f'{__name__}:NOT_A_VARIABLE'], ValueError, 'it is no ContextVar but int'),
        ],
    )
    def test_what_is_written_wrong_raises(self, context, error, words):
        """With what to write instead."""
        with pytest.raises(error, match=words):
            JSONFormatter(context=context)

    def test_it_adds_to_the_options_of_the_handler(self, make_handler, make_logger):
        """As all options of a formatter."""
        client = AcceptingClient()
        handler = make_handler('bar', boto3_client=client, fields={'service': 'api'}, event_ids=True)
        handler.setFormatter(
            JSONFormatter(context=[tenant]).with_options_of(JSONFormatter(context=['firefighter', tenant]))
        )
        tenant.set('acme')
        bind(user='ada')
        make_logger(handler).info('Ahoy')
        assert handler.flush()
        (event,) = map(parsed, client.events)
        assert (event['service'], event['tenant'], event['user'], event['sequence']) == (
            'api',
            'acme',
            'ada',
            0,
        )

    def test_dictconfig_can_say_it(self, make_logger):
        """By plain values."""
        import logging.config

        name = f'{__name__}:tenant'
        logging.config.dictConfig(
            {
                'version': 1,
                'disable_existing_loggers': False,
                'formatters': {
                    'json': {'()': 'firefighter.formatting.JSONFormatter', 'context': ['firefighter', name]}
                },
                'handlers': {
                    'firehose': {
                        'class': 'firefighter.logging.FirehoseHandler',
                        'delivery_stream_name': 'bar',
                        'formatter': 'json',
                    }
                },
                'loggers': {'shop': {'handlers': ['firehose']}},
            }
        )
        (handler,) = logging.getLogger('shop').handlers
        logging.getLogger('shop').removeHandler(handler)
        tenant.set('acme')
        bind(user='ada')
        assert isinstance(handler, FirehoseHandler)
        assert added(formatter=handler.formatter) == {'tenant': 'acme', 'user': 'ada'}
        handler.close()

    def test_copies_and_pickles_do_the_same(self):
        """A pickle needs the path of a variable: Python cannot pickle one."""
        bind(user='ada')
        tenant.set('acme')
        formatter = JSONFormatter(context=['firefighter', f'{__name__}:tenant'])
        for twin in (copy.copy(formatter), copy.deepcopy(formatter), pickle.loads(pickle.dumps(formatter))):
            assert added(formatter=twin) == {'user': 'ada', 'tenant': 'acme'}
        assert added(formatter=copy.copy(JSONFormatter(context=[tenant]))) == {'tenant': 'acme'}

    def test_without_a_context_nothing_is_imported_for_it(self):
        """Of two formatters in one process, either has its own."""
        bind(user='ada')
        with_context, without = JSONFormatter(context=['firefighter']), JSONFormatter()
        for _ in range(2):
            assert added(formatter=without) == {}
            assert added(formatter=with_context) == {'user': 'ada'}
        assert without._dumps is orjson.dumps


names = st.sampled_from(
    ['user', 'level', 'message', 'extra', 'service', 'pid', 'exception', 'stack', 'args', 'data', 'a', 'b']
)
values = (
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from(['x', '\ud800', b'raw', 2**60, [{'n': 1}]])
)
some = st.dictionaries(names, values, max_size=4)


def everything(value):
    """Return the texts of all values that are in one, at any depth, and of the value itself."""
    inner = [text for one in value.values() for text in everything(one)] if isinstance(value, dict) else []
    return [repr(value), *inner]


@given(st.dictionaries(names, values, min_size=1), some, some, st.booleans(), st.booleans(), st.booleans())
@example({'user': 1, 'a': 2}, {'user': 3}, {}, True, False, False)
@example({'user': 1, 'a': 2}, {'a': 3}, {}, True, False, False)
def test_whatever_is_bound_no_name_is_twice_and_no_value_is_lost(
    bound, message, extra, is_dict, protected, failed
):
    """It is the event without a context, and what is bound, all of it."""
    extra = {name: value for name, value in extra.items() if name not in {'message', 'args', 'exc_info'}}
    given_ = {
        'message': message if is_dict else 'Ahoy',
        'extra': extra,
        'error': (ValueError, ValueError('no'), None) if failed else None,
        'protect_fields': protected,
        'fields': {'service': 'api'},
        'include': ['pid'],
    }
    without = event_of(context=(), **given_)

    def with_bound():
        bind(**bound)
        return event_of(**given_)

    event = Context().run(with_bound)
    for name, value in without.items():
        if name not in {'timestamp', 'extra', 'exception'}:
            assert event[name] == value
    there = everything(event)
    for name, value in bound.items():
        written = event_of({'value': value}, context=())['value']
        assert repr(written) in there
        if name not in without and name != 'extra':
            assert event[name] == written
    for value in extra.values():
        assert repr(event_of({'value': value}, context=())['value']) in there
