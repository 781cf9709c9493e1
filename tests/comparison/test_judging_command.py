"""Gates on the command line: what is refused before anything is computed, what settings say, and the last line."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit import audits, outcomes, store

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))

import synthetic

PLAIN = replace(synthetic.VANILLA, reconstruction=False, pictures=False, deep=False, paper=False, rows=800)
REFUSED = [
    ("--baseline old.json", 2, "--baseline old.json: --max-increase [NAME=]D is missing"),
    ("--max-increase 0.1", 2, "--max-increase: --baseline AUDIT is missing"),
    ("--baseline nothing --max-increase 0.1", 2, "--baseline: no audit 'nothing'"),
    ("--baseline built.json --max-increase 0.1", 2, "images rebuilt, and no attack"),
    ("--baseline old.json --max-increase 1", 2, "with T between 0 and 1 (nothing exceeds 1)"),
    ("--baseline old.json --max-increase -0.1", 2, "with T between 0 and 1"),
    ("--baseline old.json --max-increase nan", 2, "with T between 0 and 1"),
    ("--baseline old.json --max-increase color=0.1", 2, "Did you mean 'colour'?"),
    ("--baseline style.json --max-increase 0.1", 2, "the baseline has no attribute 'colour'. There are: style"),
    ("--baseline cut.json --max-increase 0.1", 4, "cut.json: not JSON, or truncated"),
    ("--baseline forged.json --max-increase 0.1", 4, "forged.json: changed since it was written"),
    ("--max-excess 1", 2, "nothing exceeds 1"),
    ("--max-private-accuracy colour=0.2", 2, "guessing already names 25.0 % of 4 classes"),
    ("--max-excess 0.5 --on-inconclusive never", 2, "'never' is not one of 'fail', 'pass'"),
]
ENDS = [
    ("--baseline old.json --max-increase 0.1", 1, "gate failed: colour: E rose by at least 0."),
    ("--baseline high.json --max-increase 0", 0, "gate passed: colour: E fell by at least 0."),
    ("--baseline level.json --max-increase 0.001", 3, "inconclusive: colour: E changed by"),
    (
        "--baseline level.json --max-increase 0.001 --on-inconclusive pass",
        0,
        "inconclusive, let pass: colour: E changed",
    ),
    ("--baseline new.json --max-increase 0.5", 3, "inconclusive: colour: the baseline is of this very model"),
    ("--baseline old.json --max-increase 0.1 --max-excess 0.9", 1, "gate failed: colour: E rose by at least 0."),
    ("--max-excess 0.2 --max-private-accuracy 0.4", 1, "gate failed: colour is read at 6"),
    ("--max-excess 0.9", 0, "gate passed: colour is read at E 0."),
]


def keep(plan: synthetic.Plan, path: Path) -> None:
    """A made-up audit and its rows, as a command leaves them."""
    audit, rows = synthetic.audit(plan)
    outcomes.save(rows, outcomes.path_of(path))
    sealed = {**audit.provenance, "outcomes": store.digest_file(outcomes.path_of(path))}
    audits.save(replace(audit, provenance=sealed), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Audits of an older model, of one as good, of a worse one, and what is no baseline."""
    home = tmp_path_factory.mktemp("audits")
    for name, plan in {
        "new": replace(PLAIN, name="new", strength=0.6, seed=1, model="1"),
        "old": replace(PLAIN, name="old", strength=0.3, seed=2, model="2"),
        "high": replace(PLAIN, name="high", strength=0.9, seed=3, model="3"),
        "level": replace(PLAIN, name="level", strength=0.6, seed=4, model="4"),
        "style": replace(PLAIN, name="style", private="style"),
    }.items():
        keep(plan, home / f"{name}.json")
    rebuilt, _ = synthetic.audit(replace(PLAIN, reconstruction=True))
    bare = replace(rebuilt.attributes[0], findings=())
    audits.save(replace(rebuilt, attributes=(bare,)), home / "built.json")
    text = (home / "old.json").read_text()
    (home / "cut.json").write_text(text[:900])
    (home / "forged.json").write_text(text.replace('"p": 0.0005', '"p": 0.4', 1))
    return home


@pytest.mark.parametrize(("words", "status", "said"), REFUSED, ids=[words for words, _, _ in REFUSED])
def test_what_decides_nothing_is_refused(leakaudit_here, folder, words, status, said):
    """One line, last, with the exit status of the house."""
    done = leakaudit_here("report", "new.json", *words.split(), cwd=folder)
    assert done.returncode == status, done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert done.stdout == ""


@pytest.mark.parametrize(("words", "status", "said"), ENDS, ids=[words for words, _, _ in ENDS])
def test_a_gate_ends_with_its_reason(leakaudit_here, folder, words, status, said):
    """The last line of stderr is the status and the reason of the worst gate."""
    done = leakaudit_here("report", "new.json", *words.split(), cwd=folder)
    assert done.returncode == status, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"leakaudit: exit {status}: {said}")


def test_settings_and_variables_say_the_same(leakaudit_here, folder, tmp_path):
    """A table per attribute in `[tool.leakaudit]` or `leakaudit.toml`, and LEAKAUDIT_ variables; a flag comes first."""
    folder = Path(shutil.copytree(folder, tmp_path / "own"))
    table = 'baseline = "old.json"\nmax-increase = { colour = 0.1 }\non-inconclusive = "pass"\n'
    for file, head in (("pyproject.toml", "[tool.leakaudit]\n"), ("leakaudit.toml", "")):
        (folder / file).write_text(head + table)
        done = leakaudit_here("report", "new.json", cwd=folder)
        assert done.stderr.splitlines()[-1].startswith("leakaudit: exit 1: gate failed: colour: E rose by"), done.stderr
        assert leakaudit_here("report", "new.json", "--max-increase", "0.9", cwd=folder).returncode == 0
        (folder / file).unlink()
    said = {"LEAKAUDIT_BASELINE": "old.json", "LEAKAUDIT_MAX_INCREASE": "colour=0.1"}
    assert leakaudit_here("report", "new.json", cwd=folder, **said).returncode == 1
    alone = leakaudit_here("report", "new.json", cwd=folder, LEAKAUDIT_BASELINE="old.json")
    assert alone.returncode == 2
    assert "--max-increase [NAME=]D is missing" in alone.stderr
    many = leakaudit_here("report", "new.json", cwd=folder, LEAKAUDIT_MAX_EXCESS="colour=0.9 0.2")
    assert many.returncode == 1
    for value in ('"x"', "true", "{ colour = { deep = 1 } }", "[[0.1]]"):
        (folder / "leakaudit.toml").write_text(f"max-excess = {value}\n")
        wrong = leakaudit_here("report", "new.json", cwd=folder)
        assert wrong.returncode == 2, (value, wrong.stderr)


def test_without_a_gate_it_says_what_was_done(leakaudit_here, folder):
    """One audit is measured, two are compared; neither is a pass."""
    for names, words in ((["new.json"], "measured"), (["new.json", "old.json"], "2 audits side by side")):
        done = leakaudit_here("report", *names, cwd=folder)
        assert done.stderr.splitlines()[-1] == f"leakaudit: exit 0: {words}; no gate asked"


def test_several_failed_gates_are_counted(leakaudit_here, folder):
    """The last line says the first reason, and how many more failed."""
    done = leakaudit_here("report", "new.json", "high.json", "--max-excess", "0.2", cwd=folder)
    assert done.stderr.splitlines()[-1].startswith("leakaudit: exit 1: gate failed: new: colour is read at E 0.")
    assert done.stderr.splitlines()[-1].endswith("(and 1 more)")


def test_an_attack_judges_against_what_the_baseline_was(leakaudit_here, tmp_path):
    """Judged once, recorded in the document, refused before the attack; and an attack that writes over its baseline."""
    rng = np.random.default_rng(0)
    v, y = np.tile([0, 1], 100), np.repeat([0, 1], 100)
    for name, size in (("a", 0.5), ("b", 3.0)):
        z = rng.normal(size=(200, 4)).astype(np.float32)
        z[:, 0] += size * v
        (tmp_path / "e").mkdir(exist_ok=True)
        np.savez(tmp_path / "e" / f"{name}.npz", z=z, sex=v, age=y)
    words = ("--private", "sex", "--target", "age", "--attacker", "linear", "--auxiliary", "balanced", "-q")
    assert leakaudit_here("attack", "e/a.npz", *words).returncode == 0
    asked = ("--baseline", "a.npz", "--max-increase", "sex=0.1")
    done = leakaudit_here("attack", "e/b.npz", *words, *asked)
    assert done.returncode == 1, done.stderr
    (path,) = (tmp_path / ".leakaudit" / "audits").glob("b*.json")
    (recorded,) = json.loads(path.read_text())["gates"]
    assert (recorded["gate"], recorded["outcome"]) == ("--max-increase sex=0.1 --baseline a.npz", "failed")
    assert done.stderr.splitlines()[-1] == f"leakaudit: exit 1: gate failed: {recorded['reason']}"
    before = path.read_bytes()
    early = leakaudit_here("attack", "e/b.npz", "--private", "age", "--target", "sex", *words[4:], *asked[:3], "0.1")
    assert early.returncode == 2
    assert "the baseline has no attribute 'age'" in early.stderr
    itself = leakaudit_here("attack", "e/b.npz", *words, "--baseline", "b.npz", "--max-increase", "0.1")
    assert itself.returncode == 3
    assert "set against itself, it says nothing" in itself.stderr.splitlines()[-1]
    assert path.read_bytes() != before


@pytest.mark.parametrize(("policy", "element"), [("fail", "<error"), ("pass", "<skipped")])
def test_a_gate_that_was_let_pass_is_skipped_for_ci(leakaudit_here, folder, policy, element):
    """The report knows what an open gate does, so that JUnit says the same as the exit status."""
    words = ("--baseline", "level.json", "--max-increase", "0.001", "--format", "junit", "--on-inconclusive", policy)
    done = leakaudit_here("report", "new.json", *words, cwd=folder)
    assert done.returncode == (3 if policy == "fail" else 0), done.stderr
    assert element in done.stdout
