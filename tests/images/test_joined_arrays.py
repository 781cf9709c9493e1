"""Arrays of images, one after another."""

from pathlib import Path

import numpy as np

from leakaudit.dataset import Images, Pixels
from leakaudit.images.arrays import Joined


def test_several_arrays_are_one_source() -> None:
    """Rows in any order, across arrays, one of them empty; as the same images in one array, content hashes too."""
    random = np.random.default_rng(0)
    parts = tuple(random.integers(0, 256, (count, 3, 4, 5), dtype=np.uint8) for count in (2, 0, 3, 1))
    joined, whole = Joined(parts), Pixels(np.concatenate(parts))
    assert isinstance(joined, Images)
    assert (len(joined), joined.shape) == (6, (3, 4, 5)) == (len(whole), whole.shape)
    for rows in ([], [5], [0, 1, 2, 3, 4, 5], [4, 1, 5, 1, 0]):
        chosen = np.array(rows, dtype=np.int64)
        assert np.array_equal(joined.batch(chosen), whole.batch(chosen))
        assert np.array_equal(joined.contents(chosen), whole.contents(chosen))


def test_what_is_asked_for_is_copied(tmp_path: Path) -> None:
    """A batch is the caller's own: writing to it changes no file that is mapped."""
    np.save(tmp_path / "a.npy", np.full((2, 1, 2, 2), 7, dtype=np.uint8))
    joined = Joined((np.load(tmp_path / "a.npy", mmap_mode="r"),))
    batch = joined.batch(np.array([1]))
    batch[:] = 9
    assert (joined.batch(np.array([0, 1])) == 7).all()
