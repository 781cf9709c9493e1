"""FairKL's two regularisers are what the paper, and the released code, say they are."""

import math

import by_hand
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Out, Sizes, fairkl
from leakaudit.errors import InputError

N = 14
SIZES = Sizes(2, 3, 4, N, torch.full((2, 3), 2), (3, 8, 8), {})
VARIANTS = ("paper", "released")


def batch_of(y: list[int], v: list[int]) -> Batch:
    """Rows with these labels; images do not matter."""
    return Batch(torch.zeros(len(y), 1, 1, 1), torch.tensor(y), torch.tensor(v), torch.arange(len(y)))


def example(seed: int, n: int = N, hidden: int = 0) -> tuple[Batch, Out]:
    """Random rows and answers in float64, the first of them without a private label."""
    random = torch.Generator().manual_seed(seed)
    y, v = (torch.randint(k, (n,), generator=random).tolist() for k in (2, 3))
    v[:hidden] = [-1] * hidden
    z, logits = (torch.randn(n, width, generator=random, dtype=torch.float64) for width in (4, 2))
    return batch_of(y, v), Out(z.requires_grad_(), logits.requires_grad_(), {})


def regulariser(variant: fairkl.Variant, batch: Batch, z: Tensor) -> Tensor:
    """R, as what the loss with lam = 1 adds to the one with lam = 0."""
    out = Out(z, z.new_zeros(len(z), 2), {})
    one, none = (fairkl.objective(SIZES, variant=variant, alpha=0.0, lam=lam)(batch, out) for lam in (1.0, 0.0))
    return one - none


def by_loops(variant: fairkl.Variant, batch: Batch, z: Tensor) -> float:
    """R by loops over pairs."""
    rows, y, v = z.detach().numpy(), batch.y.numpy(), batch.v.numpy()
    if variant == "paper":
        return by_hand.gaussians_apart(rows, y, v, fairkl.LEAST)
    return by_hand.released_fairness(rows[v >= 0], y[v >= 0], v[v >= 0])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hidden", [0, 4])
def test_the_regulariser_equals_loops_over_pairs(variant: fairkl.Variant, seed: int, hidden: int) -> None:
    """Equation 6 and the released formula, also where some rows have no private label and are left out."""
    batch, out = example(seed, hidden=hidden)
    assert float(regulariser(variant, batch, out.z.detach())) == pytest.approx(
        by_loops(variant, batch, out.z), abs=1e-9
    )


def test_equation_6_is_the_divergence_of_two_gaussians() -> None:
    """Torch's own divergence of the two fitted Gaussians: of aligned from conflicting pairs, not the reverse."""
    batch, out = example(5)
    z = out.z.detach()
    s = functional.cosine_similarity(z[:, None], z[None], dim=2)
    once = torch.ones(N, N).triu(1).bool() & (batch.y[:, None] == batch.y[None])
    shared = batch.v[:, None] == batch.v[None]
    aligned, conflicting = (
        torch.distributions.Normal(s[pairs].mean(), (s[pairs].var(unbiased=False) + fairkl.LEAST).sqrt())
        for pairs in (once & shared, once & ~shared)
    )
    there = float(torch.distributions.kl_divergence(aligned, conflicting))
    assert float(regulariser("paper", batch, z)) == pytest.approx(there)
    assert float(s[once & shared].var()) > 1000 * fairkl.LEAST
    assert there != pytest.approx(float(torch.distributions.kl_divergence(conflicting, aligned)), rel=0.01)


def test_the_loss_is_the_sum_of_its_three_terms() -> None:
    """Cross-entropy + alpha eps-SupInfoNCE + lam R, each by other hands."""
    batch, out = example(6)
    rows, y = out.z.detach().numpy(), batch.y.numpy()
    for variant in VARIANTS:
        made = fairkl.objective(SIZES, variant=variant, alpha=0.7, lam=1.3, eps=0.4, temperature=0.2)
        task = float(functional.cross_entropy(out.logits, batch.y).detach())
        pull = by_hand.eps_sup_info_nce(rows, y, 0.4, 0.2)
        expected = task + 0.7 * pull + 1.3 * by_loops(variant, batch, out.z)
        assert float(made(batch, out).detach()) == pytest.approx(expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_of_zero_leave_cross_entropy(variant: fairkl.Variant) -> None:
    """With alpha = lam = 0 only the classifier learns: z gets nothing; with lam = 0 private labels mean nothing."""
    batch, out = example(7)
    fairkl.objective(SIZES, variant=variant, alpha=0.0, lam=0.0)(batch, out).backward()
    assert out.z.grad.abs().max() == 0
    other = Batch(batch.x, batch.y, batch.v.roll(1), batch.rows)
    for lam, same in ((0.0, True), (1.0, False)):
        made = fairkl.objective(SIZES, variant=variant, lam=lam)
        one, two = (float(made(part, out).detach()) for part in (batch, other))
        assert (one == pytest.approx(two)) is same


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gradient_is_the_slope(variant: fairkl.Variant) -> None:
    """Numerical and analytical gradients of the whole loss agree."""
    batch, out = example(8, n=10, hidden=2)
    made = fairkl.objective(SIZES, variant=variant, alpha=0.7, lam=1.3, eps=0.2, temperature=0.5)
    assert torch.autograd.gradcheck(lambda z, logits: made(batch, Out(z, logits, {})), (out.z, out.logits))


@pytest.mark.parametrize("variant", VARIANTS)
def test_length_rotation_and_order_mean_nothing(variant: fairkl.Variant) -> None:
    """R depends on angles and on who shares what; private classes may be renamed."""
    batch, out = example(9)
    z = out.z.detach()
    random = torch.Generator().manual_seed(10)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=random, dtype=torch.float64)).Q
    scale = torch.rand(N, 1, generator=random, dtype=torch.float64) + 0.1
    order = torch.randperm(N, generator=random)
    moved = batch_of(batch.y[order].tolist(), ((batch.v + 1) % 3)[order].tolist())
    first = float(regulariser(variant, batch, z))
    assert float(regulariser(variant, moved, (z @ turn * scale)[order])) == pytest.approx(first, abs=1e-9)
    assert float(regulariser(variant, batch, z[order])) != pytest.approx(first, abs=1e-3)


def test_equal_cosines_cost_nothing_and_going_down_makes_them_alike() -> None:
    """R is 0 where all rows are equally far apart; where private classes lie apart, steps on z close the gap."""
    batch = batch_of([0] * 4, [0, 0, 1, 1])
    corners = torch.eye(4, dtype=torch.float64)
    for rows in (corners, corners - 0.25, torch.ones(4, 4, dtype=torch.float64)):
        assert float(regulariser("paper", batch, rows)) == pytest.approx(0, abs=1e-12)
    batch = batch_of([0] * 12, [0, 1] * 6)
    apart = torch.where(batch.v[:, None] == 0, 1.0, -1.0) * torch.tensor([1.0, 0, 0, 0])
    z = (apart + torch.randn(12, 4, generator=torch.Generator().manual_seed(3))).double().requires_grad_()
    mover = torch.optim.SGD([z], lr=0.2)
    costs = []
    for _ in range(25):
        mover.zero_grad()
        cost = regulariser("paper", batch, z)
        cost.backward()
        mover.step()
        costs.append(float(cost.detach()))
    assert costs[-1] < 0.1 * costs[0]
    assert min(costs) >= 0


NOTHING = {
    "one private class": ([0, 0, 1, 1], [1, 1, 1, 1]),
    "no private label": ([0, 0, 1, 1], [-1, -1, -1, -1]),
    "all conflicting": ([0, 0, 1, 1], [0, 1, 0, 1]),
    "one pair of a kind": ([0, 0, 0, 1], [0, 0, 1, 1]),
    "two rows": ([0, 0], [0, 1]),
    "one row": ([0], [0]),
}


@pytest.mark.parametrize("labels", NOTHING.values(), ids=NOTHING)
def test_a_batch_without_two_pairs_of_each_kind_is_left_alone(labels: tuple[list[int], list[int]]) -> None:
    """No deviation, no divergence: 0, with a gradient of 0."""
    batch = batch_of(*labels)
    z = torch.randn(len(batch.y), 4, generator=torch.Generator().manual_seed(11)).requires_grad_()
    cost = fairkl.divergence(functional.normalize(z) @ functional.normalize(z).T, batch)
    cost.backward()
    assert float(cost.detach()) == 0
    assert z.grad.abs().max() == 0


@pytest.mark.parametrize("labels", NOTHING.values(), ids=NOTHING)
def test_the_released_form_stands_every_batch(labels: tuple[list[int], list[int]]) -> None:
    """Absent kinds count as means and deviations of 0, as in the code; loss and gradient are finite."""
    batch = batch_of(*labels)
    z = torch.randn(len(batch.y), 4, generator=torch.Generator().manual_seed(12), dtype=torch.float64).requires_grad_()
    cost = regulariser("released", batch, z)
    cost.backward()
    assert torch.isfinite(z.grad).all()
    if len(batch.y) > 1 and int(batch.v[0]) >= 0:
        assert float(cost.detach()) == pytest.approx(by_loops("released", batch, z), abs=1e-5)
    if int(batch.v[0]) < 0:
        assert float(cost.detach()) == 0
        assert z.grad.abs().max() == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_that_coincide_give_finite_slopes(variant: fairkl.Variant) -> None:
    """Variances of 0, in float32 and at a small temperature."""
    z = torch.ones(8, 4, requires_grad=True)
    batch = batch_of([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1] * 2)
    made = fairkl.objective(SIZES, variant=variant, temperature=1e-3, lam=100.0)
    loss = made(batch, Out(z, torch.zeros(8, 2), {}))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(z.grad).all()


def test_released_deviations_run_over_the_whole_matrix() -> None:
    """Zeros in place of other pairs make them smaller than those of the pairs, and the divergence is no part of it."""
    y, v = [0] * 3 + [1] * 3, [0, 0, 1, 1, 2, 2]
    batch, z = batch_of(y, v), torch.ones(6, 4, dtype=torch.float64)
    # all cosines 1: means are 1 and match, and a mask of c pairs among 36 has the variance c (36 - c) / (36 * 35)
    counts = {"pa": 10, "pc": 8, "na": 2, "nc": 16}
    deviation = {kind: math.sqrt(count * (36 - count) / 36 / 35) for kind, count in counts.items()}
    widths = (deviation["pa"] - deviation["pc"]) ** 2 + (deviation["na"] - deviation["nc"]) ** 2
    assert float(regulariser("released", batch, z)) == pytest.approx(widths - 1 + 1, abs=1e-6)
    assert float(regulariser("paper", batch, z)) == pytest.approx(0, abs=1e-12)


def test_the_released_form_rewards_conflicting_positives_and_punishes_aligned_negatives() -> None:
    """Its last two terms: a row with a single partner of either kind is drawn to it, or away, by half of its slope."""
    z = torch.tensor([[1.0, 0.2], [0.2, 1.0]], dtype=torch.float64).requires_grad_()
    slopes = []
    for y, v in (([0, 0], [0, 1]), ([0, 1], [0, 0])):
        (slope,) = torch.autograd.grad(regulariser("released", batch_of(y, v), z), z)
        slopes.append(float((slope[0] * torch.tensor([0.0, 1.0], dtype=torch.float64)).sum()))
    assert slopes[0] < 0 < slopes[1]


@pytest.mark.parametrize("name", ["alpha", "lam", "eps"])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_weight_that_is_none_is_refused(name: str, value: float) -> None:
    """Below zero or no number: the message names the knob."""
    with pytest.raises(InputError, match=f"fairkl: {name} = {value}: at least 0 expected"):
        fairkl.objective(SIZES, **{name: value})
