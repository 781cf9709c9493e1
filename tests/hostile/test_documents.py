"""An audit from a stranger ends in a report, or in one line: never in a traceback, and never after long."""

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_audits import ATTRIBUTE, AUDIT

from leakaudit import archive, audits, catalog, outcomes, report, store
from leakaudit.errors import InputError, LeakauditError, RefusedError
from leakaudit.outcomes import Outcomes

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FORMS = [name for name in catalog.names("render") if name != "json"] + ["json"]
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**12, 1e308, -1e308, 1e-320, "", "\ud800", "\u202e<script>", "a" * 9000, [], [[]], {},
    {"a": 1}, ["a"], [None], "NaN", [0.1] * 3, "\x1b[31m", 50_000, -5.5,
)  # fmt: skip
"""What is put in place of a value, or beside it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good audit with its per-row outcomes."""
    audits.save(AUDIT, tmp_path / "a.json")
    return tmp_path / "a.json"


def rows(count: int = 90, **changed: Any) -> Outcomes:
    """Per-row outcomes that fit that audit, whose E is .5: of two private classes all and half are named."""
    plain = {name: np.zeros(count, kind) for name, kind in outcomes.KINDS.items() if name != "gains"}
    plain["private"][-40:] = 1
    hits = np.ones(count, np.uint8)
    hits[-20:] = 0
    made: dict[str, Any] = plain | {"hits": {"nested": hits}} | changed
    return Outcomes(**made)


def sealed(body: dict[str, Any]) -> dict[str, Any]:
    """The document with a sha256 that is right."""
    plain = {name: value for name, value in body.items() if name != "sha256"}
    return {**plain, "sha256": store.digest(store.canonical(plain))}


def write(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The document with a change, sealed anew."""
    data = json.loads(path.read_text())
    change(data)
    path.write_bytes(store.to_text(sealed(data)).encode())


TEXTS = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "deep": lambda _: '{"format":1,"kind":"audit","x":' + "[" * 900 + "]" * 900 + "}",
    "deeper": lambda _: "[" * 10**6,
    "twice": lambda text: text.replace('"verdict": "LEAK"', '"verdict": "WITHIN", "verdict": "LEAK"', 1),
    "NaN": lambda text: text.replace('"tolerance": 0.1', '"tolerance": NaN', 1),
    "endless": lambda text: text.replace('"tolerance": 0.1', '"tolerance": 1e999', 1),
    "digits": lambda text: text.replace('"tolerance": 0.1', f'"tolerance": {"9" * 5000}', 1),
    "beyond 64 bits": lambda text: text.replace('"tolerance": 0.1', f'"tolerance": {10**400}', 1),
    "many": lambda _: '{"format":1,"x":[' + "0," * store.VALUES + "0]}",
    "a list": lambda _: "[]",
    "UTF-16": lambda text: "\ufeff" + text,
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("verb", ["report", "verify", "inspect"])
def test_what_is_no_document_is_refused_in_one_line(path: Path, leakaudit_here: Run, name: str, verb: str) -> None:
    """Exit 4 whichever command reads it, with the file's name; the whole document ends with 0."""
    if name == "truncated":
        assert leakaudit_here(verb, "a.json").returncode == 0
    path.write_text(TEXTS[name](path.read_text()))
    done = leakaudit_here(verb, "a.json")
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith("leakaudit: exit 4: a.json")
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


@pytest.mark.parametrize("verb", ["report", "verify", "inspect"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, leakaudit_here: Run, verb: str) -> None:
    """A pipe, a folder, a link to nothing or to itself: exit 2 at once; a file of 100 MB: exit 4, unread."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "nothing.json").symlink_to("gone")
    (tmp_path / "itself.json").symlink_to("itself.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(100 << 20)
    for name, status in {"pipe": 2, "folder": 2, "nothing": 2, "itself": 2, "huge": 4}.items():
        done = leakaudit_here(verb, f"{name}.json")
        assert (done.returncode, len(done.stderr.splitlines())) == (status, 1), (name, done.stderr)


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list for a record": lambda data: data["attributes"][0].update(figures=[]),
    "a negative count": lambda data: data["attributes"][0]["rows"].update(rows=-1),
    "more scored than there are": lambda data: data["attributes"][0]["rows"].update(scored=91),
    "a share of two": lambda data: data["attributes"][0]["rows"].update(share=2.0),
    "1e308": lambda data: data["attributes"][0]["figures"].update(lower=1e308),
    "an accuracy of a million": lambda data: data["attributes"][0]["figures"]["accuracy"].update(value=1e6),
    "no attribute": lambda data: data.update(attributes=[]),
    "no private class": lambda data: data["attributes"][0].update(classes=[], target_classes=[]),
    "an attribute twice": lambda data: data["attributes"].append(data["attributes"][0]),
    "a name that is a list": lambda data: data["subject"].update(name=["m"]),
    "a command that is a table": lambda data: data.update(provenance={"command": {"a": 1}}),
    "documents that are numbers": lambda data: data.update(provenance={"documents": [1]}),
    "a crossing of another size": lambda data: data["attributes"][0].update(crossing=[[1]]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_does_not_hang_together_is_refused_however_it_is_sealed(path: Path, name: str) -> None:
    """The sha256 is right, the document is none that could have been written."""
    assert audits.load(path) == AUDIT
    write(path, CHANGES[name])
    with pytest.raises(RefusedError, match=r"a\.json") as refused:
        audits.load(path)
    assert "\n" not in str(refused.value)


def test_half_a_letter_stays_text(path: Path, leakaudit_here: Run) -> None:
    """A lone surrogate in a name is no UTF-8: every form spells it out."""
    write(path, lambda data: data["subject"].update(name="m\ud800"))
    for form in FORMS:
        done = leakaudit_here("report", "a.json", "--format", form, "--output", "out")
        assert done.returncode == 0, done.stderr
        assert (path.parent / "out").read_bytes().decode()


DAMAGED: dict[str, tuple[Outcomes | None, str]] = {
    "fewer rows than the audit": (rows(89), "89 rows"),
    "columns of several lengths": (rows(fold=np.zeros(3, np.int64)), "expected"),
    "other types": (rows(target=np.zeros(90, np.float32)), "int64"),
    "two axes": (rows(private=np.zeros((90, 2), np.int64)), "expected"),
    "a class beyond the audit's": (rows(private=np.full(90, 10**12, np.int64)), "class"),
    "a negative class": (rows(private=np.full(90, -1, np.int64)), "private"),
    "two hits in one row": (rows(hits={"nested": np.full(90, 2, np.uint8)}), "hit"),
    "foreign tensors": (None, "no per-row outcomes"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_outcomes_are_refused(path: Path, name: str) -> None:
    """One line that names the file; those that fit are read."""
    beside = outcomes.path_of(path)
    outcomes.save({"colour": rows()}, beside)
    assert archive.read(path)[1] is not None
    made, words = DAMAGED[name]
    if made is None:
        store.write_tensors(beside, {"conv.weight": np.zeros((2, 2), np.float32)})
    else:
        tensors = {f"colour|{key}": getattr(made, key) for key in outcomes.KINDS if key != "gains"}
        tensors |= {f"colour|hit|{key}": values for key, values in made.hits.items()}
        store.write_tensors(beside, tensors)
    with pytest.raises(RefusedError, match=words) as refused:
        archive.read(path)
    assert "a.rows.safetensors" in str(refused.value)


def test_outcomes_that_are_cut_exchanged_huge_or_no_file_are_refused(path: Path) -> None:
    """Cut: 4; of another audit, where the hash is recorded: 4; beyond any size: 4, unread; a pipe: 2, at once."""
    beside = outcomes.path_of(path)
    outcomes.save({"colour": rows()}, beside)
    write(path, lambda data: data.update(provenance={"outcomes": store.digest_file(beside)}))
    assert archive.read(path)[1] is not None
    outcomes.save({"colour": rows(fold=np.ones(90, np.int64))}, beside)
    with pytest.raises(RefusedError, match="not the per-row outcomes that this audit was written with"):
        archive.read(path)
    beside.write_bytes(beside.read_bytes()[:-9])
    with pytest.raises(RefusedError, match="truncated"):
        archive.read(path)
    with beside.open("wb") as file:
        file.truncate(outcomes.LARGEST + 1)
    with pytest.raises(RefusedError, match="at most"):
        archive.read(path)
    beside.unlink()
    os.mkfifo(beside)
    with pytest.raises(InputError, match="pipe"):
        archive.read(path)


def walked(data: Any, chance: random.Random) -> tuple[Any, Any]:
    """A place in a document: a table or list, and a key of it."""
    while True:
        key = chance.choice(list(data)) if isinstance(data, dict) else chance.randrange(len(data))
        inner = data[key]
        if not isinstance(inner, (dict, list)) or not inner or chance.random() < 0.15:
            return data, key
        data = inner


def mutated(data: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The document with a value replaced, left out, repeated, scaled or put beside."""
    for _ in range(chance.choice((1, 1, 2))):
        place, key = walked(data, chance)
        way, value = chance.random(), place[key]
        if way < 0.6:
            place[key] = chance.choice(VALUES)
        elif way < 0.75:
            del place[key]
        elif way < 0.85 and isinstance(place, list):
            place.extend([value] * chance.choice((1, 3, 50)))
        elif isinstance(value, (int, float)):
            place[key] = value * chance.choice((-1, 0, 10, 1e6))
        elif isinstance(place, dict):
            place[f"more {way}"] = chance.choice(VALUES)
    return data


def fuzzed(first: int, count: int) -> Iterator[str]:
    """What neither was rendered in every form nor refused in one line; `rendered` for each that was."""
    plain = {"format": 1, "kind": "audit", **json.loads(store.to_text(audits.document(rich())))}
    for seed in range(first, first + count):
        chance = random.Random(seed)  # noqa: S311 (no secret)
        data = mutated(json.loads(json.dumps(plain)), chance)
        try:
            found = audits.of_document(store.parsed(store.to_text(sealed(data)).encode()), "a.json")
        except (LeakauditError, ValueError) as error:  # by `read_json` a ValueError is told in one line
            if type(error) not in (RefusedError, ValueError) or "\n" in str(error):
                yield f"seed {seed}: {error!r}"
            continue
        try:
            made = report.report([(found, None)], ())
            for form in FORMS:
                catalog.thing("render", form).render(made, width=100).encode()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what is looked for)
            yield f"seed {seed}: {error!r}"
        else:
            yield "rendered"


def rich() -> audits.Audit:
    """An audit with two attributes, utility and provenance."""
    second = replace(ATTRIBUTE, private="shape", verdict="WITHIN", crossing=((1, 2),))
    known = {"notes": ["a note"], "command": "leakaudit attack m", "versions": {"leakaudit": "0"}, "seed": 0}
    return replace(AUDIT, attributes=(ATTRIBUTE, second), provenance=known, warnings=("read this",))


def test_every_mutation_is_rendered_or_refused_in_one_line() -> None:
    """Sealed anew, in every form; some of both must be among them."""
    found = list(fuzzed(0, 60))
    assert [one for one in found if one != "rendered"] == []
    assert 10 <= len(found) <= 50


@pytest.mark.slow
def test_every_one_of_many_mutations_is_rendered_or_refused() -> None:
    """The same, of thousands."""
    assert [one for one in fuzzed(10_000, 4000) if one != "rendered"] == []
