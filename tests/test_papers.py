"""Lines of sweeps are laid to the rows that they are of, and never mixed where they differ."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from leakaudit import grid, orders, papers, published, recipe, results
from leakaudit.errors import InputError, RefusedError
from leakaudit.papers import Found
from leakaudit.published import Figure, Paper, Row, Table
from leakaudit.reproduction import Section
from leakaudit.results import Result
from leakaudit.stats import Interval

ROW = Row("EnD", "x/end", {}, Figure(0.60, 0.01), Figure(0.15, 0.0), None, "", "")
IRENE = Row("IRENE .1", "x/irene", {"method.gamma": 0.1}, Figure(0.6, None), Figure(0.5, None), 36, "", "few images")
TABLE = Table(
    name="Digits", where="table 1", plan="none", seeds=3, target="digit", private="colour", measure="accuracy", unit="",
    comparable=("target", "private"), spread="none", protocol="a linear attacker", stand_in="", stand_in_plan="",
    notes=(), fits=(), rows=(ROW, IRENE),
)  # fmt: skip


def line(recipe: str = "x/end", seed: int = 0, accuracy: float = 0.6, file: str = "a.jsonl", **more: object) -> Found:
    """A run that ended in figures, or as `more` says."""
    about = Interval(accuracy, accuracy - 0.02, accuracy + 0.02)
    plain = Result(
        cell=f"{recipe}{seed}", recipe=recipe, settings={}, seed=seed, status=0, accuracy=about,
        papers=Interval(0.15, 0.14, 0.16), private=Interval(0.8, 0.7, 0.9), excess=Interval(0.5 + seed / 10, 0.4, 0.9),
        verdict="LEAK", attacker="mlp", rows=900, fingerprint="f", audit=f"audit-{seed}", versions={"torch": "2"},
        device="cpu",
    )  # fmt: skip
    return Found(replace(plain, **more), file)  # type: ignore[arg-type]


def sections(found: list[Found], table: Table = TABLE, plain: papers.Plain = lambda *_: True) -> tuple[Section, ...]:
    """The sections of the one table; all lines are of its plan, if nothing else is said."""
    return papers.beside(Paper("p", "P", "q", (table,), Path()), found, plain).tables[0].sections


def test_seeds_are_one_row() -> None:
    """The mean over seeds with the lowest and the highest, E with the widest bounds, each verdict counted."""
    found = [line(seed=0, accuracy=0.5), line(seed=1, accuracy=0.6), line(seed=2, accuracy=0.7, verdict="WITHIN")]
    (section,) = sections(found)
    first, second = section.lines
    assert (section.kind, section.runs, section.failed) == ("full", 3, 0)
    assert first.seeds == (0, 1, 2)
    assert first.target is not None
    assert (first.target.mean, first.target.low, first.target.high) == pytest.approx((0.6, 0.5, 0.7))
    assert first.excess == pytest.approx(Interval(0.6, 0.4, 0.9))
    assert first.verdicts == (("LEAK", 2), ("WITHIN", 1))
    assert first.rows == (900,)
    assert second.seeds == ()


def test_reduced_runs_are_never_mixed_with_full_ones() -> None:
    """Nor with runs that were changed otherwise, nor with those of other methods' knobs; each says what was changed."""
    found = [
        line(accuracy=0.9),
        line(seed=1, accuracy=0.1, settings={"dataset.rows": 500}),
        line(seed=2, accuracy=0.2, settings={"dataset.rows": 900}),
        line(seed=3, accuracy=0.3, settings={"train.amp": True}),
        line(seed=4, accuracy=0.4, settings={"method.alpha": 2.0}),
        line(seed=5, accuracy=0.5, settings={"method.alpha": 3.0}),
    ]
    made = sections(found)
    told = [
        (section.kind, section.changed, [each.target.mean for each in section.lines if each.target]) for section in made
    ]
    assert told == [
        ("full", (), [0.9]),
        ("quick", ("train.amp=true",), [0.3]),
        ("changed", ("dataset.rows=500",), [0.1]),
        ("changed", ("dataset.rows=900",), [0.2]),
        ("changed", (), [0.4, 0.5]),
    ]
    assert [section.comparable for section in made] == [True, True, False, False, False]
    assert made[-1].methods == ("method.alpha=2.0", "method.alpha=3.0")


def test_only_full_runs_of_three_seeds_are_held_against_what_was_published() -> None:
    """A published figure is in or outside the range of one more seed; reduced or few runs say nothing of it."""
    near = [line(seed=seed, accuracy=0.6 + seed / 100) for seed in range(3)]
    far = [line(seed=seed, accuracy=0.8 + seed / 1000) for seed in range(3)]
    less = [line(seed=seed, accuracy=0.6, settings={"dataset.rows": 9}) for seed in range(3)]
    inside = {
        name: made[0].lines[0].target.inside  # type: ignore[union-attr]
        for name, made in (
            ("near", sections(near)), ("far", sections(far)), ("few", sections(near[:2])), ("reduced", sections(less)),
            ("unlike", sections(near, replace(TABLE, comparable=("private",)))),
        )
    }  # fmt: skip
    assert inside == {"near": True, "far": False, "few": None, "reduced": None, "unlike": None}


def test_a_private_figure_of_another_measure_is_not_held_against() -> None:
    """IRENE's is that of the head it was trained against: its accuracy is held against ours, its private figure not."""
    found = [line(seed=seed) for seed in range(3)]
    told = papers.beside(
        Paper("p", "P", "q", (replace(TABLE, comparable=("target",)),), Path()), found, lambda *_: True
    )
    row = told.tables[0].sections[0].lines[0]
    assert row.target is not None
    assert row.papers is not None
    assert (row.target.inside, row.papers.inside) == (True, None)
    assert any("cannot be held against the published private accuracy" in words for words in told.tables[0].says)


def test_another_recipe_of_the_name_or_another_attack_is_no_full_run() -> None:
    """Only a cell of the recipe that ships, attacked as the table's plan says, stands in full beside the figures."""
    paper = published.read("end")
    found = recipe.load("biased-mnist/end")
    attack = orders.Attack(auxiliary=("balanced", "paper"))
    shorter = recipe.load("biased-mnist/end", {"train.epochs": 1})
    cells = {
        "plan": grid.Cell(found, {}, 0, attack, orders.Resources(), (), ""),
        "fewer rows": grid.Cell(found, {}, 1, replace(attack, rows=50), orders.Resources(), (), ""),
        "other text": grid.Cell(shorter, {}, 2, attack, orders.Resources(), (), ""),
    }
    runs = [
        line(cell.recipe.name, cell.seed, cell=cell.by("0.0.1"), versions={"leakaudit": "0.0.1"})
        for cell in cells.values()
    ]
    told = [
        (section.kind, section.changed, [seed for each in section.lines for seed in each.seeds])
        for section in papers.beside(paper, runs).tables[0].sections
    ]
    assert told == [("full", (), [0]), ("changed", ("recipe or attack=other than the plan's",), [1, 2])]


def test_the_range_of_one_more_seed_holds_it() -> None:
    """Of normal draws the fourth lies in the range of three in 95 % of cases, give or take two standard errors."""
    draws = np.random.default_rng(0).normal(size=(4000, 4))
    ends = [papers.further(list(row[:3])) for row in draws.tolist()]
    share = fmean(low <= row[3] <= high for (low, high), row in zip(ends, draws, strict=True))
    assert abs(share - 0.95) < 2 * (0.95 * 0.05 / 4000) ** 0.5


def test_a_row_is_its_recipe_and_its_settings() -> None:
    """What a row asks to be set must be set so; what is set beyond it makes the run another one."""
    wanted = line("x/irene", settings={"method.gamma": 0.1})
    other = line("x/irene", seed=1, settings={"method.gamma": 0.5})
    (section,) = sections([wanted, other])
    assert (section.kind, section.runs) == ("full", 1)
    assert section.lines[1].seeds == (0,)
    assert section.lines[1].published_target is not None
    assert section.lines[1].published_target.interval is None
    assert section.lines[1].published_private is not None
    low, high = section.lines[1].published_private.interval[1:]  # type: ignore[index]
    assert low < 0.5 < high
    assert high - low > 0.3


def test_a_stand_in_says_nothing_of_the_published_figures() -> None:
    """Its section holds no published figure and is apart, however alike the settings are."""
    table = replace(TABLE, stand_in="pears in place of apples", rows=(replace(ROW, stand_in="pears/end"),))
    bare, made = sections([line("pears/end")], table)
    assert (bare.runs, bare.lines[0].seeds) == (0, ())
    alone = papers.beside(Paper("p", "P", "q", (table,), Path()), []).tables[0]
    assert any("pears in place of apples, was not run: " in words for words in alone.says)
    assert made.kind == "stand-in"
    assert "pears in place of apples" in made.says
    assert made.lines[0].recipe == "pears/end"
    assert made.lines[0].published_target is None
    assert made.lines[0].target is not None


def test_what_was_not_run_and_what_failed_is_told() -> None:
    """Without runs the published figures stand alone; a failed seed is no figure, and its reason stands there."""
    (bare,) = sections([])
    assert [each.seeds for each in bare.lines] == [(), ()]
    assert bare.lines[0].published_target is not None
    failed = line(seed=1, status=2, message="loss is not a number", accuracy=0.1, audit="")
    (made,) = sections([line(), failed])
    assert (made.runs, made.failed) == (1, 1)
    assert made.lines[0].failed == ("seed 1: loss is not a number",)
    assert made.lines[0].seeds == (0,)


def test_seeds_on_other_data_are_named() -> None:
    """Lines from two machines may be of different images."""
    (same,), (mixed,) = sections([line(), line(seed=1)]), sections([line(), line(seed=1, fingerprint="g")])
    assert not same.lines[0].mixed
    assert mixed.lines[0].mixed


def test_a_later_file_holds_and_a_failure_replaces_nothing(tmp_path: Path) -> None:
    """One line for each row, settings and seed: the last that ended in figures, of the files that are named."""
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    runs = line(accuracy=0.1), line(accuracy=0.2, cell="other"), line(status=70, message="a bug", cell="third")
    for path, run in zip(paths, runs, strict=True):
        results.append(path, run.result)
    (section,) = sections(papers.gather(paths, tmp_path))
    assert (section.runs, section.failed, section.files) == (1, 0, ("b.jsonl",))
    assert section.lines[0].target is not None
    assert section.lines[0].target.mean == 0.2


def test_lines_of_the_store_are_read_unasked(tmp_path: Path) -> None:
    """Beside those that ship; files that are named stand in the place of both."""
    (tmp_path / "sweeps" / "papers").mkdir(parents=True)
    results.append(tmp_path / "sweeps" / "papers" / "mine.jsonl", line("own/recipe").result)
    everything = papers.gather([], tmp_path)
    assert [each.file for each in everything if each.result.recipe == "own/recipe"] == ["mine.jsonl"]
    assert len(everything) == 1 + len(papers.gather(published.shipped(), tmp_path) if published.shipped() else [])
    with pytest.raises(InputError, match=r"--results .*nothing.jsonl: no such file"):
        papers.gather([tmp_path / "nothing.jsonl"], tmp_path)
    (tmp_path / "no text.jsonl").write_bytes(b"\x7fELF\xd0\n")
    with pytest.raises(RefusedError, match="not a result of a sweep"):
        papers.gather([tmp_path / "no text.jsonl"], tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="no line of a sweep"):
        papers.gather([tmp_path / "empty.jsonl"], tmp_path)
    (tmp_path / "foreign.jsonl").write_text('{"format": 1, "recipe": "x"}\n')
    with pytest.raises(RefusedError, match="not a result of a sweep"):
        papers.gather([tmp_path / "foreign.jsonl"], tmp_path)
