"""The perceptron finds what no hyperplane does."""

from collections.abc import Callable
from typing import Any

import pytest

Leak = Callable[..., Any]
SEEN = 2000


@pytest.mark.parametrize("shape", ["xor", "class", "radial"])
def test_mlp_finds_what_linear_does_not(leak: Leak, shape: str) -> None:
    """A leak by interaction, by target-dependent direction or by size, in low-variance components, Bayes E .5."""
    made = leak(shape, 0.5, rows=SEEN + 4000, width=48, seed=1)
    guesses, found = made.ask("mlp", SEEN)
    assert made.ask("linear", SEEN)[1] < 0.15
    assert found > 0.35
    assert guesses.converged


def test_mlp_finds_what_linear_finds(leak: Leak) -> None:
    """A linear leak of Bayes E .5 is read nearly as well as by a hyperplane."""
    made = leak("linear", 0.5, rows=SEEN + 4000, width=48, seed=1)
    assert made.ask("mlp", SEEN)[1] == pytest.approx(made.ask("linear", SEEN)[1], abs=0.05)


def test_mlp_finds_nothing_where_there_is_nothing(leak: Leak) -> None:
    """Without a leak the excess stays within 3.5 standard errors of 0."""
    assert abs(leak("none", 0, rows=800 + 4000, width=48, seed=2).ask("mlp", 800)[1]) < 3.5 / 4000**0.5


def test_small_plants_are_found_in_few_rows(leak: Leak) -> None:
    """Of Bayes E .3 in 720 rows of 64 columns, at least a third is read, XOR and class-dependent alike."""
    for shape in ("xor", "class"):
        found = [leak(shape, 0.3, rows=720 + 3000, width=64, seed=seed).ask("mlp", 720)[1] for seed in range(3)]
        assert sorted(found)[1] > 0.1


def test_seeds_differ(leak: Leak) -> None:
    """Another count of networks is another attacker, and the notes say which form and epochs were chosen."""
    made = leak("xor", 0.5, rows=1500, width=20, seed=0)
    one, three = (made.ask("mlp", 1000, networks=count)[0] for count in (1, 3))
    assert (one.probabilities != three.probabilities).any()
    assert "components" in one.notes[0]
    assert one.notes[0].count("/") < three.notes[0].count("/")
