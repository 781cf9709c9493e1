"""The published JSON Schemas are those of the records, and tell a document from what is none."""

import copy
import functools
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from leakaudit import audits, catalog, gate, schema, store
from leakaudit.render import Report
from leakaudit.report import report

sys.path.insert(0, str(Path(__file__).parent / "render"))

import synthetic

KINDS = ("audit", "report")
PUBLISHED = Path(schema.__file__).parent / "schemas"
Json = dict[str, Any]


@functools.cache
def published(kind: str) -> Json:
    """A schema as it ships."""
    read: Json = json.loads((PUBLISHED / f"{kind}-1.json").read_text(encoding="utf-8"))
    return read


@functools.cache
def checker(kind: str) -> jsonschema.Draft202012Validator:
    """What holds a document to it."""
    return jsonschema.Draft202012Validator(published(kind))


def broken(document: Json, kind: str = "audit") -> list[str]:
    """Where a document does not hold to the schema of that kind."""
    errors = checker(kind).iter_errors(document)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


def rendered(made: Report) -> Json:
    """The report as `--format json` has it."""
    read: Json = json.loads(catalog.thing("render", "json").render(made, width=80))
    return read


@pytest.fixture(scope="module")
def document() -> Json:
    """An audit in which everything is known."""
    plan = replace(synthetic.VANILLA, number=True)
    bare = replace(plan, private="style", target=None, utility=False, deep=False, baselines=False, paper=False)
    return audits.document(synthetic.audit(plan, bare)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_the_generated_one(kind: str) -> None:
    """Whoever adds a field to a record runs `python -m leakaudit schema KIND > leakaudit/schemas/KIND-1.json`."""
    generated = store.to_text(schema.KNOWN[kind]())
    assert (PUBLISHED / f"{kind}-1.json").read_text(encoding="utf-8") == generated


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_one_of_2020_12(kind: str) -> None:
    """It holds to its own dialect, names itself by kind and format, and needs no other file."""
    found = published(kind)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$id"] == f"urn:leakaudit:{kind}:1"
    assert found["properties"]["format"] == {"const": 1}
    pointers = {part.split('"')[0] for part in json.dumps(found).split('"$ref": "')[1:]}
    assert pointers == {f"#/$defs/{name}" for name in found["$defs"]}


def test_the_wheel_holds_it(repository: Path) -> None:
    """It lies inside the package, which the wheel takes whole."""
    build = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == [PUBLISHED.parent.name] == ["leakaudit"]
    assert not {"exclude", "only-include"} & {*build, *build["targets"]["wheel"]}
    assert {file.name for file in PUBLISHED.iterdir()} == {f"{kind}-1.json" for kind in KINDS}


def test_the_command_prints_it(leakaudit_here: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    """`leakaudit schema audit` is the file that ships."""
    done = leakaudit_here("schema", "audit")
    assert done.returncode == 0
    assert json.loads(done.stdout) == published("audit")


@pytest.mark.parametrize("verdict", list(synthetic.BY_VERDICT))
def test_made_up_audits_hold_to_it(verdict: str) -> None:
    """Every verdict, with pictures and reconstruction."""
    assert not broken(audits.document(synthetic.audit(synthetic.BY_VERDICT[verdict])[0]))


def test_an_audit_in_which_everything_is_known_holds_to_it(document: Json) -> None:
    """Several attributes, one without a target, one that is a number."""
    assert not broken(document)


def test_a_report_document_holds_to_its_own() -> None:
    """Comparisons, a ranking of three and gates, each audit whole."""
    plans = list(synthetic.BY_VERDICT.values())[:3]
    made = report([synthetic.audit(plan) for plan in plans], (gate.parse("max-excess", "0.5"),))
    whole = rendered(made)
    assert len(whole["comparisons"]) == 2
    assert not broken(whole, "report")
    whole["audits"][1].pop("verdict")
    assert broken(whole, "report")


def put(document: Json, path: str, value: Any) -> Json:
    """The document with another value there, or without it where the value is `...`."""
    changed = copy.deepcopy(document)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = changed
    for part in way:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return changed


WRONG: list[tuple[str, Any]] = [
    ("verdict", ...),
    ("verdict", "PASS"),
    ("format", 2),
    ("kind", "report"),
    ("sha256", ...),
    ("sha256", "f" * 63),
    ("tolerance", "0.1"),
    ("tolerance", float("nan")),
    ("tolerance", float("inf")),
    ("tolerance", float("-inf")),
    ("attributes", {}),
    ("attributes.0.private", None),
    ("attributes.0.rows.scored", 1.5),
    ("attributes.0.rows.scored", True),
    ("attributes.0.figures.excess", 0.5),
    ("attributes.0.figures.excess.low", ...),
    ("attributes.0.figures.excess.value", float("nan")),
    ("attributes.0.findings.0.converged", "yes"),
    ("attributes.0.reconstruction.pictures.rows.0", ["truth"]),
    ("attributes.0.separation.0.span.0", None),
]


@pytest.mark.parametrize(("path", "value"), WRONG, ids=[f"{path}={value}" for path, value in WRONG])
def test_what_is_no_document_does_not_hold_to_it(document: Json, path: str, value: Any) -> None:
    """A key is missing, a value has another type, or a number is none."""
    assert not checker("audit").is_valid(put(document, path, value))


@pytest.mark.parametrize("path", ["later", "attributes.0.later", "attributes.0.figures.excess.later"])
def test_keys_of_later_versions_are_allowed(document: Json, path: str) -> None:
    """A reader passes over what it does not know, and so does the schema."""
    assert not broken(put(document, path, {"any": [1]}))


@pytest.mark.parametrize("path", ["utility", "attributes.0.learning", "attributes.0.p_h", "warnings"])
def test_what_earlier_versions_did_not_write_may_be_missing(document: Json, path: str) -> None:
    """A field with a default is not required."""
    assert not broken(put(document, path, ...))


def test_every_field_that_is_explained_is_explained_in_it() -> None:
    """What stands under a field in its record stands at its key."""
    found = published("audit")["$defs"]
    assert found["Figures"]["properties"]["lower"]["description"] == "One-sided 95 % lower bound of E."
    assert found["Attribute"]["properties"]["labels_needed"]["default"] is None
    assert (
        len(
            [
                1
                for record in found.values()
                for field in record.get("properties", {}).values()
                if "description" in field
            ]
        )
        > 60
    )
