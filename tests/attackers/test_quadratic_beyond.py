"""Quadrics that are fitted to rows on disk are those of the same rows in memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from leakaudit import lying
from leakaudit.attackers import Further, Guesses, Question, Rows, quadratic
from leakaudit.numerics.moments import Moments, moments
from leakaudit.numerics.ranges import ranges
from leakaudit.numerics.stream import Stream

ROWS, WIDTH, STRATA = 9000, 48, 3
EVERY = np.arange(ROWS)
ASKED = EVERY[EVERY % 3 == 0]
"""Rows that are guessed."""
SEEN = EVERY[EVERY % 3 > 0]
SAMPLE = SEEN[:4000]


def made(shape: str, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose private class sets the spread along two directions, one of them of small variance, or their sign."""
    chance = np.random.default_rng(0)
    target, labels = chance.integers(0, STRATA, ROWS), chance.integers(0, classes, ROWS)
    z = chance.standard_normal((ROWS, WIDTH))
    sign = labels - (classes - 1) / 2
    z[:, [5, WIDTH - 2]] *= np.exp(0.5 * sign)[:, None]
    z[:, 3] += 0.5 * sign * (1 - 2 * (target == 1))
    z = z * np.geomspace(4, 0.1, WIDTH) + 2 * chance.standard_normal((STRATA, WIDTH))[target] + 1
    return (np.exp(0.4 * z) if shape == "bent" else z).astype(np.float32), target, labels


def disk(folder: Path, z: np.ndarray, target: np.ndarray) -> Stream:
    """All rows in a file."""
    save_file({"z": z}, folder / "e.safetensors")
    found = lying.find(folder / "e.safetensors", large=1000)
    assert found is not None
    return Stream(found, ranges(z), target)


def rows(z: np.ndarray, target: np.ndarray, part: np.ndarray, known: Moments) -> Rows:
    """Some rows as an attacker sees them."""
    return Rows(z[part], target[part], STRATA, part, known, known.basis.components(z[part]))


def ask(seen: Rows, unseen: Rows, *questions: Question) -> list[Guesses]:
    """Call the attacker."""
    return quadratic.attack(seen, unseen, questions, seed=0, device="cpu")


@pytest.mark.parametrize(("shape", "classes"), [("plain", 2), ("plain", 3), ("bent", 2)])
def test_guesses_from_disk_are_those_in_memory(shape: str, classes: int, tmp_path: Path) -> None:
    """Settled on in a sample, then fitted to all rows in memory or on disk: the same guesses, of each question."""
    z, target, labels = made(shape, classes)
    stream, known = disk(tmp_path, z, target), moments(z[np.sort(np.r_[SAMPLE, ASKED])])
    small, unseen = rows(z, target, SAMPLE, known), rows(z, target, ASKED, known)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, ROWS).astype(np.float32)
    shuffled = np.random.default_rng(2).permutation(labels)
    hidden = np.where(EVERY % 7 == 0, -1, labels)
    asks = [Question(each[SAMPLE], weights[SAMPLE], classes) for each in (labels, hidden, shuffled)]
    settled = [guesses.settled for guesses in ask(small, unseen, *asks)]
    further = [Further(np.where(EVERY % 3 == 0, -1, each), weights) for each in (labels, hidden, shuffled)]
    large = rows(z, target, SEEN, known)
    held = [
        Question(each.labels[SEEN], weights[SEEN], classes, chosen)
        for each, chosen in zip(further, settled, strict=True)
    ]
    beyond = [
        replace(each, settled=chosen, further=more) for each, chosen, more in zip(asks, settled, further, strict=True)
    ]
    memory = ask(large, unseen, *held)
    streamed = ask(replace(small, beyond=stream), unseen, *beyond)
    sampled = ask(small, unseen, *beyond)
    for one, other, less, told in zip(memory, streamed, sampled, further, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=5e-5)
        assert f"refitted on {(told.labels >= 0).sum():,} rows" in other.notes[-1]
        assert "refitted" not in " ".join(less.notes)
    assert np.abs(memory[0].probabilities - sampled[0].probabilities).max() > 0.02


def test_components_far_apart_are_told_apart_on_disk(tmp_path: Path) -> None:
    """Deviations over six decades, and a stratum of which the sample has no row: the same guesses as in memory."""
    z, target, labels = made("plain", 2)
    z = (z * np.geomspace(1, 1e-5, WIDTH)).astype(np.float32)
    sample = SAMPLE[target[SAMPLE] < STRATA - 1]
    stream, known = disk(tmp_path, z, target), moments(z[ASKED])
    small, unseen, large = (rows(z, target, part, known) for part in (sample, ASKED, SEEN))
    first = Question(labels[sample], np.ones(len(sample), np.float32), 2)
    [tuned] = ask(small, unseen, first)
    shown = Further(np.where(EVERY % 3 == 0, -1, labels), np.ones(ROWS, np.float32))
    [memory] = ask(large, unseen, Question(labels[SEEN], np.ones(len(SEEN), np.float32), 2, tuned.settled))
    [streamed] = ask(replace(small, beyond=stream), unseen, replace(first, settled=tuned.settled, further=shown))
    np.testing.assert_allclose(memory.probabilities, streamed.probabilities, atol=5e-3)
    assert np.abs(memory.probabilities - tuned.probabilities).max() > 0.05
