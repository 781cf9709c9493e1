"""A sweep gives the gradient of the written objective, whatever the rows are looked at through or read from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from leakaudit.numerics import logistic, sweeps
from leakaudit.numerics.sweeps import Blocks, Labels, Lens, Sweep

ROWS, WIDTH = 300, 6


@pytest.fixture
def x() -> torch.Tensor:
    """Columns with means and different scales."""
    chance = torch.Generator().manual_seed(0)
    made = torch.randn(ROWS, WIDTH, generator=chance, dtype=torch.float64)
    return made * torch.arange(1, WIDTH + 1) + torch.arange(WIDTH)


def asked(classes: int, problems: int = 4) -> Labels:
    """Two questions with missing labels, each asked by several problems."""
    chance = torch.Generator().manual_seed(1)
    labels = torch.randint(-1, classes, (2, ROWS), generator=chance, dtype=torch.int8)
    weights = torch.rand(2, ROWS, generator=chance, dtype=torch.float64)
    return Labels(labels, weights, torch.arange(problems) % 2, classes)


def parameters(problems: int, classes: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and biases."""
    chance = torch.Generator().manual_seed(2)
    k = logistic.columns(classes)
    return (
        torch.randn(problems, k, width, generator=chance, dtype=torch.float64) / 3,
        torch.randn(problems, k, generator=chance, dtype=torch.float64),
    )


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("cache", [1 << 17, 700])
def test_gradients_are_those_of_autograd(
    x: torch.Tensor, classes: int, cache: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the weighted cross-entropy over labelled rows; by the biases twice; in any blocks."""
    monkeypatch.setattr(sweeps, "CACHE", cache)
    question = asked(classes)
    weights, bias = parameters(4, classes, WIDTH)
    slope, lean, bend = Sweep(x, question, None)(weights, bias, question.of)
    assert question.weights is not None
    for at, ask in enumerate(question.of.tolist()):
        rows = question.labels[ask] >= 0

        def nats(w: torch.Tensor, b: torch.Tensor, ask: int = ask, rows: torch.Tensor = rows) -> torch.Tensor:
            logits = x[rows] @ w.T + b
            logits = torch.cat((torch.zeros_like(logits), logits), 1) if classes == 2 else logits
            each = torch.nn.functional.cross_entropy(logits, question.labels[ask][rows].long(), reduction="none")
            return (each * question.weights[ask][rows]).sum()

        w, b = weights[at].clone().requires_grad_(), bias[at].clone().requires_grad_()
        by_w, by_b = torch.autograd.grad(nats(w, b), (w, b))
        torch.testing.assert_close(slope[at], by_w)
        torch.testing.assert_close(lean[at], by_b)
        curve = torch.autograd.functional.hessian(lambda b, at=at, nats=nats: nats(weights[at], b), bias[at])
        torch.testing.assert_close(bend[at], curve)


@pytest.mark.parametrize("square", [True, False])
def test_a_lens_gives_what_the_columns_written_out_give(x: torch.Tensor, square: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Gradients by the weights on columns that are never written down, for a matrix and for a factor per column."""
    matrix = torch.randn(WIDTH, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    lens = Lens(x.mean(0), matrix if square else 1 / x.std(0))
    seen = (x - lens.mean) @ matrix if square else (x - lens.mean) * lens.matrix
    question = asked(3)
    weights, bias = parameters(4, 3, lens.width)
    through = Sweep(x, question, lens)(weights, bias, question.of)
    for one, other in zip(through, Sweep(seen, question, None)(weights, bias, question.of), strict=True):
        torch.testing.assert_close(one, other)


@dataclass(frozen=True)
class OnDisk:
    """Rows in float16 in a file."""

    path: Path
    size: int

    @property
    def width(self) -> int:
        """Count of columns."""
        return WIDTH

    def __len__(self) -> int:
        """Count of rows."""
        return self.size

    def blocks(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Unequal blocks."""
        rows = np.load(self.path, mmap_mode="r")
        for start in range(0, self.size, 130):
            part = slice(start, min(start + 130, self.size))
            yield part, torch.from_numpy(rows[part].astype(np.float32))


def test_rows_read_in_blocks_give_the_same_solution(x: torch.Tensor, tmp_path: Path) -> None:
    """Float16 rows on disk are solved as the same rows in memory are."""
    half = x.numpy().astype(np.float16)
    np.save(tmp_path / "x.npy", half)
    source = OnDisk(tmp_path / "x.npy", ROWS)
    assert isinstance(source, Blocks)
    question = asked(3)
    penalty = torch.full((2, WIDTH), 0.01)
    read, held = (
        logistic.fit(rows, question.labels, question.weights, penalty, 3, tolerance=1e-7)
        for rows in (source, torch.from_numpy(half.astype(np.float32)))
    )
    assert read.converged.all()
    torch.testing.assert_close(read.weights, held.weights, atol=1e-4, rtol=0)
