"""Directions in which classes differ are found, and those in which they do not are short."""

import pytest
import torch

from leakaudit.numerics.device import generator
from leakaudit.numerics.directions import LEAST, contrasts, directions

ROWS, WIDTH = 4000, 30


def made(shape: str, classes: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, one-hot strata and labels: the first component, or the first two, tell the label."""
    chance = generator(0)
    x = torch.randn(ROWS, WIDTH, generator=chance)
    label = torch.randint(0, classes, (ROWS,), generator=chance)
    stratum = torch.arange(ROWS) % 3
    sign = label - (classes - 1) / 2
    if shape == "mean":
        x[:, 0] += sign
    elif shape == "turned":
        x[:, 0] += sign * torch.tensor([1.0, -1.0, 1.0])[stratum]
    elif shape == "spread":
        x[:, 0] *= 1 + sign
    return x, torch.nn.functional.one_hot(stratum, 3).float(), label[None]


@pytest.mark.parametrize("shape", ["mean", "turned", "spread"])
@pytest.mark.parametrize("classes", [2, 3, 12])
def test_the_direction_of_a_leak_is_found(shape: str, classes: int) -> None:
    """The longest direction is nearly the leak's and of length 1; no other direction is long."""
    x, hot, label = made(shape, classes)
    found, gates = directions(x, hot, label, torch.ones(1, ROWS), classes, means=3, spreads=3, generator=generator(1))
    longest = found[0][found[0].norm(dim=1).argmax()]
    assert abs(float(longest[0])) > 0.9
    assert (found[0, :, 1:].norm(dim=1) < 0.4).all()
    if shape == "turned" and classes == 2:
        assert (gates[0, :, 0].sign() * gates[0, 0, 0].sign()).tolist() == [1, -1, 1]


def test_chance_gives_short_directions() -> None:
    """Where nothing differs every direction has the least length."""
    x, hot, label = made("none")
    for weights in (torch.ones(1, ROWS), 50.0 ** torch.rand(1, ROWS, generator=generator(2))):
        found, _ = directions(x, hot, label, weights, 2, means=3, spreads=3, generator=generator(1))
        assert found.norm(dim=2).max() < 3 * LEAST


def test_rows_without_weight_do_not_count() -> None:
    """Labels of rows of weight 0 change nothing."""
    x, hot, label = made("mean")
    weights = (torch.arange(ROWS) % 2).float()[None]
    lies = torch.where(weights > 0, label, 1 - label)
    one, other = (
        directions(x, hot, each, weights, 2, means=2, spreads=2, generator=generator(1)).vectors
        for each in (label, lies)
    )
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("classes", [2, 3, 50])
def test_contrasts_sum_to_zero(classes: int) -> None:
    """Each contrast weighs classes against each other, whatever their shares."""
    weights = torch.rand(2, 400, generator=generator(3))
    labels = torch.randint(0, classes, (2, 400), generator=generator(4)) ** 2 // classes
    found = contrasts(labels, weights, classes, generator(5))
    torch.testing.assert_close(found.sum(2), torch.zeros(found.shape[:2]), atol=1e-3, rtol=0)
