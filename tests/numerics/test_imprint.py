"""Networks of equal weights that compute otherwise say something else of waves; equal ones say the same."""

import numpy as np
from torch import nn

from leakaudit.numerics.imprint import imprint


def test_equal_weights_that_compute_otherwise_differ() -> None:
    """Another activation is another imprint, in what is returned and in what enters the classifier."""
    first, head = nn.Linear(48, 4), nn.Linear(4, 2)
    relu, tanh, again = (nn.Sequential(nn.Flatten(), first, way, head) for way in (nn.ReLU(), nn.Tanh(), nn.ReLU()))
    one, two, three = (imprint(network, "3", (3, 4, 4)) for network in (relu, tanh, again))
    assert [part.shape for part in one] == [(4, 2), (4, 4)]
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_network_that_fails_says_nothing() -> None:
    """It does not take such images; that is refused elsewhere."""
    assert imprint(nn.Linear(3, 2), "", (1, 5, 5)) == []
