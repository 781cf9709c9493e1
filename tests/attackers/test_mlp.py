"""The perceptron finds what no hyperplane does."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakaudit.attackers import Question, Rows, mlp

Leak = Callable[..., Any]
SEEN = 2000


@functools.cache
def read(leak: Leak, shape: str) -> tuple[Any, Any, float]:
    """A leak of Bayes E .5 in low-variance components, what is said of it and what is read of it, asked once."""
    made = leak(shape, 0.5, rows=SEEN + 4000, width=48, seed=1)
    return made, *made.ask("mlp", SEEN)


@pytest.mark.parametrize("shape", ["xor", "class", "radial"])
def test_mlp_finds_what_linear_does_not(leak: Leak, shape: str) -> None:
    """A leak by interaction, by target-dependent direction or by size, in low-variance components, Bayes E .5."""
    made, guesses, found = read(leak, shape)
    assert made.ask("linear", SEEN)[1] < 0.15
    assert found > 0.35
    assert guesses.converged


def test_mlp_finds_what_linear_finds(leak: Leak) -> None:
    """A linear leak of Bayes E .5 is read nearly as well as by a hyperplane."""
    made, _, found = read(leak, "linear")
    assert found == pytest.approx(made.ask("linear", SEEN)[1], abs=0.05)


def test_mlp_finds_nothing_where_there_is_nothing(leak: Leak) -> None:
    """Without a leak the excess stays within 3.5 standard errors of 0."""
    assert abs(leak("none", 0, rows=800 + 4000, width=48, seed=2).ask("mlp", 800)[1]) < 3.5 / 4000**0.5


@pytest.mark.slow
def test_small_plants_are_found_in_few_rows(leak: Leak) -> None:
    """Of Bayes E .3 in 720 rows of 64 columns, at least a third is read, XOR and class-dependent alike."""
    for shape in ("xor", "class"):
        found = [leak(shape, 0.3, rows=720 + 3000, width=64, seed=seed).ask("mlp", 720)[1] for seed in range(3)]
        assert sorted(found)[1] > 0.1


@pytest.mark.slow
def test_knobs_are_heeded(leak: Leak) -> None:
    """More networks are another attacker; more decays and initialisations are more forms, of which one is named."""
    made = leak("xor", 0.5, rows=500, width=20, seed=0)
    one, two, many = (made.ask("mlp", 400, **knobs)[0] for knobs in ({}, {"networks": 2}, {"inits": 2, "decays": 2}))
    assert (one.probabilities != two.probabilities).any()
    assert one.notes[0].count("/") < two.notes[0].count("/")
    assert "components" in one.notes[0]
    assert "decay" in many.notes[0]


def test_what_was_settled_is_not_sought_again(leak: Leak) -> None:
    """Asked again with what it settled on, the attacker keeps to it, and reads as much."""
    made, first, _ = read(leak, "xor")
    seen, unseen = made.rows(slice(SEEN)), made.rows(slice(SEEN, None))
    asked = Question(made.private[:SEEN], np.ones(SEEN, np.float32), 2)
    [again] = mlp.attack(seen, unseen, (replace(asked, settled=first.settled),), seed=0, device="cpu")
    assert (again.settled.form, again.settled.stop) == (first.settled.form, first.settled.stop)
    hits = [(guess.probabilities.argmax(1) == made.private[SEEN:]).mean() for guess in (first, again)]
    assert hits[1] > hits[0] - 0.03


def test_lopsided_weights_do_not_blind(leak: Leak) -> None:
    """Where the attribute is the target's in 97 of 100 rows, a linear leak is read from weighted rows too."""
    made = leak("linear", 0.8, rows=SEEN + 4000, width=48, seed=3)
    usual = made.private == made.target % 2
    kept = usual | (np.random.default_rng(0).random(len(usual)) < 0.03)
    rows = np.flatnonzero(kept[:SEEN])
    cells = np.bincount(made.target[rows] * 2 + made.private[rows], minlength=20).reshape(-1, 2)
    weights = cells.sum(1)[made.target[rows]] / cells[made.target[rows], made.private[rows]]
    asked = Question(made.private[rows], np.float32(weights / weights.mean()), 2)
    seen = Rows(made.z[rows], made.target[rows], 10, rows)
    [guess] = mlp.attack(seen, made.rows(slice(SEEN, None)), (asked,), seed=0, device="cpu")
    rare = ~usual[SEEN:]
    assert (guess.probabilities.argmax(1) == made.private[SEEN:])[rare].mean() > 0.75


def test_a_thousand_classes_fit(leak: Leak) -> None:
    """A thousand private classes and a thousand target classes in two thousand rows give a distribution."""
    made = leak("none", 0, rows=2000, width=16, seed=0)
    many = np.arange(2000) % 1000
    seen = Rows(made.z, many, 1000, np.arange(2000))
    [guess] = mlp.attack(seen, seen, (Question(many, np.ones(2000, np.float32), 1000),), seed=0, device="cpu")
    np.testing.assert_allclose(guess.probabilities.sum(1), 1, atol=1e-4)


@pytest.mark.slow
def test_many_rows_are_tried_on_a_part_of_them(leak: Leak) -> None:
    """From 20,000 rows on, of two questions each gets the form that its leak needs, and is read nearly as well."""
    shared, own = (leak(shape, 0.5, rows=22_000, width=24, seed=1) for shape in ("linear", "class"))
    for made, way in ((shared, "plain"), (own, "conditioned on the target class")):
        rows, ones = made.rows(slice(20_000)), np.ones(20_000, np.float32)
        chance = np.random.default_rng(0).permutation(made.private)
        asked = tuple(Question(labels[:20_000], ones, 2) for labels in (made.private, chance))
        first, none = mlp.attack(rows, made.rows(slice(20_000, None)), asked, seed=0, device="cpu")
        assert first.notes[0].startswith(way)
        assert 2 * (first.probabilities.argmax(1) == made.private[20_000:]).mean() - 1 > 0.4
        assert abs(2 * (none.probabilities.argmax(1) == made.private[20_000:]).mean() - 1) < 0.1


def test_what_many_classes_were_spared_is_said(leak: Leak) -> None:
    """With a hundred private classes only plain forms are tried, and the notes say so; with two they say nothing."""
    made = leak("none", 0, rows=600, width=8, seed=0)
    ones = np.ones(600, np.float32)
    some, many = (
        mlp.attack(made.rows(slice(600)), made.rows(slice(9)), (Question(labels, ones, count),), seed=0, device="cpu")
        for labels, count in ((made.private, 2), (np.arange(600) % 100, 100))
    )
    assert any("more than 64 private classes" in note for note in many[0].notes)
    assert any("8 random halves of 100 classes" in note for note in many[0].notes)
    assert not any("classes" in note for note in some[0].notes[1:])
