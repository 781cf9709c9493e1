"""
The catalog: a room is a folder, a thing is a file in it, a knob is a keyword argument with a default.

This is the whole extension mechanism. Nothing is registered, and nothing is imported until it is asked for by name.
"""

import difflib
import importlib
import importlib.util
import inspect
import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from leakaudit.errors import InputError

SHELVES = ("timm", "torchvision")
"""Things that hold many models by name: what is typed first after the colon is the knob `model`."""
ROOMS = ("datasets", "backbones", "debias", "attackers", "decoders", "weights", "engines", "render")


class Call(NamedTuple):
    """A thing's name and the knobs it is called with."""

    name: str
    knobs: dict[str, Any]

    def __str__(self) -> str:
        """The way it is typed: `biased-mnist:rho=0.99`, `timm:resnet18:drop_rate=0.1`."""
        model = self.knobs.get("model") if self.name in SHELVES else None
        name = f"{self.name}:{model}" if model else self.name
        rest = {knob: value for knob, value in self.knobs.items() if not model or knob != "model"}
        knobs = ",".join(f"{knob}={_toml(value)}" for knob, value in rest.items())
        return f"{name}:{knobs}" if knobs else name


def names(room: str) -> list[str]:
    """The things in a room, in alphabetical order, without importing any."""
    if room not in ROOMS:
        raise InputError(f"no room {room!r}. {suggest(room, ROOMS)}")
    folder = Path(__file__).parent / room
    return sorted(file.stem.replace("_", "-") for file in folder.glob("*.py") if not file.stem.startswith("_"))


def thing(room: str, name: str, where: str = "") -> ModuleType:
    """
    The module of a thing.

    Raises:
        InputError: the room has no such thing; the message names the nearest.
    """
    if name not in names(room):
        others = suggest(name, names(room), LIST.format(room))
        raise InputError(f"{where + ': ' if where else ''}no {SINGULAR[room]} {name!r}. {others}")
    return importlib.import_module(f"leakaudit.{room}.{name.replace('-', '_')}")


SINGULAR = {
    "datasets": "data set",
    "backbones": "backbone",
    "debias": "method",
    "attackers": "attacker",
    "decoders": "decoder",
    "weights": "weight format",
    "engines": "engine",
    "render": "format",
}


def summary(room: str, name: str) -> str:
    """The first line of a thing's docstring, read without importing it."""
    import ast

    source = (Path(__file__).parent / room / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n", maxsplit=1)[0]


def knobs(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The knobs of a function: its keyword-only arguments that have a default."""
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    }


def check(function: Callable[..., Any], table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """
    The table as keyword arguments of `function`.

    Raises:
        InputError: an unknown knob or a wrong type; the message names `where`, the knob and the knobs there are.
    """
    known = knobs(function)
    hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    checked = {}
    for name, value in table.items():
        if name not in known:
            raise InputError(f"{where}: no knob {name!r}. {suggest(name, known)}")
        checked[name] = _typed(value, hints.get(name, Any), f"{where}: {name}")
    return checked


def call(room: str, text: str, where: str) -> Call:
    """
    `NAME[:KNOBS]` as a call of a thing in a room, without importing it.

    Raises:
        InputError: the room has no such thing, or a part is not `knob=value`.
    """
    parsed = parse(text, where)
    if parsed.name not in names(room):
        raise InputError(
            f"{where}: no {SINGULAR[room]} {parsed.name!r}. {suggest(parsed.name, names(room), LIST.format(room))}"
        )
    return parsed


def check_counts(function: Callable[..., Any], table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """
    The table as keyword arguments of `function`, all of whose numbers are counts or rates.

    Raises:
        InputError: as `check`; or a number is below zero, or a count is zero where that does not mean "by rows".
    """
    checked = check(function, table, where)
    for name, value in checked.items():
        for number in value if isinstance(value, tuple) else (value,):
            count = isinstance(number, int) and knobs(function)[name].default != 0
            if isinstance(number, (int, float)) and not (number > 0 or (number == 0 and not count)):
                raise InputError(f"{where}: {name} = {number}: a number above 0 expected")
    return checked


def parse(text: str, where: str) -> Call:
    """
    `NAME` or `NAME:knob=value,knob=value` as a call; values are TOML, or plain words.

    What holds many models takes the model first: `timm:resnet18`, `timm:resnet18:drop_rate=0.1`.

    Raises:
        InputError: a part is not `knob=value`.
    """
    name, _, rest = text.partition(":")
    table: dict[str, Any] = {}
    if name in SHELVES:
        model = re.match(r"[^=:,]*(?=[:,]|$)", rest)
        table |= {"model": model[0].strip()} if model and model[0] else {}
        rest = rest[model.end() :].removeprefix(":") if model else rest
    for part in filter(None, rest.split(",")):
        knob, equals, value = part.partition("=")
        if not equals or not knob:
            raise InputError(f"{where} {text!r}: NAME or NAME:knob=value,knob=value expected")
        table[knob.strip().replace("-", "_")] = parse_value(value.strip())
    return Call(name, table)


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself where it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


LIST = "leakaudit list {}"
"""What lists all of a room."""
MANY = 12
"""Names that a message lists."""
FEW = 3
"""Those that it lists of more, the nearest, where a command lists all."""


def suggest(name: str, choices: Iterable[str], listed: str = "") -> str:
    """
    `Did you mean ...? There are: ...`, for the end of a message.

    Of more than `MANY` names the nearest are said, and what lists the rest, which is `listed`.
    """
    known = sorted(choices)
    if not known:
        return "There are none."
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    if len(known) <= MANY:
        return f"{hint}There are: {', '.join(known)}."
    most = FEW if listed else MANY
    first = difflib.get_close_matches(name, known, n=most, cutoff=0.0)
    return f"{hint}There are: {', '.join(first)}, and {len(known) - most} more{f': {listed}' if listed else '.'}"


def _typed(value: Any, hint: Any, where: str) -> Any:
    """The value as the annotation wants it; whole numbers become floats where a float is asked for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for part in arguments:
            try:
                return _typed(value, part, where)
            except InputError:
                continue
        raise InputError(f"{where} = {value!r}: {_spell(hint)} expected")
    if origin is typing.Literal:
        if value not in arguments:
            raise InputError(f"{where} = {value!r}: one of {', '.join(map(repr, arguments))} expected")
        return value
    if hint in (bool, int, str, float, list, dict, type(None)):
        if hint is float and type(value) is int:
            return float(value)
        if type(value) is not hint:
            raise InputError(f"{where} = {value!r}: {_spell(hint)} expected")
        if hint is float and not math.isfinite(value):
            raise InputError(f"{where} = {value}: a finite number expected")
        return value
    if origin in (tuple, list):
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where} = {value!r}: a list expected")
        return origin(_typed(part, arguments[0], where) for part in value)
    return value


def _spell(hint: Any) -> str:
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a table",
    }
    if typing.get_origin(hint) in (tuple, list):
        return f"a list of which each is {_spell(typing.get_args(hint)[0])}"
    if typing.get_args(hint):
        return " or ".join(_spell(part) for part in typing.get_args(hint))
    return words.get(hint, "nothing" if hint is type(None) else str(hint))


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
