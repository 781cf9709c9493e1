"""SupCon, SimCLR, eps-SupInfoNCE and InfoL1O: the papers' losses, beside a classifier's cross-entropy."""

import math
from collections.abc import Callable
from typing import Any

import by_hand
import pytest
import torch
from pytorch_metric_learning import losses as library
from torch import Tensor
from torch.nn import functional

from leakaudit.debias import Batch, Objective, Out, Sizes, eps_supinfonce, infol1o, simclr, supcon
from leakaudit.errors import InputError

SIZES = Sizes(3, 2, 5, 6, torch.full((3, 2), 1), (3, 8, 8), {})
VIEWS = 2
METHODS: dict[str, Callable[..., Objective]] = {
    "supcon": supcon.objective,
    "simclr": simclr.objective,
    "eps-supinfonce": eps_supinfonce.objective,
    "infol1o": infol1o.objective,
}


def example(seed: int = 0, images: int = 6) -> tuple[Batch, Out]:
    """Random images under two views and a random answer in float64; no private label, as these methods ask none."""
    random = torch.Generator().manual_seed(seed)
    n = VIEWS * images
    y = torch.randint(3, (images,), generator=random).repeat(VIEWS)
    batch = Batch(torch.zeros(n, 1, 1, 1), y, torch.full((n,), -1), torch.arange(images).repeat(VIEWS))
    z, logits = (torch.randn(n, width, generator=random, dtype=torch.float64) for width in (5, 3))
    return batch, Out(z.requires_grad_(), logits.requires_grad_(), {})


def contrastive(made: Objective, batch: Batch, out: Out) -> float:
    """The loss without its cross-entropy."""
    return float((made(batch, out) - functional.cross_entropy(out.logits, batch.y)).detach())


def expected(name: str, batch: Batch, z: Tensor, knobs: dict[str, Any]) -> float:
    """The loss by loops over pairs."""
    rows, y, temperature = z.detach().numpy(), batch.y.numpy(), knobs["temperature"]
    if name in ("eps-supinfonce", "infol1o"):
        return by_hand.eps_sup_info_nce(rows, y, knobs.get("eps", math.inf), temperature)
    alike = batch.rows if name == "simclr" else batch.y
    n = len(rows)
    return by_hand.sup_con(
        rows, [(i, j) for i in range(n) for j in range(n) if i != j and alike[i] == alike[j]], temperature
    )


KNOBS = [
    ("supcon", {"temperature": 0.1}),
    ("supcon", {"temperature": 1.0}),
    ("simclr", {"temperature": 0.5}),
    ("eps-supinfonce", {"eps": 0.25, "temperature": 0.1}),
    ("eps-supinfonce", {"eps": 2.0, "temperature": 0.5}),
    ("infol1o", {"temperature": 0.1}),
]


@pytest.mark.parametrize(("name", "knobs"), KNOBS)
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_the_papers(name: str, knobs: dict[str, Any], seed: int) -> None:
    """Loops over anchors and positives give the same number, at every temperature and margin."""
    batch, out = example(seed)
    made = METHODS[name](SIZES, **knobs)
    assert contrastive(made, batch, out) == pytest.approx(expected(name, batch, out.z, knobs))


@pytest.mark.parametrize("name", METHODS)
def test_the_gradient_is_the_slope(name: str) -> None:
    """Numerical and analytical gradients on bottleneck and logits agree at a mild temperature."""
    batch, out = example(4, images=4)
    made = METHODS[name](SIZES, temperature=0.7)
    assert torch.autograd.gradcheck(lambda z, logits: made(batch, Out(z, logits, {})), (out.z, out.logits))


@pytest.mark.parametrize(
    ("name", "peer", "labels"),
    [
        ("supcon", library.SupConLoss, "y"),
        ("simclr", library.NTXentLoss, "rows"),
        ("simclr", library.SupConLoss, "rows"),
    ],
)
def test_loss_and_gradient_are_the_librarys(name: str, peer: type, labels: str) -> None:
    """pytorch-metric-learning gives the same number and the same slope on z, at the default temperature."""
    batch, out = example(5)
    made = METHODS[name](SIZES)
    temperature = 0.1 if name == "supcon" else 0.5
    other = out.z.detach().clone().requires_grad_()
    ours, theirs = made(batch, out), peer(temperature=temperature)(other, getattr(batch, labels))
    ours.backward()
    theirs.backward()
    assert contrastive(made, batch, out) == pytest.approx(float(theirs.detach()))
    assert torch.allclose(out.z.grad, other.grad, atol=1e-10)


@pytest.mark.parametrize("name", METHODS)
def test_the_logits_learn_by_cross_entropy_alone(name: str) -> None:
    """They get the gradient of cross-entropy, z that of the other term, and the loop is told to part the two."""
    batch, out = example(6)
    made = METHODS[name](SIZES)
    assert (made.readout, made.views) == (True, VIEWS)
    made(batch, out).backward()
    alone = out.logits.detach().clone().requires_grad_()
    functional.cross_entropy(alone, batch.y).backward()
    assert torch.allclose(out.logits.grad, alone.grad)
    far = out.z.detach().clone().requires_grad_()
    made(batch, Out(far, torch.zeros_like(out.logits), {})).backward()
    assert torch.allclose(out.z.grad, far.grad)
    assert out.z.grad.abs().max() > 1e-3


def test_sim_clr_knows_no_target_and_sup_con_no_image() -> None:
    """Other targets leave SimCLR and change the rest; other images (the rows' numbers) change SimCLR alone."""
    batch, out = example(7)
    turned = Batch(batch.x, batch.y.roll(1), batch.v, batch.rows)
    strangers = Batch(batch.x, batch.y, batch.v, batch.rows.sort().values)
    for name, make in METHODS.items():
        made = make(SIZES)
        first = contrastive(made, batch, out)
        other_targets = contrastive(made, turned, out) == pytest.approx(first)
        other_images = contrastive(made, strangers, out) == pytest.approx(first)
        assert (other_targets, other_images) == ((True, False) if name == "simclr" else (False, True))


def test_the_margin_runs_from_sup_info_nce_to_info_l1o() -> None:
    """Without a margin it is SupInfoNCE; a great one is InfoL1O itself."""
    batch, out = example(8)
    none = by_hand.eps_sup_info_nce(out.z.detach().numpy(), batch.y.numpy(), 0.0, 0.1)
    assert contrastive(eps_supinfonce.objective(SIZES, eps=0.0), batch, out) == pytest.approx(none)
    far = contrastive(eps_supinfonce.objective(SIZES, eps=1e3), batch, out)
    assert far == pytest.approx(contrastive(infol1o.objective(SIZES), batch, out))
    assert none > far + 0.01


@pytest.mark.parametrize("name", METHODS)
def test_going_down_brings_a_target_or_an_image_together(name: str) -> None:
    """After steps on z alone rows that are alike are nearer than rows that are not by more than they were."""
    batch, out = example(9)
    labels = batch.rows if name == "simclr" else batch.y
    alike = labels[:, None] == labels[None]
    made = METHODS[name](SIZES, temperature=0.5)
    z = out.z.detach().clone().requires_grad_()

    def gap() -> float:
        s = functional.cosine_similarity(z[:, None], z[None], dim=2).detach()
        own = torch.eye(len(s), dtype=torch.bool)
        return float(s[alike & ~own].mean() - s[~alike].mean())

    before = gap()
    mover = torch.optim.SGD([z], lr=1.0)
    for _ in range(60):
        mover.zero_grad()
        made(batch, Out(z, torch.zeros_like(out.logits), {})).backward()
        mover.step()
    assert gap() > before + 0.3


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [0.0, -0.1, math.nan, math.inf])
def test_a_temperature_that_is_none_is_refused(name: str, value: float) -> None:
    """Zero, below, or no number: the message names method, knob and value."""
    with pytest.raises(InputError, match=f"{name}: temperature = {value}: a number above 0 expected"):
        METHODS[name](SIZES, temperature=value)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_a_margin_that_is_none_is_refused(value: float) -> None:
    """Below zero or no number; InfoL1O is a method of its own."""
    with pytest.raises(InputError, match=f"eps-supinfonce: eps = {value}: at least 0 expected"):
        eps_supinfonce.objective(SIZES, eps=value)
