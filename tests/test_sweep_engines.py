"""
Sweeps of real cells, by both engines.

The table is the same; what fails, dies or is interrupted costs its own cell alone.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clustered import machines
from sweeping import result, tiny

from leakaudit import archive, checkpoint, grid, results, sweep
from leakaudit import cell as cells
from leakaudit.engines import ray
from leakaudit.render._sweep import csv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PLAN = """
recipes = ["digits/vanilla", "digits/end", "biased-mnist/vanilla"]
seeds = [0]
[set]
"train.epochs" = 1
[attack]
attacker = ["linear"]
rows = 300
"""


def table(made: grid.Grid, found) -> str:
    """Every figure of every cell."""
    tally = results.Tally(plan=made.name, text=made.text, command="", cells=len(made.cells), results=tuple(found))
    return csv.render(tally, width=80)


@pytest.fixture(scope="module")
def swept(tmp_path_factory, inside) -> Path:
    """A folder in which the plan was swept by the local engine; what it said is in `out` and `err`."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "tiny.plan.toml").write_text(PLAN)
    done = inside("sweep", "tiny.plan.toml", "--device", "cpu", cwd=folder)
    assert done.returncode == 2
    (folder / "out").write_text(done.stdout)
    (folder / "err").write_text(done.stderr)
    return folder


def test_a_cell_that_fails_leaves_the_others_alone(swept, inside):
    """Its status stands in the table, the sweep exits 2 with the list, and the same command tries it alone again."""
    out, err = (swept / "out").read_text(), (swept / "err").read_text()
    assert "tiny: 3 cells, 2 finished, 1 failed" in out
    assert "DATA/mnist" in out
    assert str(swept) not in out
    last = err.splitlines()[-1]
    assert last.startswith("leakaudit: exit 2: 1 of 3 cells failed")
    assert last.endswith("biased-mnist/vanilla seed 0 (exit 2)")
    lines = (swept / ".leakaudit/sweeps/tiny.jsonl").read_text().splitlines()
    assert len(lines) == 3
    again = inside("sweep", "tiny.plan.toml", "--device", "cpu", cwd=swept)
    assert (again.returncode, again.stdout) == (2, out)
    assert "2 finished before" in again.stderr
    assert (swept / ".leakaudit/sweeps/tiny.jsonl").read_text().splitlines()[:3] == lines


def test_the_report_is_on_the_audits_of_finished_cells(swept, inside):
    """`--format html` is the report, and the line that makes it again is said; the line is a command that works."""
    done = inside("sweep", "tiny.plan.toml", "--device", "cpu", "--format", "html", "--output", "a.html", cwd=swept)
    assert done.returncode == 2
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("leakaudit: leakaudit report ")]
    words = line.split()[2:]
    assert inside(*words, "--format", "html", "--output", "b.html", cwd=swept).returncode == 0
    assert (swept / "a.html").read_bytes() == (swept / "b.html").read_bytes()


@pytest.mark.ray
def test_a_cluster_gives_the_same_table_and_loses_nothing(swept, tmp_path):
    """
    Of three nodes with stores of their own one is killed at work and one cannot write: the cells are those of `local`.

    Their checkpoints and audits lie in the store of whoever asked.
    """
    made = grid.read(PLAN.replace(', "biased-mnist/vanilla"', ""), "tiny", "tiny.plan.toml")
    held = results.read(swept / ".leakaudit/sweeps/tiny.jsonl")
    expected = table(made, [held[cell.key] for cell in sorted(made.cells, key=lambda each: each.recipe.name)])
    where = cells.Place(store=tmp_path / "store", root=tmp_path / "data", device="cpu", said="store")
    with machines(tmp_path / "nodes", nodes=1) as cluster:
        cluster.add(LEAKAUDIT_HOME="/proc/none")
        doomed = cluster.add()
        begun = cluster.home(doomed) / "cache" / "sweeps" / "checkpoints"
        going = sweep.sweep(made, where, sweep.Engine(run=ray.run, away=True), tmp_path / "lines.jsonl")
        while True:
            try:
                next(going)
            except StopIteration as end:
                found = end.value
                break
            if doomed in cluster.nodes and begun.exists():
                cluster.kill(doomed)
    assert doomed not in cluster.nodes
    assert table(made, found) == expected
    for each, path in zip(found, sweep.documents(found, where.store), strict=True):
        audit, outcomes = archive.read(path)
        assert outcomes
        assert audit.provenance["asked"]["subject"].startswith("store/checkpoints/")
        (folder,) = checkpoint.stored(where.store, each.recipe)
        assert checkpoint.load(folder).card.tensors == each.tensors


def test_ctrl_c_ends_jobs_and_keeps_what_is_finished(tmp_path, environment, repository):
    """Exit 130, the line of the finished cell stays, the running one goes on from its last epoch another day."""
    text = PLAN.replace(', "biased-mnist/vanilla"', "").replace('epochs" = 1', 'epochs" = 5000')
    (tmp_path / "tiny.plan.toml").write_text(text)
    first = tiny(text).cells[0]
    results.append(tmp_path / "lines.jsonl", result(first))
    words = [sys.executable, "-m", "leakaudit", "sweep", "tiny.plan.toml", "--results", "lines.jsonl", "-v"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment | {"PYTHONPATH": str(repository)}, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        while "epoch 2 of 5000" not in (line := process.stderr.readline()):
            assert line, "it ended by itself"
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read().splitlines()
        assert process.wait(60) == 130
    assert said[-1].startswith("leakaudit: exit 130: interrupted; 1 of 2 cells are finished, in lines.jsonl")
    assert not any("Traceback" in line for line in said)
    assert list(results.read(tmp_path / "lines.jsonl")) == [first.key]
    (state,) = (tmp_path / ".leakaudit" / "checkpoints" / "digits" / "end").glob("*/resume/state.json")
    assert state.exists()
