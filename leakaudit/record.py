"""
Frozen records to JSON and back.

A record is a frozen dataclass or a `NamedTuple` of plain values, tuples, string-keyed dicts and other records. JSON
has no NaN: a float that is not finite is a bug on the way out and a damaged file on the way in.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from leakaudit.errors import RefusedError

Record = TypeVar("Record")
Json = Any


def to_json(value: object) -> Json:
    """Plain JSON values of a record; key order is field order."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: to_json(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): to_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(part) for part in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if hasattr(value, "item"):
        return to_json(value.item())
    if isinstance(value, float):
        assert math.isfinite(value), "a figure that is not finite must be None"
        return value
    assert isinstance(value, int), f"not a plain value: {type(value).__name__}"
    return value


def from_json(kind: type[Record], data: Json, where: str) -> Record:
    """
    The record of type `kind` that `data` holds; unknown keys are ignored, so that later minor versions stay readable.

    Raises:
        RefusedError: a key is missing or a value has the wrong type; `where` names the file.
    """
    return typing.cast(Record, _parse(kind, data, where))


def _parse(kind: Any, data: Json, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if origin in (Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        return _parse(next(part for part in arguments if part is not type(None)), data, where)
    if origin is tuple:
        return _parse_tuple(arguments, data, where)
    if origin in (dict, Mapping):
        _expect(data, Mapping, where)
        return {name: _parse(arguments[1], part, f"{where}.{name}") for name, part in data.items()}
    if origin is typing.Literal:
        if data not in arguments:
            raise RefusedError(f"{where}: {data!r} is none of {', '.join(map(str, arguments))}")
        return data
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return _parse_record(kind, data, where)
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool):
        return _parse_float(data, where)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise RefusedError(f"{where}: {kind.__name__} expected, {type(data).__name__} found")
    return data


def _parse_tuple(arguments: tuple[Any, ...], data: Json, where: str) -> tuple[Any, ...]:
    _expect(data, Sequence, where)
    kinds = [arguments[0]] * len(data) if Ellipsis in arguments else arguments
    if len(data) != len(kinds):
        raise RefusedError(f"{where}: {len(kinds)} parts expected, {len(data)} found")
    return tuple(_parse(kind, part, f"{where}[{i}]") for i, (kind, part) in enumerate(zip(kinds, data, strict=True)))


def _parse_float(data: float, where: str) -> float:
    try:
        value = float(data)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise RefusedError(f"{where}: a finite number expected")
    return value


def _parse_record(kind: Any, data: Json, where: str) -> Any:
    _expect(data, Mapping, where)
    values = {}
    for name, hint in _hints(kind).items():
        if typing.get_origin(hint) is typing.ClassVar:
            continue
        if name in data:
            values[name] = _parse(hint, data[name], f"{where}.{name}")
        elif not _has_default(kind, name):
            raise RefusedError(f"{where}: no {name!r}")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _has_default(kind: Any, name: str) -> bool:
    if hasattr(kind, "_fields"):
        return name in kind._field_defaults
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _expect(data: Json, kind: Any, where: str) -> None:
    if not isinstance(data, kind) or (isinstance(data, str) and kind is Sequence):
        raise RefusedError(f"{where}: {kind.__name__.lower()} expected, {type(data).__name__} found")
