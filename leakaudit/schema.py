"""The JSON Schema of a recipe, read off the signatures that recipes call."""

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from leakaudit import catalog
from leakaudit.recipe import Training

MAKERS = {"dataset": ("datasets", "load"), "backbone": ("backbones", "build"), "method": ("debias", "objective")}
PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def of_recipe() -> dict[str, Any]:
    """JSON Schema 2020-12 of a recipe: every table, every thing, every knob with its type and default."""
    tables: dict[str, Any] = {
        table: {"oneOf": [_thing(room, name, maker) for name in catalog.names(room)]}
        for table, (room, maker) in MAKERS.items()
    }
    for choice in tables["dataset"]["oneOf"]:
        label = {"type": "string", "description": "name of a label column"}
        choice["properties"] |= {"target": label, "private": label}
        choice["required"] += ["target", "private"]
    promise = {
        "type": "object",
        "properties": {"value": {"type": "number"}, "tolerance": {"type": "number"}, "source": {"type": "string"}},
        "required": ["value", "tolerance", "source"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "leakaudit recipe",
        "type": "object",
        "properties": {
            **tables,
            "train": _table(Training),
            "promise": {"type": "object", "additionalProperties": promise},
        },
        "required": list(MAKERS),
        "additionalProperties": False,
    }


def _thing(room: str, name: str, maker: str) -> dict[str, Any]:
    table = _table(getattr(catalog.thing(room, name), maker))
    table["description"] = catalog.summary(room, name)
    table["properties"] = {"name": {"const": name}} | table["properties"]
    table["required"] = ["name"]
    return table


def _table(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    properties = {}
    for name, parameter in catalog.knobs(function).items():
        properties[name] = _type(hints.get(name, Any))
        if isinstance(parameter.default, (bool, int, float, str)):
            properties[name]["default"] = parameter.default
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _type(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_type(part) for part in arguments if part is not type(None)]}
    if origin in (tuple, list):
        return {"type": "array", "items": _type(arguments[0])}
    return {}
