"""CIFAR-10 in its three forms: records, pickles that are compared with their md5, pictures of a thousand."""

import hashlib
import pickle
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10

from leakaudit.datasets import cifar10, splits
from leakaudit.errors import InputError
from leakaudit.images import cifar

FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
FOLDER = "cifar10"


def drawn(number: int, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Labels and images of the file of this number."""
    random = np.random.default_rng(number)
    return random.integers(0, 10, count, dtype=np.uint8), random.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def make(root: Path, folder: str = FOLDER) -> None:
    """Two images in each of the six files of the binary version."""
    (root / folder).mkdir(parents=True)
    for number, name in enumerate(FILES):
        labels, images = drawn(number)
        table = np.concatenate([labels[:, None], images.reshape(len(labels), -1)], axis=1)
        (root / folder / name).write_bytes(table.tobytes())
    (root / folder / "batches.meta.txt").write_text("\n".join(cifar10.CLASSES) + "\n\n")


def pictures(folder: Path) -> np.ndarray:
    """Three pictures of four images, the last of test images, and labels of all as they are numbered."""
    folder.mkdir()
    random = np.random.default_rng(3)
    labels = random.integers(0, 10, 51_000, dtype=np.uint8)
    np.save(folder / "labels.npy", labels)
    for number in (0, 2, 50):
        Image.fromarray(drawn(number, 4)[1].transpose(0, 2, 3, 1).reshape(4, 1024, 3)).save(
            folder / f"cifar10_batch_{number}.png"
        )
    return labels


@pytest.mark.parametrize("folder", cifar10.FOLDERS[:3])
def test_each_record_is_a_label_and_its_pixels(tmp_path: Path, folder: str) -> None:
    """Training images stand in the order of the five files, red before green before blue, and keep their numbers."""
    make(tmp_path, folder)
    data = cifar10.load("train", tmp_path, held_out=0.0)
    labels, images = (np.concatenate(parts) for parts in zip(*map(drawn, range(5)), strict=True))
    assert data.column("class").values.tolist() == labels.tolist()
    assert np.array_equal(data.images.batch(np.arange(10)), images)
    assert np.array_equal(data.images.batch(np.array([9, 0, 9])), images[[9, 0, 9]])
    animal = data.column("animal")
    words = [cifar10.CLASSES[label] for label in labels]
    assert [animal.classes[code] for code in animal.values] == [
        "vehicle" if word in ("airplane", "automobile", "ship", "truck") else "animal" for word in words
    ]
    test = cifar10.load("test", tmp_path)
    assert test.column("class").values.tolist() == drawn(5)[0].tolist()
    assert data.notes == test.notes == ("only 10 of 50000 training images and 2 of 10000 test images are here",)


def test_a_share_of_the_training_images_is_held_out_by_their_numbers(tmp_path: Path) -> None:
    """About the share, each image once, the same in every form; the test images stay as they are."""
    pictures(tmp_path / FOLDER)
    make(tmp_path / "binary")
    whole = cifar10.load("train", tmp_path, held_out=0.0)
    held, rest = (cifar10.load(split, tmp_path, held_out=0.5) for split in ("validation", "train"))
    assert sorted([*held.ids, *rest.ids]) == sorted(whole.ids)
    assert 0 < len(held) < len(whole)
    assert splits(cifar10, tmp_path, {"held_out": 0.0}) == ("train", "test")
    binary = cifar10.load("train", tmp_path / "binary", held_out=0.0)
    assert set(binary.ids[:2]) == set(whole.ids[:2]), "the first two images, by whatever form"
    for share in (1.0, -0.1, float("nan")):
        with pytest.raises(InputError, match="held_out"):
            cifar10.load("train", tmp_path, held_out=share)


def test_pictures_hold_an_image_a_line(tmp_path: Path) -> None:
    """Picture b holds the images from 1000 b on; those from 50 on are test images."""
    labels = pictures(tmp_path / FOLDER)
    data = cifar10.load("train", tmp_path, held_out=0.0)
    assert data.column("class").values.tolist() == [*labels[:4], *labels[2000:2004]]
    assert np.array_equal(data.images.batch(np.arange(8)), np.concatenate([drawn(0, 4)[1], drawn(2, 4)[1]]))
    test = cifar10.load("test", tmp_path)
    assert test.column("class").values.tolist() == labels[50_000:50_004].tolist()
    assert np.array_equal(test.images.batch(np.arange(4)), drawn(50, 4)[1])


def test_size_is_what_a_network_gets(tmp_path: Path) -> None:
    """Images of an array too are brought to another size where one is asked for."""
    make(tmp_path)
    assert cifar10.load("test", tmp_path, size=64).images.shape == (3, 64, 64)
    assert cifar10.load("test", tmp_path).images.shape == (3, 32, 32)


class Trap:
    """What makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        """How it is unpickled."""
        return open, (self.path, "w")


def test_a_forged_pickle_is_refused_unopened(tmp_path: Path) -> None:
    """A file of another md5 is not unpickled; unpickled, it would have left its mark."""
    folder, mark = tmp_path / "cifar-10-batches-py", tmp_path / "mark"
    folder.mkdir()
    forged = pickle.dumps(Trap(str(mark)))
    for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list, ("batches.meta", "")]:
        (folder / name).write_bytes(forged)
    with pytest.raises(InputError, match="has not the official md5") as error:
        cifar10.load("train", tmp_path)
    assert len(str(error.value).splitlines()) == 1
    assert not mark.exists()
    pickle.loads(forged).close()  # noqa: S301 - its own making: what opening it would have done
    assert mark.exists()


def test_pickles_of_the_right_md5_are_read(tmp_path: Path) -> None:
    """Labels and pixels of the Python version, here of files whose md5 are known; one of another is refused."""

    class Small(CIFAR10):
        """The same, with other files."""

        train_list: ClassVar[list[list[str]]] = []
        test_list: ClassVar[list[list[str]]] = []
        meta: ClassVar[dict[str, str]] = dict(CIFAR10.meta)

    folder = tmp_path / "anywhere"
    folder.mkdir()
    for number, (name, list_) in enumerate([("data_batch_1", Small.train_list), ("test_batch", Small.test_list)]):
        labels, images = drawn(number)
        content = pickle.dumps({"data": images.reshape(len(images), -1), "labels": labels.tolist()})
        (folder / name).write_bytes(content)
        list_.append([name, hashlib.md5(content, usedforsecurity=False).hexdigest()])
    content = pickle.dumps({"label_names": list(cifar10.CLASSES)})
    (folder / "batches.meta").write_bytes(content)
    Small.meta["md5"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    for number, train in enumerate([True, False]):
        labels, images = cifar.pickled(folder, Small, train=train)
        assert labels.tolist() == drawn(number)[0].tolist()
        assert np.array_equal(images, drawn(number)[1])
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match="test_batch"):
        cifar.pickled(folder, Small, train=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_3.bin", None, r"no data_batch_3\.bin\. There are: data_batch_1\.bin"),
        ("data_batch_3.bin", b"x" * 3000, r"data_batch_3\.bin: truncated, or not CIFAR's: 3000 bytes"),
        ("test_batch.bin", b"", r"test_batch\.bin: truncated"),
        ("data_batch_1.bin", b"\x0a" + b"x" * 3072, r"data_batch_1\.bin: image 1 has label 10: 0 to 9 expected"),
        ("batches.meta.txt", b"cat\ndog\n", r"batches\.meta\.txt: names other classes than airplane"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    """Missing, truncated, of other labels or of other classes."""
    make(tmp_path)
    if content is None:
        (tmp_path / FOLDER / name).unlink()
    else:
        (tmp_path / FOLDER / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        cifar10.load("test", tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_a_wrong_picture_is_named_in_one_line(tmp_path: Path) -> None:
    """Without labels, with too few, of another width, or broken."""
    labels = pictures(tmp_path / FOLDER)
    broken = tmp_path / FOLDER / "cifar10_batch_2.png"
    whole = broken.read_bytes()
    for content, message in ((whole[:60], r"batch_2\.png does not decode"), (None, "9 pixels wide: 1024 expected")):
        if content is None:
            Image.new("RGB", (9, 4)).save(broken)
        else:
            broken.write_bytes(content)
        with pytest.raises(InputError, match=message):
            cifar10.load("train", tmp_path)
    broken.write_bytes(whole)
    np.save(tmp_path / FOLDER / "labels.npy", labels[:2001])
    with pytest.raises(InputError, match=r"no labels for the 4 images of cifar10_batch_2\.png"):
        cifar10.load("train", tmp_path)
    np.save(tmp_path / FOLDER / "labels.npy", labels / 2)
    with pytest.raises(InputError, match=r"labels\.npy: 1 dimensions of float64"):
        cifar10.load("train", tmp_path)
    (tmp_path / FOLDER / "labels.npy").write_bytes(pickle.dumps([1]))
    with pytest.raises(InputError, match=r"labels\.npy: not an array"):
        cifar10.load("train", tmp_path)
    (tmp_path / FOLDER / "labels.npy").unlink()
    with pytest.raises(InputError, match=r"labels\.npy is missing"):
        cifar10.load("train", tmp_path)


def test_the_real_labels_belong_to_the_pixels(data_root: Path) -> None:
    """The first images are the known frog, trucks and cat, and a linear reading of colours tells animals held out."""
    train, test = (cifar10.load(split, data_root, held_out=0.0) for split in ("train", "test"))
    assert [cifar10.CLASSES[code] for code in train.column("class").values[:3]] == ["frog", "truck", "truck"]
    assert [cifar10.CLASSES[code] for code in test.column("class").values[:3]] == ["cat", "ship", "ship"]

    def seen(data: object) -> tuple[np.ndarray, np.ndarray]:
        images = data.images.batch(np.arange(len(data))).astype(np.float64) / 255  # type: ignore[attr-defined]
        small = images.reshape(-1, 3, 8, 4, 8, 4).mean(axis=(3, 5)).reshape(len(images), -1)
        return np.c_[small, np.ones(len(small))], data.column("animal").values * 2.0 - 1  # type: ignore[attr-defined]

    (x, y), (held, truth) = seen(train), seen(test)
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ y)
    right = float((np.sign(held @ weights) == truth).mean())
    shuffled = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ np.random.default_rng(0).permutation(y))
    assert right > 0.75
    assert float((np.sign(held @ shuffled) == truth).mean()) < 0.65
