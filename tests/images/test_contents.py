"""Copies of images are found by what they are made of, whatever they are called."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leakaudit.dataset import BLOCK, Dataset, Images, Labels, Pixels, contents, identify
from leakaudit.errors import InputError
from leakaudit.images.contents import duplicates
from leakaudit.images.files import Files


def called(images: Images, source: str) -> Dataset:
    """A data set of images and one label."""
    rows = np.arange(len(images))
    columns = {"parity": Labels(rows % 2, ("even", "odd"))}
    return Dataset(source, "test", images, columns, identify(source, rows), (0.5,) * 3, (0.5,) * 3)


def drawn(folder: Path, numbers: list[int]) -> Dataset:
    """A data set of files, each of one grey level."""
    folder.mkdir()
    paths = [str(folder / f"{place}.png") for place in range(len(numbers))]
    for path, number in zip(paths, numbers, strict=True):
        Image.new("RGB", (4, 4), (number,) * 3).save(path)
    return called(Files.open(paths, range(1, len(paths) + 1), str(folder), None), str(folder))


def test_copies_in_two_data_sets_are_counted_and_named(tmp_path: Path) -> None:
    """Every row of the second whose file is one of the first's, by bytes; the first few by both names."""
    one, two = drawn(tmp_path / "one", [1, 2, 3, 3, 4]), drawn(tmp_path / "two", [9, 3, 1, 8, 3, 4])
    found = duplicates(one, two)
    assert found.count == 4
    assert found.rows.tolist() == [1, 2, 4, 5]
    assert found.of.tolist() == [2, 0, 2, 4]
    assert found.examples[0] == (str(tmp_path / "one" / "2.png"), str(tmp_path / "two" / "1.png"))
    assert len(found.examples) == 3
    part = duplicates(one, two.take(np.array([3, 2])))
    assert part.examples == ((str(tmp_path / "one" / "0.png"), str(tmp_path / "two" / "2.png")),)
    assert duplicates(one, two.take(np.array([0, 3]))).count == 0


def test_images_in_memory_are_compared_by_their_pixels() -> None:
    """More of them than are hashed at a time, too."""
    values = np.random.default_rng(0).integers(0, 256, (BLOCK + 3, 3, 2, 2), dtype=np.uint8)
    one = called(Pixels(values), "one")
    two = replace(one, images=Pixels(values[[BLOCK + 1, 5]] ^ np.uint8([0, 1])[:, None, None, None]))
    found = duplicates(one, two)
    assert (found.rows.tolist(), found.of.tolist()) == ([0], [BLOCK + 1])
    assert found.examples == ((f"row {BLOCK + 2}", "row 1"),)
    assert len(np.unique(contents(one.images))) == BLOCK + 3
    nothing = called(Pixels(values[:0]), "nothing")
    assert duplicates(one, nothing).count == duplicates(nothing, one).count == 0


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    """One line, with its row."""
    data = drawn(tmp_path / "one", [1, 2])
    shutil.rmtree(tmp_path / "one")
    with pytest.raises(InputError, match=r"row 1: .*0\.png") as error:
        duplicates(data, data)
    assert len(str(error.value).splitlines()) == 1
