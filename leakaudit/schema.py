"""
JSON Schemas (2020-12): of a recipe, read off the signatures it calls; of an audit and of a report, off their records.

Those of documents are published in `leakaudit/schemas/`, one file per kind and format, and a test holds them equal to
what stands here. Whoever adds a field writes them anew:

    for kind in audit report; do python -m leakaudit schema $kind > leakaudit/schemas/$kind-1.json; done

Later minor versions add fields with a default, so that keys a schema does not know are allowed; what a reader has to
find is required. NaN is no JSON, and a reader that takes it for a number is told that it is none.
"""

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leakaudit import catalog, record
from leakaudit.audits import Audit
from leakaudit.recipe import Training
from leakaudit.render import Report
from leakaudit.render.json import FIELDS

MAKERS = {"dataset": ("datasets", "load"), "backbone": ("backbones", "build"), "method": ("debias", "objective")}
PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
FORMAT = 1
LARGEST = 1.7976931348623157e308
FINITE = {
    "description": "a finite number; NaN is neither under nor over a bound, and so is refused with the infinite ones",
    "type": "number",
    "not": {"anyOf": [{"minimum": LARGEST}, {"maximum": -LARGEST}]},
}
SEAL = {
    "description": "Sha256 of the document without this key, as store.digest(store.canonical(document)).",
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
}
OPEN = "Keys that are not listed may stand beside those that are: readers pass over what they do not know."


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
        "$schema": DIALECT,
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


def of_audit() -> dict[str, Any]:
    """JSON Schema 2020-12 of an audit document of format 1, read off the records that it is written from."""
    return _document("audit", _first(Audit), Audit, _Records())


def of_report() -> dict[str, Any]:
    """The same of a report document: several audits side by side, each a whole document with its own seal."""
    records = _Records()
    audit = _document("audit", _first(Audit), Audit, records)
    records.made[Audit.__name__] = {key: audit[key] for key in ("description", "type", "properties", "required")}
    return _document("report", "Audits side by side, compared and judged.", Report, records, FIELDS)


KNOWN = {"recipe": of_recipe, "audit": of_audit, "report": of_report}
"""What `leakaudit schema` prints."""


class _Records:
    """Definitions of the frozen records that are met, each once."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {"number": dict(FINITE)}

    def of(self, hint: Any) -> dict[str, Any]:
        """The schema of a type as `record.from_json` reads it."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if hint is float:
            return {"$ref": "#/$defs/number"}
        if hint in PLAIN:
            return {"type": PLAIN[hint]}
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.of(part) if part is not type(None) else {"type": "null"} for part in arguments]}
        if origin is tuple and arguments[-1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is tuple:
            each = [self.of(part) for part in arguments]
            return {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}
        if origin in (dict, Mapping):
            values = self.of(arguments[1])
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        if hint is Any:
            return {}
        return self._reference(hint)

    def _reference(self, kind: Any) -> dict[str, Any]:
        if kind.__name__ not in self.made:
            self.made[kind.__name__] = {}
            self.made[kind.__name__] = self.table(kind)
        return {"$ref": f"#/$defs/{kind.__name__}"}

    def table(self, kind: Any) -> dict[str, Any]:
        """An object with the fields of a record; those with a default may be missing, and others may stand beside."""
        said, hints = _said(kind), typing.get_type_hints(kind)
        defaults = _defaults(kind)
        properties = {}
        for name, hint in hints.items():
            if typing.get_origin(hint) is typing.ClassVar:
                continue
            properties[name] = self.of(hint)
            if name in said:
                properties[name]["description"] = said[name]
            if name in defaults:
                properties[name]["default"] = defaults[name]
        required = [name for name in properties if name not in defaults]
        return {"description": _first(kind), "type": "object", "properties": properties, "required": required}


def _document(kind: str, said: str, record_kind: Any, records: _Records, only: Sequence[str] = ()) -> dict[str, Any]:
    table = records.table(record_kind)
    names = [name for name in table["properties"] if not only or name in only]
    return {
        "$schema": DIALECT,
        "$id": f"urn:leakaudit:{kind}:{FORMAT}",
        "title": f"leakaudit {kind}",
        "description": f"{said} {OPEN}",
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            "kind": {"const": kind},
            **{name: table["properties"][name] for name in names},
            **({"sha256": SEAL} if kind == "audit" else {}),
        },
        "required": ["format", "kind", *(name for name in table["required"] if name in names)]
        + (["sha256"] if kind == "audit" else []),
        "$defs": dict(sorted(records.made.items())),
    }


def _first(kind: Any) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0]


def _said(kind: Any) -> dict[str, str]:
    """What stands under each field of a record, read from its source."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    said = {}
    for field, words in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant):
            said[ast.unparse(field.target)] = " ".join(str(words.value.value).split())
    return said


def _defaults(kind: Any) -> dict[str, Any]:
    """The value of every field that may be missing, as JSON."""
    if hasattr(kind, "_fields"):
        return {name: record.to_json(value) for name, value in kind._field_defaults.items()}
    found = {}
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            found[field.name] = record.to_json(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = record.to_json(field.default_factory())
    return found


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
