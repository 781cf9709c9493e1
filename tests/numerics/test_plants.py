"""A planted leak is worth what it says, to whoever knows where to look."""

import numpy as np
import pytest

from leakaudit import stats
from leakaudit.numerics import plants
from leakaudit.numerics.plants import SHAPES, Plant, Shape

EVEN = np.full((3, 4), 500)
GAPPED = np.array([[900, 50, 0, 50], [20, 400, 300, 0], [0, 0, 500, 0]])


def bayes_rule(plant: Plant, x: np.ndarray, target: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The likeliest class of each row under the densities themselves, among those present in its target class."""
    logs = np.empty((len(x), len(plant.place)))
    for k, place in enumerate(plant.place):
        if plant.shape == "xor":
            angle = np.pi * (place + 0.5) / len(plant.place)
            centre = plant.amplitude * np.array([np.cos(angle), np.sin(angle)])
            logs[:, k] = np.logaddexp(-((x - centre) ** 2).sum(1) / 2, -((x + centre) ** 2).sum(1) / 2)
        else:
            step = plant.amplitude * (place - (len(plant.place) - 1) / 2)
            sign = plant.mirrored[target] if plant.shape == "class-dependent" else 1
            logs[:, k] = -((x[:, 0] - step * sign) ** 2) / 2
    return np.where(table[target] > 0, logs, -np.inf).argmax(axis=1)


@pytest.mark.parametrize("table", [EVEN, GAPPED, np.full((2, 2), 500)], ids=["even", "gapped", "binary"])
@pytest.mark.parametrize("size", [0.1, 0.4, 0.8])
@pytest.mark.parametrize("shape", SHAPES)
def test_bayes_rule_reaches_the_size(shape: Shape, size: float, table: np.ndarray) -> None:
    """On fresh rows the rule that knows the densities has E equal to the plant's size."""
    rng = np.random.default_rng(7)
    plant = plants.plant(shape, size, table, rng)
    assert plants.bayes(shape, plant.amplitude, plant.place, table) == pytest.approx(size, abs=1e-6)
    cells = np.repeat(np.arange(table.size), np.where(table.ravel() > 0, 4000, 0))
    target, private = cells // table.shape[1], cells % table.shape[1]
    x = _unscaled(plant, target, private, rng)
    guess = bayes_rule(plant, x, target, table)
    weights, stretch = stats.excess_weights(table)
    rows = np.bincount(cells, guess == private, minlength=table.size) / 4000
    found = 1 - stretch * (1 - float((weights.ravel() * rows).sum()))
    # 4,000 rows in each cell: the standard error of E is at most .008 (binary)
    assert found == pytest.approx(size, abs=0.03)


def _unscaled(plant: Plant, target: np.ndarray, private: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Signal and noise before the rows' covariance is made unit: drawn anew from the definition."""
    noise = rng.standard_normal((len(target), plants.WIDTH[plant.shape]))
    if plant.shape == "xor":
        angle = np.pi * (plant.place[private] + 0.5) / len(plant.place)
        side = rng.choice([-1, 1], len(target))[:, None]
        return plant.amplitude * side * np.stack([np.cos(angle), np.sin(angle)], axis=1) + noise
    step = plant.place[private] - (len(plant.place) - 1) / 2
    sign = plant.mirrored[target] if plant.shape == "class-dependent" else 1
    return plant.amplitude * (step * sign)[:, None] + noise


@pytest.mark.parametrize("size", [0.2, 0.8])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_plant_has_the_moments_of_whitened_components(shape: Shape, size: float) -> None:
    """Mean 0 and covariance 1 in the rows it is drawn for: what it replaces is missed by no second moment."""
    rng = np.random.default_rng(0)
    target, private = rng.integers(0, 3, 500), rng.integers(0, 4, 500)
    plant = plants.plant(shape, size, stats.tabulate(target, private, 3, 4), rng)
    x = plant.columns(target, private, rng)
    assert x.shape == (500, plants.WIDTH[shape])
    assert x.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert x.T @ x / 500 == pytest.approx(np.eye(plants.WIDTH[shape]), abs=1e-9)


def test_class_dependent_and_xor_are_blind_spots_of_class_means() -> None:
    """Pooled class means tell nothing of either, where a linear plant of the same size shows in them."""
    rng = np.random.default_rng(3)
    target, private = np.arange(40_000) % 2, (np.arange(40_000) // 2) % 2
    gaps = {}
    for shape in SHAPES:
        plant = plants.plant(shape, 0.4, stats.tabulate(target, private, 2, 2), rng)
        x = plant.columns(target, private, rng)
        gaps[shape] = np.abs(x[private == 1].mean(axis=0) - x[private == 0].mean(axis=0)).max()
    assert gaps["linear"] > 0.8
    # five standard errors of a difference of two means of 20,000
    assert max(gaps["class-dependent"], gaps["xor"]) < 5 * np.sqrt(2 / 20_000)
