"""JTT draws the rows that a first network got wrong more often, and always the same ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import SIZES, batch, out, table
from torch.nn import functional
from trying import finish, plan, work

from leakaudit import store
from leakaudit.debias import jtt
from leakaudit.errors import InputError


def made(up: float = 20.0) -> jtt.Jtt:
    """In float64."""
    objective = jtt.objective(SIZES, up=up).double()
    assert isinstance(objective, jtt.Jtt)
    return objective


def test_the_error_set_is_what_the_first_network_gets_wrong() -> None:
    """Row by row, in evaluation mode: `up` for an error and 1 for a hit."""
    objective, rows = made(), batch()
    before = {name: tensor.clone() for name, tensor in objective.inner.state_dict().items()}
    weights = objective.weights(table(rows, 0))
    assert weights is not None
    assert all(torch.equal(before[name], tensor) for name, tensor in objective.inner.state_dict().items())
    objective.inner.eval()
    expected = []
    for row in range(len(rows.y)):
        with torch.no_grad():
            guess = int(objective.inner(rows.x[row : row + 1]).logits.argmax())
        expected.append(1.0 if guess == int(rows.y[row]) else 20.0)
    assert weights.tolist() == expected
    assert set(expected) == {1.0, 20.0}


def test_it_is_asked_once() -> None:
    """Before a later epoch the weights are those of the first, whatever the network would say."""
    objective, rows = made(), batch()
    first = objective.weights(table(rows, 0))
    with torch.no_grad():
        for parameter in objective.inner.parameters():
            parameter.neg_()
    later = objective.weights(table(rows, 1))
    assert first is not None
    assert later is not None
    assert torch.equal(first, later)
    again = objective.weights(table(rows, 0))
    assert again is not None
    assert not torch.equal(first, again)


def test_the_second_training_is_plain_cross_entropy() -> None:
    """Z and the first network get nothing; with `up` of 1 even the draw is even."""
    objective, rows, answer = made(1.0), batch(), out()
    loss = objective(rows, answer)
    assert torch.equal(loss, functional.cross_entropy(answer.logits, rows.y))
    loss.backward()
    assert answer.z.grad is None
    assert all(p.grad is None for p in objective.inner.parameters())
    weights = objective.weights(table(replace(rows), 0))
    assert weights is not None
    assert torch.equal(weights, torch.ones(len(rows.y)))


def test_the_first_network_learns_for_its_epochs_and_never_after(tmp_path: Path) -> None:
    """Trained for one epoch or for two: the same first network, and the same errors, of which there are some."""
    ends = []
    for epochs in (1, 2):
        what = plan("try/jtt", method__name="jtt", method__warmup=2, train__epochs=epochs)
        ends.append(store.read_tensors(finish(work(what, tmp_path))[0].folder / "objective.safetensors")[0])
    one, two = ends
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert 0 < one["wrong"].sum() < len(one["wrong"])


@pytest.mark.parametrize("knobs", [{"up": 0.5}, {"warmup": 0}])
def test_knobs_out_of_range_are_refused(knobs: dict) -> None:
    """By name."""
    with pytest.raises(InputError, match=f"jtt: {next(iter(knobs))} = 0"):
        jtt.objective(SIZES, **knobs)
