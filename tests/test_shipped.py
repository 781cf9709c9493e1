"""What ships with leakaudit can be audited where nothing else is: an empty folder and no network."""

import json
import tomllib
from pathlib import Path

import pytest

from leakaudit import embeddings
from leakaudit.datasets import digits
from leakaudit.ledgers import ledger

NAMES = ("digits-vanilla", "digits-end", "digits-irene")


def test_the_wheel_and_the_source_hold_them(repository):
    """The ledger and its weights lie beside the package's modules, where `ledger.own` looks first."""
    build = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    held = build["wheel"]["force-include"]
    assert held["checkpoints.toml"] == f"leakaudit/{ledger.FILE}"
    for entry in map(ledger.find, NAMES):
        folder = Path(entry.weights).parts[0]
        assert held[folder] == f"leakaudit/{folder}"
        assert {folder, "checkpoints.toml"} <= {*build["sdist"]["include"]}


def test_a_shipped_encoder_reads_digits(leakaudit_here, tmp_path):
    """By its name alone; classes are in the order of its logits, so that it names more than nine of ten."""
    done = leakaudit_here("extract", "digits-end", LEAKAUDIT_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    made = embeddings.read(tmp_path / done.stdout.strip())
    wanted = digits.load("test", tmp_path).column("digit").values
    assert made.z.shape == (len(wanted), 128)
    assert (made.logits.argmax(axis=1) == wanted).mean() > 0.9
    assert made.origin.name.startswith("digits-end@")
    assert not (tmp_path / "home").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_audit_of_a_shipped_encoder_ends_in_a_verdict(leakaudit, tmp_path, name):
    """In an empty folder, offline: a hyperplane reads the colour of each, debiased or not, beyond E .10."""
    line = ("--private", "colour", "--attacker", "linear", "--auxiliary", "balanced", "--format", "json", "-q")
    done = leakaudit("attack", name, *line, LEAKAUDIT_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    audit = json.loads(done.stdout)
    assert audit["subject"]["ledger"] == name
    assert audit["verdict"] == "LEAK"
