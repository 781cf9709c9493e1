"""BiasCon pulls together what shares the target and not the private class; BC + BB balances its cross-entropy."""

import math

import by_hand
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Out, Sizes, Table, bias_balance, bias_contrast
from leakaudit.errors import InputError

IMAGES, TARGETS, PRIVATES = 7, 3, 2
Y = torch.tensor([0, 0, 0, 1, 1, 2, 0])
V = torch.tensor([0, 0, 1, 0, 1, 0, -1])
TABLE = torch.tensor([[2, 1], [1, 1], [1, 0]])
SIZES = Sizes(TARGETS, PRIVATES, 5, IMAGES, TABLE, (3, 8, 8), {})


def example(seed: int = 0) -> tuple[Batch, Out]:
    """All images under two views, one of them without a private label, and a random answer in float64."""
    random = torch.Generator().manual_seed(seed)
    n = 2 * IMAGES
    batch = Batch(torch.zeros(n, 1, 1, 1), Y.repeat(2), V.repeat(2), torch.arange(IMAGES).repeat(2))
    z, logits = (torch.randn(n, width, generator=random, dtype=torch.float64) for width in (5, TARGETS))
    return batch, Out(z.requires_grad_(), logits.requires_grad_(), {})


def by_loops(batch: Batch, z: Tensor, temperature: float) -> float:
    """SupCon among rows with a private label, the mean over all of them; positives share the target alone."""
    known = [i for i in range(len(z)) if batch.v[i] >= 0]
    y, v = batch.y[known], batch.v[known]
    pairs = [(i, j) for i in range(len(known)) for j in range(len(known)) if y[i] == y[j] and v[i] != v[j]]
    having = len({i for i, _ in pairs}) / len(known)
    return having * by_hand.sup_con(z.detach().numpy()[known], pairs, temperature)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_the_loss_is_the_papers(seed: int, temperature: float) -> None:
    """0.01 cross-entropy + SupCon by loops; a view of the same image has the same bias and is no positive."""
    batch, out = example(seed)
    made = bias_contrast.objective(SIZES, temperature=temperature)
    expected = 0.01 * functional.cross_entropy(out.logits, batch.y).detach() + by_loops(batch, out.z, temperature)
    assert float(made(batch, out).detach()) == pytest.approx(float(expected))


def test_an_anchor_without_a_positive_counts_as_nothing() -> None:
    """Six rows of a class, one of another bias, beside six far ones without a positive: half the loss of the six."""
    random = torch.Generator().manual_seed(8)
    z = torch.randn(6, 5, generator=random, dtype=torch.float64)
    y, v = torch.tensor([0] * 6 + [1] * 3 + [2] * 3), torch.tensor([1] + [0] * 11)
    far = torch.cat([torch.cat([z, torch.zeros(6, 1)], 1), torch.eye(6)[5].expand(6, 6) * 1e9])
    made = bias_contrast.objective(SIZES, ce=0.0, temperature=0.01)
    losses = []
    for rows in (slice(0, 6), slice(0, 12)):
        n = len(y[rows])
        batch = Batch(torch.zeros(n, 1, 1, 1), y[rows], v[rows], torch.arange(n) % IMAGES)
        losses.append(float(made(batch, Out(far[rows], torch.zeros(n, TARGETS), {}))))
    assert losses[1] == pytest.approx(losses[0] / 2, rel=1e-3)
    assert losses[0] > 1


def test_the_weight_stands_before_the_cross_entropy() -> None:
    """With ce = 0 the logits learn nothing; with ce = 3 three times as much as by cross-entropy; z the same by both."""
    slopes = {}
    for ce in (0.0, 1.0, 3.0):
        batch, out = example()
        bias_contrast.objective(SIZES, ce=ce)(batch, out).backward()
        slopes[ce] = out
    assert slopes[0.0].logits.grad.abs().max() == 0
    assert torch.allclose(3 * slopes[1.0].logits.grad, slopes[3.0].logits.grad)
    assert torch.allclose(slopes[0.0].z.grad, slopes[3.0].z.grad)
    assert slopes[0.0].z.grad.abs().max() > 0.01


@pytest.mark.parametrize("balanced", [False, True])
def test_the_gradient_is_the_slope(*, balanced: bool) -> None:
    """Numerical and analytical gradients of the whole loss agree, rows without a label or a positive included."""
    batch, out = example(2)
    made = bias_contrast.objective(SIZES, ce=0.5, temperature=0.5, balanced=balanced)
    assert torch.autograd.gradcheck(lambda z, logits: made(batch, Out(z, logits, {})), (out.z, out.logits))


def test_balanced_cross_entropy_is_bias_bals() -> None:
    """BC + BB is ce BiasBal + BiasCon."""
    batch, out = example(3)
    plain, both = (
        float(bias_contrast.objective(SIZES, ce=0.7, balanced=b)(batch, out).detach()) for b in (False, True)
    )
    balance = float(bias_balance.objective(SIZES)(batch, out).detach())
    task = float(functional.cross_entropy(out.logits, batch.y).detach())
    assert both - plain == pytest.approx(0.7 * (balance - task))
    assert abs(balance - task) > 0.01


def test_an_even_table_balances_nothing() -> None:
    """Where each private class has the targets in equal shares, BC + BB is BC."""
    batch, out = example(3)
    even = Sizes(TARGETS, PRIVATES, 5, IMAGES, torch.full((TARGETS, PRIVATES), 4), (3, 8, 8), {})
    plain, both = (float(bias_contrast.objective(even, balanced=b)(batch, out).detach()) for b in (False, True))
    assert both == pytest.approx(plain)


@pytest.mark.parametrize(
    ("y", "v"),
    [([0, 0, 1, 1], [0, 0, 1, 1]), ([0, 1, 2, 0], [0, 1, 0, -1]), ([0, 0], [-1, -1]), ([0], [1])],
)
def test_without_a_positive_cross_entropy_alone_is_left(y: list[int], v: list[int]) -> None:
    """No two rows of one target with unlike private classes: z gets nothing, the loss is 0.01 cross-entropy."""
    n = len(y)
    z = torch.randn(n, 5, generator=torch.Generator().manual_seed(4)).requires_grad_()
    logits = torch.randn(n, TARGETS, generator=torch.Generator().manual_seed(5))
    batch = Batch(torch.zeros(n, 1, 1, 1), torch.tensor(y), torch.tensor(v), torch.arange(n))
    loss = bias_contrast.objective(SIZES)(batch, Out(z, logits, {}))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.01 * float(functional.cross_entropy(logits, batch.y)))
    assert z.grad.abs().max() == 0


def table_of(epoch: int = 0, v: Tensor = V) -> Table:
    """The training set between epochs."""

    def outputs() -> Out:
        raise AssertionError

    return Table(Y, v, epoch, outputs)


def test_rows_come_as_they_are_unless_a_ratio_is_asked_for() -> None:
    """Ratio 1 draws every row once; above, rows with a rare private class of their target come up more often."""
    assert bias_contrast.objective(SIZES).weights(table_of()) is None
    drawn = bias_contrast.objective(SIZES, ratio=10.0).weights(table_of())
    assert drawn is not None
    # p(v | y) of rows: 2/3, 2/3, 1/3, 1/2, 1/2, 1, no label
    raw = [3 / 2, 3 / 2, 3, 2, 2, 1]
    assert drawn.tolist() == pytest.approx([6 * weight / sum(raw) for weight in raw] + [1])
    clipped = bias_contrast.objective(SIZES, ratio=2.0).weights(table_of())
    assert clipped is not None
    assert float(clipped[2] / clipped[5]) == pytest.approx(2)


def test_cross_entropy_is_weighed_back_to_the_rows_as_they_are() -> None:
    """Its mean over draws is the plain mean over rows: the expectation, summed exactly."""
    made = bias_contrast.objective(SIZES, ce=1.0, ratio=10.0)
    drawn = made.weights(table_of())
    assert drawn is not None
    logits = torch.randn(IMAGES, TARGETS, generator=torch.Generator().manual_seed(6))
    expectation = 0.0
    for row in range(IMAGES):
        one = torch.tensor([row])
        batch = Batch(torch.zeros(1, 1, 1, 1), Y[one], V[one], one)
        loss = made(batch, Out(torch.ones(1, 5), logits[one], {}))
        expectation += float(drawn[row] / drawn.sum()) * float(loss)
    assert expectation == pytest.approx(float(functional.cross_entropy(logits, Y)), rel=1e-5)


def test_the_prior_follows_the_labels_of_the_table() -> None:
    """Other private labels between epochs, as a method that makes them out gives: the next batch has their prior."""
    batch, out = example(7)
    other = Batch(batch.x, batch.y, (1 - batch.v).where(batch.v >= 0, -1), batch.rows)
    made = bias_contrast.objective(SIZES, balanced=True)
    before = float(made(batch, out).detach())
    made.weights(table_of(1, torch.where(V >= 0, 1 - V, -1)))
    assert float(made(other, out).detach()) == pytest.approx(before)
    assert float(made(batch, out).detach()) != pytest.approx(before, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce", -1.0), ("ce", math.nan), ("ratio", 0.5), ("ratio", math.inf), ("temperature", 0.0), ("temperature", -1.0)],
)
def test_a_knob_that_means_nothing_is_refused(name: str, value: float) -> None:
    """The message names method, knob and value."""
    with pytest.raises(InputError, match=f"bias-contrast: {name} = {value}: "):
        bias_contrast.objective(SIZES, **{name: value})
