"""Class folders: labels are where an image lies, and what is not used is counted."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import folders, named, splits
from leakaudit.errors import InputError

PLACES = ("cat/f/0.png", "cat/f/1.JPG", "cat/m/2.webp", "cat/3.tif", "dog/m/deep/4.bmp", "dog/f/5.jpeg")


def make(root: Path, places: tuple[str, ...] = PLACES, home: str = "pets") -> Path:
    """Small images of one size, each of its own colours."""
    for number, place in enumerate(places):
        path = draw(root / home / f"{place}.png", number, (6, 8))
        if Path(place).suffix.lower() != ".png":
            draw(root / home / place, number, (6, 8))
            path.unlink()
        else:
            path.rename(root / home / place)
    return root / home


def words(root: Path, split: str, label: str) -> dict[str, str | None]:
    """What each file of a split is labelled."""
    data = folders.load(split, root, folder="pets")
    column = data.column(label)
    said = [column.classes[code] if code >= 0 else None for code in column.values]
    return {Path(path).stem: word for path, word in zip(data.images.paths, said, strict=True)}


def test_labels_are_the_folders_an_image_lies_in(tmp_path: Path) -> None:
    """The first is the class; those below are labels that images less deep do not have."""
    make(tmp_path)
    assert splits(folders, tmp_path, {"folder": "pets"}) == ("all", "test")
    assert words(tmp_path, "test", "class") == {**dict.fromkeys("0123", "cat"), **dict.fromkeys("45", "dog")}
    assert words(tmp_path, "test", "level2") == {"0": "f", "1": "f", "2": "m", "3": None, "4": "m", "5": "f"}
    assert words(tmp_path, "test", "level3") == {**dict.fromkeys("01235"), "4": "deep"}


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [
        ("train", "val", "test"),
        ("train", "valid", "test"),
        ("Training", "validation", "Testing"),
        ("Train", "dev", "TEST"),
    ],
)
def test_folders_of_the_first_level_may_be_splits(tmp_path: Path, train: str, valid: str, test: str) -> None:
    """Classes then lie below each; one that a split lacks is a class of all."""
    make(tmp_path, (f"{train}/cat/0.png", f"{train}/dog/1.png", f"{valid}/cat/2.png", f"{test}/dog/3.png"))
    assert set(splits(folders, tmp_path, {"folder": "pets"})) == {"test", "train", "validation", "all"}
    assert words(tmp_path, "train", "class") == {"0": "cat", "1": "dog"}
    assert words(tmp_path, "validation", "class") == {"2": "cat"}
    assert words(tmp_path, "test", "class") == {"3": "dog"}
    data = folders.load("test", tmp_path, folder="pets")
    assert data.column("class").classes == ("cat", "dog")
    with pytest.raises(InputError, match=r"its folders say what is tested; held_out = 0\.5"):
        folders.load("test", tmp_path, folder="pets", held_out=0.5)


def test_what_is_not_used_is_counted_and_what_is_hidden_is_not(tmp_path: Path) -> None:
    """Files of other kinds, images in no class folder, empty folders."""
    home = make(tmp_path, (*PLACES, "loose.png", ".hidden/6.png", "cat/.7.png"))
    (home / "notes.txt").write_text("x")
    (home / "cat" / "Thumbs.db").write_text("x")
    (home / "bird").mkdir()
    (home / "cat" / "back").symlink_to(home)
    data = folders.load("test", tmp_path, folder="pets")
    assert len(data) == 6
    assert data.notes == (
        "2 files that are no images were left out: 1 .db, 1 .txt",
        "1 folders hold no image: bird",
        "1 images lie in no class folder and were left out, loose.png the first",
    )


def test_a_share_of_people_is_held_out(tmp_path: Path) -> None:
    """About the share of the groups, each on one side, the same whatever others there are."""
    make(tmp_path, tuple(f"{kind}/p{who}/{who}.png" for who in range(30) for kind in ("cat", "dog")))
    found = {s: folders.load(s, tmp_path, folder="pets", group="level2", held_out=0.4) for s in ("train", "test")}
    people = {s: set(data.column("level2").values.tolist()) for s, data in found.items()}
    assert not people["train"] & people["test"]
    assert len(found["train"]) + len(found["test"]) == 60
    assert 8 <= len(found["test"]) <= 40
    assert found["test"].groups == "level2"
    assert len(set(np.asarray(found["test"].group))) == len(people["test"])
    make(tmp_path, ("cat/ann/x.png",))
    more = folders.load("test", tmp_path, folder="pets", group="level2", held_out=0.4)
    assert {Path(path).parent.name for path in more.images.paths} - {"ann"} == {
        Path(path).parent.name for path in found["test"].images.paths
    }


def test_a_folder_is_data_as_it_is_typed(tmp_path: Path) -> None:
    """`--data pets` names this data set, and its images are decoded as they are asked for."""
    make(tmp_path)
    call = named("pets:size=4", tmp_path, "--data")
    data = folders.load("test", tmp_path, **call.knobs)
    assert (call.name, data.name, data.images.shape) == ("folders", "folders:size=4,folder=pets", (3, 4, 4))
    assert folders.load("test", tmp_path, folder="pets").images.batch(np.arange(2)).shape == (2, 3, 6, 8)
    assert (data.mean, data.std) == ((0.5,) * 3, (0.5,) * 3)


def test_a_broken_image_is_named_or_counted(tmp_path: Path) -> None:
    """One line; with `skip_unreadable` a note."""
    home = make(tmp_path)
    (home / "cat/f/0.png").write_bytes((home / "cat/f/0.png").read_bytes()[:-30])
    data = folders.load("test", tmp_path, folder="pets")
    with pytest.raises(InputError, match=r"cat/f/0\.png"):
        data.images.batch(np.arange(6))
    rest = folders.load("test", tmp_path, folder="pets", skip_unreadable=True)
    assert (len(rest), len(rest.notes)) == (5, 1)


@pytest.mark.parametrize(
    ("places", "knobs", "message"),
    [
        (("train/cat/0.png", "dog/1.png"), {}, r"pets: holds splits \(train\) and dog, which is none"),
        (("0.png", "1.png"), {}, r"pets: no images in class folders: pets/CLASS/\*\.jpg"),
        (("train/0.png",), {}, "pets: no images in class folders"),
        (PLACES, {"group": "level9"}, "no group label 'level9'. Did you mean 'level"),
        (PLACES, {"held_out": 1.0}, "held_out = 1.0: a number from 0"),
        (PLACES, {"folder": "cats"}, r"cats: no such folder, here or below .* \(--root"),
        (PLACES, {"folder": ""}, "the knob folder = the path of a folder"),
    ],
)
def test_what_is_no_folder_of_classes_is_refused_in_one_line(
    tmp_path: Path, places: tuple[str, ...], knobs: dict[str, object], message: str
) -> None:
    """The message says what was found and what is expected."""
    make(tmp_path, places)
    with pytest.raises(InputError, match=message) as error:
        folders.load("test", tmp_path, **{"folder": "pets", **knobs})
    assert len(str(error.value).splitlines()) == 1


def test_a_folder_without_images_says_what_is_one(tmp_path: Path) -> None:
    """Files of other kinds are counted, and the suffixes named."""
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    (tmp_path / "pets" / "cat" / "a.gif.zip").write_text("x")
    with pytest.raises(InputError, match=r"pets: no images \(\.jpg, .*\) among 1 files"):
        folders.load("test", tmp_path, folder="pets")


def test_names_that_are_not_utf8_are_shown_by_their_bytes(tmp_path: Path) -> None:
    """A class, a file and a loose image of another machine's alphabet are read; every word of the data set is UTF-8."""
    home = make(tmp_path)
    for old, new in (("cat", b"caf\xe9"), ("dog/f/5.jpeg", b"dog/f/\xe9.jpeg")):
        (home / old).rename(home / os.fsdecode(new))
    draw(home / "loose.png", 9, (6, 8)).rename(home / os.fsdecode(b"\xe9.png"))
    data = folders.load("test", tmp_path, folder="pets")
    assert data.images.batch(np.arange(len(data))).shape[0] == len(PLACES) == len(set(data.ids))
    assert data.column("class").classes == (r"caf\xe9", "dog")
    assert data.notes == (r"1 images lie in no class folder and were left out, \xe9.png the first",)


def test_what_is_said_of_names_that_are_not_utf8_is_utf8(tmp_path: Path, leakaudit_here: Any) -> None:
    """A report in JSON, and the one line of a refusal."""
    home = make(tmp_path)
    (home / "cat").rename(home / os.fsdecode(b"caf\xe9"))
    asked = ("datasets", "describe", "pets", "--target", "level2", "--private", "class", "--format", "json")
    done = leakaudit_here(*asked)
    assert done.returncode == 0
    assert json.loads(done.stdout.encode())
    (home / os.fsdecode(b"dog/f/\xe9.png")).touch()
    done = leakaudit_here(*asked)
    assert (done.returncode, done.stderr.count("empty file")) == (2, 1)
