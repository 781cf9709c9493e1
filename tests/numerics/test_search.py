"""The search takes the basis and the penalty that read held-out rows best."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from leakaudit.numerics.search import OUT, Basis, search

ROWS = 600


@dataclass(frozen=True)
class Asked:
    """A question."""

    labels: np.ndarray
    weights: np.ndarray
    classes: int
    settled: object = None


def basis(x: np.ndarray, name: str, *strengths: float) -> Basis:
    """One basis with the same penalty on every column."""
    table = torch.tensor(strengths)[:, None].expand(-1, x.shape[1])
    names = tuple(f"{name} {strength}" for strength in strengths)
    old, new = (torch.from_numpy(part.astype(np.float32)) for part in (x[:ROWS], x[ROWS:]))
    return Basis(old, new, table, names)


@pytest.fixture
def x() -> np.ndarray:
    """Columns of noise."""
    return np.random.default_rng(0).normal(size=(ROWS + 50, 40))


def ask(bases: list[Basis], *labels: np.ndarray, folds: int = 3) -> list[str]:
    """What was chosen for each question."""
    asked = [Asked(each, np.ones(ROWS, np.float32), 2) for each in labels]
    answers = search(bases, asked, np.zeros(ROWS, np.int64), np.arange(ROWS), folds=folds, seed=0)
    assert all(answer.converged for answer in answers)
    return [answer.notes[0] for answer in answers]


@pytest.mark.parametrize("folds", [0, 1, 3])
def test_the_basis_that_holds_the_answer_is_chosen(x: np.ndarray, folds: int) -> None:
    """Of two bases each question gets the one its labels were made from, however they are ordered."""
    left, right = x[:, :5], x[:, 5:10]
    first, second = ((part[:ROWS, 0] + part[:ROWS, 1] > 0).astype(np.int64) for part in (left, right))
    bases = [basis(left, "left", 0.01), basis(right, "right", 0.01)]
    assert ask(bases, first, second, folds=folds) == ["left 0.01", "right 0.01"]
    assert ask(bases[::-1], first, second, folds=folds) == ["left 0.01", "right 0.01"]


def test_noise_gets_the_stronger_penalty_and_a_clear_answer_the_weaker(x: np.ndarray) -> None:
    """Random labels are fitted as little as may be; labels that a column decides, as much."""
    noise = np.random.default_rng(1).integers(0, 2, ROWS)
    clear = (x[:ROWS, 0] > 0).astype(np.int64)
    assert ask([basis(x, "x", 1e-3, 1.0, OUT)], noise, clear) == [f"x {OUT}", "x 0.001"]


def test_groups_are_not_divided(x: np.ndarray) -> None:
    """Labels that follow the group, and columns that name it, look readable only where groups are divided."""
    group = np.arange(ROWS) // 20
    names = np.concatenate((np.eye(30)[group], np.zeros((50, 30)))) * 5
    labels = np.random.default_rng(2).integers(0, 2, 30)[group]
    asked = [Asked(labels, np.ones(ROWS, np.float32), 2)]
    bases = [basis(names, "names", 1e-3), basis(x, "none", OUT)]
    chosen = [
        search(bases, asked, np.zeros(ROWS, np.int64), each, folds=3, seed=0)[0].notes[0]
        for each in (group, np.arange(ROWS))
    ]
    assert chosen == [f"none {OUT}", "names 0.001"]


def test_what_was_settled_is_not_chosen_anew(x: np.ndarray) -> None:
    """Asked again with what it settled on, it keeps to it on labels that would call for another, and converges."""
    clear = (x[:ROWS, 0] > 0).astype(np.int64)
    bases = [basis(x[:, :5], "left", 1e-3, 1.0), basis(x[:, 5:10], "right", 1e-3)]
    group, strata = np.arange(ROWS), np.zeros(ROWS, np.int64)
    [first] = search(bases, [Asked(clear, np.ones(ROWS, np.float32), 2)], strata, group, folds=0, seed=0)
    other = (x[:ROWS, 5] > 0).astype(np.int64)
    again, anew = search(
        bases,
        [Asked(other, np.ones(ROWS, np.float32), 2, settled) for settled in (first.settled, None)],
        strata, group, folds=0, seed=0,
    )  # fmt: skip
    assert (first.notes, again.notes, anew.notes) == (("left 0.001",), ("left 0.001",), ("right 0.001",))
    assert again.settled.scale == first.settled.scale
    assert again.converged


def test_a_solve_from_the_last_one_ends_where_one_from_nothing_does(x: np.ndarray) -> None:
    """More labels, the same choice: guesses are those of a choice that carries no solution along."""
    labels = (x[:ROWS, 0] + x[:ROWS, 1] > 0.3).astype(np.int64)
    bases = [basis(x[:, :5], "left", 0.01)]
    group, strata = np.arange(ROWS), np.zeros(ROWS, np.int64)
    part = Asked(np.where(group % 3, labels, -1), np.ones(ROWS, np.float32), 2)
    [first] = search(bases, [part], strata, group, folds=0, seed=0)
    blank = replace(first.settled, fit=first.settled.fit.part(slice(0, 0)))
    warm, cold = search(
        bases, [Asked(labels, np.ones(ROWS, np.float32), 2, settled) for settled in (first.settled, blank)],
        strata, group, folds=0, seed=0,
    )  # fmt: skip
    np.testing.assert_allclose(warm.probabilities, cold.probabilities, atol=2e-3)
    assert np.abs(warm.probabilities - first.probabilities).max() > 1e-3


def test_unlabelled_rows_are_in_no_part(x: np.ndarray) -> None:
    """Rows without a label may hold anything: the choice and the guesses stay the same."""
    labels = np.where(np.arange(ROWS) % 2, (x[:ROWS, 0] > 0).astype(np.int64), -1)
    wild = x.copy()
    wild[:ROWS][labels < 0] *= 50
    group, strata = np.arange(ROWS), np.zeros(ROWS, np.int64)
    plain, other = (
        search([basis(part[:, :5], "x", 0.01, 1.0)], [Asked(labels, np.ones(ROWS, np.float32), 2)],
               strata, group, folds=0, seed=0)[0]
        for part in (x, wild)
    )  # fmt: skip
    assert plain.notes == other.notes
    np.testing.assert_allclose(plain.probabilities, other.probabilities, atol=5e-3)


def test_many_classes_are_asked_fewer_penalties_and_it_is_said(x: np.ndarray) -> None:
    """Beyond 64 classes one penalty of three is tried on a basis; up to 64 all are."""
    strengths = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    kept = {"x 0.01", "x 10.0"}
    for classes in (65, 64):
        labels = np.arange(ROWS) % classes
        asked = Asked(labels, np.ones(ROWS, np.float32), classes)
        (answer,) = search(
            [basis(x, "x", *strengths)], [asked], np.zeros(ROWS, np.int64), np.arange(ROWS), folds=1, seed=0
        )
        assert (len(answer.notes) == 2) is (classes == 65)
        assert answer.settled.name in (kept if classes == 65 else {f"x {each}" for each in strengths})
        assert len(basis(x, "x", *strengths).thinned().names) == 2
