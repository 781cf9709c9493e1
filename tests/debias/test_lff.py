"""LfF weighs each row by the share of the biased network in what both fail at."""

import numpy as np
import pytest
import torch
from small import ROWS, SIZES, TARGETS, batch, out, part
from torch.nn import functional

from leakaudit.debias import Batch, Out, lff
from leakaudit.errors import InputError
from leakaudit.numerics import ambition


def made(smoothing: float = 0.7) -> lff.Lff:
    """In float64, its twin in evaluation mode throughout."""
    objective = lff.objective(SIZES, smoothing=smoothing).double()
    assert isinstance(objective, lff.Lff)
    objective.inner.train = lambda mode=True: objective.inner  # type: ignore[method-assign] # noqa: ARG005
    for module in objective.inner.modules():
        module.training = False
    return objective


def rows_losses(logits: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Cross-entropy of each row."""
    found: np.ndarray = functional.cross_entropy(logits, y, reduction="none").detach().numpy()
    return found


class Ema:
    """The moving average as the authors' code has it: the first loss whole, then alpha of the old."""

    def __init__(self, label: np.ndarray, alpha: float) -> None:
        self.label, self.alpha = label, alpha
        self.parameter, self.updated = np.zeros(len(label)), np.zeros(len(label))

    def update(self, data: np.ndarray, index: np.ndarray) -> None:
        """New losses of some rows."""
        self.parameter[index] = self.alpha * self.parameter[index] + (1 - self.alpha * self.updated[index]) * data
        self.updated[index] = 1

    def max_loss(self, label: int) -> float:
        """The largest of a class, over all rows."""
        return float(self.parameter[self.label == label].max())


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_batch_after_batch_it_is_the_authors_algorithm(alpha: float) -> None:
    """Two epochs in batches, against a transcription: averages, division by the class's largest, then the share."""
    whole = batch()
    objective = made(alpha)
    biased, model = Ema(whole.y.numpy(), alpha), Ema(whole.y.numpy(), alpha)
    seen = set()
    for epoch in range(2):
        order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(epoch))
        for number, index in enumerate(order.split(7)):
            rows, answer = part(whole, index), out(len(index), 10 * epoch + number)
            with torch.no_grad():
                loss_b = rows_losses(objective.inner(rows.x).logits, rows.y)
            loss_d = rows_losses(answer.logits, rows.y)
            each = loss_d.copy()
            biased.update(loss_b, index.numpy())
            model.update(loss_d, index.numpy())
            loss_b, loss_d = biased.parameter[index].copy(), model.parameter[index].copy()
            for label in range(TARGETS):
                here = rows.y.numpy() == label
                if here.any():
                    loss_b[here] /= biased.max_loss(label)
                    loss_d[here] /= model.max_loss(label)
            weight = loss_b / (loss_b + loss_d + 1e-8)
            value = objective(rows, answer)
            assert float(value.detach()) == pytest.approx(float((each * weight).mean()), rel=1e-7)
            (ours,) = torch.autograd.grad(value, answer.logits)
            plain = functional.cross_entropy(answer.logits, rows.y, reduction="none")
            (theirs,) = torch.autograd.grad((torch.from_numpy(weight) * plain).mean(), answer.logits)
            assert torch.allclose(ours, theirs)
            seen |= set(np.round(weight, 3))
    assert len(seen) > ROWS


def test_a_row_that_only_the_biased_network_fails_at_counts_in_full() -> None:
    """And one that only the model fails at hardly at all; where both are alike every weight is a half."""
    objective, rows = made(), batch()
    with torch.no_grad():
        twin = objective.inner(rows.x)
    same = objective._weights(rows, torch.ones(2, ROWS, dtype=torch.float64))
    assert torch.allclose(same, torch.full_like(same, 0.5))
    value = made()(rows, Out(twin.z, twin.logits, {}))
    assert float(value) == pytest.approx(float(rows_losses(twin.logits, rows.y).mean()) / 2, rel=1e-6)
    losses = torch.full((2, ROWS), 1e-3, dtype=torch.float64)
    losses[0, :12], losses[1, 12:] = 1.0, 1.0
    mixed = made()._weights(Batch(rows.x, torch.zeros_like(rows.y), rows.v, rows.rows), losses)
    assert mixed[:12].min() > 0.99
    assert mixed[12:].max() < 0.01


def test_the_twin_goes_down_on_the_generalised_cross_entropy() -> None:
    """And gets no gradient from the model's loss, nor z."""
    objective, rows, answer = made(), batch(), out()
    objective(rows, answer).backward()
    assert all(p.grad is None for p in objective.inner.parameters())
    assert answer.z.grad is None
    with torch.no_grad():
        expected = ambition.generalised(objective.inner(rows.x).logits, rows.y, 0.7)
        assert torch.equal(objective.inner_step(rows, answer.detach()), expected)


def test_outside_training_nothing_is_remembered() -> None:
    """A look at the loss is no step; a step is."""
    objective, rows, answer = made(), batch(), out()
    objective.eval()
    one = objective(rows, answer)
    assert not objective.met.any()
    assert torch.equal(one, objective(rows, answer))
    objective.train()
    objective(rows, answer)
    assert objective.met.all()
    assert torch.equal(objective.of_row, rows.y)


def test_a_row_without_loss_has_a_finite_weight() -> None:
    """Both networks sure and right: no division by nothing."""
    weight = made()._weights(batch(), torch.zeros(2, ROWS, dtype=torch.float64))
    assert torch.isfinite(weight).all()


@pytest.mark.parametrize(
    ("knobs", "words"), [({"q": 0.0}, "q = 0"), ({"q": 1.5}, "at most 1"), ({"smoothing": 1.0}, "smoothing = 1")]
)
def test_knobs_out_of_range_are_refused(knobs: dict, words: str) -> None:
    """By name."""
    with pytest.raises(InputError, match=words):
        lff.objective(SIZES, **knobs)
