"""Contrastive losses for numbers are equations 9 to 11 of the paper, and turn into those for classes."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from leakaudit.numerics import contrast, kernels
from leakaudit.numerics.kernels import Kernel

LOSSES = {"y-aware": kernels.y_aware, "threshold": kernels.threshold, "exponential": kernels.exponential}
TEMPERATURE = 0.5


def example(seed: int = 0, rows: int = 9) -> tuple[Tensor, Tensor]:
    """Cosines over temperature of random rows, and their labels, of which some are equal; float64."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, 4, generator=random, dtype=torch.float64)
    y = torch.randn(rows, generator=random, dtype=torch.float64)
    y[rows // 2 : rows // 2 + 2] = y[:2]
    return contrast.cosines(z) / TEMPERATURE, y


def by_hand(name: str, s: Tensor, y: Tensor, kernel: str, sigma: float) -> float:
    """The equations, by loops over anchors, their rows and the rows those are set against."""
    n, anchors = len(y), []

    def w(i: int, k: int) -> float:
        d = float(y[i] - y[k])
        return math.exp(-(d**2) / (2 * sigma**2)) if kernel == "rbf" else 1 / (1 + d**2 / sigma**2)

    for i in range(n):
        others = [k for k in range(n) if k != i]
        value = 0.0
        for k in others:
            if name == "y-aware":
                below = sum(math.exp(s[i, t]) for t in others)
            elif name == "threshold":
                below = sum(math.exp(s[i, t]) for t in others if w(i, t) < w(i, k))
            else:
                below = sum(math.exp(s[i, t] * (1 - w(i, t))) for t in others)
            if below:
                value -= w(i, k) * math.log(math.exp(s[i, k]) / below)
        anchors.append(value / sum(w(i, t) for t in others))
    return float(np.mean(anchors))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("kernel", "sigma"), [("rbf", 0.3), ("rbf", 2.0), ("cauchy", 0.5)])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_the_papers(name: str, kernel: Kernel, sigma: float, seed: int) -> None:
    """Loops over the equations give the same number, with either kernel, narrow and wide."""
    s, y = example(seed)
    found = LOSSES[name](s, kernels.weights(y, kernel, sigma))
    assert float(found) == pytest.approx(by_hand(name, s, y, kernel, sigma))


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_slope(name: str) -> None:
    """Numerical and analytical gradients on the cosines agree, equal labels among them."""
    s, y = example(1, rows=6)
    w = kernels.weights(y, "rbf", 0.8)
    assert torch.autograd.gradcheck(lambda part: LOSSES[name](part, w), s.clone().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_only_distances_count_and_only_in_widths_of_the_kernel(name: str) -> None:
    """Labels moved or mirrored change nothing, nor does another unit that sigma shares; another sigma does."""
    s, y = example(2)

    def loss(labels: Tensor, sigma: float) -> float:
        return float(LOSSES[name](s, kernels.weights(labels, "rbf", sigma)))

    first = loss(y, 0.5)
    assert loss(40 - y, 0.5) == pytest.approx(first)
    assert loss(12 * y, 6.0) == pytest.approx(first)
    assert loss(12 * y, 0.5) != pytest.approx(first)


@pytest.mark.parametrize("kernel", ["rbf", "cauchy"])
def test_a_narrow_kernel_makes_classes_of_equal_labels(kernel: Kernel) -> None:
    """Eq. 9 becomes SupCon, eq. 10 InfoL1O, and in eq. 11 rows of the same class stand in the denominator as 1."""
    s, _ = example(3)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2])
    w = kernels.weights(labels.double(), kernel, 1e-9)
    alike, unlike = contrast.alike(labels), labels[:, None] != labels[None]
    assert torch.allclose(kernels.y_aware(s, w), contrast.sup_con(s, alike))
    lone = contrast.info_nce(s, alike, unlike, math.inf)
    below = (alike.sum(1) + (s.exp() * unlike).sum(1)).log()[:, None]
    assert torch.allclose(kernels.exponential(s, w), ((below - s) * alike).sum() / alike.sum())
    if kernel == "rbf":  # Cauchy's never comes to 0, so the farthest rows are told from the rest
        assert torch.allclose(kernels.threshold(s, w), lone)


def test_equal_labels_leave_nothing_to_repel() -> None:
    """Eq. 9 treats all rows as one class, eq. 10 is silent, eq. 11 pulls all rows together with the same force."""
    s, y = example(4)
    w = kernels.weights(torch.full_like(y, 33.0), "rbf", 0.5)
    others = ~torch.eye(len(y), dtype=torch.bool)
    assert torch.allclose(kernels.y_aware(s, w), contrast.sup_con(s, others))
    assert float(kernels.threshold(s, w)) == 0.0
    assert torch.allclose(kernels.exponential(s, w), math.log(len(y) - 1) - s[others].mean())


def test_two_rows_are_set_against_each_other_alone() -> None:
    """Eqs. 9 and 10 have nothing to say of a pair; eq. 11 draws it together as far as its labels are near."""
    s, y = (part[:2] for part in example(5))
    s = s[:, :2]
    for sigma in (1e-9, 0.5, 1e9):
        w = kernels.weights(y, "rbf", sigma)
        assert float(kernels.y_aware(s, w)) == pytest.approx(0.0)
        assert float(kernels.threshold(s, w)) == 0.0
        assert float(kernels.exponential(s, w)) == pytest.approx(-float(s[0, 1] * w[0, 1]))


def test_the_threshold_sets_a_row_against_farther_ones_alone() -> None:
    """What lies nearer to the anchor has no slope on a row's term; the released sum, the same for all rows, has."""
    y = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    s = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    w = torch.zeros(4, 4, dtype=torch.float64)
    w[0] = kernels.weights(y, "cauchy", 1.0)[0]  # the first row alone is an anchor
    kernels.threshold(s, w).backward()
    share = w[0, 1:] / w[0, 1:].sum()
    expected = torch.stack([-share[0], share[0] / 2 - share[1], share[0] / 2 + share[1]])
    assert torch.allclose(s.grad[0, 1:], expected)
    assert s.grad[1:].abs().max() == 0
