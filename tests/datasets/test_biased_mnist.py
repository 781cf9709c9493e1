"""Biased-MNIST is the papers' recipe, read from MNIST's four files."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakaudit.datasets import biased_mnist
from leakaudit.errors import InputError
from leakaudit.numerics import colours

NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def write(home: Path, *, zipped: bool = False, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A small MNIST in the real format; the images and labels of both splits."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    images[random.random(images.shape) < 0.5] = 0
    labels = (np.arange(count) % 10).astype(np.uint8)
    home.mkdir(parents=True, exist_ok=True)
    for pictures, digits in NAMES.values():
        for name, values in ((pictures, images), (digits, labels)):
            data = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()
            if zipped:
                (home / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (home / name).write_bytes(data)
    return images, labels


@pytest.mark.parametrize("home", ["mnist", "MNIST/raw", "."])
@pytest.mark.parametrize("zipped", [False, True])
def test_the_four_files_are_found_where_people_keep_them(tmp_path: Path, home: str, *, zipped: bool) -> None:
    """In ROOT/mnist, ROOT/MNIST/raw or ROOT, plain or gzipped."""
    _, labels = write(tmp_path / home, zipped=zipped)
    data = biased_mnist.load("test", tmp_path)
    assert np.array_equal(data.column("digit").values, labels)


def test_every_pixel_that_is_not_zero_is_white(tmp_path: Path) -> None:
    """The threshold is exactly zero: no grey survives, and all else is the background colour."""
    images, _ = write(tmp_path)
    data = biased_mnist.load("train", tmp_path)
    found = data.images.batch(np.arange(len(data)))
    palette = colours.palette()[data.column("colour").values]
    for row in range(len(data)):
        assert (found[row][:, images[row] > 0] == 255).all()
        assert (found[row][:, images[row] == 0] == palette[row][:, None]).all()


def test_a_smaller_side_averages_coloured_squares(tmp_path: Path) -> None:
    """A pixel of 14x14 is the rounded mean of its four; labels, identities and colours are those of 28x28."""
    write(tmp_path)
    whole, small = (biased_mnist.load("train", tmp_path, side=side) for side in (28, 14))
    rows = np.arange(len(whole))
    large = whole.images.batch(rows).astype(float)
    four = sum(large[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4
    assert np.abs(small.images.batch(rows) - four).max() <= 0.5
    assert small.images.shape == (3, 14, 14)
    assert (small.ids == whole.ids).all()
    assert (small.column("colour").values == whole.column("colour").values).all()
    assert (small.name, whole.name) == ("biased-mnist:side=14", "biased-mnist")
    for side in (0, 13, 56):
        with pytest.raises(InputError, match=f"side = {side}"):
            biased_mnist.load("train", tmp_path, side=side)


def test_rows_keeps_a_stratified_part_with_rho_exact(tmp_path: Path) -> None:
    """`rows` keeps that many images, as many of each digit as its share, and colours are handed out among them."""
    write(tmp_path, count=1000)
    data = biased_mnist.load("train", tmp_path, rows=500, rho=0.9)
    digit, colour = data.column("digit").values, data.column("colour").values
    assert np.bincount(digit).tolist() == [50] * 10
    assert (digit == colour).sum() == 450
    again = biased_mnist.load("train", tmp_path, rows=500, rho=0.9)
    assert data.fingerprint == again.fingerprint
    assert len(biased_mnist.load("train", tmp_path, rows=5000)) == 1000
    both = {split: biased_mnist.load(split, tmp_path, rows=500, test_rows=200) for split in ("train", "test")}
    assert {split: len(part) for split, part in both.items()} == {"train": 500, "test": 200}
    assert {part.name for part in both.values()} == {"biased-mnist:rows=500,test_rows=200"}
    with pytest.raises(InputError, match="test_rows = 9"):
        biased_mnist.load("train", tmp_path, test_rows=9)
    assert np.isin(data.ids, biased_mnist.load("train", tmp_path).ids).all()


def test_what_is_held_out_is_coloured_as_the_test_and_nowhere_else(tmp_path: Path) -> None:
    """`held_out` turns a share of each training digit into `validation`, unbiased; `rows` counts among the others."""
    write(tmp_path, count=1000)
    knobs: dict[str, Any] = {"held_out": 0.2, "rho": 1.0}
    parts = {split: biased_mnist.load(split, tmp_path, **knobs) for split in biased_mnist.splits(tmp_path, **knobs)}
    assert {split: len(part) for split, part in parts.items()} == {"train": 800, "validation": 200, "test": 1000}
    assert np.bincount(parts["validation"].column("digit").values).tolist() == [20] * 10
    agree = {
        split: (part.column("digit").values == part.column("colour").values).mean() for split, part in parts.items()
    }
    assert agree["train"] == 1
    assert agree["validation"] == pytest.approx(0.1, abs=0.01)
    whole = biased_mnist.load("train", tmp_path)
    assert sorted(np.concatenate([parts["train"].ids, parts["validation"].ids])) == sorted(whole.ids)
    fewer = biased_mnist.load("train", tmp_path, rows=100, **knobs)
    assert np.isin(fewer.ids, parts["train"].ids).all()
    assert biased_mnist.load("test", tmp_path, **knobs).ids.tolist() == parts["test"].ids.tolist()


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_refused(tmp_path: Path, share: float) -> None:
    """A share of the training images is at least 0 and below 1, and without one there is no `validation`."""
    write(tmp_path)
    with pytest.raises(InputError, match="held_out"):
        biased_mnist.load("train", tmp_path, held_out=share)
    with pytest.raises(InputError, match="at least 10 expected on either side"):
        biased_mnist.load("train", tmp_path, held_out=1e-4)
    with pytest.raises(InputError, match="without the knob held_out"):
        biased_mnist.load("validation", tmp_path)
    assert biased_mnist.splits(tmp_path) == ("train", "test")


@pytest.mark.parametrize("cut", [3, 10, 500])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, cut: int, *, zipped: bool) -> None:
    """A file that ends too early is named, whether its header or its body is cut."""
    write(tmp_path, zipped=zipped)
    path = tmp_path / (NAMES["train"][0] + (".gz" if zipped else ""))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=path.name):
        biased_mnist.load("train", tmp_path)


def test_files_that_disagree_are_refused(tmp_path: Path) -> None:
    """As many labels as images, or none."""
    write(tmp_path, count=200)
    write(tmp_path / "other", count=100)
    (tmp_path / "other" / NAMES["train"][1]).rename(tmp_path / NAMES["train"][1])
    with pytest.raises(InputError, match="200 images"):
        biased_mnist.load("train", tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """One of the two files alone is no split."""
    write(tmp_path)
    (tmp_path / NAMES["test"][1]).unlink()
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte"):
        biased_mnist.load("test", tmp_path)
    assert len(biased_mnist.load("train", tmp_path)) == 200


def test_without_the_files_the_message_says_where_to_put_them(tmp_path: Path) -> None:
    """Nothing is downloaded unasked; the message names the folder and the knob."""
    with pytest.raises(InputError, match=r"mnist.*download=true") as error:
        biased_mnist.load("train", tmp_path)
    assert len(str(error.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("rho", "conflicting"), [(0.999, 63), (0.997, 184), (0.995, 305), (0.990, 606)])
def test_real_training_images_conflict_as_often_as_was_counted(data_root: Path, rho: float, conflicting: int) -> None:
    """On MNIST's 60,000 images the quota leaves the counts that the papers' code leaves."""
    data = biased_mnist.load("train", data_root, rho=rho)
    assert len(data) == 60_000
    assert (data.column("digit").values != data.column("colour").values).sum() == conflicting


def test_the_real_unbiased_test_has_every_cell(data_root: Path) -> None:
    """996 aligned and 9,004 conflicting images, 83 to 114 in each of the 100 cells; rho 1 and 0 are what they say."""
    data = biased_mnist.load("test", data_root)
    digit, colour = data.column("digit").values, data.column("colour").values
    assert (digit == colour).sum() == 996
    cells = np.bincount(digit * 10 + colour, minlength=100)
    assert (cells.min(), cells.max()) == (83, 114)
    for rho in (0.0, 1.0):
        other = biased_mnist.load("test", data_root, test_rho=rho)
        assert (other.column("digit").values == other.column("colour").values).mean() == rho
