"""The contract of every attacker, asked of each file in the room."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from leakaudit import catalog
from leakaudit.attackers import Guesses, Question, Rows

NAMES = catalog.names("attackers")
NEVER_DECIDE = {"gaussian-pca", "linear-sgd"}


def rows(n: int = 120, d: int = 6, seed: int = 0, strata: int = 3) -> Rows:
    """Rows without a leak."""
    chance = np.random.default_rng(seed)
    z = chance.normal(size=(n, d)).astype(np.float32)
    return Rows(z, chance.integers(0, strata, n), strata, np.arange(n))


def question(n: int = 120, classes: int = 3, seed: int = 1) -> Question:
    """Random labels."""
    return Question(np.random.default_rng(seed).integers(0, classes, n), np.ones(n, np.float32), classes)


def ask(name: str, seen: Rows, unseen: Rows, *questions: Question, seed: int = 0) -> list[Guesses]:
    """Call the attacker."""
    answer: list[Guesses] = catalog.thing("attackers", name).attack(seen, unseen, questions, seed=seed, device="cpu")
    return answer


def assert_sound(guesses: list[Guesses], unseen: Rows, questions: tuple[Question, ...]) -> None:
    """One Guesses per question: a distribution over the classes for every row."""
    assert len(guesses) == len(questions)
    for guess, asked in zip(guesses, questions, strict=True):
        assert guess.probabilities.shape == (len(unseen), asked.classes)
        assert guess.probabilities.dtype == np.float32
        assert (guess.probabilities >= 0).all()
        np.testing.assert_allclose(guess.probabilities.sum(1), 1, atol=1e-5)
        assert isinstance(guess.converged, bool)
        assert all(isinstance(note, str) for note in guess.notes)


@pytest.mark.parametrize("name", NAMES)
def test_an_attacker_says_whether_it_decides(name: str) -> None:
    """The papers' figure and the papers' attacker are shown; all others decide."""
    assert catalog.thing("attackers", name).DECIDES is (name not in NEVER_DECIDE)


@pytest.mark.parametrize("name", NAMES)
def test_an_attacker_answers_every_question_in_order(name: str) -> None:
    """Questions of different class counts come back in the order asked, each the same as when asked alone."""
    seen, unseen = rows(), rows(40, seed=2)
    questions = question(classes=3), question(classes=2), question(classes=3, seed=5)
    together = ask(name, seen, unseen, *questions)
    assert_sound(together, unseen, questions)
    if name != "mlp":  # one stream of chance serves all questions of a call
        for alone, guess in zip(questions, together, strict=True):
            [single] = ask(name, seen, unseen, alone)
            np.testing.assert_allclose(single.probabilities, guess.probabilities, atol=5e-3)


@pytest.mark.parametrize("name", NAMES)
def test_an_attacker_repeats_itself(name: str) -> None:
    """The same seed gives the same guesses, bit for bit."""
    seen, unseen = rows(), rows(40, seed=2)
    first, second = (ask(name, seen, unseen, question(), seed=3)[0] for _ in range(2))
    assert (first.probabilities == second.probabilities).all()
    assert first.notes == second.notes


@pytest.mark.parametrize("name", NAMES)
def test_guesses_go_with_their_rows(name: str) -> None:
    """Unseen rows in another order get the same guesses in that order: no row's guess depends on the others."""
    seen, unseen = rows(), rows(40, seed=2)
    order = np.random.default_rng(4).permutation(40)
    moved = Rows(unseen.z[order], unseen.target[order], unseen.strata, unseen.group[order])
    [plain], [permuted] = (ask(name, seen, part, question()) for part in (unseen, moved))
    np.testing.assert_allclose(plain.probabilities[order], permuted.probabilities, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("column", [1e-15, 1e15])
def test_a_constant_column_or_one_of_wild_scale_changes_little(name: str, column: float) -> None:
    """Guesses stay sound when one column is constant and another counts in other units."""
    seen, unseen = rows(), rows(40, seed=2)
    unit = np.array([column, 1, 1, 1, 1, 0], np.float32)
    constant = np.array([0, 0, 0, 0, 0, 7], np.float32)
    old, new = (replace(part, z=part.z * unit + constant) for part in (seen, unseen))
    assert_sound(ask(name, old, new, question()), unseen, (question(),))


DEGENERATE = {
    "one class": (rows(), replace(question(), labels=np.zeros(120, np.int64))),
    "no label at all": (rows(), replace(question(), labels=np.full(120, -1))),
    "missing labels": (rows(), replace(question(), labels=np.where(np.arange(120) % 2, question().labels, -1))),
    "a class of one row": (rows(), replace(question(), labels=(np.arange(120) == 7).astype(np.int64))),
    "a weight of zero": (rows(), replace(question(), weights=(np.arange(120) % 2 * 2).astype(np.float32))),
    "constant z": (replace(rows(), z=np.ones((120, 6), np.float32)), question()),
    "fewer rows than columns": (rows(12, 40), question(12)),
    "one column": (rows(120, 1), question()),
    "equal columns": (replace(rows(), z=np.repeat(rows().z[:, :1], 6, axis=1)), question()),
    "one target class": (rows(strata=1), question()),
    "groups": (replace(rows(), group=np.arange(120) // 30), question()),
    "three rows": (rows(3), question(3)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", DEGENERATE)
def test_an_attacker_survives(name: str, case: str) -> None:
    """Degenerate rows and labels give sound guesses, never an exception or NaN."""
    seen, asked = DEGENERATE[case]
    unseen = rows(10, seen.z.shape[1], seed=3, strata=seen.strata)
    assert_sound(ask(name, seen, unseen, asked), unseen, (asked,))


def test_attackers_load_no_heavy_library() -> None:
    """All attackers but `trees` together never load torch.optim's compiler, torchvision or scikit-learn."""
    script = f"""
import sys
import numpy as np
from leakaudit.attackers import Question, Rows
from leakaudit.catalog import thing
chance = np.random.default_rng(0)
rows = Rows(chance.normal(size=(60, 4)).astype(np.float32), np.zeros(60, np.int64), 1, np.arange(60))
asked = Question(chance.integers(0, 2, 60), np.ones(60, np.float32), 2)
for name in {[name for name in NAMES if name != "trees"]!r}:
    thing("attackers", name).attack(rows, rows, (asked,), seed=0, device="cpu")
heavy = ("torch._dynamo", "torchvision", "sklearn", "pandas", "timm", "matplotlib")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
