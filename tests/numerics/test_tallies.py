"""Rules from sums over rows on disk are those from the rows themselves."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from leakaudit import lying
from leakaudit.numerics.moments import moments
from leakaudit.numerics.quadric import Sorted, Whitener, signed, whitener
from leakaudit.numerics.ranges import ranges
from leakaudit.numerics.rules import Rules, Starts, rules
from leakaudit.numerics.stream import Stream
from leakaudit.numerics.tallies import Asked, Lens, tally

ROWS, WIDTH, SAMPLE = 40_000, 40, 3000
"""More rows than a block has."""


class World(NamedTuple):
    """Rows in memory and on disk."""

    lens: Lens
    white: Sorted
    labels: np.ndarray
    weights: np.ndarray
    target: np.ndarray

    def held(self, classes: int, starts: Starts) -> Rules:
        """The rules of the rows in memory."""
        order = self.white.order
        labels, weights = (torch.from_numpy(each)[:, order] for each in (self.labels, self.weights))
        return rules(self.white, signed(self.white, labels, weights, classes), 0, starts)

    def tallied(self, classes: int, names: tuple[str, ...], starts: Starts) -> tuple[Rules, int]:
        """The rules of the rows on disk, and how often they were read."""
        asked = Asked(list(self.labels), list(self.weights), classes, self.target)
        return tally(self.lens, asked, names, 0, starts)


def world(folder: Path, classes: int, strata: int) -> World:
    """Two questions about rows far from zero, whose spread along two directions tells the first one's answer."""
    chance = np.random.default_rng(0)
    target, labels = chance.integers(0, strata, ROWS), chance.integers(0, classes, (2, ROWS))
    z = chance.standard_normal((ROWS, WIDTH))
    z[:, [2, WIDTH - 1]] *= np.exp(0.4 * labels[0])[:, None]
    z = (z * np.geomspace(3, 0.1, WIDTH) + 10 + chance.standard_normal((strata, WIDTH))[target]).astype(np.float32)
    save_file({"z": z}, folder / "e.safetensors")
    found = lying.find(folder / "e.safetensors", large=1000)
    assert found is not None
    known = moments(z[:SAMPLE])
    rows = Sorted.of(torch.from_numpy(known.basis.components(z)), torch.from_numpy(target), strata)
    learned: Whitener = whitener(rows.part(rows.order < SAMPLE))
    lens = Lens.of(Stream(found, ranges(z), target), known, None, learned)
    weights = chance.uniform(0.5, 1.5, (2, ROWS)).astype(np.float32)
    return World(lens, learned(rows), labels, weights, target)


@pytest.mark.parametrize(("classes", "strata"), [(2, 3), (2, 1), (5, 70), (40, 2)])
def test_every_rule_scores_as_in_memory(classes: int, strata: int, tmp_path: Path) -> None:
    """Two classes or many, of one stratum, few, or too many for a rule of their own: the same scores by every name."""
    made = world(tmp_path, classes, strata)
    start = made.held(classes, {}).starts
    held = made.held(classes, start)
    streamed, visits = made.tallied(classes, held.names, start)
    some = made.white.part(torch.arange(0, ROWS, 97))
    assert streamed.names == held.names
    assert visits == (2 if start else 1)
    one, other = (each.scores(some) for each in (streamed, held))
    # where differences are chance alone, rounding decides which of them are the largest
    whole = [f"quadric in {count} directions of {count} components" for count in (8, 16, 32)]
    sure = [j for j, name in enumerate(held.names) if "directions" not in name or name in whole]
    assert len(sure) > 2
    torch.testing.assert_close(one[:, :, sure], other[:, :, sure], atol=2e-4, rtol=2e-3)
    if classes == 2:
        told = [j for j, name in enumerate(held.names) if name.startswith("quadric in 2 directions of 40")]
        torch.testing.assert_close(one[0][:, told], other[0][:, told], atol=2e-4, rtol=2e-3)


def test_rows_without_a_label_or_a_stratum_are_not_counted(tmp_path: Path) -> None:
    """Whatever weight stands beside a label of -1, and whatever label beside a stratum of -1."""
    made = world(tmp_path, 2, 3)
    out = np.arange(ROWS) % 5 == 0
    names = made.held(2, {}).names[:3]
    hidden = made._replace(labels=np.where(out, -1, made.labels), weights=np.where(out, 9, made.weights))
    lost = made._replace(target=np.where(out, -1, made.target))
    some = made.white.part(torch.arange(0, ROWS, 97))
    one, other, plain = (each.tallied(2, names, {})[0].scores(some) for each in (hidden, lost, made))
    torch.testing.assert_close(one, other)
    assert float((one - plain).abs().max()) > 0.01


def test_what_no_rule_wants_is_not_read_for(tmp_path: Path) -> None:
    """Hyperplanes take one visit; directions without a start take as many as there are steps, and find the same."""
    made = world(tmp_path, 2, 3)
    held = made.held(2, {})
    assert made.tallied(2, held.names[:2], {})[1] == 1
    cold, visits = made.tallied(2, held.names[-1:], {})
    assert visits == 4
    some = made.white.part(torch.arange(0, ROWS, 97))
    name = f"quadric in 2 directions of {WIDTH} components"
    one, other = (each.scores(some)[0, :, each.names.index(name), 0] for each in (cold, held))
    assert np.corrcoef(one, other)[0, 1] > 0.99
