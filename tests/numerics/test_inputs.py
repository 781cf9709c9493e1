"""What networks get: rows centred and whitened within their target classes, as far as these differ."""

import numpy as np
import torch

from leakaudit.numerics.inputs import CONDITIONS, Inputs, Side, learned
from leakaudit.numerics.moments import moments

ROWS, WIDTH, STRATA = 20_000, 12, 5


def inputs(apart: float, rows: int = ROWS, strata: int = STRATA) -> Inputs:
    """Rows of unit noise about a place for each target class, `apart` deviations from the mean of all."""
    chance = np.random.default_rng(0)
    target = chance.integers(0, strata, rows)
    places = apart * chance.standard_normal((strata, WIDTH)) / WIDTH**0.5
    z = (chance.standard_normal((rows, WIDTH)) + places[target]).astype(np.float32)
    side = Side(z, target)
    x = moments(z).basis.components(z)
    return Inputs(side, side, strata, learned(z, 0, "cpu")[0], 0, "cpu", lambda: (x, x))


def test_rows_are_white_within_their_target_classes() -> None:
    """However far apart the target classes lie, what varies within them varies evenly, and they have one centre."""
    made = inputs(6.0)
    x = made.seen(0)
    torch.testing.assert_close(x.T @ x / len(x), torch.eye(WIDTH), atol=0.05, rtol=0)
    for stratum in range(STRATA):
        assert x[made.strata == stratum].mean(0).abs().max() < 0.02


def test_target_classes_that_do_not_differ_are_left_alone() -> None:
    """Means of a few rows that chance alone parts are not subtracted; those of classes apart are."""
    (same, other), whole = (inputs(apart, rows=200, strata=20) for apart in (0.0, 20.0)), None
    for made, near in ((same, True), (other, False)):
        whole = made._whole(0, 0)
        assert torch.allclose(made.seen(0), whole, atol=1e-5) == near


def test_many_target_classes_are_told_apart_as_far_as_they_go() -> None:
    """Of a hundred target classes the most frequent have columns of their own, and each row is in one."""
    hot = inputs(1.0, rows=2000, strata=100).hot.seen
    assert hot.shape[1] == CONDITIONS + 1
    assert (hot.sum(1) == 1).all()
