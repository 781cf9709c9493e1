"""EnD's two terms are what the paper, or the released code, says they are."""

import pytest
import torch
from torch.nn import functional

from leakaudit.debias import Batch, Out, Sizes, end
from leakaudit.errors import InputError

SIZES = Sizes(2, 3, 4, 12, torch.full((2, 3), 2), (3, 8, 8), {})
VARIANTS = ("paper", "released")


def batch_of(y: list[int], v: list[int]) -> Batch:
    """Rows with these labels; images do not matter."""
    return Batch(torch.zeros(len(y), 1, 1, 1), torch.tensor(y), torch.tensor(v), torch.arange(len(y)))


def terms(z: torch.Tensor, batch: Batch, variant: end.Variant) -> tuple[float, float]:
    """R_perp and R_par."""
    made = end.objective(SIZES, variant=variant)
    assert isinstance(made, end.EnD)
    cosine = end.cosines(z)
    return float(made.disentangling(cosine, batch)), float(made.entangling(cosine, batch))


def by_hand(z: torch.Tensor, batch: Batch, variant: end.Variant) -> tuple[float, float]:
    """The two terms by loops over pairs, as PAPERS and code write them."""
    unit = functional.normalize(z)
    n = len(z)
    same: dict[int, list[float]] = {}
    unlike = []
    for i in range(n):
        for j in range(i):
            cosine = float(unit[i] @ unit[j])
            a, b = int(batch.v[i]), int(batch.v[j])
            if min(a, b) < 0:
                continue
            if a == b:
                same.setdefault(a, []).append(cosine)
            elif batch.y[i] == batch.y[j] and (variant == "paper" or a < b):
                unlike.append(cosine)
    pairs = sum(map(len, same.values()))
    inside = sum(abs(c) for part in same.values() for c in part)
    outside = sum(abs(sum(part)) for part in same.values())
    perp = (inside if variant == "paper" else outside) / max(pairs, 1)
    return perp, 1 - sum((1 + c) / 2 for c in unlike) / len(unlike) if unlike else 0.0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(3))
def test_the_vectorised_terms_equal_loops_over_pairs(variant: end.Variant, seed: int) -> None:
    """On random rows, some without a private label, both terms are the sums over pairs that define them."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(12, 4, generator=random)
    y = torch.randint(2, (12,), generator=random).tolist()
    v = (torch.randint(4, (12,), generator=random) - 1).tolist()
    batch = batch_of(y, v)
    assert terms(z, batch, variant) == pytest.approx(by_hand(z, batch, variant), abs=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_orthogonal_rows_of_one_private_class_cost_nothing(variant: end.Variant) -> None:
    """R_perp is 0 where rows that share the private class are orthogonal, and 1 where they coincide."""
    alike = batch_of([0, 1, 0, 1], [1, 1, 1, 1])
    assert terms(torch.eye(4), alike, variant)[0] == pytest.approx(0, abs=1e-7)
    assert terms(torch.ones(4, 4), alike, variant)[0] == pytest.approx(1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_target_in_one_direction_costs_nothing(variant: end.Variant) -> None:
    """R_par is 0 where rows that share the target alone coincide, and 1 where they are opposite."""
    batch = batch_of([0, 0], [1, 0])
    rows = torch.tensor([[1.0, 2, 0, 0], [1, 2, 0, 0]])
    pair = batch_of([0, 0], [0, 1])
    assert terms(rows, pair, variant)[1] == pytest.approx(0, abs=1e-7)
    opposite = torch.stack([rows[0], -rows[0]])
    found = max(terms(opposite, part, variant)[1] for part in (batch, pair))
    assert found == pytest.approx(1)


def test_opposite_rows_of_one_private_class_cost_the_paper_but_not_the_released_code() -> None:
    """The absolute value inside the sum sees a pair at -1 and a pair at +1; outside the sum they cancel."""
    z = torch.tensor([[1.0, 0, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0], [-1, 0, 0, 0]])
    batch = batch_of([0, 0, 0, 0], [2, 2, 2, 2])
    assert terms(z, batch, "paper")[0] == pytest.approx(1)
    assert terms(z, batch, "released")[0] == pytest.approx(2 / 6)


def test_the_released_code_uses_each_eligible_pair_in_one_order_alone() -> None:
    """A pair whose later row has the larger private class counts in the paper only."""
    z = torch.tensor([[1.0, 0, 0, 0], [-1, 0, 0, 0]])
    assert terms(z, batch_of([0, 0], [0, 1]), "paper")[1] == pytest.approx(1)
    assert terms(z, batch_of([0, 0], [0, 1]), "released")[1] == 0
    assert terms(z, batch_of([0, 0], [1, 0]), "released")[1] == pytest.approx(1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_length_and_rotation_of_the_bottleneck_mean_nothing(variant: end.Variant) -> None:
    """Both terms depend on angles alone."""
    random = torch.Generator().manual_seed(5)
    z = torch.randn(10, 4, generator=random)
    batch = batch_of([0, 1] * 5, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    turn = torch.linalg.qr(torch.randn(4, 4, generator=random)).Q
    scale = torch.rand(10, 1, generator=random) + 0.1
    assert terms(z @ turn * scale, batch, variant) == pytest.approx(terms(z, batch, variant), abs=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gradient_is_the_slope(variant: end.Variant) -> None:
    """Numerical and analytical gradients of the whole loss agree."""
    random = torch.Generator().manual_seed(7)
    z = torch.randn(8, 4, generator=random, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(8, 2, generator=random, dtype=torch.float64, requires_grad=True)
    batch = batch_of([0, 1] * 4, [0, 1, 2, 0, 1, 2, 0, -1])
    loss = end.objective(SIZES, variant=variant, alpha=0.7, beta=1.3)
    assert torch.autograd.gradcheck(lambda a, b: loss(batch, Out(a, b, {})), (z, logits))


def test_weights_of_zero_leave_cross_entropy() -> None:
    """With alpha = beta = 0 it is vanilla."""
    random = torch.Generator().manual_seed(7)
    z, logits = torch.randn(8, 4, generator=random), torch.randn(8, 2, generator=random)
    batch = batch_of([0, 1] * 4, [0, 1] * 4)
    loss = end.objective(SIZES, alpha=0.0, beta=0.0)(batch, Out(z, logits, {}))
    assert torch.equal(loss, functional.cross_entropy(logits, batch.y))


def test_going_down_on_the_terms_turns_private_classes_orthogonal() -> None:
    """Some gradient steps on z itself lower both terms, and the twin without them stays where it was."""
    random = torch.Generator().manual_seed(9)
    z = torch.randn(12, 4, generator=random, requires_grad=True)
    batch = batch_of([0, 1] * 6, [0, 0, 1, 1, 2, 2] * 2)
    loss = end.objective(SIZES, alpha=1.0, beta=1.0)
    flat = Out(z, torch.zeros(12, 2), {})
    before = terms(z.detach(), batch, "paper")
    mover = torch.optim.SGD([z], lr=1.0)
    for _ in range(50):
        mover.zero_grad()
        loss(batch, flat).backward()
        mover.step()
    after = terms(z.detach(), batch, "paper")
    assert sum(after) < 0.7 * sum(before)


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_a_negative_weight_is_refused(name: str) -> None:
    """A regulariser that is rewarded is a typing error."""
    with pytest.raises(InputError, match=f"{name} = -1"):
        end.objective(SIZES, **{name: -1.0})
