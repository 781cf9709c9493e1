"""The search takes the basis and the penalty that read held-out rows best."""

from dataclasses import dataclass

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
