"""What files are like: the sizes of those with a header, and those that do not decode, wherever they lie."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from leakaudit.dataset import Selected
from leakaudit.images import inspection
from leakaudit.images.arrays import Joined
from leakaudit.images.embedded import Embedded
from leakaudit.images.files import Files
from leakaudit.images.stored import opened


def jpeg(side: int) -> bytes:
    """A square of noise."""
    drawn, noise = io.BytesIO(), np.random.default_rng(side).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(drawn, "JPEG")
    return drawn.getvalue()


PARTS = (jpeg(32), jpeg(32)[: len(jpeg(32)) // 2], b"no image", jpeg(64), b"")


def test_of_files_the_cut_and_the_wordy_are_unreadable(tmp_path: Path) -> None:
    """A half-cut JPEG has a size and no image, text has neither; rows are those of a selection where there is one."""
    paths = [str(tmp_path / f"{number}.jpg") for number in range(4)]
    for path, part in zip(paths, PARTS[:4], strict=True):
        Path(path).write_bytes(part)
    images = Files(paths, [1, 2, 3, 4], "made", (3, 32, 32), 32, None)
    assert inspection.unreadable(images, np.arange(4)).tolist() == [False, True, True, False]
    some = Selected(images, np.array([3, 2, 1]))
    assert inspection.unreadable(some, np.array([0, 2])).tolist() == [False, True]
    assert inspection.sizes(images) == inspection.sizes(some) == ((32, 32), (64, 64))


def test_of_images_in_a_larger_file_those_without_bytes_are_unreadable_too(tmp_path: Path) -> None:
    """Only the rows that are asked for are looked at; arrays are always read, and have no files with sizes."""
    (tmp_path / "all").write_bytes(b"".join(PARTS))
    lengths = np.array([len(part) for part in PARTS])
    places = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
    names = [f"row {number}" for number in range(5)]
    images = Embedded((opened(tmp_path / "all"),), np.zeros(5, np.int64), places, names, (3, 32, 32), 32)
    assert inspection.unreadable(images, np.arange(5)).tolist() == [False, True, True, False, True]
    some = Selected(images, np.array([4, 3, 2]))
    assert inspection.unreadable(some, np.array([1, 2])).tolist() == [False, True]
    arrays = Joined((np.zeros((3, 3, 8, 8), np.uint8),))
    assert not inspection.unreadable(arrays, np.arange(3)).any()
    assert inspection.sizes(images) == inspection.sizes(arrays) == ()
