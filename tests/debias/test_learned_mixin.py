"""LearnedMixin mixes in a biased network that learns first and then stands still."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small import SIZES, batch, out
from torch import nn
from torch.nn import functional
from trying import finish, plan, work

from leakaudit import store
from leakaudit.debias import Out, learned_mixin
from leakaudit.errors import InputError
from leakaudit.plan import prepare


def made(entropy: float = 0.36) -> learned_mixin.LearnedMixin:
    """In float64, its own layer always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        objective = learned_mixin.objective(SIZES, entropy=entropy).double()
    assert isinstance(objective, learned_mixin.LearnedMixin)
    return objective


def test_the_loss_is_the_papers() -> None:
    """With log p of the biased network: CE(f + h log p) + 0.36 H(softmax(h log p)), row by row."""
    objective, rows, answer = made(), batch(), out()
    with torch.no_grad():
        loss = float(objective(rows, answer))
        biased = objective.inner(rows.x).logits.numpy()
    z, f = (part.detach().numpy() for part in (answer.z, answer.logits))
    weights, shift = (p.detach().numpy() for p in objective.mixing.parameters())
    terms = []
    for i, right in enumerate(rows.y.tolist()):
        h = math.log(1 + math.exp(float(weights[0] @ z[i] + shift[0])))
        log = biased[i] - math.log(np.exp(biased[i]).sum())
        mixed = f[i] + h * log
        p = np.exp(h * log) / np.exp(h * log).sum()
        terms.append(math.log(np.exp(mixed).sum()) - mixed[right] - 0.36 * float((p * np.log(p)).sum()))
    assert loss == pytest.approx(np.mean(terms), abs=1e-12)


def test_h_towards_0_is_vanilla() -> None:
    """There the mixture is the model alone, and the entropy that of an even guess."""
    objective, rows, answer = made(), batch(), out()
    with torch.no_grad():
        objective.mixing.bias.fill_(-40)
        plain = functional.cross_entropy(answer.logits, rows.y)
        assert float(objective(rows, answer)) == pytest.approx(float(plain) + 0.36 * math.log(3))


def test_gradients_reach_z_by_h_and_the_own_layer_and_not_the_biased_network() -> None:
    """In train mode, twice: its statistics stand still too."""
    objective, rows, answer = made(), batch(), out()
    before = {name: tensor.clone() for name, tensor in objective.inner.state_dict().items()}
    objective.train()
    objective(rows, answer).backward()
    assert answer.z.grad is not None
    assert answer.z.grad.abs().max() > 1e-6
    assert all(p.grad is not None and p.grad.abs().max() > 1e-8 for p in objective.mixing.parameters())
    assert all(p.grad is None for p in objective.inner.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in objective.inner.state_dict().items())


def test_the_released_variant_trains_no_layer_of_its_own_and_moves_statistics() -> None:
    """Gradients still reach z by h; g's weights stand still and its batch norms, in training alone, do not."""
    rows, answer = batch(), out()
    released = learned_mixin.objective(SIZES, variant="released").double()
    assert isinstance(released, learned_mixin.LearnedMixin)
    before = {name: tensor.clone() for name, tensor in released.inner.state_dict().items()}

    def moved() -> set[bool]:
        after = released.inner.state_dict()
        return {"running" in name for name in before if not torch.equal(before[name], after[name])}

    released.eval()(rows, answer)
    assert moved() == set()
    released.train()(rows, answer).backward()
    assert True in moved()
    assert all(torch.equal(before[name], p) for name, p in released.inner.named_parameters())
    assert all(p.grad is None for p in released.mixing.parameters())
    assert answer.z.grad is not None
    assert answer.z.grad.abs().max() > 1e-6


def test_its_gradient_is_that_of_finite_differences() -> None:
    """On the bottleneck and on the logits."""
    objective, rows, answer = made(), batch(), out()
    assert torch.autograd.gradcheck(lambda z, f: objective(rows, Out(z, f, {})), (answer.z, answer.logits))


def test_the_biased_network_learns_for_the_warm_up_and_never_after(tmp_path: Path) -> None:
    """Trained for one epoch or for two it ends the same, running statistics too; the own layer goes on learning."""
    begun: dict[str, np.ndarray] = {}
    ends = []
    for epochs in (1, 2):
        what = plan("try/mixin", method__name="learned-mixin", method__warmup=2, train__epochs=epochs)
        objective = prepare(what, tmp_path, 0, "cpu", None).loop.objective
        begun = {name: tensor.numpy().copy() for name, tensor in objective.state_dict().items()}
        ends.append(store.read_tensors(finish(work(what, tmp_path))[0].folder / "objective.safetensors")[0])
    one, two = ends
    inner = [name for name in one if name.startswith("inner.")]
    assert len(inner) > 20
    assert all(np.array_equal(one[name], two[name]) for name in inner)
    assert not np.array_equal(one["inner.network.classifier.weight"], begun["inner.network.classifier.weight"])
    assert int(one["inner.network.features.1.num_batches_tracked"]) == 2 * 8  # two passes of 792 rows, 100 a batch
    for name in ("mixing.weight", "mixing.bias"):
        assert not np.array_equal(one[name], begun[name])
        assert not np.array_equal(one[name], two[name])


def test_in_the_warm_up_it_goes_down_on_its_own_cross_entropy() -> None:
    """With batch statistics, whatever mode the loss left it in."""
    objective, rows, answer = made(), batch(), out()
    objective(rows, answer)
    with torch.no_grad():
        loss = objective.inner_step(rows, answer.detach())
    assert isinstance(objective.inner, nn.Module)
    assert objective.inner.training
    with torch.no_grad():
        assert torch.equal(loss, functional.cross_entropy(objective.inner(rows.x).logits, rows.y))


@pytest.mark.parametrize(("knobs", "words"), [({"entropy": -1.0}, "entropy = -1"), ({"warmup": 0}, "warmup = 0")])
def test_knobs_out_of_range_are_refused(knobs: dict, words: str) -> None:
    """By name."""
    with pytest.raises(InputError, match=f"learned-mixin: {words}"):
        learned_mixin.objective(SIZES, **knobs)
