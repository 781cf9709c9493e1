"""An audit document is what was written, or it is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from leakaudit import audits, outcomes
from leakaudit.audits import Attribute, Audit
from leakaudit.errors import InputError, RefusedError
from leakaudit.finding import WORST_FIRST, Coverage, Figures, Finding
from leakaudit.stats import Interval

HALF = Interval(0.5, 0.4, 0.6)
FIGURES = Figures(
    private_accuracy=HALF, accuracy=HALF, balanced_accuracy=HALF, excess=HALF, lower=0.42, upper=0.58,
    private_upper=0.58, private_lower=0.42, bits=None, follows_target=0.3,
)  # fmt: skip
COVERAGE = Coverage(90, 0, None, None, 90, 1.0, 4, 4, 45, (), "cross-fit 5", None)
ATTRIBUTE = Attribute(
    private="colour", target=None, classes=("a", "b"), target_classes=("all",), verdict="LEAK", reason="E is large",
    p=1e-9, attacker="linear", auxiliary="balanced", winners=("linear",), figures=FIGURES, upper=0.58, mde=0.1,
    entropy=1.0, rows=COVERAGE, findings=(Finding("linear", "balanced", True, True, FIGURES),),
)  # fmt: skip
AUDIT = Audit("LEAK", "E is large", 0.1, "0", {"name": "m"}, {"rows": 90}, {"knows": "z"}, (ATTRIBUTE,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good audit on disk."""
    audits.save(AUDIT, tmp_path / "a.json")
    return tmp_path / "a.json"


def test_save_and_load_is_identity(path: Path) -> None:
    """What is read is what was written, and the same bytes are written twice."""
    assert audits.load(path) == AUDIT
    before = path.read_bytes()
    audits.save(audits.load(path), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"verdict": "LEAK"', '"verdict": "NOT_FOUND"', "changed since it was written"),
        ('"upper": 0.58', '"upper": 0.08', "changed since it was written"),
        ('"kind": "audit"', '"kind": "recipe"', "an audit expected, 'recipe' found"),
        ('"format": 1', '"format": 2', "format 1 expected, 2 found"),
    ],
)
def test_a_changed_audit_is_refused(path: Path, old: str, new: str, words: str) -> None:
    """A figure or verdict altered by hand, a foreign or newer document: exit 4."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RefusedError, match=words):
        audits.load(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_audit_is_refused(path: Path, share: float) -> None:
    """Half a document is no document."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(RefusedError, match="not JSON, or truncated"):
        audits.load(path)


def test_an_audit_that_is_not_there_is_wrong_input(tmp_path: Path) -> None:
    """A missing file is the user's to correct: exit 2."""
    with pytest.raises(InputError, match="no such file"):
        audits.load(tmp_path / "b.json")


def test_a_sealed_document_that_lacks_a_field_is_refused(path: Path) -> None:
    """A document with a right seal but without a field is not an audit."""
    from leakaudit import store

    body = json.loads(path.read_text())
    body.pop("sha256")
    body.pop("reason")
    path.write_text(json.dumps({**body, "sha256": store.digest(store.canonical(body))}))
    with pytest.raises(RefusedError, match="no 'reason'"):
        audits.load(path)


def test_the_worst_attribute_decides() -> None:
    """LEAK before DETECTED before INCONCLUSIVE before WITHIN before NOT_FOUND; of equals the largest UCB*."""
    each = [replace(ATTRIBUTE, verdict=word, private=word) for word in reversed(WORST_FIRST)]
    for count in range(1, 6):
        assert audits.worst(tuple(each[:count])).verdict == each[count - 1].verdict
    close = replace(ATTRIBUTE, upper=0.3)
    assert audits.worst((close, ATTRIBUTE)) is ATTRIBUTE


def test_outcomes_that_were_not_handed_on_are_absent(path: Path) -> None:
    """An audit without its rows beside it is whole; comparisons are then unpaired."""
    assert outcomes.load(path) is None
