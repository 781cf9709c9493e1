"""Images that a table names are found by one rule and decoded when asked for; a bad one is named with its row."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leakaudit.datasets import splits, table
from leakaudit.errors import InputError
from leakaudit.images.contents import duplicates

Make = Callable[..., Path]


def test_images_are_decoded_when_they_are_asked_for(make: Make, tmp_path: Path) -> None:
    """A batch holds the files' own pixels as 8-bit RGB, in the order of the rows asked for."""
    data = table.load("all", tmp_path, file=str(make()))
    assert data.images.shape == (3, 4, 6)
    batch = data.images.batch(np.array([3, 0]))
    assert batch.dtype == np.uint8
    assert (batch[:, 0] == np.array([30, 0])[:, None, None]).all()
    assert (batch[:, 1] == 20).all()


def test_size_resizes_to_a_square(make: Make, tmp_path: Path) -> None:
    """Images of several sizes become one size; without `size` they are refused, with the knob named."""
    file = str(make())
    Image.new("L", (9, 9), 7).save(tmp_path / "b.png")
    data = table.load("all", tmp_path, file=file, size=5)
    assert data.images.shape == (3, 5, 5)
    assert (data.images.batch(np.array([1])) == 7).all()
    plain = table.load("all", tmp_path, file=file)
    with pytest.raises(InputError, match=r"row 2: .*b\.png has 9x9 pixels, the first image 4x6; the knob size"):
        plain.images.batch(np.arange(4))


def test_paths_are_relative_to_root_or_to_the_table(make: Make, tmp_path: Path) -> None:
    """Root comes first where it holds any of them, then the table's own folder; one or the other for all rows."""
    file = str(make())
    beside = table.load("train", tmp_path / "elsewhere", file=file)
    root = tmp_path / "root"
    root.mkdir()
    for number, name in enumerate("abcd"):
        Image.new("RGB", (6, 4), (99 + number, 0, 0)).save(root / f"{name}.png")
    below = table.load("train", root, file=file)
    assert below.images.batch(np.array([0]))[0, 0, 0, 0] == 99
    assert beside.images.batch(np.array([0]))[0, 0, 0, 0] == 0
    assert np.array_equal(beside.ids, below.ids)
    (root / "b.png").unlink()
    message = rf"row 2: no such image: {root}/b\.png \(looked in {root}, the root, which holds others"
    with pytest.raises(InputError, match=message):
        table.load("train", root, file=file)


def test_where_an_image_is_missing_the_folder_that_was_looked_in_is_named(make: Make, tmp_path: Path) -> None:
    """And the other, which holds none of them."""
    file, root = str(make()), tmp_path / "root"
    (tmp_path / "a.png").unlink()
    message = rf"row 1: no such image: {tmp_path}/a\.png \(looked in {tmp_path}, beside faces\.csv; {root}, the root"
    with pytest.raises(InputError, match=message):
        table.load("train", root, file=file)
    with pytest.raises(InputError, match=rf"no such image: {tmp_path}/pics/a\.png, and 1 more \(looked"):
        table.load("train", root, file=file, folder="pics")


def test_an_absolute_path_is_taken_as_it_stands(make: Make, tmp_path: Path) -> None:
    """Whatever the root is, and whatever folder; among relative ones or alone."""
    aside, root = tmp_path / "aside", tmp_path / "root"
    aside.mkdir()
    for folder in (aside, root / str(aside).lstrip("/")):
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (77 if folder == aside else 0, 0, 0)).save(folder / "x.png")
    alone = table.load("test", root, file=str(make(f"path,d\n{aside}/x.png,1\n")), folder="pics")
    assert alone.images.batch(np.array([0]))[0, 0, 0, 0] == 77
    mixed = table.load("test", root, file=str(make(f"path,d\nb.png,1\n{aside}/x.png,1\n")))
    assert mixed.images.batch(np.arange(2))[:, 0, 0, 0].tolist() == [10, 77]
    with pytest.raises(InputError, match=r"row 1: no such image: /nowhere/x\.png$"):
        table.load("test", root, file=str(make("path,d\n/nowhere/x.png,1\n")))


def test_folders_may_be_cut_by_backslashes(make: Make, tmp_path: Path) -> None:
    """As tables from Windows have them: the same images, of the same identities."""
    make()
    (tmp_path / "pics").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "pics" / "a.png")
    one, two = (
        table.load("test", tmp_path, file=str(make(f"path,d\n{path},1\n", images="")))
        for path in ("pics\\a.png", "pics/a.png")
    )
    assert np.array_equal(one.ids, two.ids)
    assert one.images.batch(np.array([0]))[0, 0, 0, 0] == 0


@pytest.mark.parametrize("what", ["empty", "folder", "none", "pipe"])
def test_what_cannot_be_an_image_is_found_before_any_is_decoded(make: Make, tmp_path: Path, what: str) -> None:
    """A file of zero bytes, a folder, a pipe and a file that is not there; `skip_unreadable` leaves them out."""
    file = str(make())
    (tmp_path / "b.png").unlink()
    if what == "empty":
        (tmp_path / "b.png").touch()
    elif what == "folder":
        (tmp_path / "b.png").mkdir()
    elif what == "pipe":
        os.mkfifo(tmp_path / "b.png")
    message = "empty file" if what == "empty" else "no such image"
    with pytest.raises(InputError, match=rf"faces\.csv: row 2: {message}: .*b\.png"):
        table.load("train", tmp_path, file=file)
    data = table.load("train", tmp_path, file=file, skip_unreadable=True)
    assert data.notes == ("1 of 2 images could not be read and were left out",)


def test_another_file_under_the_same_name_changes_the_fingerprint(make: Make, tmp_path: Path) -> None:
    """Images replaced on disk are not taken for those of an earlier extraction."""
    file = str(make())
    before = table.load("all", tmp_path, file=file).fingerprint
    assert table.load("all", tmp_path, file=file).fingerprint == before
    Image.effect_noise((6, 4), 50).save(tmp_path / "a.png")
    assert table.load("all", tmp_path, file=file).fingerprint != before


def test_a_broken_image_is_named_with_its_row(make: Make, tmp_path: Path) -> None:
    """A missing file is found at once, a truncated or foreign one when it is decoded."""
    file = str(make())
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:45])
    (tmp_path / "c.png").write_text("not an image")
    data = table.load("all", tmp_path, file=file)
    for row in (1, 2):
        with pytest.raises(InputError, match=rf"faces\.csv: row {row + 1}: .*{'abcd'[row]}\.png does not decode"):
            data.images.batch(np.array([row]))
    (tmp_path / "d.png").unlink()
    with pytest.raises(InputError, match=r"row 4: no such image: .*d\.png"):
        table.load("all", tmp_path, file=file)


def test_skip_unreadable_drops_broken_images_and_says_so(make: Make, tmp_path: Path) -> None:
    """What is left out is counted in the notes; a table of broken images only is refused."""
    file = str(make())
    (tmp_path / "b.png").write_text("not an image")
    (tmp_path / "d.png").unlink()
    data = table.load("all", tmp_path, file=file, skip_unreadable=True)
    assert list(data.column("digit").values) == [0, 0]
    assert data.notes == ("2 of 4 images could not be read and were left out",)
    assert len(data.images.batch(np.arange(2))) == 2
    with pytest.raises(InputError, match="none of the 1 images"):
        table.load("validation", tmp_path, file=file, skip_unreadable=True)


def test_deep_images_are_refused_rather_than_clipped(make: Make, tmp_path: Path) -> None:
    """16 bits do not fit into 8."""
    file = str(make())
    Image.fromarray(np.full((4, 6), 40_000, dtype=np.uint16)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="more than 8 bits"):
        table.load("all", tmp_path, file=file).images.batch(np.array([1]))


def test_real_chest_images_are_read_with_patients_as_groups(data_root: Path) -> None:
    """The 1,000 chest X-rays come with their own split column, labels and patients; `valid` is `validation`."""
    file = str(data_root / "nih64" / "labels.csv")
    knobs: dict[str, Any] = {"group": "patient_id", "shared_groups": "allow"}
    found = {name: table.load(name, data_root, file=file, **knobs) for name in ("train", "validation", "test")}
    assert sum(map(len, found.values())) == 1000
    data = found["test"]
    patients = [set(np.asarray(part.group)) for part in found.values()]
    torn = len((patients[0] & patients[1]) | (patients[0] & patients[2]) | (patients[1] & patients[2]))
    assert data.notes == (f"{torn} groups (patient_id) have rows in more than one of train, validation and test",)
    with pytest.raises(InputError, match=rf"rows of one 'patient_id' .* and {torn - 3} more; shared_groups=allow"):
        table.load("test", data_root, file=file, group="patient_id")
    assert data.column("sex").classes == ("F", "M")
    assert data.images.shape == (3, 64, 64)
    assert data.images.batch(np.arange(4)).std() > 0


def test_real_faces_are_read_by_the_table_beside_them(data_root: Path) -> None:
    """UTKFace's own table, its images in a folder: what it says of each, none on both sides of a share held out."""
    file = str(data_root / "utkface" / "labels.csv")
    knobs: dict[str, Any] = {"folder": "images", "numbers": "age", "held_out": 0.3, "size": 32}
    train, test = (table.load(split, data_root, file=file, **knobs) for split in ("train", "test"))
    with Path(file).open() as sheet:
        said = {row["file"]: row for row in csv.DictReader(sheet)}
    assert len(train) + len(test) == len(said)
    rows = [said[Path(path).name] for path in test.images.paths]
    assert test.column("age").values.tolist() == [float(row["age"]) for row in rows]
    assert [test.column("race").classes[code] for code in test.column("race").values] == [row["race"] for row in rows]
    assert 0.25 < len(test) / len(said) < 0.35
    assert not set(train.ids) & set(test.ids)
    assert duplicates(train.take(np.arange(500)), test.take(np.arange(500))).count == 0
    assert test.images.batch(np.arange(4)).std() > 0


def test_table_and_images_may_lie_below_root(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe names neither by a path of one machine: both are found from anywhere; a table at hand comes first."""
    home = make().parent / "set" / "images"
    home.mkdir(parents=True)
    for name in ("a.png", "b.png", "c.png", "d.png", "faces.csv"):
        (tmp_path / name).rename((home.parent if name == "faces.csv" else home) / name)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    data = table.load("train", tmp_path, file="set/faces.csv", folder="images")
    assert data.images.batch(np.array([1]))[0, 0, 0, 0] == 10
    assert data.name == "table:file=set/faces.csv,folder=images"
    assert "train" in splits(table, tmp_path, {"file": "set/faces.csv", "folder": "images"})
    (elsewhere / "set").mkdir()
    (elsewhere / "set" / "faces.csv").write_text("path,split,d\na.png,train,1\n")
    assert len(table.load("train", tmp_path / "set" / "images", file="set/faces.csv")) == 1
    with pytest.raises(InputError, match=r"set/face\.csv: no such table, here or below .* \(--root"):
        table.load("train", tmp_path, file="set/face.csv")
