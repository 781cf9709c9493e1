"""The hand-written gradients and AdamW are torch's own."""

import pytest
import torch

from leakaudit.numerics import perceptron
from leakaudit.numerics.device import generator


def job(conditioned: int, rows: int = 60) -> dict[str, torch.Tensor]:
    """Two questions about the same rows."""
    chance = generator(0)
    return {
        "x": torch.randn(rows, 20, generator=chance),
        "strata": torch.randint(0, max(conditioned, 1), (rows,), generator=chance),
        "labels": torch.randint(0, 3, (2, rows), generator=chance),
        "weights": torch.rand(2, rows, generator=chance),
    }


def networks(conditioned: int, given: dict[str, torch.Tensor]) -> perceptron.Networks:
    """Networks in general position."""
    chance = generator(1)
    made = perceptron._initial(given["x"], given["labels"], given["weights"], 3, conditioned, 7, chance)
    return perceptron.Networks(
        **{name: part + 0.1 * torch.randn(part.shape, generator=chance) for name, part in vars(made).items()}
    )


@pytest.mark.parametrize("conditioned", [0, 4])
def test_gradients_are_those_of_autograd(conditioned: int) -> None:
    """Every parameter's gradient of the weighted cross-entropy equals autograd's."""
    given = job(conditioned)
    net = networks(conditioned, given)
    ours = perceptron._gradients(net, given["x"], given["strata"], given["labels"], given["weights"])
    leaves = {name: part.clone().requires_grad_() for name, part in vars(net).items()}
    logits = perceptron.Networks(**leaves).logits(given["x"], given["strata"])
    nats = torch.nn.functional.cross_entropy(logits.transpose(1, 2), given["labels"], reduction="none")
    ((nats * given["weights"]).sum() / 60).backward()  # type: ignore[no-untyped-call]
    theirs = [part.grad for part in leaves.values() if part.grad is not None]
    assert len(ours) == len(theirs) == (7 if conditioned else 4)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other.reshape(2, -1), atol=1e-6, rtol=1e-4)


def test_steps_are_those_of_torch_adamw() -> None:
    """Three steps of AdamW give torch's parameters; where `decay` is 0, as on biases, nothing decays."""
    chance = generator(2)
    start, gradients = torch.randn(2, 5, generator=chance), torch.randn(3, 2, 5, generator=chance)
    ours, mean, square = start.clone(), torch.zeros(2, 5), torch.zeros(2, 5)
    kept, moved = (torch.nn.Parameter(start[:, part].clone()) for part in (slice(2), slice(2, None)))
    theirs = torch.optim.AdamW(
        [{"params": [kept], "weight_decay": 0.0}, {"params": [moved], "weight_decay": 0.5}], lr=0.02
    )
    decay = torch.tensor([0.0, 0.0, 0.5, 0.5, 0.5])
    for step, gradient in enumerate(gradients, start=1):
        perceptron._adamw(ours, gradient, mean, square, 0.02, decay, step)
        kept.grad, moved.grad = gradient[:, :2].clone(), gradient[:, 2:].clone()
        theirs.step()
    torch.testing.assert_close(ours, torch.cat((kept.detach(), moved.detach()), 1), atol=1e-6, rtol=1e-5)


def test_networks_of_a_batch_do_not_mix() -> None:
    """A question's gradient does not depend on what else is asked."""
    given = job(4)
    net = networks(4, given)
    both = perceptron._gradients(net, given["x"], given["strata"], given["labels"], given["weights"])
    first = perceptron.Networks(**{name: part[:1] for name, part in vars(net).items()})
    alone = perceptron._gradients(first, given["x"], given["strata"], given["labels"][:1], given["weights"][:1])
    for one, other in zip(alone, both, strict=True):
        torch.testing.assert_close(one, other[:1], atol=1e-6, rtol=1e-4)


def test_the_best_epoch_is_kept() -> None:
    """The loss reported is that of the networks returned, on the held-out rows, and no row held out was trained on."""
    given = job(4, 200)
    outside = (torch.arange(200) % 4 == 0).repeat(2, 1)
    settings = {"conditioned": 4, "width": 8, "epochs": 6, "batch": 32, "rate": 0.1, "decay": 0.1}
    made = perceptron.train(**given, outside=outside, classes=3, generator=generator(3), **settings)  # type: ignore[arg-type]
    nats = torch.nn.functional.cross_entropy(
        made.networks.logits(given["x"], given["strata"]).transpose(1, 2), given["labels"], reduction="none"
    )
    weights = given["weights"] * outside
    torch.testing.assert_close(made.loss, (nats * weights).sum(1) / weights.sum(1), atol=1e-5, rtol=1e-5)
    lies = given | {"labels": torch.where(outside, -1, given["labels"])}
    blind = perceptron.train(**lies, outside=outside, classes=3, generator=generator(3), **settings)  # type: ignore[arg-type]
    assert blind.loss.eq(0).all()
    assert blind.best.eq(1).all()
