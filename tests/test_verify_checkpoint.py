"""Verify looks at all of a checkpoint that an audit speaks of, not at its weights and its recipe's text alone."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_checkpoint import CARD, IDS, WEIGHTS

from leakaudit import __version__, audits, checkpoint, encoder, provenance, store, verify
from leakaudit.proofs.tracing import Given
from leakaudit.subject import Subject
from leakaudit.verification import Check

sys.path.insert(0, str(Path(__file__).parent / "render"))

import synthetic


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint in a store, beside an audit of it."""
    contents = IDS + 1
    card = replace(
        CARD, trained=store.digest_tensors({"ids": IDS}), contents=store.digest_tensors({"contents": contents})
    )
    made = checkpoint.save(tmp_path / "checkpoints/try/vanilla/0123456789ab", card, WEIGHTS, IDS, contents)
    about = provenance.about(Subject(encoder=encoder.of(made), checkpoint=made))
    plain, _ = synthetic.audit(replace(synthetic.VANILLA, reconstruction=False, pictures=False))
    audit = replace(
        plain,
        subject={"name": made.name, "kind": "checkpoint", "sha256": card.tensors, **about},
        provenance={"versions": {"leakaudit": __version__}, "asked": {"subject": "try/vanilla"}},
    )
    audits.save(audit, tmp_path / "audits" / "one.json")
    return made.folder


def checks(folder: Path) -> dict[str, Check]:
    """What verify says of the audit, by object."""
    home = folder.parents[3]
    (one,) = verify.verify([home / "audits" / "one.json"], Given(store=home)).audits
    return {check.what: check for check in one.checks}


def test_a_checkpoint_that_was_not_touched_matches(folder: Path) -> None:
    """Network, recipe and training rows; nothing is said of what is the same and has no hash."""
    found = checks(folder)
    assert {found[what].state for what in ("network", "recipe", "training rows")} == {"matches"}
    assert not {"settings", "checkpoint"} & set(found)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mean": [0.1, 0.5, 0.5]}, "preprocessing"),
        ({"overrides": {"train.epochs": 4}}, "overrides"),
        ({"seed": 5}, "seed"),
    ],
)
def test_what_a_checkpoint_is_beside_its_weights_is_compared(folder: Path, change: dict[str, Any], word: str) -> None:
    """Weights and recipe may be the same, and images enter otherwise or the recipe be overridden otherwise."""
    card = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps(card | change))
    found = checks(folder)
    assert found["network"].state == found["recipe"].state == "matches"
    assert found["settings"].state == "no longer matches"
    assert f"{word}: " in found["settings"].note


def test_what_another_version_words_otherwise_is_told_and_no_contradiction(folder: Path) -> None:
    """How images enter is told in words, which may change from one leakaudit to the next."""
    path = folder.parents[3] / "audits" / "one.json"
    audit = audits.load(path)
    older = {**audit.subject, "preprocessing": "as it was"}
    for changes, state in (
        ({}, "no longer matches"),
        ({"versions": {"leakaudit": "0.0.1"}}, "not recorded"),
        ({"asked": {}}, "not recorded"),  # as audits were before they recorded it, of this version too
    ):
        audits.save(replace(audit, subject=older, provenance={**audit.provenance, **changes}), path)
        assert checks(folder)["settings"].state == state


def test_a_checkpoint_that_is_not_what_it_promises_is_broken(folder: Path) -> None:
    """The audit names the rows it was trained on, and not what these are made of; the checkpoint itself does."""
    store.write_tensors(folder / "rows.safetensors", {"ids": IDS, "contents": IDS + 2})
    found = checks(folder)
    assert (found["training rows"].state, found["checkpoint"].state) == ("matches", "no longer matches")


@pytest.mark.parametrize(("file", "what"), [("rows", "training rows"), ("weights", "network")])
def test_a_part_of_a_checkpoint_that_is_gone_is_not_at_hand(folder: Path, file: str, what: str) -> None:
    """Who keeps the card and gives the weights away contradicts nothing."""
    (folder / f"{file}.safetensors").unlink()
    found = checks(folder)
    assert found[what].state == "not at hand"
    assert {check.state for check in found.values()} <= {"matches", "not at hand", "not recorded"}


def test_of_checkpoints_with_the_same_tensors_the_one_that_was_asked_alike_is_looked_at(folder: Path) -> None:
    """Two recipes may end in the same weights; the other one's settings contradict nothing."""
    twin = folder.with_name("0000")
    shutil.copytree(folder, twin)
    card = json.loads((twin / "checkpoint.json").read_text())
    (twin / "checkpoint.json").write_text(json.dumps(card | {"overrides": {"train.epochs": 4}}))
    found = checks(folder)
    assert "settings" not in found
    assert folder.name in found["network"].where
