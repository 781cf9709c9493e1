"""Contrastive losses equal loops over pairs and a library's own, and stand every batch there can be."""

import math

import by_hand
import numpy as np
import pytest
import torch
from pytorch_metric_learning import losses as library
from torch import Tensor

from leakaudit.numerics import contrast

N, D = 14, 5
EPS = (0.0, 0.25, 3.0, math.inf)


def rows(seed: int, n: int = N) -> tuple[Tensor, Tensor]:
    """Random rows in float64, and three classes, one of which has a single row."""
    random = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (n,), generator=random)
    y[-1] = 2
    return torch.randn(n, D, generator=random, dtype=torch.float64), y


def info_nce(z: Tensor, y: Tensor, eps: float, temperature: float) -> Tensor:
    """The loss whose positives share the label and whose negatives do not."""
    s = contrast.cosines(z) / temperature
    return contrast.info_nce(s, contrast.alike(y), y[:, None] != y[None], eps)


def sup_con(z: Tensor, y: Tensor, temperature: float) -> Tensor:
    """The loss whose positives share the label."""
    return contrast.sup_con(contrast.cosines(z) / temperature, contrast.alike(y))


def pairs_of(y: Tensor) -> list[tuple[int, int]]:
    """Anchors and their positives."""
    return [(i, j) for i in range(len(y)) for j in range(len(y)) if i != j and y[i] == y[j]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_losses_equal_loops_over_pairs(seed: int, temperature: float) -> None:
    """Every eps and SupCon are the sums over anchors and positives that define them."""
    z, y = rows(seed)
    assert float(sup_con(z, y, temperature)) == pytest.approx(by_hand.sup_con(z.numpy(), pairs_of(y), temperature))
    for eps in EPS:
        expected = by_hand.eps_sup_info_nce(z.numpy(), y.numpy(), eps, temperature)
        assert float(info_nce(z, y, eps, temperature)) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_sup_con_and_its_gradient_are_the_librarys(temperature: float) -> None:
    """pytorch-metric-learning's SupConLoss gives the same number and slope, a row without a positive among them."""
    z, y = rows(4)
    slopes = []
    values = []
    for loss in (lambda z: sup_con(z, y, temperature), lambda z: library.SupConLoss(temperature=temperature)(z, y)):
        leaf = z.clone().requires_grad_()
        values.append(loss(leaf))
        values[-1].backward()
        slopes.append(leaf.grad)
    assert float(values[0].detach()) == pytest.approx(float(values[1].detach()))
    assert torch.allclose(slopes[0], slopes[1], atol=1e-10)


@pytest.mark.parametrize("labels", ["views", "classes"])
def test_info_nce_and_its_gradient_are_the_librarys(labels: str) -> None:
    """On even classes pytorch-metric-learning's NTXentLoss, a mean over pairs, is the loss with eps = 0."""
    z, _ = rows(5, 12)
    y = torch.arange(6).repeat(2) if labels == "views" else torch.arange(3).repeat(4)
    ours, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
    one, other = info_nce(ours, y, 0.0, 0.2), library.NTXentLoss(temperature=0.2)(theirs, y)
    one.backward()
    other.backward()
    assert float(one.detach()) == pytest.approx(float(other.detach()))
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-10)


def test_with_one_positive_a_row_both_losses_are_one() -> None:
    """NT-Xent is SupCon and SupInfoNCE at once where the other view is all that is alike; with more they differ."""
    z, _ = rows(6, 12)
    views, classes = torch.arange(6).repeat(2), torch.arange(3).repeat(4)
    assert float(sup_con(z, views, 0.3)) == pytest.approx(float(info_nce(z, views, 0.0, 0.3)))
    assert float(sup_con(z, classes, 0.3)) > float(info_nce(z, classes, 0.0, 0.3)) + 0.1


@pytest.mark.parametrize("eps", EPS)
def test_gradients_are_slopes(eps: float) -> None:
    """Numerical and analytical gradients agree, in rows without a positive and for every margin."""
    z, y = rows(7, 9)
    z.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: info_nce(z, y, eps, 0.3), (z,))
    assert torch.autograd.gradcheck(lambda z: sup_con(z, y, 0.3), (z,))
    part = torch.arange(9) != 4
    inside = contrast.alike(torch.where(part, y, -1))
    assert torch.autograd.gradcheck(lambda z: contrast.sup_con(contrast.cosines(z) / 0.3, inside, part), (z,))


def test_a_growing_margin_goes_from_sup_info_nce_to_info_l1o() -> None:
    """The loss falls as eps grows: from its value at 0, continuously, to the one without the positive below."""
    z, y = rows(8)
    losses = [float(info_nce(z, y, eps, 0.1)) for eps in (0.0, 1e-9, 0.5, 5.0, 50.0, 1e4, math.inf)]
    assert losses == sorted(losses, reverse=True)
    assert losses[1] == pytest.approx(losses[0], abs=1e-8)
    assert losses[-2] == losses[-3] == pytest.approx(losses[-1])
    assert losses[0] - losses[-1] > 0.01


def test_a_margin_asks_positives_to_be_nearer_by_so_much() -> None:
    """Of one positive and one negative the loss is log(e^-eps + e^(s- - s+)): below 0 from a gap on, not before."""
    for eps in (0.5, 1.0):
        enough = -math.log(1 - math.exp(-eps))
        for gap, sign in ((enough + 0.1, -1), (enough - 0.1, 1)):
            s = torch.tensor([[0.0, gap, 0.0], [gap, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
            loss = contrast.info_nce(s, contrast.alike(y := torch.tensor([0, 0, 1])), y[:, None] != y[None], eps)
            assert float(loss) == pytest.approx(math.log(math.exp(-eps) + math.exp(-gap)))
            assert sign * float(loss) > 0


@pytest.mark.parametrize("eps", EPS)
def test_lengths_rotations_and_the_order_of_rows_mean_nothing(eps: float) -> None:
    """Losses know angles alone; a reflection, a length for each row and another order leave them; noise does not."""
    z, y = rows(9)
    random = torch.Generator().manual_seed(10)
    turn = torch.linalg.qr(torch.randn(D, D, generator=random, dtype=torch.float64)).Q
    order = torch.randperm(N, generator=random)
    scale = torch.rand(N, 1, generator=random, dtype=torch.float64) + 0.1
    noisy = z + torch.randn(N, D, generator=random, dtype=torch.float64)
    for loss in (lambda z, y: info_nce(z, y, eps, 0.2), lambda z, y: sup_con(z, y, 0.2)):
        assert float(loss((z @ turn * scale)[order], y[order])) == pytest.approx(float(loss(z, y)))
        assert float(loss(noisy, y)) != pytest.approx(float(loss(z, y)), abs=0.01)


def test_rows_left_out_are_as_if_they_were_not_there() -> None:
    """SupCon among some rows is that of those alone, an anchor without a positive as 0; the rest get no gradient."""
    z, y = rows(11)
    part = torch.arange(N) % 3 > 0
    inside = contrast.alike(torch.where(part, y, -1))
    leaf = z.clone().requires_grad_()
    loss = contrast.sup_con(contrast.cosines(leaf) / 0.2, inside, part)
    loss.backward()
    having = float(inside.any(1).sum() / part.sum())
    assert having < 1
    assert float(loss.detach()) == pytest.approx(having * float(sup_con(z[part], y[part], 0.2)))
    assert leaf.grad[~part].abs().max() == 0
    assert leaf.grad[part].abs().max() > 0.01
    whole = contrast.sup_con(contrast.cosines(z) / 0.2, inside)
    assert float(whole) > float(loss.detach())


NOTHING = {
    "one row": [0],
    "all alike": [0] * 6,
    "all unlike": list(range(6)),
    "one pair": [0, 0],
    "two rows": [0, 1],
}


@pytest.mark.parametrize("y", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("eps", EPS)
def test_without_positives_or_negatives_there_is_nothing_to_learn(y: list[int], eps: float) -> None:
    """The loss is 0, and so is its gradient: no anchor has one of each kind."""
    z = torch.randn(len(y), D, generator=torch.Generator().manual_seed(12), requires_grad=True)
    loss = info_nce(z, torch.tensor(y), eps, 0.1)
    loss.backward()
    assert float(loss.detach()) == 0
    assert z.grad is not None
    assert z.grad.abs().max() == 0


def test_half_of_the_anchors_without_a_pair_leave_the_others_alone() -> None:
    """The mean runs over anchors that have a positive; the rest of the rows are negatives, and slopes are finite."""
    z, _ = rows(13, 8)
    y = torch.tensor([0, 0, 0, 0, 1, 2, 3, 4])
    z.requires_grad_()
    for eps in EPS:
        loss = info_nce(z, y, eps, 0.2)
        assert float(loss.detach()) == pytest.approx(by_hand.eps_sup_info_nce(z.detach().numpy(), y.numpy(), eps, 0.2))
        (slope,) = torch.autograd.grad(loss, z)
        assert torch.isfinite(slope).all()
        assert slope[4:].abs().max() > 0


def test_rows_that_coincide_cost_the_logarithm_of_their_number() -> None:
    """Identical rows: SupCon is log(n - 1), SupInfoNCE log(1 + negatives); no slope, and none that is not a number."""
    z = torch.ones(8, D, requires_grad=True)
    y = torch.tensor([0, 1] * 4)
    for loss, expected in (
        (sup_con(z, y, 1e-3), math.log(7)),
        (info_nce(z, y, 0.0, 1e-3), math.log(1 + 4)),
        (info_nce(z, y, math.inf, 1e-3), math.log(4)),
    ):
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
        (slope,) = torch.autograd.grad(loss, z)
        assert slope.abs().max() < 1e-2


@pytest.mark.parametrize("temperature", [1e-2, 1e-4, 1e-8])
def test_a_small_temperature_is_the_gap_to_the_nearest(temperature: float) -> None:
    """In float32 too: temperature times SupInfoNCE is the mean gap by which a negative is nearer than a positive."""
    z, y = rows(14)
    s = np.array(by_hand.similarity(z.numpy()))
    anchors = []
    for i in range(N - 1):  # the last has no positive
        nearest = max(s[i][j] for j in range(N) if y[j] != y[i])
        anchors.append(np.mean([max(nearest - s[i][j], 0) for j in range(N) if j != i and y[j] == y[i]]))
    leaf = z.float().requires_grad_()
    loss = info_nce(leaf, y, 0.0, temperature)
    loss.backward()
    assert float(loss.detach()) * temperature == pytest.approx(np.mean(anchors), abs=temperature * math.log(N) + 1e-5)
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def test_a_missing_label_is_like_no_other() -> None:
    """Two rows without a label are no pair, and no row is a pair with itself."""
    assert contrast.alike(torch.tensor([0, -1, -1, 0])).nonzero().tolist() == [[0, 3], [3, 0]]
