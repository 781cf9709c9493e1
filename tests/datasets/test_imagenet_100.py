"""ImageNet-100: the parts of the re-pack with their names, or ImageNet with a list."""

import json
from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import imagenet_100
from leakaudit.errors import InputError

WORDS = {
    "n01558993": "robin, American robin, Turdus migratorius",
    "n02012849": "crane",
    "n03126707": "crane",
    "n02869837": "bonnet, poke bonnet",
}
FILES = [
    "train.X1/n01558993/n01558993_1.JPEG", "train.X1/n01558993/n01558993_2.JPEG", "train.X2/n02012849/n02012849_1.JPEG",
    "train.X3/n03126707/n03126707_1.JPEG", "train.X4/n02869837/n02869837_1.JPEG", "train.X4/n02869837/n02869837_2.JPEG",
    "val.X/n01558993/ILSVRC2012_val_00000001.JPEG", "val.X/n02012849/ILSVRC2012_val_00000002.JPEG",
    "val.X/n03126707/ILSVRC2012_val_00000003.JPEG", "val.X/n02869837/ILSVRC2012_val_00000004.JPEG",
]  # fmt: skip


def make(root: Path) -> None:
    """Ten photographs in five parts, and their names."""
    for number, name in enumerate(FILES):
        draw(root / "imagenet-100" / name, number, (24, 20))
    (root / "imagenet-100" / "Labels.json").write_text(json.dumps(WORDS))


def whole(root: Path, synsets: list[str]) -> Path:
    """An ImageNet of some synsets, one image in each of both parts."""
    for number, synset in enumerate(synsets):
        draw(root / "imagenet" / "train" / synset / f"{synset}_1.JPEG", number, (4, 4))
        draw(root / "imagenet" / "val" / synset / f"ILSVRC2012_val_{number:08d}.JPEG", number, (4, 4))
    return root / "imagenet"


def told(root: Path, split: str) -> dict[str, str]:
    """The class of each file."""
    data = imagenet_100.load(split, root, held_out=0.0)
    label = data.column("class")
    return {Path(path).name: label.classes[label.values[row]] for row, path in enumerate(data.images.paths)}


def test_the_parts_of_the_repack_are_one_training_set(tmp_path: Path) -> None:
    """Classes in the order of their synsets, by the first of their names; two of one name keep the synset too."""
    make(tmp_path)
    names = {
        "n01558993": "robin", "n02012849": "crane (n02012849)", "n02869837": "bonnet", "n03126707": "crane (n03126707)"
    }  # fmt: skip
    data = imagenet_100.load("train", tmp_path)
    assert data.column("class").classes == tuple(names.values())
    assert data.column("synset").classes == tuple(names)
    assert data.notes == ("only 4 of the 100 classes are here",)
    assert told(tmp_path, "train") == {Path(name).name: names[name.split("/")[1]] for name in FILES[:6]}
    assert told(tmp_path, "test") == {Path(name).name: names[name.split("/")[1]] for name in FILES[6:]}


def test_a_list_chooses_among_the_folders_of_imagenet(tmp_path: Path) -> None:
    """Without one, more folders than a hundred are no ImageNet-100."""
    synsets = [f"n{number:08d}" for number in range(101)]
    home = whole(tmp_path, synsets)
    with pytest.raises(InputError, match=r"has 101 classes: put imagenet100\.txt"):
        imagenet_100.load("train", tmp_path)
    (home / "imagenet100.txt").write_text("\n".join(reversed(synsets[:100])) + "\n")
    for split in ("train", "test"):
        data = imagenet_100.load(split, tmp_path, held_out=0.0)
        assert data.column("class").classes == tuple(synsets[:100])
        assert data.column("class").values.tolist() == list(range(100))
        assert data.column("synset").values.tolist() == list(range(100))
        assert data.notes == ()


def test_folders_are_the_classes_where_nothing_else_says_so(tmp_path: Path) -> None:
    """Without a list and names; a share is held out by the hash of names."""
    whole(tmp_path, [f"n{number:08d}" for number in range(40)])
    assert len(imagenet_100.load("test", tmp_path).column("class").classes) == 40
    parts = [imagenet_100.load(split, tmp_path, held_out=0.4) for split in ("train", "validation")]
    assert all(map(len, parts))
    every = imagenet_100.load("train", tmp_path, held_out=0.0)
    assert np.array_equal(np.sort(np.concatenate([part.ids for part in parts])), np.sort(every.ids))
    with pytest.raises(InputError, match="held_out = 2"):
        imagenet_100.load("train", tmp_path, held_out=2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"Labels\.json: not JSON"),
        ("[1]", "a table from synset to words"),
        ('{"n1": ""}', "words"),
        ('{"n1": "\xe9"}', r"Labels\.json: not UTF-8: byte 9 is 0xe9"),
    ],
)
def test_names_that_are_none_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """Labels.json is a table from synset to words."""
    make(tmp_path)
    (tmp_path / "imagenet-100" / "Labels.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message) as error:
        imagenet_100.load("test", tmp_path)
    assert len(str(error.value).splitlines()) == 1
    (tmp_path / "imagenet-100" / "Imagenet100.txt").write_bytes(b"n01558993\n\xff\n")
    (tmp_path / "imagenet-100" / "Labels.json").unlink()
    with pytest.raises(InputError, match=r"Imagenet100\.txt: not UTF-8: byte 11 is 0xff"):
        imagenet_100.load("test", tmp_path)
