"""CIFAR-100: two label bytes in a record, and pickles that are compared with their md5."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR100

from leakaudit.datasets import cifar100
from leakaudit.errors import InputError

FINE = {"train.bin": [19, 29, 0, 11, 1, 86, 99, 51], "test.bin": [49, 33, 72]}
WORDS = {
    19: ("cattle", "large_omnivores_and_herbivores"),
    29: ("dinosaur", "reptiles"),
    0: ("apple", "fruit_and_vegetables"),
    49: ("mountain", "large_natural_outdoor_scenes"),
    33: ("forest", "large_natural_outdoor_scenes"),
    72: ("seal", "aquatic_mammals"),
    99: ("worm", "non-insect_invertebrates"),
}
COARSE = """
4 1 14 8 0 6 7 7 18 3 3 14 9 18 7 11 3 9 7 11 6 11 5 10 7 6 13 15 3 15 0 11 1 10 12 14 16 9 11 5 5 19 8 8 15 13 14 17 18
10 16 4 17 4 2 0 17 4 18 17 10 3 2 12 12 16 12 1 9 19 2 10 0 1 16 12 9 13 15 13 16 19 2 4 6 19 5 5 8 19 18 1 2 15 6 0
17 8 14 13
"""
"""The coarse label of each fine label, as the official files have them."""


def pixels(number: int, count: int) -> np.ndarray:
    """Images of a file."""
    return np.random.default_rng(number).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def make(root: Path) -> None:
    """The two files of the binary version, and the names."""
    folder = root / "cifar100"
    folder.mkdir(parents=True)
    of = [int(word) for word in COARSE.split()]
    for number, (name, fine) in enumerate(FINE.items()):
        labels = np.array([(of[code], code) for code in fine], dtype=np.uint8)
        images = pixels(number, len(fine)).reshape(len(fine), -1)
        (folder / name).write_bytes(np.concatenate([labels, images], axis=1).tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join(cifar100.CLASSES) + "\n")
    (folder / "coarse_label_names.txt").write_text("\n".join(cifar100.COARSE) + "\n")


def test_classes_and_superclasses_are_the_official_ones() -> None:
    """A hundred classes by the alphabet, five in each of twenty superclasses, in the official order."""
    assert len(cifar100.CLASSES) == 100
    assert cifar100.coarse().tolist() == [int(word) for word in COARSE.split()]
    assert np.bincount(cifar100.coarse()).tolist() == [5] * 20
    for code, (fine, coarse) in WORDS.items():
        assert cifar100.CLASSES[code] == fine
        assert cifar100.COARSE[cifar100.coarse()[code]] == coarse


def test_each_record_is_two_labels_and_its_pixels(tmp_path: Path) -> None:
    """The second byte is the class, the first the superclass."""
    make(tmp_path)
    for number, (split, codes) in enumerate(zip(("train", "test"), FINE.values(), strict=True)):
        data = cifar100.load(split, tmp_path, held_out=0.0)
        assert data.column("class").values.tolist() == codes
        assert np.array_equal(data.images.batch(np.arange(len(data))), pixels(number, len(codes)))
        column = data.column("superclass")
        for row, code in enumerate(codes):
            if code in WORDS:
                assert column.classes[column.values[row]] == WORDS[code][1]
        assert data.notes == ("only 8 of 50000 train images and 3 of 10000 test images are here",)


def test_labels_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """An apple is no fish; a label that is none, a file cut short and other names are named too."""
    make(tmp_path)
    path = tmp_path / "cifar100" / "test.bin"
    good = path.read_bytes()
    names = tmp_path / "cifar100" / "coarse_label_names.txt"
    for content, message in (
        (b"\x01\x00" + good[2:], "test.bin: image 1 is of class apple, but said to be of fish"),
        (b"\x01\x64" + good[2:], "test.bin: image 1 has label 100: 0 to 99 expected"),
        (good[:-1], "test.bin: truncated"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as error:
            cifar100.load("train", tmp_path)
        assert len(str(error.value).splitlines()) == 1
    path.write_bytes(good)
    assert len(cifar100.load("test", tmp_path)) == 3
    names.write_text("fish\nflowers\n")
    with pytest.raises(InputError, match="names other classes"):
        cifar100.load("test", tmp_path)
    with pytest.raises(InputError, match="held_out = 1"):
        cifar100.load("test", tmp_path, held_out=1.0)


def test_a_forged_pickle_is_refused(tmp_path: Path) -> None:
    """The Python version is opened only where its md5 are the official ones."""
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, _ in [*CIFAR100.train_list, *CIFAR100.test_list, ("meta", "")]:
        (folder / name).write_bytes(pickle.dumps({"data": pixels(0, 1), "fine_labels": [1]}))
    with pytest.raises(InputError, match="train, test and meta one is missing or has not the official md5"):
        cifar100.load("train", tmp_path)
