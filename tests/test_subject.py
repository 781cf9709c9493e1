"""The data that a subject is audited on: of its own shape, in its own groups."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from leakaudit import embeddings, subject

RECIPE = """
[dataset]
name = "table"
file = "faces.csv"
target = "smile"
private = "glasses"
[backbone]
name = "simple-convnet"
kernel = 1
width = 2
[method]
name = "vanilla"
[train]
epochs = 1
batch_size = 32
optimizer = { name = "Adam", lr = 1e-3 }
"""
PEOPLE = ("007", "07", "7.0", "7")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Pictures of 6x10 pixels of four people, and of four others to test on."""
    rng = np.random.default_rng(0)
    lines = ["path,smile,glasses,person,split"]
    for number in range(160):
        Image.fromarray(rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        person = f"{'1' * (number >= 80)}{PEOPLE[number % 4]}"
        split = "train" if number < 80 else "test"
        lines.append(f"{number}.png,{rng.integers(2)},{rng.integers(2)},{person},{split}")
    (tmp_path / "faces.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "faces.toml").write_text(RECIPE)
    return tmp_path


def test_images_that_are_no_squares_are_audited_as_they_were_trained_on(
    faces: Path, leakaudit_here: Callable[..., "CompletedProcess[str]"]
) -> None:
    """A model of 6x10 pixels takes such, and groups are the words of their column, not the numbers they spell."""
    assert leakaudit_here("train", "faces.toml").returncode == 0
    done = leakaudit_here("extract", "faces", "--group", "person")
    assert done.returncode == 0, done.stderr
    found = embeddings.read(faces / done.stdout.strip())
    assert len(found) == 80
    assert found.groups == "person"
    assert found.group is not None
    assert len(np.unique(found.group)) == len(PEOPLE)
    asked = ("--private", "glasses", "--group", "person", "--attacker", "linear", "--format", "json")
    ended = leakaudit_here("attack", "faces", *asked)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["attributes"][0]["rows"]["groups"] == len(PEOPLE)


def test_classes_of_other_data_are_those_of_their_name(
    faces: Path, leakaudit_here: Callable[..., "CompletedProcess[str]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other data may have a target's classes in another order, or fewer or more of them: a class is its name."""
    (faces / "faces.csv").write_text((faces / "faces.csv").read_text().replace(",0,", ",zero,").replace(",1,", ",one,"))
    assert leakaudit_here("train", "faces.toml").returncode == 0
    monkeypatch.chdir(faces)
    for words, known, strange in (
        (("one", "zero"), True, False),
        (("zero",), True, False),
        (("aught", "zero"), False, True),
    ):
        lines = [f"{row}.png,{words[row % len(words)]},one" for row in range(80, 100)]
        (faces / "other.csv").write_text("path,smile,glasses\n" + "\n".join(lines) + "\n")
        found = subject.find("faces", subject.Terms(store=Path(".leakaudit"), root=faces, data="other.csv")).dataset
        assert found is not None
        smile = found.columns["smile"]
        assert [smile.classes[code] for code in smile.values] == [words[row % len(words)] for row in range(80, 100)]
        assert (smile.classes == ("one", "zero")) is known
        assert any("has not learned aught" in note for note in found.notes) is strange
