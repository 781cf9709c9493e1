"""Arrays as images: rows in any order, across files, without holding them."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leakaudit.dataset import Images
from leakaudit.errors import InputError
from leakaudit.images import stored
from leakaudit.images.tensors import Tensors

CHANCE = np.random.default_rng(0)
WIDE = CHANCE.normal(size=(9, 20)).astype(np.float32)
GROWTH = 64 << 20
"""Bytes by which a process may grow while it visits a file of four times as many."""

VISIT = """
import resource, sys
from pathlib import Path
import numpy as np
from leakaudit.images import stored
from leakaudit.images.tensors import Tensors
images = Tensors((stored.plain(Path(sys.argv[1]), "x"),), "d", "x")
images.batch(np.arange(8))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
mean, std = images.moments(np.arange(len(images)))
for first in range(0, len(images), 256):
    images.contents(np.arange(first, min(first + 256, len(images))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, mean[0], std[0])
"""


@pytest.mark.parametrize("kind", [np.uint8, np.float16, ">f4", np.float64])
def test_parts_in_files_and_in_memory_are_one_source(tmp_path: Path, kind: str | type) -> None:
    """Rows come in the order asked for, whichever part they lie in, as bytes or as float32."""
    x = CHANCE.integers(0, 256, (10, 2, 3, 4)).astype(kind)
    np.save(tmp_path / "a.npy", x[:4])
    images = Tensors((stored.plain(tmp_path / "a.npy", "a"), x[4:]), "chw", "a")
    rows = np.array([9, 0, 3, 4, 3])
    batch = images.batch(rows)
    assert isinstance(images, Images)
    assert batch.dtype == (np.uint8 if kind is np.uint8 else np.float32)
    assert np.array_equal(batch, x[rows])
    assert len(np.unique(images.contents(rows))) == 4
    assert images.batch(rows[:0]).shape == (0, 2, 3, 4)


def test_of_wide_rows_a_part_is_read(tmp_path: Path) -> None:
    """The numbers from the fifth on, seven of each row."""
    np.save(tmp_path / "a.npy", WIDE)
    part = stored.plain(tmp_path / "a.npy", "a").part(5, 7)
    assert np.array_equal(Tensors((part,), "d", "a").batch(np.array([8, 2, 3]))[:, :, 0, 0], WIDE[[8, 2, 3], 5:12])


def test_an_array_whose_first_axis_is_the_fastest_is_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As numpy saves a transposed one; one that is too large to be held is refused with what to do."""
    np.save(tmp_path / "a.npy", WIDE.T)
    assert np.array_equal(stored.plain(tmp_path / "a.npy", "a"), WIDE.T)
    monkeypatch.setattr(stored, "HELD", 10)
    with pytest.raises(InputError, match=r"a\.npy: its first axis is the fastest: save np\.ascontiguousarray"):
        stored.plain(tmp_path / "a.npy", "a.npy")


def test_a_truncated_array_is_named(tmp_path: Path) -> None:
    """When it is opened, or when it is cut while it is read."""
    path = tmp_path / "a.npy"
    np.save(path, WIDE)
    images = Tensors((stored.plain(path, "a.npy"),), "d", "a.npy")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.npy: truncated: it ends at byte"):
        images.batch(np.arange(9))
    with pytest.raises(InputError, match=r"a\.npy: truncated: 620 of 720 bytes"):
        stored.plain(path, "a.npy")


def test_a_file_is_closed_when_nothing_reads_it(tmp_path: Path) -> None:
    """Whoever holds rows, or a part of them, can read them; after the last the file is let go."""
    np.save(tmp_path / "a.npy", WIDE)
    rows = stored.plain(tmp_path / "a.npy", "a")
    assert isinstance(rows, stored.Lines)
    part, number = rows.part(0, 3), rows.file.number
    del rows
    assert np.array_equal(part[np.arange(2)], WIDE[:2, :3])
    assert os.fstat(number).st_size == (tmp_path / "a.npy").stat().st_size
    del part
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A file of 256 MiB is visited whole by a process that grows by less than a quarter of it; figures are right."""
    chunk = np.ones((1, 1024), dtype=np.float32)
    out = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.float32, (1 << 16, 1024))
    out[::2] = chunk
    del out
    text = subprocess.run(
        [sys.executable, "-c", VISIT, str(tmp_path / "a.npy")], capture_output=True, text=True, check=True
    ).stdout.split()
    unit = 1024 if sys.platform != "darwin" else 1
    assert int(text[0]) * unit < GROWTH
    assert (float(text[1]), float(text[2])) == (0.5, 0.5)
