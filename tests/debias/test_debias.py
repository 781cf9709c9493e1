"""What every method promises; a new one is tested unasked."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from proving import ROWS, SHAPE, TARGETS, Trial, labels, numeric, sizes, targets, try_out
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.nn import functional

from leakaudit import catalog
from leakaudit.backbones import simple_convnet
from leakaudit.dataset import Dataset, Labels, Pixels, identify
from leakaudit.debias import Batch, Out
from leakaudit.errors import InputError
from leakaudit.loop import Loop, chance
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.taps import Tapped
from leakaudit.numerics.unit import Unit
from leakaudit.recipe import Training

ALL = torch.arange(ROWS)
NAMES = catalog.names("debias")
SHOWN = [name for name in NAMES if not getattr(catalog.thing("debias", name), "BLIND", False)]
"""Methods that are shown private labels."""
COLOUR_BLIND = ("vanilla",)
"""Of those, the methods that do nothing about them."""


@pytest.fixture(params=NAMES)
def trial(request: pytest.FixtureRequest) -> Trial:
    """Each method in turn, at its defaults."""
    return try_out(request.param)


def test_the_loss_is_a_finite_number_that_teaches_the_classifier(trial: Trial) -> None:
    """One number, finite gradients, one on the logits; in evaluation mode the same again, and nothing is remembered."""
    before = trial.numbers()
    loss, slopes = trial.loss(trial.batch(ALL))
    assert loss.shape == ()
    assert loss.isfinite()
    assert all(slope.isfinite().all() for slope in slopes.values())
    assert slopes["logits"].abs().max() > 1e-5
    again, _ = trial.loss(trial.batch(ALL))
    assert torch.equal(loss, again)
    assert all(torch.equal(before[name], kept) for name, kept in trial.numbers().items())


def test_the_order_of_rows_means_nothing(trial: Trial) -> None:
    """A shuffled batch has the same loss, and each row the same gradient."""
    trial.exact()
    loss, slopes = trial.loss(trial.batch(ALL))
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(2))
    moved, found = trial.loss(trial.batch(order))
    assert torch.allclose(loss, moved)
    for name, slope in slopes.items():
        assert torch.allclose(found[name], torch.cat([part[order] for part in slope.split(ROWS)]))


def test_a_blind_method_does_not_look_at_the_private_label_and_every_other_does(trial: Trial) -> None:
    """Other private labels in batch and table change loss, gradient or draws, or, for a blind method, none of them."""
    _, private = labels()

    def answer(v: Tensor | None) -> list[Tensor]:
        made = try_out(trial.name)
        weights = made.objective.weights(made.table(v))
        loss, slopes = made.loss(made.batch(ALL, v=v))
        return [torch.ones(ROWS) if weights is None else weights, loss, *slopes.values()]

    first, second = answer(private), answer(private.roll(1))
    same = all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert same is (trial.blind or trial.name in COLOUR_BLIND)


@pytest.mark.parametrize("trial", SHOWN, indirect=True)
def test_without_any_private_label_the_target_alone_is_learned(trial: Trial) -> None:
    """
    The classifier goes the way of cross-entropy, and the bottleneck stays where it is.

    Unless the method shapes the bottleneck by the target too: then it says so by `readout`.
    """
    batch = trial.batch(ALL, v=torch.full((ROWS,), -1))
    loss, slopes = trial.loss(batch)
    assert loss.isfinite()
    alone = trial.out(batch).logits
    functional.cross_entropy(alone, batch.y).backward()
    assert alone.grad is not None
    factor = slopes["logits"].norm() / alone.grad.norm()
    assert factor > 1e-3
    assert torch.allclose(slopes["logits"], factor * alone.grad, atol=1e-6)
    below = max(float(slope.abs().max()) for name, slope in slopes.items() if name != "logits")
    assert (below > 1e-6) is trial.objective.readout


@pytest.mark.parametrize("trial", SHOWN, indirect=True)
def test_a_row_without_private_label_takes_no_part_in_what_is_done_about_it(trial: Trial) -> None:
    """What private labels add to the gradient on z and taps is as if the row were not in the batch, and 0 on it."""
    trial.exact()
    _, private = labels()
    hidden = torch.where(ALL < 5, -1, private)

    def added(rows: Tensor) -> dict[str, Tensor]:
        _, told = trial.loss(trial.batch(rows, v=hidden))
        _, untold = trial.loss(trial.batch(rows, v=torch.full_like(hidden, -1)))
        return {name: told[name] - untold[name] for name in told if name != "logits"}

    whole, part = added(ALL), added(ALL[5:])
    for name, slope in whole.items():
        parts = slope.split(ROWS)
        assert torch.allclose(torch.cat([one[5:] for one in parts]), part[name])
        assert max(float(one[:5].abs().max()) for one in parts) < 1e-12


EDGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "least": lambda _, __: ALL[:0],
    "one target": lambda y, _: ALL[y == 0],
    "one private class": lambda _, v: ALL[v == 0],
    "one cell": lambda y, v: ALL[(y == 0) & (v == 0)],
    "one row many times": lambda _, __: torch.zeros(6, dtype=torch.int64),
    "no two of a target": lambda y, _: torch.stack([ALL[y == k][0] for k in range(TARGETS)]),
}


@pytest.mark.parametrize("edge", EDGES)
def test_every_batch_there_can_be_gives_a_finite_step(trial: Trial, edge: str) -> None:
    """The fewest rows that the method asks for, one class, one cell, one row: loss and gradients are finite."""
    rows = EDGES[edge](*labels())
    if len(rows) < trial.objective.least:
        rows = ALL[: trial.objective.least]
    trial.objective.train()
    batch = trial.batch(rows)
    loss, slopes = trial.loss(batch)
    assert loss.isfinite()
    assert all(slope.isfinite().all() for slope in slopes.values())
    if trial.objective.inner is not None:
        assert trial.objective.inner_step(batch, trial.out(batch).detach()).isfinite()


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e4])
def test_bottlenecks_of_any_length_give_a_finite_step(trial: Trial, scale: float) -> None:
    """Rows at the origin, next to it or far out, in float32; the logits as great."""
    batch = trial.batch(ALL)
    out = trial.out(batch)
    z, logits = ((scale * part.detach()).requires_grad_() for part in (out.z, out.logits))
    loss = trial.objective(batch, out._replace(z=z, logits=logits))
    slopes = torch.autograd.grad(loss, [z, logits], allow_unused=True)
    assert loss.isfinite()
    assert all(slope.isfinite().all() for slope in slopes if slope is not None)


def test_all_that_a_method_learns_is_learned_and_the_second_network_by_its_own_step_alone(trial: Trial) -> None:
    """The loss moves every parameter of the method's own and none of `inner`; `inner_step` the other way round."""
    trial.objective.train()
    inner = trial.objective.inner
    apart = [] if inner is None else list(inner.parameters())
    own = [p for p in trial.objective.parameters() if not any(p is q for q in apart)]
    batch = trial.batch(ALL)
    trial.objective(batch, trial.out(batch)).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in own)
    assert all(p.grad is None for p in apart)
    if inner is None:
        assert trial.objective.warmup == 0
        return
    trial.objective.zero_grad()
    out = trial.out(batch)
    trial.objective.inner_step(batch, out.detach()).backward()
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in own)
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in apart)
    assert out.z.grad is None


def test_rows_are_drawn_by_weights_that_a_draw_can_use(trial: Trial) -> None:
    """None, or one finite number above 0 for each training row: none of them is lost for good."""
    for epoch in (0, 1):
        weights = trial.objective.weights(trial.table(epoch=epoch))
        if weights is not None:
            assert weights.shape == (ROWS,)
            assert weights.isfinite().all()
            assert (weights > 0).all()


def test_a_private_class_made_out_is_one_of_the_targets(trial: Trial) -> None:
    """What a method says it guessed stands for each training row; a method that is shown labels guesses none."""
    guessed = trial.objective.guessed()
    if guessed is not None:
        assert trial.blind
        assert guessed.shape == (ROWS,)
        assert set(guessed.tolist()) <= set(range(TARGETS))


WRONG = (math.nan, math.inf, -math.inf, -1.0)


def numbers_of(name: str) -> list[tuple[str, float]]:
    """A method's knobs that are numbers, each with every number that none can be."""
    knobs = catalog.knobs(catalog.thing("debias", name).objective)
    counts = [knob for knob, parameter in knobs.items() if type(parameter.default) is int]
    reals = [knob for knob, parameter in knobs.items() if type(parameter.default) is float]
    return [(knob, -1) for knob in counts] + [(knob, value) for knob in reals for value in WRONG]


@pytest.mark.parametrize(
    ("name", "knob", "value"), [(name, knob, value) for name in NAMES for knob, value in numbers_of(name)]
)
def test_a_knob_that_is_no_number_or_below_zero_is_refused(name: str, knob: str, value: float) -> None:
    """In one line that names method, knob and value."""
    with pytest.raises(InputError) as error:
        catalog.thing("debias", name).objective(sizes(name), **{knob: value})
    assert str(error.value).startswith(f"{name}: {knob} = {value}: ")
    assert len(str(error.value).splitlines()) == 1


@pytest.fixture(scope="module")
def data() -> Dataset:
    """A training set in memory."""
    random = np.random.default_rng(0)
    columns = {name: Labels(part.numpy(), tuple("abcd")) for name, part in zip(("y", "v"), labels(), strict=True)}
    images = Pixels(random.integers(0, 256, (ROWS, *SHAPE), dtype=np.uint8))
    return Dataset("toy", "train", images, columns, identify("toy", np.arange(ROWS)), (0.5,) * 3, (0.5,) * 3)


def loop_of(name: str, device: str = "cpu") -> tuple[Loop, bool]:
    """The one loop under a method, and whether that is blind."""
    module = catalog.thing("debias", name)
    with chance(0, "test"):
        objective = module.objective(sizes(name))
        network = simple_convnet.build(sizes(name).targets, SHAPE, kernel=3, width=2)
    tapped = Tapped(network, simple_convnet.BOTTLENECK, objective.taps, readout=objective.readout)
    plan = Training(epochs=3, batch_size=10, optimizer={"name": "Adam", "lr": 1e-2})
    unit = Unit(1.0, 0.8) if numeric(name) else None
    loop = Loop(tapped, objective, plan, seed=0, device=device, where="test", unit=unit)
    return loop, bool(getattr(module, "BLIND", False))


def learn(name: str, data: Dataset, epochs: range, kept: Any = None, device: str = "cpu") -> dict[str, Any]:
    """Where training stands after these epochs, begun where `kept` stood."""
    loop, blind = loop_of(name, device)
    if kept is not None:
        loop.load_state_dict(kept)
    feed = Feed(data, device)
    y, v = targets(name).to(device), torch.from_numpy(data.column("v").values).to(device)
    for number in epochs:
        learned = loop.epoch(number, feed, y, torch.full_like(v, -1) if blind else v)
        assert math.isfinite(learned.loss)
    return {
        part: {key: tensor.clone() for key, tensor in loop.state_dict()[part].items()}
        for part in ("network", "objective")
    } | {"rest": loop.state_dict()}


@pytest.mark.parametrize("name", NAMES)
def test_the_loop_trains_it_and_a_run_taken_up_again_ends_with_the_same_bits(name: str, data: Dataset) -> None:
    """Three epochs at once, or two and one in a fresh loop: network and all that the method remembers are equal."""
    whole = learn(name, data, range(3))
    part = learn(name, data, range(2))
    rest = learn(name, data, range(2, 3), part["rest"])
    for kind in ("network", "objective"):
        assert all(torch.equal(whole[kind][key], rest[kind][key]) for key in whole[kind])
    assert any(not torch.equal(whole["network"][key], part["network"][key]) for key in whole["network"])


def test_all_that_a_method_makes_lies_on_the_device_of_the_rows(trial: Trial) -> None:
    """On tensors that have a device and no numbers, so without a GPU too: a step of either network gives its loss."""
    batch = trial.batch(ALL)
    out = trial.out(batch)
    trial.objective.train()
    with FakeTensorMode(shape_env=ShapeEnv()):

        def there(tensor: Tensor) -> Tensor:
            return torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda")

        for module in trial.objective.modules():
            module._parameters.update({key: torch.nn.Parameter(there(p)) for key, p in module._parameters.items()})
            module._buffers.update({key: there(kept) for key, kept in module._buffers.items()})
        moved = Batch(*map(there, (batch.x, batch.y, batch.v, batch.rows)))
        answer = Out(there(out.z), there(out.logits), {name: there(tap) for name, tap in out.taps.items()})
        assert trial.objective(moved, answer).is_cuda
        if trial.objective.inner is not None:
            assert trial.objective.inner_step(moved, answer).is_cuda


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@pytest.mark.parametrize("name", NAMES)
def test_it_trains_on_a_gpu(name: str, data: Dataset) -> None:
    """All that a method keeps lies where the rows are."""
    made = learn(name, data, range(3), device="cuda")
    assert all(tensor.is_cuda for kind in ("network", "objective") for tensor in made[kind].values())
