"""What a program binds to a context: fields of each event that is logged in it, encoded when they are bound.

One fragment of JSON holds them all, such as `"5f2b","user":"ada"`: orjson writes it behind the first name, as if it were the value of that
one alone. So ten fields cost an event little more than one. The names in it are known beside it, since none may be in an event twice.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from firefighter._event.encoder import orjson
from firefighter._event.json_values import PLAIN, encode_value, free_name, key_text

__all__ = ['Binding', 'BoundFields', 'bind', 'bound', 'unbind']


_Function = TypeVar('_Function', bound=Callable[..., Any])


class BoundFields:
    """Fields that are bound together; they do not change.

    Args:
        fields: at least one; values that JSON has.

    Attributes:
        first: the first name, behind which `encoded` is written.
        free_in: who has found last that the names are free in its events.
        clean_for: who has found last that it has nothing to hide in them.
    """

    __slots__ = ('clean_for', 'encoded', 'fields', 'first', 'free_in', 'names')

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.names = frozenset(fields)
        self.first = next(iter(fields))
        around = len(b'{:') + len(orjson.dumps(self.first))
        self.encoded = orjson.Fragment(orjson.dumps(fields)[around:-1])
        self.free_in: object = None
        self.clean_for: object = None


bound: ContextVar[BoundFields | None] = ContextVar('firefighter', default=None)
"""What is bound in the current context; None: nothing."""

_entered: ContextVar[tuple[tuple[Binding, _Change], ...]] = ContextVar('firefighter_entered', default=())
"""The `with` statements that the current context is in, the innermost last, and what each has changed."""


class _Change(NamedTuple):
    """What a binding has changed in a context."""

    before: BoundFields | None
    after: BoundFields | None


class Binding:
    """What `bind` has done, to be undone at the end of a `with` statement; or a decorator.

    A further `with` statement binds the same fields again. Any number of tasks and threads may do so at once.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields
        # The first `with` statement is to undo it.
        self._first: _Change | None = self._bind()

    def __enter__(self) -> None:
        change, self._first = self._first, None
        if change is None or not self._is_bound():
            change = self._bind()
        _entered.set((*_entered.get(), (self, change)))

    def __exit__(self, *_: object) -> None:
        entered = _entered.get()
        for place in reversed(range(len(entered))):
            if entered[place][0] is self:
                _entered.set(entered[:place] + entered[place + 1 :])
                self._undo(entered[place][1])
                return
        # In another context, since a server may end a request in another thread than it has begun it in; or without a beginning.
        if self._is_bound():
            self._undo(self._first or _Change(None, None))

    def _bind(self) -> _Change:
        before = after = bound.get()
        if self._fields:
            after = BoundFields(_fields_of(before) | self._fields)
            bound.set(after)
        return _Change(before, after)

    def _undo(self, change: _Change) -> None:
        now = bound.get()
        if now is change.after:
            bound.set(change.before)
            return
        # Something else was bound meanwhile, and stays.
        before, fields = _fields_of(change.before), dict(_fields_of(now))
        for name in fields.keys() & self._fields.keys():
            if name in before:
                fields[name] = before[name]
            else:
                del fields[name]
        _set(fields)

    def _is_bound(self) -> bool:
        """Return whether what this has bound is bound in the current context, at least some of it."""
        fields = _fields_of(bound.get())
        return any(fields.get(name) is value for name, value in self._fields.items())

    def __call__(self, function: _Function) -> _Function:
        """Return a function that binds the fields at each call, until it returns. They are not bound here any more.

        Raises:
            TypeError: it is a class or a generator function, whose work is done after the call; or no function yet, as with `@staticmethod`
                below.
        """
        if self._first is not None:
            self._undo(self._first)
        given: Any = function
        works_later = inspect.isclass, inspect.isgeneratorfunction, inspect.isasyncgenfunction
        if (
            not callable(given)
            or isinstance(given, staticmethod)
            or any(is_such(given) for is_such in works_later)
        ):
            raise TypeError(f'bind cannot decorate {given!r}: write `with bind(...):` within it')
        fields = self._fields

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with Binding(fields):
                result = function(*args, **kwargs)
            # Of a decorator around a coroutine function, or of an `async def __call__`.
            return wait(result) if inspect.iscoroutine(result) else result

        async def wait(coroutine: Coroutine[Any, Any, Any]) -> Any:
            with Binding(fields):
                return await coroutine

        @functools.wraps(function)
        async def call_and_wait(*args: Any, **kwargs: Any) -> Any:
            return await wait(function(*args, **kwargs))

        decorated: Any = call_and_wait if inspect.iscoroutinefunction(function) else call
        return decorated  # type: ignore[no-any-return]


def bind(**fields: object) -> Binding:
    """Add fields to each event that is logged from now on in the current context: the task, or the thread where there is none.

    They are in the events of each formatter whose `context` names `'firefighter'`. A name that is bound already gets the new
    value. Values are encoded here, once: changing an object later has no effect. What JSON does not have becomes what it becomes in any
    event.

    Args:
        **fields: names and values.

    Returns:
        An object for a `with` statement, at the end of which the names have again the values that they had before, unless `unbind` has taken
        them out. Without that they stay until `unbind`, or until the context ends. As a decorator, `@bind(job='bill')`, it binds them for each call of a function.
    """
    return Binding(_as_json(fields) if fields else {})


def unbind(*names: str) -> None:
    """Take fields out of the current context: those of these names, as far as there are any; without a name, all."""
    _set({name: value for name, value in _fields_of(bound.get()).items() if names and name not in names})


def _fields_of(known: BoundFields | None) -> dict[str, Any]:
    return {} if known is None else known.fields


def _set(fields: dict[str, Any]) -> None:
    bound.set(BoundFields(fields) if fields else None)


def _as_json(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON has in place of names and values of any kind."""
    if PLAIN.issuperset(map(type, fields.values())):
        try:
            orjson.dumps(fields, None, orjson.OPT_STRICT_INTEGER)
        except Exception:  # A surrogate, a large integer, a name that is not quite a `str`.
            pass
        else:
            return fields
    encoded: dict[str, orjson.Fragment] = {}
    for name, value in fields.items():
        encoded[free_name(key_text(name), encoded)] = encode_value(value)
    clean: dict[str, Any] = orjson.loads(orjson.dumps(encoded))
    return clean
