"""Corrupted CIFAR-10: PNG files named by class and corruption, and the generator's own arrays."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import corrupted_cifar10, splits
from leakaudit.errors import InputError

FILES = [
    "0.5pct/align/0/0_0_0.png", "0.5pct/align/9/1_9_9.png", "0.5pct/conflict/3/2_3_7.png", "0.5pct/valid/2/0_2_2.png",
    "5pct/align/1/0_1_1.png", "5pct/conflict/0/4_0_6.png", "5pct/valid/2/1_2_2.png",
    "test/0/0_0_5.png", "test/8/1_8_1.png",
]  # fmt: skip
MADE = "CorruptedCIFAR10-Type1-Skewed0.01-Severity2"


def make(root: Path) -> None:
    """Nine files."""
    for number, name in enumerate(FILES):
        draw(root / "cifar10c" / name, number, (32, 32))


def generated(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and codes of both parts, as the generator saves them, and names that are not to be unpickled."""
    found = {}
    for number, part in enumerate(("train", "valid")):
        random = np.random.default_rng(number)
        images = random.integers(0, 256, (6 - number, 32, 32, 3), dtype=np.uint8)
        codes = random.integers(0, 10, (6 - number, 2), dtype=np.uint8)
        (folder / MADE / part).mkdir(parents=True)
        np.save(folder / MADE / part / "images.npy", images)
        np.save(folder / MADE / part / "attrs.npy", codes)
        found[part] = images, codes
    (folder / MADE / "attr_names.pkl").write_bytes(b"no pickle at all")
    return found


def words(data: object) -> list[tuple[str, str]]:
    """Class and corruption of each row."""
    label, corruption = (data.column(name) for name in ("class", "corruption"))  # type: ignore[attr-defined]
    codes = zip(label.values, corruption.values, strict=True)
    return [(label.classes[one], corruption.classes[two]) for one, two in codes]


def test_the_last_two_numbers_of_a_name_are_class_and_corruption(tmp_path: Path) -> None:
    """A corruption is called by the class that has it in aligned images; with the same test images for every share."""
    make(tmp_path)
    assert words(corrupted_cifar10.load("train", tmp_path)) == [
        ("airplane", "airplane's"),
        ("truck", "truck's"),
        ("cat", "horse's"),
    ]
    assert words(corrupted_cifar10.load("train", tmp_path, share=5.0)) == [
        ("automobile", "automobile's"),
        ("airplane", "frog's"),
    ]
    assert words(corrupted_cifar10.load("validation", tmp_path)) == [("bird", "bird's")]
    test = [corrupted_cifar10.load("test", tmp_path, share=share) for share in (0.5, 5.0)]
    assert words(test[0]) == words(test[1]) == [("airplane", "dog's"), ("ship", "automobile's")]
    assert test[0].ids.tolist() == test[1].ids.tolist()
    assert test[0].images.shape == (3, 32, 32)
    with pytest.raises(InputError, match=r"share = 1: no folder .*1pct\. Shares there are: 0\.5, 5"):
        corrupted_cifar10.load("train", tmp_path, share=1.0)


def test_kind_names_the_corruptions(tmp_path: Path) -> None:
    """In the order of the generator's protocols."""
    make(tmp_path)
    assert words(corrupted_cifar10.load("train", tmp_path, kind=0)) == [
        ("airplane", "snow"),
        ("truck", "saturate"),
        ("cat", "jpeg"),
    ]
    assert words(corrupted_cifar10.load("test", tmp_path, kind=1))[1] == ("ship", "shot noise")


@pytest.mark.parametrize("place", ["cifar10c", "."])
def test_the_arrays_of_the_generator_are_read(tmp_path: Path, place: str) -> None:
    """Its `valid` is `test`; share, kind and severity choose the folder, and its pickle stays closed."""
    parts = generated(tmp_path / place)
    knobs = {"share": 1.0, "kind": 1, "severity": 2}
    assert splits(corrupted_cifar10, tmp_path, knobs) == ("train", "test")
    for split, (images, codes) in zip(("train", "test"), parts.values(), strict=True):
        data = corrupted_cifar10.load(split, tmp_path, **knobs)
        assert np.array_equal(data.images.batch(np.arange(len(data))), images.transpose(0, 3, 1, 2))
        assert words(data) == [
            (corrupted_cifar10.CLASSES[one], corrupted_cifar10.KINDS[1][two]) for one, two in codes.tolist()
        ]
    with pytest.raises(InputError, match=rf"Skewed0\.005-Severity4\. There are: {MADE}"):
        corrupted_cifar10.load("train", tmp_path)


def test_damaged_arrays_are_refused_in_one_line(tmp_path: Path) -> None:
    """Of another shape, truncated, missing, of another code, or of objects, which would have to be unpickled."""
    images, codes = generated(tmp_path / "cifar10c")["valid"]
    folder = tmp_path / "cifar10c" / MADE / "valid"
    whole = (folder / "images.npy").read_bytes()
    for name, content, message in (
        ("images.npy", images[:, :, :, 0], r"images \(5, 32, 32\) of uint8 .*are not \(n, 32, 32, 3\)"),
        ("images.npy", whole[:-9], "cannot be read"),
        ("images.npy", None, "cannot be read"),
        ("attrs.npy", codes[:-1], r"attrs \(4, 2\)"),
        ("attrs.npy", codes + 200, r"attrs\.npy: image 1 has label 2\d\d: 0 to 9 expected"),
        ("attrs.npy", pickle.dumps([1, 2]), "cannot be read"),
    ):
        if isinstance(content, np.ndarray):
            np.save(folder / name, content)
        elif content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
        with pytest.raises(InputError, match=message) as error:
            corrupted_cifar10.load("test", tmp_path, share=1.0, kind=1, severity=2)
        assert len(str(error.value).splitlines()) == 1
        np.save(folder / "images.npy", images)
        np.save(folder / "attrs.npy", codes)
    assert len(corrupted_cifar10.load("test", tmp_path, share=1.0, kind=1, severity=2)) == 5
