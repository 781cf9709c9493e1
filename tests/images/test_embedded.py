"""Images inside arrow files are found by where their bytes lie, whatever the file's types and gaps."""

import resource
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from leakaudit.errors import InputError
from leakaudit.images.decoding import decode
from leakaudit.images.embedded import Embedded, locate, stream
from leakaudit.images.files import Files
from leakaudit.images.stored import opened

STATM = Path("/proc/self/statm")
SIZE = 64 << 20
"""Bytes of a file of which little is to be held."""


def draw(path: Path, seed: int, size: tuple[int, int]) -> Path:
    """A picture of noise, of `size` (height, width)."""
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return path


def write(path: Path, cells: list[dict[str, object] | None], kind: pa.DataType, batch: int = 2) -> None:
    """A stream of record batches with a column of images."""
    struct = pa.struct({"bytes": kind, "path": pa.string()})
    whole = pa.table({"image": pa.array(cells, struct)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, whole.schema) as writer:
        writer.write_table(whole, max_chunksize=batch)


def source(path: Path, size: int | None = None) -> Embedded:
    """The images of one file."""
    table, address = stream(path, "set")
    places = locate(table["image"], address, "set")
    rows = len(places)
    return Embedded.open((opened(path),), np.zeros(rows, np.int64), places, [f"set/{row}" for row in range(rows)], size)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_images_are_found_in_any_batch_and_past_gaps(tmp_path: Path, kind: pa.DataType) -> None:
    """Rows come in the order asked for; a row without an image is named when it is asked for."""
    files = [draw(tmp_path / f"{number}.png", number, (6, 8)) for number in range(5)]
    cells: list[dict[str, object] | None] = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    cells.insert(3, None)
    write(tmp_path / "a.arrow", cells, kind)
    images = source(tmp_path / "a.arrow")
    batch = images.batch(np.array([5, 0, 2, 4]))
    for image, number in zip(batch, (4, 0, 2, 3), strict=True):
        assert np.array_equal(image.transpose(1, 2, 0), decode(files[number], None))
    assert images.unreadable().tolist() == [False, False, False, True, False, False]
    with pytest.raises(InputError, match="set/3: no image"):
        images.batch(np.array([2, 3]))
    assert images.batch(np.zeros(0, np.int64)).shape == (0, 3, 6, 8)


def test_images_of_several_sizes_are_resized_or_refused(tmp_path: Path) -> None:
    """One line says which size the first has, and which knob resizes all."""
    files = [draw(tmp_path / f"{number}.png", number, (6, 8 + number)) for number in range(2)]
    write(tmp_path / "a.arrow", [{"bytes": file.read_bytes(), "path": None} for file in files], pa.binary())
    with pytest.raises(InputError, match="set/1 has 6x9 pixels, the first image 6x8; the knob size = N"):
        source(tmp_path / "a.arrow").batch(np.arange(2))
    assert source(tmp_path / "a.arrow", 5).batch(np.arange(2)).shape == (2, 3, 5, 5)


def test_an_image_that_is_only_named_is_refused(tmp_path: Path) -> None:
    """Old versions of the library saved paths of another machine."""
    write(tmp_path / "a.arrow", [{"bytes": None, "path": "/home/me/a.png"}], pa.binary())
    with pytest.raises(InputError, match=r"set: an image is not saved with the set, but named by its path \(/home/me"):
        source(tmp_path / "a.arrow")


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not STATM.exists(), reason="needs /proc")
def test_of_a_large_file_little_is_held(tmp_path: Path) -> None:
    """Finding every image touches a part of the file, and reading them holds none of it."""
    block = np.random.default_rng(0).bytes(1 << 16)
    write(tmp_path / "a.arrow", [{"bytes": block, "path": None}] * (SIZE >> 16), pa.binary(), batch=100)
    before = resident()
    table, address = stream(tmp_path / "a.arrow", "set")
    places = locate(table["image"], address, "set")
    assert resident() - before < SIZE / 4
    del table
    rows = np.zeros(len(places), np.int64)
    images = Embedded((opened(tmp_path / "a.arrow"),), rows, places, [""] * len(rows), (3, 1, 1), None)
    assert len({images.contents(np.arange(first, first + 64)).tobytes() for first in range(0, len(images), 64)}) == 1
    assert resident() - before < SIZE / 4
    assert places[:, 1].sum() == SIZE


def test_the_middle_of_images_in_ratio_is_that_of_files(tmp_path: Path) -> None:
    """Of several sizes: what a network cuts out of them is what it cuts out of the same pictures in files."""
    files = [draw(tmp_path / f"{number}.png", number, sides) for number, sides in enumerate([(9, 14), (20, 11)])]
    write(tmp_path / "a.arrow", [{"bytes": file.read_bytes(), "path": file.name} for file in files], pa.binary())
    inside = source(tmp_path / "a.arrow", 8)
    outside = Files.open(list(map(str, files)), [1, 2], "t.csv", 8)
    rows = np.arange(2)
    assert inside.distorted
    assert outside.distorted
    assert not np.array_equal(inside.keeping((8, 8), (6, 6)).batch(rows), inside.batch(rows))
    np.testing.assert_array_equal(
        inside.keeping((8, 8), (6, 6)).batch(rows), outside.keeping((8, 8), (6, 6)).batch(rows)
    )
    assert inside.keeping((9, 9), (6, 6)) is inside
    assert not inside.keeping((8, 8), (6, 6)).distorted
