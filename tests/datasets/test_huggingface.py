"""A data set that Hugging Face's library saved is read as the library reads it, without the library."""

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import huggingface, named, splits
from leakaudit.errors import InputError
from leakaudit.images.decoding import decode

os.environ.setdefault("HF_HUB_OFFLINE", "1")
library = pytest.importorskip("datasets", reason="datasets is not installed")
library.disable_progress_bars()

ROWS = 10
LABELS: dict[str, list[Any]] = {
    "hair": [0, 1, 2, None, -1, 0, 1, 2, 0, 1],
    "age": [None, *range(20, 29)],
    "who": ["ann", "bo", None, "", "ann", "bo", "cy", "cy", "di", "di"],
    "smiles": [True, False, None] * 3 + [True],
    "height": [0.5, None] * 5,
    "box": [[1.0, 2.0]] * ROWS,
}


def make(root: Path) -> Any:
    """Ten JPEG of one size with labels of every kind, in memory."""
    kinds = {
        "image": library.Image(),
        "hair": library.ClassLabel(names=["grey", "black", "blond"]),
        "age": library.Value("int32"),
        "who": library.Value("string"),
        "smiles": library.Value("bool"),
        "height": library.Value("float64"),
        "box": library.Sequence(library.Value("float32")),
    }
    images = [str(draw(root / "raw" / f"{number}.jpg", number, (6, 8))) for number in range(ROWS)]
    return library.Dataset.from_dict({"image": images, **LABELS}, features=library.Features(kinds))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of two splits, one in two files."""
    folder = tmp_path_factory.mktemp("saved")
    whole = make(folder)
    parts = library.DatasetDict({"train": whole.select(range(7)), "valid": whole.select([9, 7, 8])})
    parts.save_to_disk(str(folder / "faces"), num_shards={"train": 2, "valid": 1})
    return folder


@pytest.fixture
def saved(once: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(once, tmp_path, dirs_exist_ok=True))


def test_images_and_labels_are_those_that_the_library_reads(saved: Path) -> None:
    """Every image by its pixels, every label by its row; blanks are missing, and a list is no label."""
    assert splits(huggingface, saved, {"folder": "faces"}) == ("train", "validation", "all")
    there = library.load_from_disk(str(saved / "faces"))
    for split, name in (("train", "train"), ("validation", "valid")):
        data = huggingface.load(split, saved, folder="faces")
        batch = data.images.batch(np.arange(len(data)))
        for row, wanted in enumerate(there[name]):
            assert np.array_equal(batch[row].transpose(1, 2, 0), np.asarray(wanted["image"]))
            for label in ("hair", "age", "who", "smiles"):
                column = data.column(label)
                said = column.classes[column.values[row]] if column.values[row] >= 0 else None
                value = wanted[label]
                if label == "hair":
                    value = None if value in (None, -1) else ("grey", "black", "blond")[value]
                assert said == (None if value in (None, "") else str(value).lower()), label
            np.testing.assert_equal(data.column("height").values[row], np.float32(wanted["height"] or np.nan))
        assert data.column("hair").classes == ("grey", "black", "blond")
        assert data.notes == ("columns that hold no label were left out: box",)
    ids = [huggingface.load(split, saved, folder="faces").ids.tolist() for split in ("train", "validation", "all")]
    assert ids[0] + ids[1] == ids[2]


def test_an_image_is_read_where_it_lies(saved: Path) -> None:
    """Its hash is that of its own bytes, wherever the file has them; copies are equal."""
    raw = {(saved / "raw" / f"{number}.jpg").read_bytes() for number in range(ROWS)}
    data = huggingface.load("all", saved, folder="faces")
    found = {data.images.source._bytes(row) for row in range(ROWS)}
    assert found == raw
    assert np.array_equal(decode(io.BytesIO(data.images.source._bytes(0)), None), decode(saved / "raw" / "0.jpg", None))
    assert len(np.unique(data.images.contents(np.array([0, 1, 1])))) == 2


def test_a_single_set_is_the_test_or_what_is_held_out(tmp_path: Path) -> None:
    """By groups where there are some; a shuffled set is read in its own order; ages are numbers where it is said."""
    make(tmp_path).shuffle(seed=1).save_to_disk(str(tmp_path / "faces"))
    there = library.load_from_disk(str(tmp_path / "faces"))
    knobs: dict[str, Any] = {"folder": "faces", "group": "who", "held_out": 0.4, "numbers": "age"}
    assert splits(huggingface, tmp_path, {"folder": "faces"}) == ("all", "test")
    assert splits(huggingface, tmp_path, knobs) == ("all", "train", "test")
    data = huggingface.load("all", tmp_path, **knobs)
    np.testing.assert_equal(data.column("age").values, np.array([age or np.nan for age in there["age"]], np.float32))
    train, test = (huggingface.load(name, tmp_path, **knobs) for name in ("train", "test"))
    assert len(train) + len(test) == ROWS
    assert not set(np.asarray(train.group)) & set(np.asarray(test.group))


def test_who_is_held_out_is_so_by_name_and_minus_one_is_spoken_of(tmp_path: Path) -> None:
    """Somebody who is added changes nobody's split; a column of -1 and 1 loses what -1 says, and a note tells it."""
    good, tested = draw(tmp_path / "a.png", 0, (6, 8)).read_bytes(), []
    kinds = library.Features(
        {"image": library.Image(), "who": library.Value("string"), "smile": library.Value("int64")}
    )
    for more in ([], ["ann"]):
        who = [*more, *(f"p{row // 2}" for row in range(60))]
        cells = {"image": [{"bytes": good, "path": None}] * len(who), "who": who}
        made = library.Dataset.from_dict(cells | {"smile": [row % 2 * 2 - 1 for row in range(len(who))]}, kinds)
        made.save_to_disk(str(tmp_path / f"faces{len(more)}"))
        data = huggingface.load("test", tmp_path, folder=f"faces{len(more)}", group="who", held_out=0.4)
        found = data.column("who")
        tested.append({found.classes[code] for code in found.values.tolist()} - {"ann"})
        assert ["in smile; write 0 and 1" in note for note in data.notes] == [True]
    assert tested[0] == tested[1]
    assert 3 < len(tested[0]) < 27


def test_a_folder_is_data_as_it_is_typed(saved: Path) -> None:
    """`--data faces` tells it from class folders, and images are resized where it is asked for."""
    call = named("faces:size=4", saved, "--data")
    data = huggingface.load("train", saved, **call.knobs)
    assert (call.name, data.name) == ("huggingface", "huggingface:folder=faces,size=4")
    assert data.images.batch(np.arange(2)).shape == (2, 3, 4, 4)


def test_broken_and_missing_images_are_named_or_counted(tmp_path: Path) -> None:
    """One line with the split and the row; with `skip_unreadable` a note."""
    good = (draw(tmp_path / "a.png", 0, (6, 8))).read_bytes()
    cells = [each and {"bytes": each, "path": None} for each in (good, good[:-30], None, good)]
    kinds = library.Features({"image": library.Image(), "sex": library.Value("string")})
    made = library.Dataset.from_dict({"image": cells, "sex": list("fmfm")}, features=kinds)
    made.save_to_disk(str(tmp_path / "faces"))
    data = huggingface.load("test", tmp_path, folder="faces")
    for row, message in ((1, "faces/1 does not decode"), (2, "faces/2: no image")):
        with pytest.raises(InputError, match=message):
            data.images.batch(np.array([row]))
    rest = huggingface.load("test", tmp_path, folder="faces", skip_unreadable=True)
    assert [rest.column("sex").classes[code] for code in rest.column("sex").values] == ["f", "m"]
    assert rest.notes == ("2 of 4 images could not be read and were left out",)
    assert np.array_equal(rest.images.batch(np.array([1])), data.images.batch(np.array([3])))


def change(name: str, **values: Any) -> Callable[[Path], None]:
    """Rewrite some entries of a file of the first split."""

    def work(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return work


DAMAGE: list[tuple[str, Callable[[Path], Any], str]] = [
    (
        "cut",
        lambda f: (f / "train" / "data-00000-of-00002.arrow").write_bytes(b"no arrow"),
        "data-00000-of-00002.arrow: missing, trunc",
    ),
    (
        "gone",
        lambda f: (f / "train" / "data-00001-of-00002.arrow").unlink(),
        "data-00001-of-00002.arrow: missing, trunc",
    ),
    ("state", lambda f: (f / "train" / "state.json").unlink(), "faces/train: no state.json that can be read"),
    ("json", lambda f: (f / "train" / "dataset_info.json").write_text("{"), "no dataset_info.json that can be read"),
    ("none", change("dataset_dict.json", splits=[]), "faces: dataset_dict.json names no splits"),
    ("info", change("train/dataset_info.json", features=None), "state.json or dataset_info.json lacks"),
    ("files", change("train/state.json", _data_files=None), "state.json or dataset_info.json lacks"),
    ("index", change("train/state.json", _indices_data_files=[{}]), r"flatten_indices\(\) it before"),
    (
        "twice",
        change("dataset_dict.json", splits=["train", "valid", "Dev"]),
        "splits valid and Dev are one, validation",
    ),
    ("other", change("train/dataset_info.json", features={}), "splits train and validation have different columns"),
]


@pytest.mark.parametrize(("work", "message"), [each[1:] for each in DAMAGE], ids=[each[0] for each in DAMAGE])
def test_a_damaged_set_is_refused_in_one_line(saved: Path, work: Callable[[Path], Any], message: str) -> None:
    """The file is named, and what to do where something can be done."""
    work(saved / "faces")
    with pytest.raises(InputError, match=message) as error:
        huggingface.load("train", saved, folder="faces")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"image": "img"}, "no column of images 'img'. Did you mean 'image'"),
        ({"group": "whom"}, "no group column 'whom'. Did you mean 'who'"),
        ({"numbers": "agee"}, "no column 'agee' of numbers. Did you mean 'age'"),
        ({"numbers": "who"}, "who holds no numbers"),
        ({"held_out": 0.5}, r"says itself what is tested; held_out = 0\.5"),
        ({"folder": "fades"}, r"fades: no such folder, here or below .* \(--root"),
        ({"folder": ""}, "the knob folder = the path of a data set"),
        ({"size": 0}, "size = 0: at least 1"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(saved: Path, knobs: dict[str, Any], message: str) -> None:
    """The nearest name is said."""
    with pytest.raises(InputError, match=message) as error:
        huggingface.load("train", saved, **{"folder": "faces", **knobs})
    assert len(str(error.value).splitlines()) == 1
