"""`leakaudit sweep`: bad input is one line, what is finished is shown in every form, and nothing of it is run again."""

import json

import pytest
from filelock import FileLock
from sweeping import PLAN, result, tiny

from leakaudit import results


@pytest.fixture
def here(tmp_path, leakaudit_here):
    """The command in a folder with a plan of which every cell is finished."""
    (tmp_path / "tiny.plan.toml").write_text(PLAN)
    for number, cell in enumerate(tiny().cells):
        results.append(tmp_path / "lines.jsonl", result(cell, 0.3 + number / 20))

    def run(*words, plan="tiny.plan.toml"):
        return leakaudit_here("sweep", plan, "--results", "lines.jsonl", "--device", "cpu", *words)

    return run


def refused(done, words):
    """Exit 2 with one line that says so, nothing on stdout."""
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("leakaudit: exit 2: ")
    assert words in last


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("digits/end", "digits/edn", "no recipe 'digits/edn'. Did you mean 'digits/end'"),
        ("method.alpha", "method.alfa", "no recipe of this plan has a knob 'method.alfa'. Did you mean 'method.alpha'"),
        ("[set]", "[resources]\ncpus = 999\n[set]", "needs 999 CPUs, this machine has"),
        ("[set]", '[resources]\nmemory = "900 TB"\n[set]', "of memory, this machine has"),
    ],
)
def test_what_cannot_be_run_is_said_first(tmp_path, here, old, new, words):
    """An unknown recipe, a knob that no recipe has, a job that needs more than there is: exit 2, and no line of it."""
    (tmp_path / "bad.plan.toml").write_text(PLAN.replace(old, new).replace("[0, 1]", "[7]"))
    before = (tmp_path / "lines.jsonl").read_text()
    refused(here(plan="bad.plan.toml"), words)
    assert (tmp_path / "lines.jsonl").read_text() == before


def test_other_bad_input_is_one_line(tmp_path, here):
    """No such plan, a GPU for cells that are given none, no attempt, two sweeps at once."""
    refused(here(plan="gone"), "no plan 'gone'")
    refused(here("--device", "cuda"), "the plan gives its cells no GPU")
    refused(here("--attempts", "0"), "--attempts 0: at least 1 expected")
    (tmp_path / ".leakaudit" / "sweeps").mkdir(parents=True, exist_ok=True)
    with FileLock(tmp_path / ".leakaudit" / "sweeps" / ".lock"):
        refused(here(), "another sweep runs in this store")


def test_finished_cells_are_shown_and_not_run(here):
    """The table on stdout, the reason on stderr, exit 0."""
    done = here()
    assert done.returncode == 0, done.stderr
    assert "tiny: 6 cells, 6 finished" in done.stdout
    assert "6 cells: 0 waiting, 0 running, 0 done, 0 failed, 6 finished before" in done.stderr
    assert done.stderr.splitlines()[-1] == "leakaudit: exit 0: 6 cells finished, in lines.jsonl"
    assert here("-q").stderr.count("\n") == 1


def test_one_cell_is_one_cell(tmp_path, here):
    """Of one cell every line speaks of one."""
    (tmp_path / "one.plan.toml").write_text('recipes = ["digits/vanilla"]\nseeds = [0]\n[set]\n"train.epochs" = 2\n')
    done = here(plan="one.plan.toml")
    assert "one: 1 cell, 1 finished" in done.stdout
    assert "1 cell: 0 waiting" in done.stderr
    assert "1 cell finished" in done.stderr


def test_every_form_goes_to_a_file(tmp_path, here):
    """`--format json --output FILE` writes the document, which names the command."""
    done = here("--format", "json", "--output", "table.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((tmp_path / "table.json").read_text())["command"].startswith("leakaudit sweep tiny.plan.toml")
    assert here("--format", "csv").stdout.startswith("recipe,method.alpha,train.epochs,seed,accuracy")
    assert here("--format", "markdown").stdout.startswith("## tiny: 6 cells")


def test_a_report_asks_for_the_audits(here):
    """Lines that were made in another store have no audits here: said, and not passed over."""
    refused(here("--format", "html"), "6 of 6 audits of finished cells are not in .leakaudit")
