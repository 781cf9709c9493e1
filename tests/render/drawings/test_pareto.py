"""The Pareto front of private against target accuracy."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plates import models, parsed, words

from leakaudit.render import _entries
from leakaudit.render._drawings import axes, pareto
from leakaudit.render._drawings.axes import Axis

SHARES = st.floats(0, 1, allow_nan=False)


def test_the_front_of_known_points() -> None:
    """Of five points, three are on the front: one that gives up as much for less is not, nor one beaten in both."""
    points = [(0.2, 0.80), (0.3, 0.90), (0.3, 0.85), (0.5, 0.95), (0.6, 0.94)]
    assert pareto.front(points) == {0, 1, 3}
    assert pareto.front([(0.5, 0.9), (0.5, 0.9)]) == {0, 1}
    assert pareto.front([(0.5, 0.9)]) == {0}


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=12))
def test_a_point_is_on_the_front_unless_another_is_better(points: list[tuple[float, float]]) -> None:
    """Every point off the front is beaten by one on it, and none on it is beaten by any."""
    best = pareto.front(points)
    for i, (private, target) in enumerate(points):
        better = {j for j, (p, t) in enumerate(points) if p <= private and t >= target and (p, t) != (private, target)}
        assert (i in best) == (not better)
        assert i in best or better & best


@pytest.mark.parametrize("count", [2, 6, 20])
def test_every_model_of_the_front_lies_on_its_line(count: int) -> None:
    """The staircase turns at exactly the models on the front; all others lie on or right below it."""
    group = _entries.entries(models(count))
    found = pareto.models(group)
    (drawn,) = pareto.draw(models(count))
    path = re.search(r'<path d="(M[^"z]+)" fill="none" stroke="currentColor" stroke-opacity="\.45"', str(drawn.svg))
    assert path is not None
    turns = {(a, b) for a, b in re.findall(r"H([\d.]+)V([\d.]+)", path[1])}
    read = [end for model in found for part in (model.private, model.paper) if part for end in part]
    chances = {1 / len(entry.attribute.classes) for entry in group}
    across = Axis(*axes.span([*read, *chances]), pareto.LEFT, pareto.RIGHT)
    up = Axis(*axes.span([end for model in found for end in model.target], step=0.05), pareto.BOTTOM, pareto.TOP)
    places = {m.entry.name: (across.at(m.private.value), up.at(m.target.value)) for m in found}
    assert turns == {(f"{x:.1f}", f"{y:.1f}") for m in found if m.front for x, y in [places[m.entry.name]]}
    stairs = sorted(places[model.entry.name] for model in found if model.front)
    for x, y in places.values():
        assert y >= min(high for left, high in stairs if left <= x + 1e-9) - 1e-9


def test_few_models_are_named_and_many_are_numbered() -> None:
    """Beside six marks stand names; beside twenty, numbers from the left, each with its name below."""
    (few,), (many,) = pareto.draw(models(6)), pareto.draw(models(20))
    assert any(said.startswith("vanilla 9") for said in words(parsed(few)))
    said = words(parsed(many))
    assert {str(number) for number in range(1, 21)} <= set(said)
    assert [said.count(str(number)) for number in range(1, 20)] == [2] * 19
    assert {"vanilla", "end", "learned-mixin-high"} <= set(said)


def test_the_sentence_names_the_front() -> None:
    """Who is beaten by nobody is said, and that nobody beats anybody where each gives up something."""
    found = pareto.models(_entries.entries(models(2)))
    assert pareto.told(found) == (
        "Weighing what is read of the colour against the task, end is the only model that no other beats in both."
    )
    traded = [model._replace(front=True) for model in found]
    assert pareto.told(traded).endswith("what gives away less does its task worse.")
    assert "none of the 2 models is beaten in both" in pareto.told(traded)
    assert pareto.told(found[:1]) == ""


def test_an_axis_that_does_not_start_at_zero_says_so() -> None:
    """Where an axis is cropped, the caption says where it begins."""
    (drawn,) = pareto.draw(models(2))
    assert "begin at 20 % and 85 %, not at zero." in drawn.caption
    found = pareto.models(_entries.entries(models(2)))
    whole = Axis(0.0, 1.0, 0, 100)
    assert "not at zero" not in pareto.caption(found, whole, whole)
    assert "The vertical axis begins at 50 %" in pareto.caption(found, whole, Axis(0.5, 1.0, 0, 100))


@given(st.lists(SHARES, min_size=1, max_size=5), st.sampled_from([0.05, 0.1]))
def test_an_axis_holds_its_values_and_few_marks(values: list[float], step: float) -> None:
    """All values lie on the axis, it has two to five marks, and they lie on it, too."""
    axis = Axis(*axes.span(values, step=step), 10, 400)
    assert axis.low <= min(values)
    assert max(values) <= axis.high
    assert 2 <= len(axis.marks) <= 5
    assert all(axis.low - 1e-9 <= mark <= axis.high + 1e-9 for mark in axis.marks)
    assert axis.at(axis.low) == 10
    assert axis.at(2.0) == pytest.approx(400)
