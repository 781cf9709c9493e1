"""One hyperplane per target class finds attributes whose direction depends on the target."""

from collections.abc import Callable
from typing import Any

import pytest

Leak = Callable[..., Any]


def test_a_class_dependent_leak_is_found(leak: Leak) -> None:
    """Of Bayes E .6, linear reads nearly nothing and this attacker most."""
    made = leak("class", 0.6, rows=6000, width=48, seed=1)
    guesses, found = made.ask("linear-per-target", 2000)
    assert made.ask("linear", 2000)[1] < 0.2
    assert found > 0.5
    assert guesses.converged


def test_few_rows_share_what_target_classes_have_in_common(leak: Leak) -> None:
    """With 30 rows per target class a leak common to all is read nearly as well as by one hyperplane."""
    made = leak("linear", 0.6, rows=4300, width=24, seed=1)
    assert made.ask("linear-per-target", 300)[1] == pytest.approx(made.ask("linear", 300)[1], abs=0.1)
