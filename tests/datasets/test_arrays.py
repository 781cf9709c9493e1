"""Arrays of one's own are read as they are, where they lie, and what is wrong with them is said in one line."""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakaudit.datasets import arrays, named, splits
from leakaudit.errors import InputError
from leakaudit.images import stored

Save = Callable[..., None]
CHANCE = np.random.default_rng(0)
BYTES = CHANCE.integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
LABELS: dict[str, Any] = {
    "sex": np.array(["f", "m", ""] * 4),
    "smiles": np.arange(12) % 2 == 0,
    "race": np.arange(12) % 4 - 1,
    "height": np.where(np.arange(12) == 3, np.nan, np.arange(12) / 8),
    "split": np.array(["train", "val", "test"] * 4),
}


def whole(data: Any) -> np.ndarray:
    """Every image of a split."""
    return np.asarray(data.images.batch(np.arange(len(data))))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_and_labels_are_those_that_were_saved(tmp_path: Path, save: Save) -> None:
    """By split, in their order, compressed or not; a row's labels are its own, and blanks, -1 and NaN are missing."""
    save(tmp_path / "faces.npz", images=BYTES, **LABELS)
    assert splits(arrays, tmp_path, {"file": "faces.npz"}) == ("test", "train", "validation", "all")
    for split, first in (("train", 0), ("validation", 1), ("test", 2)):
        data = arrays.load(split, tmp_path, file="faces.npz")
        assert np.array_equal(whole(data), BYTES[first::3].transpose(0, 3, 1, 2))
        assert (data.images.shape, data.mean, data.std, data.notes) == ((3, 6, 5), (0.5,) * 3, (0.5,) * 3, ())
        sex, smiles, race, height = (data.column(name) for name in ("sex", "smiles", "race", "height"))
        assert (sex.classes, sex.values.tolist()) == (("f", "m"), [(0, 1, -1)[first]] * 4)
        assert smiles.classes == ("false", "true")
        assert np.array_equal(smiles.values, LABELS["smiles"][first::3])
        assert race.classes == ("0", "1", "2")
        assert np.array_equal(race.values, LABELS["race"][first::3])
        assert height.classes == ()
        np.testing.assert_array_equal(height.values, LABELS["height"][first::3].astype(np.float32))


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (BYTES[..., 0], (1, 6, 5)),
        (BYTES, (3, 6, 5)),
        (BYTES.transpose(0, 3, 1, 2), (3, 6, 5)),
        (BYTES.astype(np.float16) / 7, (3, 6, 5)),
        (BYTES[:, 0, 0], (3, 1, 1)),
    ],
)
def test_axes_are_told_by_the_shape(tmp_path: Path, images: np.ndarray, shape: tuple[int, int, int]) -> None:
    """Grey, channels last, channels first, floats, vectors: the same numbers come out."""
    np.savez(tmp_path / "a.npz", x=images)
    data = arrays.load("test", tmp_path, file="a.npz")
    assert data.images.shape == shape
    assert np.array_equal(np.sort(whole(data).reshape(12, -1)), np.sort(images.reshape(12, -1)))


def test_where_the_channels_stand_is_asked_where_it_cannot_be_told(tmp_path: Path) -> None:
    """Three rows of pixels and three channels; the knob says which is which."""
    np.savez(tmp_path / "a.npz", x=BYTES[:, :3])
    with pytest.raises(InputError, match=r"a\.npz: x has shape \[12, 3, 5, 3\]: where are the channels"):
        arrays.load("test", tmp_path, file="a.npz")
    last, first = (arrays.load("test", tmp_path, file="a.npz", channels=where) for where in ("last", "first"))
    assert np.array_equal(whole(last), BYTES[:, :3].transpose(0, 3, 1, 2))
    assert np.array_equal(whole(first), BYTES[:, :3])


@pytest.mark.parametrize(
    "names",
    [("train_images", "train_labels", "val_images", "val_labels"), ("x_train", "y_train", "x_test", "y_test")],
)
def test_arrays_that_come_by_split_are_read_by_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    """MedMNIST's layout with its columns of one label, and Keras'."""
    kinds = np.arange(12) % 2
    parts = (BYTES[:8], kinds[:8, None], BYTES[8:], kinds[8:, None])
    np.savez_compressed(tmp_path / "medmnist.npz", **dict(zip(names, parts, strict=True)))
    other = "validation" if "val_images" in names else "test"
    label = "labels" if "train_labels" in names else "y"
    assert splits(arrays, tmp_path, {"file": "medmnist.npz"}) == ("train", other, "all")
    for split, rows in (("train", slice(8)), (other, slice(8, 12)), ("all", slice(12))):
        data = arrays.load(split, tmp_path, file="medmnist.npz")
        assert np.array_equal(whole(data), BYTES[rows].transpose(0, 3, 1, 2))
        assert np.array_equal(data.column(label).values, kinds[rows])
        assert data.column(label).classes == ("0", "1")


def test_a_matrix_of_labels_is_a_column_each_and_a_split_without_one_misses_it(tmp_path: Path) -> None:
    """As ChestMNIST's fourteen findings; what is no label is left out and said."""
    finds = np.arange(16).reshape(8, 2) % 3
    np.savez(
        tmp_path / "a.npz", train_images=BYTES[:8], test_images=BYTES[8:], train_finding=finds, train_extra=np.zeros(3)
    )
    data = arrays.load("all", tmp_path, file="a.npz")
    assert list(data.columns) == ["finding0", "finding1"]
    for place in range(2):
        assert data.column(f"finding{place}").values.tolist() == [*finds[:, place].tolist(), *[-1] * 4]
    assert data.notes == ("arrays that are no labels of 12 rows were left out: train_extra [3]",)


def test_an_array_of_no_split_is_left_out_and_said(tmp_path: Path) -> None:
    """Nothing says in what order the splits were joined; where there is one alone, the array is of it."""
    parts = {"train_images": BYTES[:8], "test_images": BYTES[8:]}
    np.savez(tmp_path / "a.npz", **parts, train_y=np.arange(8) % 2, sex=LABELS["sex"])
    data = arrays.load("test", tmp_path, file="a.npz")
    assert list(data.columns) == ["y"]
    assert data.notes == (
        "arrays of no split were left out: sex [12]; write one for each split, as train_images is of one",
    )
    np.savez(tmp_path / "b.npz", train_images=BYTES, train_y=np.arange(12) % 2, sex=LABELS["sex"])
    alone = arrays.load("train", tmp_path, file="b.npz")
    assert (list(alone.columns), alone.notes) == (["y", "sex"], ())
    assert alone.column("sex").values.tolist() == [0, 1, -1] * 4


def test_minus_one_and_one_alone_are_spoken_of(tmp_path: Path) -> None:
    """As CelebA writes no and yes: -1 is missing, and a note says what to write."""
    np.savez(tmp_path / "a.npz", x=BYTES, smile=np.arange(12) % 2 * 2 - 1, race=LABELS["race"])
    data = arrays.load("test", tmp_path, file="a.npz")
    assert data.column("smile").classes == ("1",)
    assert [note for note in data.notes if "-1 is read as missing" in note and "in smile; write 0 and 1" in note]


def test_who_is_held_out_stays_when_somebody_is_added(tmp_path: Path) -> None:
    """The name of the group decides, not its place among the others."""
    who, tested = np.array([f"p{row // 2}" for row in range(80)]), []
    for more in ([], ["ann"] * 2):
        np.savez(tmp_path / "a.npz", x=np.zeros((80 + len(more), 4), np.uint8), who=np.array([*more, *who]))
        found = arrays.load("test", tmp_path, file="a.npz", held_out=0.4, group="who").column("who")
        tested.append({found.classes[code] for code in found.values.tolist()} - {"ann"})
    assert tested[0] == tested[1]
    assert 4 < len(tested[0]) < 36


def test_vectors_are_standardised_by_the_training_rows(tmp_path: Path) -> None:
    """Mean 0 and deviation 1 on the training rows whichever split is asked for; what never varies stays as it is."""
    x = CHANCE.normal(5, [1, 20, 0], size=(200, 3))
    np.savez(tmp_path / "a.npz", x=x, who=np.arange(200) // 2)
    train, test = (arrays.load(s, tmp_path, file="a.npz", held_out=0.4, group="who") for s in ("train", "test"))
    assert not set(np.asarray(train.group)) & set(np.asarray(test.group))
    assert 40 < len(test) < 120
    assert (train.mean, train.std) == (test.mean, test.std)
    inside = whole(train)[:, :, 0, 0].astype(np.float64)
    np.testing.assert_allclose(inside.mean(axis=0), train.mean, rtol=1e-6)
    np.testing.assert_allclose(inside.std(axis=0)[:2], train.std[:2], rtol=1e-6)
    assert train.std[2] == 1
    assert train.notes == (
        "vectors enter less the mean and over the standard deviation of each channel of training rows",
        "vectors are stored as float64 and read as float32",
    )
    alone = arrays.load("test", tmp_path, file="a.npz")
    np.testing.assert_allclose(alone.mean, x.astype(np.float32).mean(axis=0), rtol=1e-5)
    assert "all rows, for there are no training rows" in alone.notes[0]


def test_whole_numbers_are_numbers_where_it_is_said(tmp_path: Path) -> None:
    """Ages are classes unless the knob says otherwise; words cannot be numbers."""
    np.savez(tmp_path / "a.npz", x=BYTES, age=np.arange(-1, 11), sex=LABELS["sex"])
    assert arrays.load("test", tmp_path, file="a.npz").column("age").classes == tuple(map(str, range(11)))
    ages = arrays.load("test", tmp_path, file="a.npz", numbers="age").column("age").values
    np.testing.assert_array_equal(ages, [np.nan, *range(11)])
    for wrong, words in (("sex", "sex holds no numbers"), ("aeg", "no column 'aeg' of numbers. Did you mean 'age'")):
        with pytest.raises(InputError, match=words):
            arrays.load("test", tmp_path, file="a.npz", numbers=wrong)


def test_what_is_no_label_is_left_out_and_said(tmp_path: Path) -> None:
    """Vectors beside images, dates, wide matrices; a file in the archive that is no array says nothing."""
    dates = np.arange(12).astype("datetime64[D]")
    np.savez(tmp_path / "a.npz", images=BYTES, x=BYTES[:, 0, 0], when=dates, wide=np.zeros((12, 65)), sex=LABELS["sex"])
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("README.txt", "made by hand")
    data = arrays.load("test", tmp_path, file="a.npz")
    assert list(data.columns) == ["sex"]
    assert data.notes == ("arrays that are no labels of 12 rows were left out: x [12, 3], when [12], wide [12, 65]",)


@pytest.mark.parametrize(
    ("first", "note"), [("", r"arrays that .* left out: y \[11\]"), ("x_", "arrays of no split .*")]
)
def test_a_label_that_was_left_out_is_refused_with_the_reason(tmp_path: Path, first: str, note: str) -> None:
    """Its length is not that of the images, or it is of no split; of a typing error nothing is said but what is."""
    images = {"x_train": BYTES, "x_test": BYTES} if first else {"x": BYTES}
    split = {"v_train": LABELS["sex"]} if first else {"v": LABELS["sex"]}
    np.savez(tmp_path / "a.npz", **images, **split, y=np.arange(11))
    data = arrays.load("test", tmp_path, file="a.npz")
    with pytest.raises(InputError, match=rf"^arrays:file=a\.npz: no label 'y'\. There are: v\. Note: {note}"):
        data.column("y")
    with pytest.raises(InputError, match=r"no label 'is'\. There are: v\.$"):
        data.column("is")


def test_a_file_is_data_as_it_is_typed(tmp_path: Path) -> None:
    """`--data faces.npz` names this data set; the content of the file is in the fingerprint."""
    prints = []
    for label in (0, 1):
        np.savez(tmp_path / "a.npz", x=BYTES if label else 255 - BYTES)
        call = named("a.npz:rows=5", tmp_path, "--data")
        data = arrays.load("test", tmp_path, **call.knobs)
        assert (call.name, data.name, len(data)) == ("arrays", "arrays:file=a.npz,rows=5", 5)
        prints.append(data.fingerprint)
    assert prints[0] != prints[1]


def test_rows_are_read_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uncompressed arrays are not held; compressed ones larger than is held lie in a file that no folder shows."""
    np.savez(tmp_path / "a.npz", x=BYTES)
    np.savez_compressed(tmp_path / "b.npz", x=BYTES)
    (tmp_path / "room").mkdir()
    monkeypatch.setattr(stored, "HELD", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "room"))
    rows = np.array([7, 3, 3, 11, 0, 1])
    for name in ("a.npz", "b.npz"):
        images = arrays.load("test", tmp_path, file=name).images
        assert isinstance(images.source.parts[0], stored.Lines)
        assert np.array_equal(images.batch(rows), BYTES[rows].transpose(0, 3, 1, 2))
    assert not list((tmp_path / "room").iterdir())


WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"x": BYTES, "sex": np.array(["f", None] * 6)},
        {},
        "a.npz: sex: Python objects, which are never loaded; save text",
    ),
    ({"pictures": BYTES}, {}, "no array of images or vectors .images, image, x, vectors.. There are: pictures"),
    ({"x": BYTES.astype(np.int16)}, {}, "x is int16: images are uint8 in 0..255, or floats"),
    ({"x": BYTES[:0]}, {}, r"a.npz: x of shape \[0, 6, 5, 3\] holds no images"),
    ({"x": BYTES[None]}, {}, r"x has shape \[1, 12, 6, 5, 3\]: \(n, d\), \(n, h, w\)"),
    ({"x_train": BYTES, "x_test": BYTES[:, :5]}, {}, r"images of two shapes: x_train \[12, 6, 5, 3\] and x_test"),
    ({"x_train": BYTES, "x_test": BYTES / 255}, {}, "x_test is float64, x_train uint8: one type expected"),
    (
        {"val_x": BYTES, "valid_x": BYTES},
        {},
        "val_x and valid_x: one split, validation, is spelled in two ways: rename",
    ),
    ({"x_train": BYTES, "Training_y": BYTES}, {}, "x_train and Training_y: one split, train, is spelled in two ways"),
    ({"x_train": BYTES, "y_test": BYTES}, {}, "split test has no x. There are: y"),
    ({"x": BYTES, "sex": np.arange(12)}, {"group": "sx"}, "no group column 'sx'. Did you mean 'sex'"),
    ({"x": BYTES}, {"held_out": 1.0}, "held_out = 1.0: a number from 0"),
    ({"x": BYTES}, {"size": 0}, "size = 0: at least 1"),
    ({"x": BYTES[:, 0, 0]}, {"size": 8}, "size = 8: vectors have no size"),
    ({"x": BYTES, "split": LABELS["split"]}, {"held_out": 0.5}, "says itself what is tested; held_out = 0.5"),
    ({"x": BYTES, "split": np.array(["", "train"] * 6)}, {}, "split: row 1 says no split"),
    ({"x": np.where(np.arange(12)[:, None] == 4, np.nan, 1.0)}, {}, "row 5 holds NaN"),
    ({"x": BYTES}, {"file": "b.npz"}, r"b.npz: no such file, here or below .* \(--root"),
    ({"x": BYTES}, {"file": ""}, "the knob file = the path of an .npz expected"),
]


@pytest.mark.parametrize(("there", "knobs", "message"), WRONG, ids=[words[:30] for *_, words in WRONG])
def test_what_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, there: dict[str, Any], knobs: dict[str, Any], message: str
) -> None:
    """The message names the file, the array, and what to do."""
    np.savez(tmp_path / "a.npz", **there)
    with pytest.raises(InputError, match=message) as error:
        arrays.load("test", tmp_path, **{"file": "a.npz", **knobs})
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_named(tmp_path: Path, save: Save) -> None:
    """Cut anywhere, or foreign: one line, and never a traceback."""
    path = tmp_path / "a.npz"
    save(path, x=BYTES)
    good = path.read_bytes()
    for bad in (good[:-40], good[:100], b"PK", b""):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"a\.npz: truncated, or not an \.npz file"):
            arrays.load("test", tmp_path, file="a.npz")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(InputError, match=r"a\.npz: x: no array, or damaged"):
        arrays.load("test", tmp_path, file="a.npz")
