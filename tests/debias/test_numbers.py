"""L1, y-aware, threshold and exponential: absolute error on a number, and beside it a contrast by how near two lie."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes, exponential, l1, threshold, y_aware
from leakaudit.errors import InputError
from leakaudit.numerics import contrast, kernels

SIZES = Sizes(1, 2, 5, 8, torch.full((1, 2), 4), (3, 8, 8), {})
METHODS: dict[str, Callable[..., Objective]] = {
    "y-aware": y_aware.objective,
    "threshold": threshold.objective,
    "exponential": exponential.objective,
}
LOSSES = {"y-aware": kernels.y_aware, "threshold": kernels.threshold, "exponential": kernels.exponential}


def example(seed: int = 0, images: int = 8) -> tuple[Batch, Out]:
    """Random images under two views, their numbers, and a random answer in float64."""
    random = torch.Generator().manual_seed(seed)
    y = torch.randn(images, generator=random, dtype=torch.float64).repeat(2)
    n = len(y)
    batch = Batch(torch.zeros(n, 1, 1, 1), y, torch.full((n,), -1), torch.arange(images).repeat(2))
    z, logits = (torch.randn(n, width, generator=random, dtype=torch.float64) for width in (5, 1))
    return batch, Out(z.requires_grad_(), logits.requires_grad_(), {})


def test_l1_is_the_mean_absolute_error() -> None:
    """Its slope on each output is the sign of the error over the rows, and z gets none but through the output."""
    batch, out = example()
    loss = l1.objective(SIZES)(batch, out)
    assert float(loss.detach()) == pytest.approx(float((out.logits.detach()[:, 0] - batch.y).abs().mean()))
    loss.backward()
    assert torch.allclose(out.logits.grad[:, 0], (out.logits[:, 0] - batch.y).sign() / len(batch.y))
    assert out.z.grad is None


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("kernel", "sigma"), [("rbf", 0.25), ("cauchy", 1.0)])
def test_the_loss_is_the_contrast_beside_the_absolute_error(name: str, kernel: str, sigma: float) -> None:
    """Of the rows under both views, at kernel, width and temperature as they are set; each part has its own slope."""
    batch, out = example(1)
    made = METHODS[name](SIZES, kernel=kernel, sigma=sigma, temperature=0.3)
    assert (made.readout, made.views, made.least) == (True, 2, 2)
    loss = made(batch, out)
    alone = functional.l1_loss(out.logits[:, 0], batch.y)
    unit = functional.normalize(out.z)
    expected = LOSSES[name](unit @ unit.T / 0.3, kernels.weights(batch.y, kernel, sigma))
    assert float(loss.detach()) == pytest.approx(float((alone + expected).detach()))
    ours, theirs = (torch.autograd.grad(part, [out.z, out.logits], allow_unused=True) for part in (loss, expected))
    assert torch.allclose(ours[0], theirs[0])
    assert theirs[1] is None
    assert torch.allclose(ours[1], torch.autograd.grad(alone, out.logits)[0])


@pytest.mark.parametrize("name", METHODS)
def test_the_gradient_is_the_slope(name: str) -> None:
    """Numerical and analytical gradients on bottleneck and output agree at a mild temperature."""
    batch, out = example(2, images=3)
    made = METHODS[name](SIZES, temperature=0.7)
    assert torch.autograd.gradcheck(lambda z, logits: made(batch, Out(z, logits, {})), (out.z, out.logits))


@pytest.mark.parametrize("name", METHODS)
def test_going_down_lays_rows_in_the_order_of_their_numbers(name: str) -> None:
    """After steps on z alone, the nearer two numbers are, the nearer are their rows: more than they were."""
    batch, out = example(3)
    made = METHODS[name](SIZES, sigma=0.5, temperature=0.5)
    z = out.z.detach().clone().requires_grad_()
    apart = -(batch.y[:, None] - batch.y[None]).abs()
    pairs = torch.triu(torch.ones(len(z), len(z), dtype=torch.bool), 1)

    def order() -> float:
        pair: Tensor = torch.stack([contrast.cosines(z.detach())[pairs], apart[pairs]])
        return float(torch.corrcoef(pair)[0, 1])

    before = order()
    mover = torch.optim.SGD([z], lr=1.0)
    for _ in range(60):
        mover.zero_grad()
        made(batch, Out(z, torch.zeros_like(out.logits), {})).backward()
        mover.step()
    assert order() > before + 0.3


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("knob", ["sigma", "temperature"])
@pytest.mark.parametrize("value", [0.0, math.nan])
def test_a_width_or_temperature_that_is_none_is_refused(name: str, knob: str, value: float) -> None:
    """Zero or no number: the message names method, knob and value."""
    with pytest.raises(InputError, match=f"{name}: {knob} = {value}: a number above 0 expected"):
        METHODS[name](SIZES, **{knob: value})


def test_every_method_has_a_recipe_for_the_age_of_faces(repository: Path) -> None:
    """Beside the plain error, on the same images."""
    assert {"l1", *METHODS} <= {path.stem for path in (repository / "recipes" / "utkface").glob("*.toml")}
