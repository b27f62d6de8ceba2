"""What a value of another library is in Python's own terms: a number, a list, fields, a text or None.

One step at a time: a list or fields may hold other foreign values, which are asked about by themselves.

| value | becomes |
|---|---|
| a number or boolean of numpy | the number, the boolean |
| an array, of numpy or of the standard library | a list; of more than `MAX_ITEMS` values the first ones, then a text that says how many there were |
| datetime64, timedelta64, pandas' Timestamp | a text with all digits, nanoseconds too |
| NaT, pandas' NA, what a masked array hides | None |
| a model of pydantic | the fields that its `repr` shows |
| a mapping that is no dict | its keys and values |

Nothing is imported. A type is known by its name and its package, along its bases: an object of it exists only where the
program has imported its library. Methods are taken from the library's own type, so what a subclass overrides is not called
(`tolist`, `__len__`), nor is `model_dump`, which knows nothing of `repr=False`. Where the author of a model has written a
`__str__` or a `__repr__`, the value is that text: it may be there to hide something.

What is called may raise: the caller has a text for that. A mapping may also have no end, so no more than `MAX_ITEMS` of its
keys are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

__all__ = ['MAX_ITEMS', 'Fields', 'find_simplification', 'simplify_mapping']

#: So many values of an array are written. It is from where on numpy's own `str` abbreviates.
MAX_ITEMS = 1000

Simplification = Callable[[Any], object]

# As the type itself says, without asking its metaclass.
_name_of = type.__dict__['__name__'].__get__
_module_of = type.__dict__['__module__'].__get__


class Fields(list[tuple[object, object]]):
    """Names and values. Not a dict, since two names may be equal."""


def find_simplification(kind: type) -> Simplification | None:
    """Return what simplifies the values of a type, or None for one that is not known. Its bases are asked about by themselves."""
    known = _SIMPLIFICATIONS.get(_name_of(kind))
    if known is None:
        return None
    package, make = known
    module = _module_of(kind)
    return make(kind) if type(module) is str and module.partition('.')[0] == package else None


def simplify_mapping(value: Mapping[object, object]) -> Fields:
    """Return the keys and values of any mapping.

    Raises:
        ValueError: it has too many, or no end.
    """
    items = Fields(islice(type(value).items(value), MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        raise ValueError(f'more than {MAX_ITEMS} keys')
    return items


def _null(_: type) -> Simplification:
    return lambda _: None


def _timestamp(kind: Any) -> Simplification:
    def simplify(value: Any) -> str:
        written: str = kind.isoformat(value)
        return written.removesuffix('+00:00') + 'Z' if written.endswith('+00:00') else written

    return simplify


def _numpy_scalar(kind: Any) -> Simplification:
    def simplify(value: Any) -> object:
        dtype = value.dtype
        if dtype.kind in 'mM':
            written = str(value)
            return None if written == 'NaT' else written
        if dtype.names:
            return Fields((name, value[name]) for name in dtype.names)
        item = kind.item(value)
        # The widest numbers have no equivalent in Python, and come back as they are.
        if type(item) is type(value):
            return float(item) if dtype.kind == 'f' else str(item)
        return item

    return simplify


def _numpy_array(kind: Any) -> Simplification:
    def simplify(value: Any) -> object:
        array = kind.view(value, kind)  # without what a subclass overrides
        if not array.shape:
            # A single value that is masked has itself as its item.
            return array.tolist() if hasattr(kind, 'mask') else array[()]
        length, *inner = array.shape
        first = array[: max(1, MAX_ITEMS // max(1, math.prod(inner)))]
        # `tolist` is quick, but of a time with nanoseconds it makes a bare number.
        return _cut(first.tolist() if not inner and first.dtype.kind in 'biuf' else list(first), length)

    return simplify


def _standard_array(kind: Any) -> Simplification:
    return lambda value: _cut(kind.tolist(kind.__getitem__(value, slice(MAX_ITEMS))), kind.__len__(value))


def _cut(items: list[Any], length: int) -> list[Any]:
    """Say behind the first items of an array how many there were."""
    if length > len(items):
        items.append(f'<the first {len(items)} of {length}>')
    return items


def _pydantic_model(kind: Any) -> Simplification:
    def simplify(value: Any) -> object:
        own = type(value)
        if own.__str__ is not kind.__str__:
            return str(value)
        if own.__repr__ is not kind.__repr__:
            return repr(value)
        return value.root if _name_of(kind) == 'RootModel' else Fields(own.__repr_args__(value))

    return simplify


# By the name of a class: the package that it must be of, and what makes the simplification for that class.
_SIMPLIFICATIONS: dict[str, tuple[str, Callable[[type], Simplification]]] = {
    'generic': ('numpy', _numpy_scalar),
    'ndarray': ('numpy', _numpy_array),
    'MaskedArray': ('numpy', _numpy_array),
    'array': ('array', _standard_array),
    'Timestamp': ('pandas', _timestamp),
    'NaTType': ('pandas', _null),
    'NAType': ('pandas', _null),
    'BaseModel': ('pydantic', _pydantic_model),
    'RootModel': ('pydantic', _pydantic_model),
}
