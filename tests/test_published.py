"""What papers published is data: every row has a recipe and a plan that runs it; what is wrong in a file is named."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from leakaudit import grid, published, recipe, results
from leakaudit.errors import InputError
from leakaudit.grid import Grid
from leakaudit.published import Table

PLANS = [name for name in grid.available() if name.startswith(f"{published.FOLDER}/")]
REDUCED = "-reduced"
TEXT = """
title = "A paper"
source = "Somebody, 2020"
[[table]]
name = "Digits"
where = "table 1"
plan = "none"
rows = [{ name = "Vanilla", recipe = "digits/vanilla", target = 90.5, target_spread = 0.5, private = 20 }]
"""


@cache
def loaded(name: str) -> Grid:
    """A shipped plan, read once."""
    return grid.load(name)


def tables() -> Iterator[tuple[str, Table]]:
    """Every published table, with its paper's name."""
    for name in published.names():
        for table in published.read(name).tables:
            yield name, table


TABLES = [pytest.param(table, id=f"{name}: {table.name}") for name, table in tables()]


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_of_a_paper_loads(name: str) -> None:
    """All its recipes are there and all knobs are theirs; its first line says which paper, or that it is reduced."""
    found = loaded(name)
    assert len({cell.key for cell in found.cells}) == len(found.cells)
    assert found.text.startswith("# ")
    assert f"leakaudit sweep {name}" in found.text.replace("\n# ", " ")
    if name.endswith(REDUCED):
        assert "REDUCED" in found.text.splitlines()[0]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_run_by_its_plan(table: Table) -> None:
    """A row with a recipe is exactly one cell of each seed of the plan, whose seeds are those that are told."""
    cells = loaded(f"{published.FOLDER}/{table.plan}").cells
    for row in table.rows:
        own = [
            cell for cell in cells if cell.recipe.name == row.recipe and row.settings.items() <= cell.settings.items()
        ]
        assert len(own) == (table.seeds if row.recipe else 0), row.name


@pytest.mark.parametrize("table", TABLES)
def test_a_row_reads_as_published(table: Table) -> None:
    """Names differ, shares are shares, and what the spread and the attack were of is said."""
    assert len({row.name for row in table.rows}) == len(table.rows)
    for row in table.rows:
        for figure in (row.private, row.target if table.measure == "accuracy" else None):
            assert figure is None or 0 < figure.value < 1, row.name
        assert row.target is not None or row.note, row.name
    assert table.spread
    assert table.protocol


@pytest.mark.parametrize("table", [each for each in TABLES if each.values[0].stand_in])
def test_a_stand_in_is_another_data_set(table: Table) -> None:
    """Each row's stand-in has a cell in the stand-in's plan, and never the data set of the row."""
    cells = loaded(f"{published.FOLDER}/{table.stand_in_plan}").cells
    assert {row.stand_in for row in table.rows} == {cell.recipe.name for cell in cells}
    for row in table.rows:
        assert recipe.load(row.stand_in).dataset.name != recipe.load(row.recipe).dataset.name


def test_the_leak_axis_mirrors_the_target_axis() -> None:
    """The bridging paper's note: over Vanilla, RUBi and ReBias the two published figures add up to about 110 points."""
    rows = [
        row for row in published.read("bridging").tables[0].rows if row.name.split()[0] in ("Vanilla", "RUBi", "ReBias")
    ]
    pairs = np.array([(row.target.value, row.private.value) for row in rows if row.target and row.private])
    assert pairs.shape == (12, 2)
    assert round(float(np.corrcoef(pairs.T)[0, 1]), 3) == -0.998
    assert abs(100 * pairs.sum(axis=1).mean() - 110) < 3


@pytest.mark.parametrize("path", {path.name: path for path in published.shipped()}.values(), ids=lambda path: path.stem)
def test_lines_that_ship_are_of_their_plan(path: Path) -> None:
    """
    Each is a cell of the plan that its file is named after, and no line holds a path of the machine that made it.

    Where a line is no cell any more, recipe or attack became another one: it would stand beside no published figure.
    """
    cells = loaded(f"papers/{path.stem}").cells
    found = results.read(path)
    assert found
    for line in found.values():
        assert line.cell in {cell.by(line.versions["leakaudit"]) for cell in cells}, line.recipe
        assert line.finished, line.message
    assert "/home/" not in path.read_text()
    assert (path.parent / "README.md").read_text().count(f"papers/{path.stem}")


def test_an_interval_is_of_figures_that_were_counted_on_those_images() -> None:
    """A private accuracy of n images is a whole number of them, to the digits published; of targets it is not so."""
    counted = [row for _, table in tables() for row in table.rows if row.images]
    assert [row.images for row in counted] == [728, 728, 36, 36]
    for row in counted:
        assert row.private is not None
        hits = row.private.value * row.images
        assert abs(hits - round(hits)) < 0.5e-4 * row.images, row.name


def test_figures_are_read_in_their_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Per cent become shares, with their spread; a folder of the user's own adds papers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes/papers").mkdir(parents=True)
    (tmp_path / "recipes/papers/mine.published.toml").write_text(TEXT)
    assert "mine" in published.names()
    row = published.read("mine").tables[0].rows[0]
    assert row.target == published.Figure(0.905, 0.005)
    assert row.private == published.Figure(0.2, None)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "A paper"', "", "not figures of a paper .*'title'"),
        ("[[table]]", "[[table", "not figures of a paper"),
        ("target_spread", "target_std", "Digits: Vanilla: no knob 'target_std'. Did you mean 'target_spread'"),
        ('where = "table 1"', 'where = "t"\ncomparable = ["targets"]', "of target and private expected"),
        ("target = 90.5", 'target = "high"', "Vanilla: target = 'high': a number"),
    ],
)
def test_a_wrong_file_is_named(old: str, new: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is wrong in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes/papers").mkdir(parents=True)
    (tmp_path / "recipes/papers/mine.published.toml").write_text(TEXT.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        published.read("mine")


def test_an_unknown_paper_is_told_the_nearest() -> None:
    """`--paper bridgin`."""
    with pytest.raises(InputError, match=r"no paper 'bridgin'\. Did you mean 'bridging'"):
        published.read("bridgin")
