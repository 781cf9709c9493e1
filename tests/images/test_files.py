"""Image files become batches: the pixels of Pillow, whatever their size, in the order asked for."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from leakaudit.errors import InputError
from leakaudit.images import decoding, files, jpeg
from leakaudit.images.files import Files
from leakaudit.numerics.resizing import fit

RNG = np.random.default_rng(0)


def smooth(height: int, width: int) -> Image.Image:
    """A few colours that run into each other."""
    small = Image.fromarray(RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def put(folder: Path, sizes: list[tuple[int, int]], suffix: str = "jpg", **how: object) -> list[str]:
    """A file of each height and width."""
    paths = [folder / f"{number}.{suffix}" for number in range(len(sizes))]
    for path, (height, width) in zip(paths, sizes, strict=True):
        smooth(height, width).save(path, **how)
    return list(map(str, paths))


def pillow(path: str, size: int | None = None) -> np.ndarray:
    """What Pillow itself makes of a file."""
    with Image.open(path) as image:
        if size:
            image.draft("RGB", (size, size))
        return np.array(image.convert("RGB"))


def opened(paths: list[str], size: int | None) -> Files:
    """The source of these files."""
    return Files.open(paths, range(1, len(paths) + 1), "t.csv", size)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_batch_holds_the_pixels_of_the_files(tmp_path: Path, suffix: str) -> None:
    """Rows in the order asked for, some twice, as Pillow decodes them."""
    paths = put(tmp_path, [(18, 14)] * 9, suffix)
    batch = opened(paths, 16).batch(np.array([8, 0, 3, 3]))
    assert batch.shape == (4, 3, 18, 14)
    for image, row in zip(batch, [8, 0, 3, 3], strict=True):
        np.testing.assert_array_equal(image.transpose(1, 2, 0), pillow(paths[row]))


@pytest.mark.parametrize(
    "how", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 100}, {"exif": b"Exif\0\0x"}]
)
@pytest.mark.parametrize("size", [None, 20, 9])
def test_an_ordinary_jpeg_is_decoded_as_by_opening_it(tmp_path: Path, how: dict[str, object], size: int | None) -> None:
    """The quick way gives Pillow's own pixels to the bit, at full size and scaled by halves."""
    (path,) = put(tmp_path, [(41, 83)], **how)
    found = jpeg.decode(path, size)
    assert found is not None
    np.testing.assert_array_equal(found, pillow(path, size))
    assert jpeg.glance(path, size) == decoding.measure(path, size) == found.shape[:2]


def test_what_is_no_ordinary_jpeg_is_left_to_pillow(tmp_path: Path) -> None:
    """Grey and CMYK go the long way and come out the same; a file cut anywhere is no image on either."""
    for mode in ("L", "CMYK"):
        path = tmp_path / f"{mode}.jpg"
        smooth(12, 10).convert(mode).save(path)
        assert jpeg.decode(path, None) is None
        assert jpeg.glance(path, None) is None
        assert decoding.measure(path, None) == (12, 10)
        np.testing.assert_array_equal(decoding.decode(path, None), pillow(str(path)))
    (path, other) = (Path(each) for each in put(tmp_path, [(64, 64)] * 2))
    whole = path.read_bytes()
    frame = whole.index(b"\xff\xc0")
    for damaged in (whole[: len(whole) // 2], whole[: frame + 6], whole[:3]):
        other.write_bytes(damaged)
        assert jpeg.decode(other, None) is None
        with pytest.raises(decoding.BROKEN):
            decoding.decode(other, None)
    with pytest.raises(FileNotFoundError):
        jpeg.decode(tmp_path / "none.jpg", None)


@pytest.mark.parametrize("odd", [(30, 14), (18, 15)])
def test_one_image_of_another_size_decides_for_every_batch(tmp_path: Path, odd: tuple[int, int]) -> None:
    """All batches are then of the size of the network, each image by its own pixels; without it all keep theirs."""
    sizes = [(18, 14)] * 99
    sizes[1] = odd  # no probe
    paths = put(tmp_path, sizes, "png")
    source = opened(paths, 16)
    assert source.native is None
    assert opened([paths[0], *paths[2:]], 16).native == (18, 14)
    batch = source.batch(np.arange(3))
    assert batch.shape == (3, 3, 16, 16)
    for row in range(3):
        own = torch.from_numpy(pillow(paths[row]).transpose(2, 0, 1)[None].copy())
        np.testing.assert_array_equal(batch[row], fit(own, (3, 16, 16))[0].numpy())
    np.testing.assert_array_equal(source.batch(np.array([2]))[0], batch[2])


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    """What its header said when the set was opened decided how all are resized; a file without one decides nothing."""
    paths = put(tmp_path, [(18, 14)] * 99)
    Path(paths[1]).write_bytes(b"no image")  # no probe
    source = opened(paths, 16)
    assert source.native == (18, 14)
    smooth(19, 14).save(paths[2])
    with pytest.raises(InputError, match=r"row 3: .*2\.jpg has 19x14 pixels, its header said 18x14 when the set was"):
        source.batch(np.array([2, 3]))
    assert source.batch(np.array([3])).shape == (1, 3, 18, 14)


def test_images_much_larger_than_asked_for_are_resized_one_by_one(tmp_path: Path) -> None:
    """What four times the pixels of the network would take is not held for a whole batch; what is close is."""
    large = opened(put(tmp_path, [(40, 40)] * 3, "png"), 16)
    assert (large.native, large.batch(np.arange(3)).shape) == (None, (3, 3, 16, 16))
    (tmp_path / "near").mkdir()
    near = opened(put(tmp_path / "near", [(32, 32)] * 3, "png"), 16)
    assert (near.native, near.batch(np.arange(3)).shape) == ((32, 32), (3, 3, 32, 32))


def test_without_a_size_another_one_is_refused(tmp_path: Path) -> None:
    """The row and both sizes are named."""
    source = opened(put(tmp_path, [(8, 8), (8, 9)], "png"), None)
    assert source.batch(np.array([0])).shape == (1, 3, 8, 8)
    with pytest.raises(InputError, match=r"t\.csv: row 2: .*1\.png has 8x9 pixels, the first image 8x8"):
        source.batch(np.arange(2))


def test_the_count_of_threads_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread and five give one batch; so do one row at a time and all."""
    sizes = [(int(side), 12) for side in RNG.integers(8, 20, 40)]
    source = opened(put(tmp_path, sizes), 12)
    whole = source.batch(np.arange(40))
    for threads in (1, 5):
        monkeypatch.setattr(files, "THREADS", threads)
        files._pool.cache_clear()
        np.testing.assert_array_equal(source.batch(np.arange(40)), whole)
    files._pool.cache_clear()
    np.testing.assert_array_equal(np.concatenate([source.batch(np.array([row])) for row in range(40)]), whole)


def test_work_is_done_in_order_by_the_pool() -> None:
    """Every item once, in order; the first error is told."""
    seen: set[str] = set()

    def work(item: int) -> int:
        seen.add(threading.current_thread().name.split("_")[0])
        if item == 777:
            raise InputError("item 777")
        return 2 * item

    assert files.pooled(work, range(700)) == [2 * item for item in range(700)]
    assert seen == {"decode"}
    with pytest.raises(InputError, match="777"):
        files.pooled(work, range(1000))
    assert files.pooled(work, []) == []


def test_a_batch_of_nothing_is_empty(tmp_path: Path) -> None:
    """No rows are no images."""
    source = opened(put(tmp_path, [(8, 8)]), 8)
    assert source.batch(np.zeros(0, np.int64)).shape == (0, 3, 8, 8)


def test_a_broken_file_is_named_with_its_row(tmp_path: Path) -> None:
    """In the middle of others that are whole."""
    paths = put(tmp_path, [(8, 8)] * 5)
    buffer = io.BytesIO()
    smooth(8, 8).save(buffer, "JPEG")
    Path(paths[2]).write_bytes(buffer.getvalue()[:-40])
    source = opened(paths, 8)
    assert len(source.batch(np.array([0, 1, 3, 4]))) == 4
    with pytest.raises(InputError, match=r"t\.csv: row 3: .*2\.jpg does not decode: .*truncated"):
        source.batch(np.arange(5))
