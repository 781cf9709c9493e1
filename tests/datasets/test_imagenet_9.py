"""Nine-class ImageNet: 42 synsets of nine classes, and clusters of texture from the table of its authors."""

from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import imagenet_9
from leakaudit.errors import InputError
from leakaudit.images.synsets import CLASS_OF, NINE

RANGES = {
    "dog": (151, 207, 234, 235, 254), "cat": range(281, 286), "frog": range(30, 33), "turtle": range(33, 38),
    "bird": (89, 90, 94, 96, 97), "monkey": (372, 373, 374, 375, 378), "fish": range(393, 398),
    "crab": range(118, 122), "insect": range(306, 311),
}  # fmt: skip
"""Places of the synsets among ImageNet's 1000, by their authors."""
TRAIN = [
    ("n02085620", 10),
    ("n02085620", 11),
    ("n01641577", 12),
    ("n02219486", 13),
    ("n02123045", 14),
    ("n01978287", 15),
]
VAL = [("n02085620", 293), ("n01641577", 1652), ("n01641577", 3748), ("n02655020", 77)]
TABLE = """path,category,cluster1,cluster2,cluster3
n01641577/ILSVRC2012_val_00001652.JPEG,frog,1,5,3
n02085620/ILSVRC2012_val_00000293.JPEG,dog,0,8,4
"""


def make(root: Path, val: str = "val") -> None:
    """Ten photographs of the nine classes, two of other synsets, and the table."""
    home = root / "imagenet-9"
    for number, (synset, name) in enumerate([*TRAIN, ("n01440764", 1)]):
        draw(home / "train" / synset / f"{synset}_{name}.JPEG", number, (20, 24))
    for number, (synset, name) in enumerate([*VAL, ("n03000684", 2)]):
        draw(home / val / synset / f"ILSVRC2012_val_{name:08d}.JPEG", 50 + number, (24, 20))
    (home / "9class_imagenet_val.csv").write_text(TABLE)


def told(root: Path, split: str, *columns: str) -> dict[str, tuple[str, ...]]:
    """The labels of each file, "" where one is missing."""
    data = imagenet_9.load(split, root, held_out=0.0)
    labels = [data.column(name) for name in columns]
    return {
        Path(path).name: tuple((*each.classes, "")[each.values[row]] for each in labels)
        for row, path in enumerate(data.images.paths)
    }


def test_the_42_synsets_are_those_at_their_authors_places() -> None:
    """ImageNet's order is that of the synsets, so that a class holds the synsets at the places its authors name."""
    info = pytest.importorskip("timm.data").ImageNetInfo()
    order = info.label_names()
    assert order == sorted(order)
    assert {name: tuple(order[place] for place in places) for name, places in RANGES.items()} == NINE
    assert len(CLASS_OF) == 42


def test_a_folder_says_the_class(tmp_path: Path) -> None:
    """Of nine, and the synset; folders of other synsets are none of this set."""
    make(tmp_path)
    assert told(tmp_path, "train", "class", "synset") == {
        f"{synset}_{name}.JPEG": (CLASS_OF[synset], synset) for synset, name in TRAIN
    }
    assert told(tmp_path, "test", "class") == {
        "ILSVRC2012_val_00000293.JPEG": ("dog",), "ILSVRC2012_val_00001652.JPEG": ("frog",),
        "ILSVRC2012_val_00003748.JPEG": ("frog",), "ILSVRC2012_val_00000077.JPEG": ("fish",),
    }  # fmt: skip
    assert imagenet_9.load("test", tmp_path).notes[0] == "only 6 of the 42 synsets are here"


def test_clusters_are_those_of_the_table_and_missing_elsewhere(tmp_path: Path) -> None:
    """By the image's path; training images and images that the table does not name have none, and a note says so."""
    make(tmp_path)
    names = ("cluster1", "cluster2", "cluster3")
    found = told(tmp_path, "test", *names)
    assert found["ILSVRC2012_val_00001652.JPEG"] == ("1", "5", "3")
    assert found["ILSVRC2012_val_00000293.JPEG"] == ("0", "8", "4")
    assert found["ILSVRC2012_val_00003748.JPEG"] == ("", "", "")
    assert set(told(tmp_path, "train", *names).values()) == {("", "", "")}
    note = "9class_imagenet_val.csv does not name 2 of 4 test images: clusters are missing"
    assert note in imagenet_9.load("test", tmp_path).notes
    table = tmp_path / "imagenet-9" / "9class_imagenet_val.csv"
    table.write_text(TABLE + "n02655020/ILSVRC2012_val_00000001.JPEG,fish,1,1,1\n")
    assert "1 images that 9class_imagenet_val.csv names are not here" in imagenet_9.load("test", tmp_path).notes
    table.unlink()
    data = imagenet_9.load("test", tmp_path)
    assert "9class_imagenet_val.csv is not here: clusters are missing" in data.notes
    assert not data.column("cluster1").known.any()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.replace("frog", "fish"), r"row 1: n01641577/\S+ is said to be a fish, which its synset is not"),
        (TABLE.replace("0,8,4", "0,9,4"), "row 2: clusters .*: three numbers from 0 to 8 expected"),
        (TABLE.replace("cluster3", "cluster4"), "no column 'cluster3'"),
        (TABLE.replace("frog", "gr\xfcn"), r"9class_imagenet_val\.csv: not a table that can be read: 'utf-8"),
        (TABLE.replace("path", '"path'), "not a table that can be read: "),
        (TABLE.replace("path", '"path') + 'x"\n', r"no column 'path'\. There are: path,category,.{1,99}$"),
    ],
)
def test_a_table_that_contradicts_is_refused_in_one_line(tmp_path: Path, table: str, message: str) -> None:
    """Another class, a cluster that is none, a column that is not there, another encoding, a lone quote."""
    make(tmp_path)
    (tmp_path / "imagenet-9" / "9class_imagenet_val.csv").write_bytes(table.encode("latin-1"))
    with pytest.raises(InputError, match=message) as error:
        imagenet_9.load("test", tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_validation_images_in_one_folder_are_refused(tmp_path: Path) -> None:
    """As the archive has them: without class folders there is no class."""
    make(tmp_path, "elsewhere")
    draw(tmp_path / "imagenet-9" / "val" / "ILSVRC2012_val_00000001.JPEG", 1)
    with pytest.raises(InputError, match=r"no class folders n######## in \S+val\. ImageNet"):
        imagenet_9.load("test", tmp_path)
    (tmp_path / "imagenet-9" / "elsewhere").rename(tmp_path / "imagenet-9" / "validation")
    assert len(imagenet_9.load("test", tmp_path)) == 4


def test_a_share_of_the_training_images_is_held_out(tmp_path: Path) -> None:
    """By the hash of their names, each once; other files are counted."""
    make(tmp_path)
    (tmp_path / "imagenet-9" / "train" / "n02085620" / "list.txt").write_text("")
    parts = [imagenet_9.load(split, tmp_path, held_out=0.5) for split in ("train", "validation")]
    whole = imagenet_9.load("train", tmp_path, held_out=0.0)
    assert np.array_equal(np.sort(np.concatenate([part.ids for part in parts])), np.sort(whole.ids))
    assert "1 files are no images by their names, and were left out" in whole.notes
    with pytest.raises(InputError, match="held_out = -1"):
        imagenet_9.load("train", tmp_path, held_out=-1.0)
