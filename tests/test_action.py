"""The GitHub Action: one attack, every form of its report, and the exit status; no input is ever part of a script."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import yaml

from leakaudit import options

ACTION = Path(__file__).parents[1] / "action.yml"
WHOLE = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in WHOLE["runs"]["steps"]}
AUDIT = STEPS["Audit"]
BY_HAND = {"artifact", "install", "python-version"}
"""Inputs that are of the runner, and reach no command."""


@pytest.fixture
def step(tmp_path, environment, repository):
    """Run the step as a runner does, with these inputs; what it leaves is in the folder of the test."""
    shim = tmp_path / "bin" / "leakaudit"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nPYTHONPATH="{repository}" exec "{sys.executable}" -m leakaudit "$@"\n')
    shim.chmod(0o755)

    def run(**inputs: str):
        given = {name: str(part.get("default", "")) for name, part in WHOLE["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        told = {word: given[text.split("inputs.")[1].split(" ")[0]] for word, text in AUDIT["env"].items()}
        files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
        path = f"{shim.parent}{os.pathsep}{environment['PATH']}"
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", AUDIT["run"]],  # noqa: S607
            cwd=tmp_path,
            env=environment | told | files | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    return run


@pytest.fixture
def rows(tmp_path):
    """A few embeddings in which a label is plain to read."""
    random = np.random.default_rng(0)
    v = random.integers(0, 2, 200)
    z = random.normal(size=(200, 4)).astype(np.float32)
    z[:, 0] += 3 * v
    np.savez(tmp_path / "z.npz", z=z, **{"gender": v, "two words": 1 - v, "three": random.integers(0, 3, 200)})
    return tmp_path


def outputs(folder: Path) -> dict[str, str]:
    """What the step says to the next, as a runner reads it."""
    text = (folder / "output").read_text(encoding="utf-8")
    return {name: value for name, _, value in re.findall(r"(?s)(\S+)<<(\w+)\n(.*?)\n\2\n", text)}


def test_no_input_is_part_of_a_script():
    """Every script is the same text whatever the inputs: they come by environment, and none is forgotten."""
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
    named = re.findall(r"inputs\.([\w-]+)", str(list(AUDIT["env"].values())))
    assert set(named) | BY_HAND == set(WHOLE["inputs"])
    assert all(f"${word}" in AUDIT["run"] for word in AUDIT["env"])
    assert all(part.get("description") for part in (*WHOLE["inputs"].values(), *WHOLE["outputs"].values()))


def test_the_action_is_laid_out_as_runners_expect():
    """Every `run` names its shell, outputs are of a step that there is, and the report is kept when the audit fails."""
    assert WHOLE["runs"]["using"] == "composite"
    assert all("shell" in step for step in STEPS.values() if "run" in step)
    told = {name: part["value"] for name, part in WHOLE["outputs"].items()}
    assert told == {name: f"${{{{ steps.{AUDIT['id']}.outputs.{name} }}}}" for name in told}
    assert all(f"output {name} " in AUDIT["run"] for name in told)
    assert STEPS["Keep the report"]["if"].startswith("${{ always() &&")


def test_flags_are_those_of_the_command_line():
    """Every gate, and every flag that the script types, is one of `leakaudit attack`; pictures are never asked for."""
    groups = (options.Gates, options.Model, options.Rows, options.Run, options.Output)
    known = {name.replace("_", "-") for group in groups for name in group.__dataclass_fields__}
    typed = set(re.findall(r"--([a-z-]+)[=\" ]", AUDIT["run"]))
    assert typed - {"noprofile"} <= known | {"tolerance"}
    assert {"private", "target", "data", "baseline", "max-increase", "max-private-accuracy", "max-excess"} <= typed
    assert "with-images" not in AUDIT["run"]
    assert WHOLE["inputs"]["on-inconclusive"]["default"] == options.Gates.on_inconclusive.value


HOSTILE = "\"; touch pwned; $(touch pwned) `touch pwned` '"


def test_hostile_inputs_are_words(step, tmp_path):
    """Quotes, substitutions and leading hyphens in an input are part of one word of the command: exit 2, one error."""
    words = dict.fromkeys(("private", "target", "data", "baseline", "max_increase", "tolerance", "store"), HOSTILE)
    done = step(subject=f"--help{HOSTILE}", folder=f"out{HOSTILE}", arguments=f"{HOSTILE}\n{HOSTILE}", **words)
    assert done.returncode == 2, done.stderr
    assert not list(tmp_path.rglob("pwned*"))
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    assert error.startswith("::error title=leakaudit::exit 2: ")
    assert outputs(tmp_path) == {"verdict": "", "exit-status": "2", "folder": f"out{HOSTILE}"}
    assert not (tmp_path / "summary").exists()


def test_a_folder_that_cannot_be_is_an_error_too(step, tmp_path):
    """Where the report has no place to go nothing is measured, and the annotation and the status say so."""
    (tmp_path / "taken").touch()
    done = step(subject="z.npz", private="gender", folder="taken\n")
    assert done.returncode == 2
    assert re.fullmatch("::error title=leakaudit::exit 2: no folder for the report: .*taken.*\n", done.stdout)
    assert outputs(tmp_path) == {"exit-status": "2"}


@pytest.mark.slow
def test_blocks_of_yaml_and_hyphens_are_read_as_they_are_meant(step, rows):
    """A line end after one item is none of it, and a store or folder may begin with a hyphen: the report is there."""
    words = {"subject": "z.npz\n", "target": "two words\r\n", "on_inconclusive": "pass\n", "tolerance": "0.2\n"}
    done = step(**words, private="three\n", folder="-out\n", store="-store\n", arguments="--attacker=linear")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(rows)["report"] == "./-out/report.html"
    assert (rows / "-out" / "audit.json").is_file()
    elsewhere = step(**words, private="three", arguments="--attacker=linear\n--store=elsewhere")
    assert "::warning title=leakaudit::no report: no audit document was written below .leakaudit" in elsewhere.stdout


@pytest.mark.slow
def test_a_gate_that_fails_fails_the_step_with_the_report(step, rows):
    """Exit 1: four files, a summary, an error annotation with the reason, and no per-row outcome."""
    done = step(
        subject="z.npz",
        private="gender\n\ntwo words\r\n",
        max_private_accuracy="two words=0.6\n",
        arguments="--attacker=linear\n--quiet",
        folder="a report",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(list((rows / ".leakaudit" / "audits").glob("*.json"))) == 1
    told = outputs(rows)
    assert told["exit-status"] == "1"
    assert told["verdict"] in {"LEAK", "INCONCLUSIVE"}
    assert {path.name for path in (rows / "a report").iterdir()} == {
        "report.html",
        "audit.json",
        "junit.xml",
        "summary.md",
    }
    (document,) = (rows / ".leakaudit" / "audits").glob("*.json")
    assert (rows / told["audit"]).read_bytes() == document.read_bytes()
    assert (rows / "summary").read_text() == (rows / "a report" / "summary.md").read_text()
    assert (rows / told["report"]).read_text().startswith("<!doctype html>")
    assert ET.parse(rows / "a report" / "junit.xml").getroot().get("failures") == "1"  # noqa: S314 (written here)
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    assert re.fullmatch(
        r"::error title=leakaudit::exit 1: gate failed: two words is read at [\d.]+ %25 .*60\.0 %25", error
    )
    said, stopped, *_ = done.stdout.split("::stop-commands::")
    assert said == ""
    assert "leakaudit: saved" in stopped.split(f"::{stopped.splitlines()[0]}::")[0]


@pytest.mark.slow
def test_a_gate_that_stays_open_is_a_warning_and_a_status(step, rows):
    """Exit 3, unless open gates are let pass: then 0 and a notice; an old report is not shown again."""
    asked = {"subject": "z.npz", "private": "gender", "max_excess": "0.99", "arguments": "--attacker=linear"}
    done = step(**asked)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "::warning title=leakaudit::exit 3: inconclusive: gender: no absence can be concluded" in done.stdout
    assert outputs(rows)["exit-status"] == "3"
    let = step(**asked, on_inconclusive="pass")
    assert let.returncode == 0, let.stdout + let.stderr
    assert "::notice title=leakaudit::exit 0: " in let.stdout
    before = (rows / "summary").read_text()
    none = step(subject="nothing.npz", private="gender")
    assert none.returncode == 2
    assert (rows / "summary").read_text() == before
    assert not list((rows / "leakaudit-report").iterdir())
