"""A quadric finds leaks by interaction and by size."""

from collections.abc import Callable
from typing import Any

import pytest

Leak = Callable[..., Any]


@pytest.mark.parametrize("shape", ["xor", "radial"])
def test_what_no_hyperplane_reads_is_found(leak: Leak, shape: str) -> None:
    """An XOR of Bayes E .5, and two deviations of one component, are read where linear reads next to nothing."""
    made = leak(shape, 0.5, rows=6000, width=48, seed=1)
    guesses, found = made.ask("quadratic", 2000)
    assert made.ask("linear", 2000)[1] < 0.15
    assert found > 0.4
    assert guesses.converged
