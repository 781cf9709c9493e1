"""Files of format 1 are readable for ever: documents of all times are read, rendered in every form, and verified."""

import csv
import functools
import html
import io
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from leakaudit import __version__, archive, audits, catalog, schema, store
from leakaudit.errors import RefusedError
from leakaudit.render import Report
from leakaudit.report import report

FOLDER = Path(__file__).parent / "golden"
FORMS = catalog.names("render")
READ = [form for form in FORMS if form in ("html", "markdown", "terminal")]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Headline(NamedTuple):
    """What each form has to say of a document, for as long as there are forms."""

    subject: str
    attacker: str
    accuracy: str
    """As it is read: percent with bounds."""
    excess: str
    value: float
    """E in all its digits."""
    upper: float
    findings: int
    seal: str


GOLDEN = {
    "format-1-71d8a92-attack": Headline(
        "digits/vanilla@ee263cf8", "mlp", "99.5 [98.3, 99.9]", "0.994 [0.981, 0.999]",
        0.9941488630427016, 0.9991598836212435, 6, "9fa76a04e385",
    ),
    "format-1-71d8a92-reconstruct": Headline(
        "digits/vanilla@ee263cf8", "reconstruction by convolutional", "96.2 [93.9, 97.9]", "0.958 [0.932, 0.977]",
        0.9582804036404634, 0.9742482153794296, 0, "a051fa5e0d4d",
    ),
    "format-1-unreleased-attack": Headline(
        "digits-end@cb7d597b", "quadratic", "81.9 [78.0, 85.4]", "0.799 [0.756, 0.838]",
        0.7989755796734267, 0.8317950971745378, 12, "",
    ),
    "format-1-unreleased-reconstruct": Headline(
        "digits-end@cb7d597b", "reconstruction by convolutional", "53.1 [48.5, 57.6]", "0.479 [0.428, 0.529]",
        0.4785590553964719, 0.5211239432744811, 0, "",
    ),
}  # fmt: skip


def path(name: str) -> Path:
    """Where a golden document lies."""
    return FOLDER / f"{name}.json"


def document(name: str) -> dict[str, Any]:
    """A golden document as it stands in its file."""
    read: dict[str, Any] = json.loads(path(name).read_text(encoding="utf-8"))
    return read


def text(form: str, made: Report) -> str:
    """The report in a form, as a reader meets it: plain spaces, no tags."""
    shown = str(catalog.thing("render", form).render(made, width=120))
    if form == "html":
        shown = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", shown, flags=re.DOTALL)
    return (
        html.unescape(shown).replace("\u202f", " ").replace("\u2212", "-").replace(" %", "") if form in READ else shown
    )


@functools.cache
def of(*names: str) -> Report:
    """The report on these documents."""
    return report([archive.read(path(name)) for name in names], ())


def resealed(path: Path, changed: dict[str, Any]) -> Path:
    """A changed document, with a seal that fits it."""
    body = {name: value for name, value in changed.items() if name != "sha256"}
    store.write_json(path, {**body, "sha256": store.digest(store.canonical(body))})
    return path


def test_every_document_that_is_kept_is_tested() -> None:
    """No file lies there unread, and none is missing."""
    assert {file.stem for file in FOLDER.glob("*.json")} == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_it_is_what_was_written(name: str) -> None:
    """Its own sha256 fits, and of those that are fixed it is the one that was kept."""
    found = document(name)
    assert audits.sealed(found)
    assert found["sha256"].startswith(GOLDEN[name].seal)
    assert ("unreleased" in name) == (not GOLDEN[name].seal)


@pytest.mark.parametrize("name", GOLDEN)
def test_it_holds_to_the_schema_of_today(name: str) -> None:
    """What was added since may be missing."""
    jsonschema.Draft202012Validator(schema.of_audit()).validate(document(name))


@pytest.mark.parametrize("name", GOLDEN)
def test_its_headline_is_read_as_it_stands(name: str) -> None:
    """Verdict, who decides, E, UCB* and the number of findings are the literal ones."""
    known, audit = GOLDEN[name], audits.load(path(name))
    (part,) = audit.attributes
    assert (audit.verdict, part.verdict, part.private, part.target) == ("LEAK", "LEAK", "colour", "digit")
    assert (audit.name, part.attacker, len(part.findings)) == (known.subject, known.attacker, known.findings)
    assert (part.figures.excess.value, part.upper, audit.tolerance) == (known.value, known.upper, 0.1)
    assert part.reconstruction is None or part.reconstruction.pictures is None


@pytest.mark.parametrize("form", READ)
@pytest.mark.parametrize("name", GOLDEN)
def test_every_form_for_people_tells_it(name: str, form: str) -> None:
    """Verdict, subject, accuracy and E with their intervals stand in each."""
    shown = text(form, of(name))
    known = GOLDEN[name]
    for words in ("LEAK", known.subject, known.accuracy, known.excess):
        assert words in " ".join(shown.split()), (form, words)


@pytest.mark.parametrize("name", GOLDEN)
def test_every_form_for_machines_tells_it(name: str) -> None:
    """E in all its digits, and the seal of the very file, also where today's document would have more fields."""
    made, known, seal = of(name), GOLDEN[name], document(name)["sha256"]
    rows = list(csv.DictReader(io.StringIO(text("csv", made))))
    (excess,) = [row for row in rows if (row["kind"], row["metric"]) == ("attribute", "excess")]
    assert (float(excess["value"]), excess["sha256"]) == (known.value, seal)
    root = ET.fromstring(text("junit", made).encode())  # noqa: S314 (written a moment ago)
    found = {part.get("name"): part.get("value") for part in root.iter("property")}
    assert (float(found["colour.excess"] or ""), found["audit.sha256"]) == (known.value, seal)
    whole = json.loads(text("json", made))
    assert whole["attributes"][0]["figures"]["excess"]["value"] == known.value
    assert seal in (whole["sha256"], *whole["provenance"].get("documents", []))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("when", sorted({name.rpartition("-")[0] for name in GOLDEN}))
def test_attack_and_reconstruction_are_told_together(when: str, form: str) -> None:
    """Both documents of one subject make one audit, in every form, early ones too, and it names both files."""
    names = [f"{when}-{kind}" for kind in ("attack", "reconstruct")]
    made = of(*names)
    assert len(made.audits) == 1
    assert audits.sources(made.audits[0]) == tuple(document(name)["sha256"] for name in names)
    assert GOLDEN[f"{when}-attack"].subject.partition("@")[0] in text(form, made)


def test_early_and_late_stand_side_by_side() -> None:
    """Documents of all times are compared, with an interval."""
    made = of(*(name for name in GOLDEN if name.endswith("attack")))
    (comparison,) = made.comparisons
    assert comparison.second in comparison.sentence
    excess = next(part for part in comparison.differences if part.figure == "excess")
    assert excess.difference.value == pytest.approx(0.7989755796734267 - 0.9941488630427016)


@pytest.mark.parametrize("name", ["format-1-71d8a92-attack"])
def test_the_command_verifies_it(name: str, leakaudit_here: Run) -> None:
    """`leakaudit verify` finds the document as it was written, without the model or its store."""
    done = leakaudit_here("verify", str(path(name)))
    assert done.returncode == 0, done.stderr
    assert re.search(rf"document +matches +{GOLDEN[name].seal}", done.stdout)


def test_keys_of_a_later_minor_version_are_passed_over(tmp_path: Path) -> None:
    """At the top, in a record, in an interval: the audit is the same, and names the document that it was read from."""
    name = "format-1-unreleased-attack"
    changed = document(name)
    changed["later"] = {"any": [1]}
    changed["attributes"][0]["later"] = None
    changed["attributes"][0]["figures"]["excess"]["later"] = 0.5
    file = resealed(tmp_path / "later.json", changed)
    late, known = audits.load(file), audits.load(path(name))
    assert audits.sources(late)[-1] == store.read_json(file)["sha256"]
    assert replace(late, provenance={}) == replace(known, provenance={})


@pytest.mark.parametrize(
    ("writer", "words"),
    [
        ("7.1.0", f"leakaudit 7.1.0 wrote it and reads it; this is leakaudit {__version__}"),
        (None, f"written by another program or a newer leakaudit; this is leakaudit {__version__}"),
    ],
)
def test_a_later_format_is_refused_in_one_line(
    tmp_path: Path, leakaudit_here: Run, writer: str | None, words: str
) -> None:
    """The line says which leakaudit reads it, where the document says who wrote it."""
    changed = {**document("format-1-unreleased-attack"), "format": 2}
    changed["provenance"] = {"versions": {"leakaudit": writer}} if writer else {}
    file = resealed(tmp_path / "late.json", changed)
    with pytest.raises(RefusedError, match=re.escape(f"format 1 expected, 2 found: {words}")):
        audits.load(file)
    done = leakaudit_here("report", "late.json")
    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (4, 1, "")
    assert words in done.stderr
