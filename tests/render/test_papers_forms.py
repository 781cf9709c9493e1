"""The forms of a reproduction: all hold the same figures, fit the screen, and break on nothing that others wrote."""

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leakaudit import papers, published, results
from leakaudit.cli_report import FORMS
from leakaudit.papers import Found
from leakaudit.published import Paper
from leakaudit.reproduction import Reproduction
from leakaudit.results import Result
from leakaudit.stats import Interval

EVIL = '<script>alert("x")</script>| [a](http://e.vil) \x1b[31m'
SMALL = {"dataset.rows": 10_000, "train.epochs": 2}


def run(recipe: str, seed: int, value: float, **more: object) -> Found:
    """A made-up run."""
    about = Interval(value, value - 0.02, value + 0.02)
    plain = Result(
        cell=f"{recipe}{seed}{more}", recipe=recipe, settings={}, seed=seed, status=0, accuracy=about, papers=about,
        private=about, excess=Interval(0.759, 0.718, 0.796), verdict="LEAK", attacker="mlp", rows=1000, audit="a",
        versions={"leakaudit": "0.1.0"}, device="cpu",
    )  # fmt: skip
    return Found(replace(plain, **more), "made-up.jsonl")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def paper() -> Paper:
    """What was published."""
    return published.read("bridging")


@pytest.fixture(scope="module")
def made(paper: Paper) -> Reproduction:
    """The bridging paper beside full, reduced, failed and stand-in runs."""
    names = [row.recipe for row in paper.tables[0].rows]
    found = [run(name, seed, 0.3 + seed / 50) for name in names[:3] for seed in range(3)]
    found += [run(name, 0, 0.4321, settings=SMALL, verdict="INCONCLUSIVE") for name in names]
    found += [run(names[0], 1, 0.1, settings=SMALL, status=2, message=EVIL), run("utkface/end-eb1", 0, 0.9)]
    found.append(run("digits/vanilla", 0, 0.9))
    return papers.beside(paper, found, lambda *_: True)


def render(made: Reproduction, form: str, width: int = 120) -> str:
    """The text in that form."""
    return str(import_module(f"leakaudit.render._papers.{form}").render(made, width=width))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_tables_fit_the_screen(made: Reproduction, width: int) -> None:
    """No line is wider, and no figure is cut in two."""
    text = render(made, "terminal", width)
    assert max(map(len, text.splitlines())) <= width
    for words in ("0.759", "[0.718, 0.796]", "43.2", "[41.2, 45.2]", "56.84", "89.63", "INCONCLUSIVE", "seeds 1 of 3"):
        assert words in text, words


@pytest.mark.parametrize("form", FORMS)
def test_a_form_says_what_was_run_and_how(made: Reproduction, form: str) -> None:
    """The reduction, the failure, the stand-in; and the same text twice, with nothing that a terminal would obey."""
    text = render(made, form)
    assert text == render(made, form)
    assert "\x1b" not in text
    plain = " ".join(re.sub(r"<[^>]+>|\\", "", text).split())
    for words in ("dataset.rows=10000", "stand-in", "alert("):
        assert words in plain, words
    if form not in ("csv", "json"):
        assert "not comparable with the published figures: 20 of 20 rows, 20 runs" in plain
        assert "UTKFace" in plain
        assert "In full 3 of 20 rows with a recipe have runs" in plain
        assert "of no row of these tables: 1 in made-up.jsonl" in plain


def test_the_page_is_inert_and_self_contained(made: Reproduction) -> None:
    """No script, no network, and a policy that names its own style sheet."""
    page = render(made, "html")
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in page
    assert not re.search(r"(?<!\\)<script", render(made, "markdown"))


def test_csv_and_json_hold_the_same_figures(made: Reproduction) -> None:
    """Every published and every own figure, unscaled."""
    rows = list(csv.DictReader(io.StringIO(render(made, "csv"))))
    held = json.loads(render(made, "json"))
    assert (held["kind"], held["paper"]) == ("reproduction", "bridging")
    lines = [each for table in held["tables"] for section in table["sections"] for each in section["lines"]]
    wanted = sorted(each["excess"]["value"] for each in lines if each["excess"])
    assert wanted == sorted(float(row["value"]) for row in rows if row["figure"] == "excess")
    claims = sorted(each["published_target"]["value"] for each in lines if each["published_target"])
    found = [row for row in rows if row["source"] == "published" and row["figure"] == "target_accuracy"]
    assert claims == sorted(float(row["value"]) for row in found)
    assert {row["inside"] for row in rows} == {"", "True", "False"}
    assert {(row["runs"], row["seeds"]) for row in rows if row["source"] == "ours"} >= {
        ("1", "0"),
        ("3", "0 1 2"),
        ("0", ""),
    }


def test_the_command_prints_a_paper(leakaudit_here: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    """From lines in a file, as a page in another; without audits in the store there are no drawings."""
    results.append(tmp_path / "runs.jsonl", run("biased-mnist/end-0.999", 0, 0.5).result)
    done = leakaudit_here("report", "--paper", "end", "--results", "runs.jsonl", "--format", "markdown")
    assert done.returncode == 0, done.stderr
    assert "| EnD .999 | seeds 1 of 3 | 52.3 ±2.39 | 50.0 \\[48.0, 52.0\\] |" in done.stdout
    assert "recipe or attack=other than the plan's" in done.stdout
    assert "| EnD .990 | not run | 96.02 ±0.08 |" in done.stdout
    assert done.stderr.startswith("leakaudit: exit 0: 1 tables of")
    drawn = leakaudit_here("report", "--paper", "end", "--results", "runs.jsonl", "--figures", "drawn")
    assert drawn.returncode == 2
    assert "none of the 1 audits behind end is in .leakaudit" in drawn.stderr
    foreign = leakaudit_here("report", "--paper", "irene", "--results", "runs.jsonl")
    assert foreign.returncode == 2
    assert "none of 1 lines is of a row of irene, whose plans are papers/irene-celeba" in foreign.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("report", "AUDIT expected, a document or a name in the store; or --paper NAME"),
        ("report --paper bridgin", "no paper 'bridgin'. Did you mean 'bridging'?"),
        ("report audit.json --paper bridging", "leave audit.json out"),
        ("report --results a.jsonl", "--paper NAME, which is missing"),
        ("report --paper end --format junit", "one of terminal, markdown, csv, json, html expected"),
        ("report --paper end --max-excess 0.1", "no gate and no image belongs to it"),
        ("report --paper end --results no.jsonl", "no.jsonl: no such file"),
    ],
)
def test_wrong_input_is_one_line(words: str, said: str, leakaudit_here: Callable[..., CompletedProcess[str]]) -> None:
    """Exit 2, and what to do instead."""
    done = leakaudit_here(*words.split())
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
