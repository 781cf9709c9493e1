"""`leakaudit.check`: a test fails where a gate does, with the verdict's own sentence."""

import pickle

import numpy as np
import pytest

import leakaudit
from leakaudit import catalog

pytestmark = pytest.mark.usefixtures("unchecked")
LINEAR = {"attacker": "linear", "private": "gender"}


@pytest.fixture(scope="module")
def error(rows):
    """How a check ends where the gate fails."""
    with pytest.raises(leakaudit.LeakError) as error:
        leakaudit.check(rows.columns(), max_private_accuracy=0.6, name="encoder", **LINEAR)
    return error


def test_a_gate_that_fails_raises_with_the_sentence(error):
    """The error is an `AssertionError` of a few lines: what can be read, and by how much more than is allowed."""
    first, second = str(error.value).splitlines()
    part = error.value.audit.attribute("gender")
    assert isinstance(error.value, AssertionError)
    assert first.startswith(f"{part.verdict}: ")
    assert "encoder" in first
    assert f"names the gender of {100 * part.figures.private_accuracy.value:.1f} % of unseen rows" in first
    assert second.startswith("gate failed: gender is read at ")
    assert second.endswith("the limit is 60.0 %")
    assert [gate.outcome for gate in error.value.gates] == ["failed"]
    again = pickle.loads(pickle.dumps(error.value))  # noqa: S301 (written here; a pool of tests hands it on so)
    assert (type(again), str(again), again.gates) == (leakaudit.LeakError, str(error.value), error.value.gates)


def test_a_gate_that_stays_open_raises_another(rows):
    """One attacker alone concludes no absence: that is no leak and no pass, unless open gates are let pass."""
    with pytest.raises(leakaudit.InconclusiveError, match="inconclusive: gender: no absence can be concluded") as error:
        leakaudit.check(rows.columns(), max_private_accuracy=0.999, **LINEAR)
    assert not isinstance(error.value, leakaudit.LeakError)
    found = leakaudit.check(rows.columns(), max_private_accuracy=0.999, on_inconclusive="pass", **LINEAR)
    assert [gate.outcome for gate in found.gates] == ["open"]
    assert "let pass" in catalog.thing("render", "junit").render(found.report, width=80)


@pytest.mark.slow
def test_a_gate_that_passes_gives_the_audit():
    """With the whole suite and rows enough, noise passes, and the audit is what is returned."""
    random = np.random.default_rng(0)
    z, v = random.normal(size=(2000, 4)).astype(np.float32), random.integers(0, 2, 2000)
    found = leakaudit.check(z, private={"gender": v}, max_private_accuracy=0.6, max_excess={"gender": 0.2})
    assert [gate.outcome for gate in found.gates] == ["passed", "passed"]
    assert found.verdict == "NOT_FOUND"


def test_an_increase_over_an_earlier_result_or_file_fails(rows, error, tmp_path):
    """Where the direction is new since the baseline, it is an increase; rows that name their images are paired."""
    noise = rows._replace(z=np.random.default_rng(1).normal(size=rows.z.shape).astype(np.float32))
    before = leakaudit.audit(noise.columns(), name="release", **LINEAR)
    path = before.save(tmp_path / "release.json")
    with pytest.raises(leakaudit.LeakError, match=r"E rose by at least .* on the same 200 rows"):
        leakaudit.check(rows.columns(), baseline=path, max_increase=0.1, **LINEAR)
    earlier = error.value.audit
    with pytest.raises(leakaudit.InconclusiveError) as none:
        leakaudit.check(noise.columns(), baseline=earlier, max_increase={"gender": 0.1}, **LINEAR)
    assert none.value.audit.asks[0].past[1:] == earlier.given[0]


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ({}, "a gate is missing: max_private_accuracy, max_excess, max_increase"),
        ({"max_excess": {}}, "max_excess names no attribute: it would judge nothing"),
        ({"max_private_accuracy": {}, "max_excess": 0.1}, "max_private_accuracy names no attribute"),
        ({"max_excess": float("nan")}, "T or NAME=T expected"),
        ({"max_excess": "much"}, "T or NAME=T expected"),
        ({"max_excess": {"age": 0.1}}, "'age' is not attacked"),
        ({"max_private_accuracy": 0.5}, "guessing already names 50.0 %"),
        ({"max_increase": 0.1}, "baseline is missing"),
        ({"baseline": "there.json"}, "max_increase is missing"),
        ({"baseline": "there.json", "max_increase": 0.1}, "baseline: "),
        ({"max_excess": 0.1, "on_inconclusive": "ignore"}, "no on_inconclusive 'ignore'"),
        ({"max_excess": 0.1, "on_inconclusive": True}, "no on_inconclusive 'True'"),
    ],
)
def test_a_gate_that_can_decide_nothing_is_refused(rows, gates, said):
    """Before anything is computed, as an `InputError`: no test is to pass because of a slip."""
    with pytest.raises(leakaudit.InputError) as error:
        leakaudit.check(rows.columns(), **gates, **LINEAR)
    assert said in str(error.value)


def test_pytest_shows_the_words_and_not_the_inside(error, rows):
    """What pytest prints of a failing check is the test's own line and the words; no frame of leakaudit's own."""
    with pytest.raises(leakaudit.InputError) as slip:
        leakaudit.check(rows.columns(), **LINEAR)
    with pytest.raises(leakaudit.InputError) as short:
        leakaudit.audit(rows.z, private={"gender": ["f", object()]})
    for each, said in ((slip, "a gate is missing"), (short, "of one kind")):
        shown = str(each.getrepr(style="long"))
        assert said in shown
        assert not any(inside in shown for inside in ("api.py", "memory.py", "asking.py"))
    shown = str(error.getrepr(style="long"))
    assert "gate failed: gender is read at" in shown
    assert "test_check.py" in shown
    assert "api.py" not in shown
