"""Reports whose figures are drawn."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import plates  # noqa: E402 (after the path)

from leakaudit.render import _drawings  # noqa: E402
from leakaudit.render._drawings.drawing import Drawing  # noqa: E402

METHODS = ("vanilla", "rubi", "rebias", "learned-mixin:inner=x", "end:alpha=1")


@pytest.fixture(scope="session")
def gallery() -> dict[str, tuple[Drawing, ...]]:
    """All figures of one model, two, six and twenty, of two attributes, and of sweeps with one seed and with three."""
    reports = {
        "one": plates.models(1),
        "two": plates.models(2),
        "six": plates.models(6),
        "twenty": plates.models(20),
        "attributes": plates.models(2, attributes=2),
        "sweep": plates.sweep(METHODS, (0.99, 0.995, 0.999)),
        "seeds": plates.sweep(("vanilla", "end:alpha=1"), (0.5, 0.9), seeds=3),
        "hostile": plates.hostile(),
    }
    return {name: _drawings.every(report) for name, report in reports.items()}
