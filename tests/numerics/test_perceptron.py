"""The hand-written gradients and AdamW are torch's own, and what is held out chooses and is not learned from."""

import pytest
import torch

from leakaudit.numerics import perceptron
from leakaudit.numerics.adamw import adamw
from leakaudit.numerics.deck import Rows
from leakaudit.numerics.device import generator
from leakaudit.numerics.directions import Directions, directions
from leakaudit.numerics.perceptron import Networks, Plan, Trained

PLAN = Plan(width=7, epochs=12, batch=32, rate=0.05, decay=0.1, looks=tuple(range(1, 11)))
PARTS = ("gates", "mix", "bias", "shift", "second", "skip", "bowl", "offset")


def rows(strata: int, count: int = 60) -> Rows:
    """Two questions about the same rows, of which some do not count."""
    chance = generator(0)
    target = torch.randint(0, strata, (count,), generator=chance)
    labels = torch.randint(0, 3, (2, count), generator=chance)
    weights = torch.rand(2, count, generator=chance)
    weights[1, :9] = 0
    hot = torch.nn.functional.one_hot(target, strata).float()
    return Rows(torch.randn(count, 20, generator=chance), hot, target, labels, weights)


def begin(given: Rows) -> Directions:
    """Where the networks begin."""
    return directions(
        given.x, given.hot, given.labels, given.weights, 3, means=3, spreads=2, generator=generator(5)
    )  # fmt: skip


def networks(given: Rows) -> Networks:
    """Networks in general position."""
    made, _, _ = perceptron._begin(given.counting(), begin(given), None, 3, PLAN, generator(1))
    chance = generator(2)
    return Networks(
        **{name: part + 0.1 * torch.randn(part.shape, generator=chance) for name, part in vars(made).items()}
    )


def nats(net: Networks, given: Rows, prior: torch.Tensor | float = 0.0) -> torch.Tensor:
    """Weighted cross-entropy of each question, by torch."""
    logits = net.logits(given.x, given.hot) + prior
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), given.labels, reduction="none")
    return (each * given.weights).sum(1)


@pytest.mark.parametrize("strata", [1, 4])
def test_gradients_are_those_of_autograd(strata: int) -> None:
    """Every parameter's gradient of the weighted cross-entropy equals autograd's, with a prior on the logits."""
    given = rows(strata)
    prior = torch.randn(2, strata, 3, generator=generator(3))
    net = networks(given)
    first, rest = perceptron._gradients(net, given, prior)
    leaves = {name: part.clone().requires_grad_() for name, part in vars(net).items()}
    nats(Networks(**leaves), given, prior[:, given.strata]).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(first, leaves["vectors"].grad, atol=1e-5, rtol=1e-4)
    theirs = [leaves[name].grad for name in PARTS]
    torch.testing.assert_close(
        rest, torch.cat([part.reshape(2, -1) for part in theirs if part is not None], 1), atol=1e-5, rtol=1e-4
    )


def test_steps_are_those_of_torch_adamw() -> None:
    """Three steps of AdamW give torch's parameters, each with a rate and a decay of its own."""
    chance = generator(2)
    start, gradients = torch.randn(2, 5, generator=chance), torch.randn(3, 2, 5, generator=chance)
    ours, mean, square = start.clone(), torch.zeros(2, 5), torch.zeros(2, 5)
    slow, fast = (torch.nn.Parameter(start[:, part].clone()) for part in (slice(2), slice(2, None)))
    theirs = torch.optim.AdamW(
        [{"params": [slow], "lr": 0.002, "weight_decay": 0.0}, {"params": [fast], "lr": 0.02, "weight_decay": 0.5}],
        betas=(0.9, 0.99),
    )
    rates, decays = torch.tensor([0.002] * 2 + [0.02] * 3), torch.tensor([0.0] * 2 + [0.01] * 3)
    for step, gradient in enumerate(gradients, start=1):
        adamw(ours, gradient, mean, square, rates, decays, step)
        slow.grad, fast.grad = gradient[:, :2].clone(), gradient[:, 2:].clone()
        theirs.step()
    torch.testing.assert_close(ours, torch.cat((slow.detach(), fast.detach()), 1), atol=1e-6, rtol=1e-5)


def test_networks_of_a_batch_do_not_mix() -> None:
    """A question's gradient does not depend on what else is asked."""
    given, alone = rows(4), rows(4)
    alone = alone._replace(labels=alone.labels[:1], weights=alone.weights[:1])
    net = networks(given)
    for both, one in zip(
        perceptron._gradients(net, given, None),
        perceptron._gradients(net.take(torch.tensor([0])), alone, None),
        strict=True,
    ):
        torch.testing.assert_close(one, both[:1], atol=1e-6, rtol=1e-4)


def trained(given: Rows, outside: torch.Tensor, **more: torch.Tensor) -> Trained:
    """Networks trained on the rows that are not `outside`."""
    inside, held = (given._replace(weights=given.weights * rows) for rows in (~outside, outside))
    return perceptron.train(
        inside, None if more else held, begin(inside), None, 3, PLAN, generator=generator(4), **more
    )  # fmt: skip


def test_the_loss_is_that_of_the_networks_kept() -> None:
    """The loss reported is that of the networks returned, on the held-out rows, and from those nothing is learned."""
    given = rows(4, 300)
    outside = torch.arange(300) % 4 == 0
    made = trained(given, outside)
    held = given._replace(weights=given.weights * outside)
    torch.testing.assert_close(made.loss, nats(made.networks, held) / held.weights.sum(1), atol=1e-4, rtol=1e-4)
    lies = given._replace(labels=torch.where(outside, 2 - given.labels, given.labels))
    blind = trained(lies, outside, stop=made.best, scale=made.scale)
    torch.testing.assert_close(blind.networks.vectors, made.networks.vectors)
    taught = given._replace(labels=torch.where(outside, given.labels, 2 - given.labels))
    assert (trained(taught, outside, stop=made.best, scale=made.scale).networks.vectors != made.networks.vectors).any()


def test_what_was_settled_gives_the_same_networks() -> None:
    """Asked for the period and the scale that a search found, the same rows give the networks that it kept."""
    given, outside = rows(4, 300), torch.arange(300) % 4 == 0
    made = trained(given, outside)
    again = trained(given, outside, stop=made.best, scale=made.scale)
    for name, part in vars(made.networks).items():
        torch.testing.assert_close(vars(again.networks)[name], part)
    assert int(made.best.max()) <= perceptron.PERIODS


def test_rows_without_weight_are_left_out() -> None:
    """Only rows that count for some question are kept, their weights sum to 1; where none counts one is kept."""
    given = rows(4)._replace(weights=torch.zeros(2, 60))
    assert len(given.counting().x) == 1
    some = given.weights.clone()
    some[0, 3], some[1, 5] = 2, 4
    torch.testing.assert_close(given._replace(weights=some).counting().weights, torch.eye(2))


def test_a_prior_is_left_out_of_the_networks() -> None:
    """Trained with the log of lopsided shares as prior, networks learn what is left: nothing, where labels are."""
    chance = generator(6)
    given = rows(2, 2000)
    share = torch.tensor([[0.05, 0.9, 0.05], [0.9, 0.05, 0.05]])
    labels = torch.multinomial(share[given.strata], 1, generator=chance).T.repeat(2, 1)
    given = given._replace(labels=labels, weights=torch.ones(2, 2000))
    even = torch.arange(2000) % 2 == 0

    def shares(prior: torch.Tensor | None) -> torch.Tensor:
        inside, held = (given._replace(weights=given.weights * rows) for rows in (~even, even))
        made = perceptron.train(inside, held, begin(inside), prior, 3, PLAN, generator=generator(4))
        return made.networks.logits(given.x, given.hot).softmax(2).mean(1)

    told = shares(share.log()[None].repeat(2, 1, 1))
    assert (told - 1 / 3).abs().max() < 0.1
    assert (shares(None) - labels[0].bincount(minlength=3) / 2000).abs().max() < 0.1
