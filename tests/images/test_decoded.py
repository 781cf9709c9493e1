"""Image files are decoded once, kept as what a device is sent, and never trusted where they are damaged."""

import errno
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from leakaudit.dataset import Dataset, Images, Pixels
from leakaudit.errors import HereError, InputError
from leakaudit.images import decoded, decoding, stored
from leakaudit.images.decoded import Decoded, Keeping, kept
from leakaudit.images.embedded import Embedded
from leakaudit.images.files import Files
from leakaudit.numerics.feed import Feed

ROWS = 7


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of any size are kept, two images at a time."""
    monkeypatch.setattr(decoded, "LEAST", 0)
    monkeypatch.setattr(decoded, "BLOCK", 2 * 3 * 8 * 8)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was decoded since it was cleared."""
    seen: list[object] = []
    real = decoding.decode

    def noted(path: object, size: int | None) -> np.ndarray:
        seen.append(path)
        return real(path, size)  # type: ignore[arg-type]

    monkeypatch.setattr(decoding, "decode", noted)
    return seen


def files(folder: Path, sides: list[tuple[int, int]], size: int | None) -> Files:
    """JPEG files of noise."""
    random = np.random.default_rng(0)
    paths = [str(folder / f"{number}.jpg") for number in range(len(sides))]
    for path, (height, width) in zip(paths, sides, strict=True):
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return Files.open(paths, list(range(len(paths))), "toy", size)


def embedded(folder: Path) -> Embedded:
    """The same inside one file."""
    data = [Path(path).read_bytes() for path in files(folder, [(9, 12)] * ROWS, None).paths]
    (folder / "all").write_bytes(b"".join(data))
    sizes = np.array([len(part) for part in data])
    places = np.stack([np.cumsum([0, *sizes[:-1]]), sizes], axis=1)
    names = [f"toy/{row}" for row in range(ROWS)]
    return Embedded.open((stored.opened(folder / "all"),), np.zeros(ROWS, np.int64), places, names, 8)


def toy(images: Images) -> Dataset:
    """A data set of these images."""
    ids = np.arange(len(images), dtype=np.uint64)
    return Dataset("toy", "train", images, {}, ids, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


def keep(data: Dataset, home: Path, device: str = "cpu") -> tuple[Images, list[Keeping]]:
    """The images as they are kept, and what was said."""
    work, said = kept({"train": data}, home, device), []
    while True:
        try:
            said.append(next(work))
        except StopIteration as stop:
            return stop.value["train"].images, said


def equal(ours: Images, plain: Images, device: str = "cpu") -> None:
    """Whatever is asked for, streamed or held, is equal to the last bit and lies in memory alike."""
    parts = [torch.tensor(rows, device=device) for rows in ([4], [3, 3, 0], list(range(len(plain))))]
    for room in (0, 1 << 20):
        both = (Feed(toy(images), device, room).batches(parts) for images in (ours, plain))
        for x, y in zip(*both, strict=True):
            assert torch.equal(x, y)
            assert x.stride() == y.stride()


SOURCES = {
    "of one size": lambda folder: files(folder, [(8, 8)] * ROWS, None),
    "resized by the device": lambda folder: files(folder, [(9, 12)] * ROWS, 8),
    "resized one by one": lambda folder: files(folder, [(9, 12), (30, 20)] * 3 + [(4, 5)], 8),
    "inside a file": embedded,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_kept_images_are_the_same_numbers_and_decode_nothing(kind: str, tmp_path: Path, count: list[object]) -> None:
    """Bit by bit; who opens them later decodes the one image that tells their size, and then none."""
    source = SOURCES[kind](tmp_path)
    data = toy(source).take(np.array([6, 5, 4, 3, 2, 1, 0]))
    made, said = keep(data, tmp_path / "kept")
    assert isinstance(made, Decoded)
    assert (said[0].done, said[-1].done, said[-1].total) == (0, ROWS, ROWS)
    assert "decoding 7 images once, to be kept: toy (train)" in said[0].told
    equal(made, data.images)
    assert made.contents(np.arange(2)).tolist() == data.contents[:2].tolist()
    count.clear()
    again, said = keep(data, tmp_path / "kept")
    assert len(count) == 1
    assert not said
    equal(again, again)
    assert len(count) == 1
    equal(made, data.images)
    assert len(count) > 10  # the plain ones are decoded each time


def test_another_file_another_size_or_another_order_is_kept_apart(tmp_path: Path) -> None:
    """The name is that of what files hold, not of what they are called."""
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    other = Files.open(source.paths, source.lines, "elsewhere", 6)
    turned = toy(source).take(np.arange(ROWS)[::-1].copy())
    homes = {str(keep(data, tmp_path / "kept")[0].folder) for data in (toy(source), toy(other), turned, toy(source))}  # type: ignore[attr-defined]
    assert len(homes) == 3
    shutil.copy(source.paths[1], source.paths[2])
    changed, said = keep(toy(source), tmp_path / "kept")
    assert said
    equal(changed, source)


def overwrite(path: Path, at: int) -> None:
    """Another byte at a place."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "a pixel": lambda folder: overwrite(folder / "images.npy", -1),
    "a sum": lambda folder: overwrite(folder / "sums.npy", -1),
    "cut off": lambda folder: (folder / "images.npy").write_bytes((folder / "images.npy").read_bytes()[:-9]),
    "a stranger's": lambda folder: np.save(folder / "images.npy", np.zeros((ROWS, 2), np.uint8)),
    "objects": lambda folder: np.save(folder / "sums.npy", np.array([{}] * ROWS), allow_pickle=True),
    "no array": lambda folder: (folder / "images.npy").write_bytes(b"no array"),
    "not complete": lambda folder: (folder / "decoded.json").unlink(),
    "no document": lambda folder: (folder / "decoded.json").write_text("{"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_is_damaged_is_decoded_anew(kind: str, tmp_path: Path) -> None:
    """Numbers stay right in the run that meets it, and the folder is whole again after at most one run more."""
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    made, _ = keep(toy(source), tmp_path / "kept")
    assert isinstance(made, Decoded)
    DAMAGE[kind](made.folder)
    equal(keep(toy(source), tmp_path / "kept")[0], source)
    equal(keep(toy(source), tmp_path / "kept")[0], source)
    assert not keep(toy(source), tmp_path / "kept")[1]


def test_a_file_that_is_cut_off_under_a_run_does_not_stop_it(tmp_path: Path) -> None:
    """Its rows are decoded anew."""
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    made, _ = keep(toy(source), tmp_path / "kept")
    assert isinstance(made, Decoded)
    with (made.folder / "images.npy").open("r+b") as file:
        file.truncate(400)
    equal(made, source)
    assert not (made.folder / "decoded.json").exists()


def refused(*_: object) -> None:
    """As a file system says that reserves no room."""
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.fixture
def full() -> Iterator[None]:
    """No file may grow beyond 600 bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("how", ["reserved", "written"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    how: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, or in the middle: this machine's fault, what to do, and nothing is left."""
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    if how == "written":
        monkeypatch.setattr(decoded.os, "posix_fallocate", refused)
    request.getfixturevalue("full")
    with pytest.raises(HereError, match=r"cannot write .*; --set train.decoded=false keeps none") as told:
        keep(toy(source), tmp_path / "kept")
    assert "\n" not in str(told.value)
    assert [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()] == [".lock"]


def test_a_disk_that_reserves_no_room_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no failure; and a disk that is full after the images leaves none of them."""
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    monkeypatch.setattr(decoded.os, "posix_fallocate", refused)
    assert isinstance(keep(toy(source), tmp_path / "kept")[0], Decoded)
    monkeypatch.setattr(decoded.np, "save", refused)
    with pytest.raises(HereError, match="Operation not supported; --set"):
        keep(toy(source), tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").rglob("*") if path.is_file()] == [".lock"]


def test_nothing_is_written_where_images_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a lock; what is found damaged under way is decoded anew, and the line is that of a full disk else."""
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    made, _ = keep(toy(source), tmp_path / "kept")
    assert isinstance(made, Decoded)
    overwrite(made.folder / "images.npy", -1)
    (made.folder / ".lock").unlink()
    forbid(monkeypatch)
    again, said = keep(toy(source), tmp_path / "kept")
    assert isinstance(again, Decoded)
    assert not said
    equal(again, source)
    with pytest.raises(HereError, match=r"cannot write .*; --set train.decoded=false keeps none"):
        keep(toy(source).take(np.arange(2)), made.folder / "below")


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a disk that is mounted to be read."""

    def forbidden(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("mkdir", "unlink"):
        monkeypatch.setattr(Path, name, forbidden)


def test_another_decoder_keeps_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its version says so, or the pixels alone do."""
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    real = decoding.decode
    folders = {keep(toy(source), tmp_path / "kept")[0].folder}  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(decoded, "_version", lambda _: "another")
        folders |= {keep(toy(source), tmp_path / "kept")[0].folder}  # type: ignore[attr-defined]
    monkeypatch.setattr(decoding, "decode", lambda path, size: real(path, size) ^ np.uint8(1))
    other, said = keep(toy(source), tmp_path / "kept")
    assert said
    equal(other, source)
    assert len(folders | {other.folder}) == 3  # type: ignore[attr-defined]


def test_a_disk_with_little_room_keeps_none_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set takes a share of what is free, or nothing."""
    monkeypatch.setattr(decoded, "SHARE", 0)
    source = files(tmp_path, [(9, 12)] * ROWS, 8)
    made, said = keep(toy(source), tmp_path / "kept")
    assert made is source
    assert "files are decoded in each epoch" in said[0].told
    assert len(said) == 1


def test_small_sets_and_those_that_are_no_files_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to win, and nothing is written."""
    monkeypatch.setattr(decoded, "LEAST", ROWS * 3 * 8 * 8 + 1)
    for source in (files(tmp_path, [(9, 12)] * ROWS, 8), Pixels(np.zeros((99, 3, 8, 8), np.uint8))):
        assert keep(toy(source), tmp_path / "kept")[0] is source
    assert not (tmp_path / "kept").exists()


def test_an_image_that_does_not_decode_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """As it would be without."""
    source = files(tmp_path, [(8, 8)] * ROWS, 8)
    Path(source.paths[5]).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"5.jpg does not decode"):
        keep(toy(source), tmp_path / "kept")
    assert not list((tmp_path / "kept").rglob("*.npy"))
    assert not list((tmp_path / "kept").rglob("*.part"))


def test_of_two_at_once_one_decodes(tmp_path: Path, count: list[object]) -> None:
    """The other waits, and reads what the first has kept."""
    data = toy(files(tmp_path, [(9, 12)] * ROWS, 8))
    count.clear()
    with ThreadPoolExecutor(2) as pool:
        made = [future.result()[0] for future in [pool.submit(keep, data, tmp_path / "kept") for _ in range(2)]]
    assert len(count) == ROWS + 2
    equal(*made)
