"""The one loop keeps every promise of the seam between a method and training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.backbones import simple_convnet
from leakaudit.dataset import Dataset, Labels, Pixels, identify
from leakaudit.debias import Batch, Objective, Out, Table
from leakaudit.errors import InputError
from leakaudit.loop import Loop, chance
from leakaudit.numerics import state
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.taps import Tapped
from leakaudit.recipe import Training

ROWS = 33


class Toy(Objective):
    """A method that asks for everything there is."""

    views = 2
    taps = ("features.0",)
    inner_steps = 3

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(16, 2)
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("drawn", torch.zeros(ROWS))
        self.register_buffer("errors", torch.ones(ROWS))
        self.seen: list[Batch] = []
        self.tables: list[tuple[int, Out]] = []
        self.inner_calls = 0

    def forward(self, batch: Batch, out: Out) -> Tensor:
        """Down on the target, up on what the second network reads."""
        assert out.taps["features.0"].requires_grad
        self.seen.append(batch)
        self.drawn.index_add_(0, batch.rows, torch.ones(len(batch.rows)))
        guess = functional.cross_entropy(self.inner(out.z), batch.v)
        return self.scale**2 * functional.cross_entropy(out.logits, batch.y) - 0.1 * guess

    def weights(self, table: Table) -> Tensor | None:
        """After the first epoch, whatever `epoch` said."""
        assert len(table.y) == ROWS
        return self.errors if table.epoch else None

    def inner_step(self, batch: Batch, out: Out) -> Tensor:
        """The second network reads the private class."""
        assert not out.z.requires_grad
        assert not out.taps["features.0"].requires_grad
        self.inner_calls += 1
        return functional.cross_entropy(self.inner(out.z), batch.v)

    def epoch(self, table: Table) -> None:
        """Keep what was seen; weigh the first ten rows alone."""
        out = table.outputs()
        self.images = torch.cat([*table.images()])
        self.tables.append((table.epoch, out))
        self.errors.copy_((torch.arange(ROWS) < 10).float())


@pytest.fixture
def data() -> Dataset:
    """33 random images: one row would be alone in the last batch of 16."""
    random = np.random.default_rng(0)
    labels = {name: Labels(random.integers(0, 2, ROWS), ("a", "b")) for name in ("y", "v")}
    images = Pixels(random.integers(0, 256, (ROWS, 3, 8, 8), dtype=np.uint8))
    return Dataset("toy", "train", images, labels, identify("toy", np.arange(ROWS)), (0.5,) * 3, (0.5,) * 3)


PLAN = Training(
    epochs=4,
    batch_size=16,
    optimizer={"name": "Adam", "lr": 1e-2},
    scheduler={"name": "MultiStepLR", "milestones": [1, 2]},
    clip=1.0,
)


def make(objective: Objective, plan: Training = PLAN, seed: int = 0) -> Loop:
    """A small network under an objective."""
    with chance(seed, "test"):
        network = simple_convnet.build(2, (3, 8, 8), kernel=3, width=2)
    tapped = Tapped(network, simple_convnet.BOTTLENECK, objective.taps)
    return Loop(tapped, objective, plan, seed=seed, device="cpu", where="test")


def toy() -> Toy:
    """The toy, always with the same second network."""
    with chance(0, "toy"):
        return Toy()


def run(loop: Loop, data: Dataset, first: int, last: int) -> None:
    """Some epochs."""
    feed = Feed(data, "cpu")
    y, v = (torch.from_numpy(data.column(name).values) for name in ("y", "v"))
    for number in range(first, last):
        loop.epoch(number, feed, y, v)


def test_a_batch_holds_labels_rows_and_views_of_the_same_images(data: Dataset) -> None:
    """Every row stands there twice, under two views that are different pictures; labels belong to the rows."""
    objective = toy()
    run(make(objective), data, 0, 1)
    for batch in objective.seen:
        rows = batch.rows.numpy()
        assert np.array_equal(batch.y.numpy(), data.column("y").values[rows])
        assert np.array_equal(batch.v.numpy(), data.column("v").values[rows])
        first, second = np.split(rows, 2)
        assert np.array_equal(first, second)
        assert len(set(first)) == len(first)
        one, two = batch.x.chunk(2)
        assert not torch.equal(one, two)
        assert one.shape == (len(first), 3, 8, 8)


def test_every_row_is_drawn_once_and_none_stands_alone(data: Dataset) -> None:
    """Without weights an epoch is each row once, in batches of 16 and 17, because batch norm cannot take one row."""
    objective = toy()
    run(make(objective), data, 0, 1)
    assert [len(batch.rows) for batch in objective.seen] == [32, 34]  # under two views
    assert torch.equal(objective.drawn, torch.full((ROWS,), 2.0))


def test_weights_say_which_rows_are_drawn(data: Dataset) -> None:
    """From the second epoch the toy weighs the first ten rows alone, and only they are drawn."""
    objective = toy()
    loop = make(objective)
    run(loop, data, 0, 1)
    objective.drawn.zero_()
    run(loop, data, 1, 2)
    assert objective.drawn[10:].sum() == 0
    assert objective.drawn[:10].sum() == 2 * ROWS


def test_the_second_network_steps_before_each_step_of_the_model(data: Dataset) -> None:
    """Three inner steps a batch; the inner network moves by them and by nothing else."""
    objective = toy()
    loop = make(objective)
    assert loop.inner is not None
    held = {id(p) for group in loop.optimizer.param_groups for p in group["params"]}
    assert not held & {id(p) for p in objective.inner.parameters()}
    assert id(objective.scale) in held
    assert [len(group["params"]) for group in loop.optimizer.param_groups][1] == 1
    before = [p.detach().clone() for p in objective.inner.parameters()]
    run(loop, data, 0, 1)
    assert objective.inner_calls == 3 * len(objective.seen)
    assert all(not torch.equal(a, b) for a, b in zip(before, objective.inner.parameters(), strict=True))
    objective.inner_steps = 0
    after = [p.detach().clone() for p in objective.inner.parameters()]
    run(loop, data, 1, 2)
    assert all(torch.equal(a, b) for a, b in zip(after, objective.inner.parameters(), strict=True))


def test_in_warm_up_the_second_network_learns_alone(data: Dataset) -> None:
    """Two passes before the first epoch move it and nothing else; a later epoch has none."""
    objective = toy()
    objective.warmup, objective.inner_steps = 2, 0
    loop = make(objective)
    before = [p.detach().clone() for p in objective.inner.parameters()]
    run(loop, data, 0, 1)
    assert objective.inner_calls == 2 * 2
    assert len(objective.seen) == 2
    assert all(not torch.equal(a, b) for a, b in zip(before, objective.inner.parameters(), strict=True))
    run(loop, data, 1, 2)
    assert objective.inner_calls == 2 * 2


def test_a_read_out_learns_from_a_bottleneck_that_it_cannot_move() -> None:
    """The logits' loss moves the classifier alone; z still leads into the network."""
    x = torch.rand(4, 3, 8, 8)
    for readout in (True, False):
        with chance(0, "test"):
            network = simple_convnet.build(2, (3, 8, 8), kernel=3, width=2)
        out = Tapped(network, simple_convnet.BOTTLENECK, readout=readout)(x)
        out.logits.square().sum().backward()
        moved = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        assert ("features.0.weight" in moved) is not readout
        assert "classifier.weight" in moved
        assert out.z.requires_grad


def test_between_epochs_the_objective_sees_the_whole_training_set(data: Dataset) -> None:
    """`epoch` gets the finished epochs and, on request, bottleneck, logits and taps of all rows in evaluation mode."""
    objective = toy()
    loop = make(objective)
    run(loop, data, 0, 2)
    assert [number for number, _ in objective.tables] == [1, 2]
    expected = loop.outputs(Feed(data, "cpu"))
    _, last = objective.tables[-1]
    assert torch.equal(last.z, expected.z)
    assert torch.equal(last.logits, expected.logits)
    assert last.taps["features.0"].shape == (ROWS, 2, 8, 8)
    assert torch.equal(objective.images, torch.cat([*Feed(data, "cpu").batches([torch.arange(ROWS)])]))


def test_a_run_taken_up_from_disk_ends_with_the_same_bits(data: Dataset, tmp_path: Path) -> None:
    """Network, both optimisers, schedule and objective: saved, loaded into a fresh loop and gone on with, all equal."""
    whole = make(toy())
    run(whole, data, 0, 4)
    part = make(toy())
    run(part, data, 0, 2)
    state.save(tmp_path, 2, part.state_dict())
    rest = make(toy())
    rest.load_state_dict(state.load(tmp_path))
    run(rest, data, 2, 4)
    for name in ("network", "objective"):
        ours, theirs = whole.state_dict()[name], rest.state_dict()[name]
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert rest.optimizer.param_groups[0]["lr"] == whole.optimizer.param_groups[0]["lr"] == pytest.approx(1e-4)


def test_nothing_draws_from_the_callers_generator(data: Dataset) -> None:
    """Torch's own generator is as it was, and its state has no say in the weights."""
    torch.manual_seed(1)
    first = make(toy())
    before = torch.get_rng_state()
    run(first, data, 0, 2)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    second = make(toy())
    run(second, data, 0, 2)
    ours, theirs = (loop.tapped.network.state_dict() for loop in (first, second))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    other = make(toy(), seed=1)
    run(other, data, 0, 2)
    assert any(not torch.equal(ours[key], value) for key, value in other.tapped.network.state_dict().items())


def test_clipping_bounds_the_step(data: Dataset) -> None:
    """With plain gradient descent at rate 1 no step is longer than `clip`."""
    plan = Training(epochs=1, batch_size=ROWS, optimizer={"name": "SGD", "lr": 1.0}, clip=1e-3)
    objective = toy()
    loop = make(objective, plan)
    before = torch.cat([p.detach().flatten().clone() for p in loop.tapped.parameters()])
    run(loop, data, 0, 1)
    after = torch.cat([p.detach().flatten() for p in loop.tapped.parameters()])
    assert 0 < (after - before).norm() <= 1e-3 * (1 + 1e-3)


def test_a_loss_that_is_not_finite_stops_in_one_line(data: Dataset) -> None:
    """Divergence names the epoch and the rate."""
    plan = Training(epochs=3, batch_size=16, optimizer={"name": "SGD", "lr": 1e30})
    with pytest.raises(InputError, match=r"test: the loss is not finite in epoch \d of 3 \(learning rate 1e\+30\)"):
        run(make(toy(), plan), data, 0, 3)
