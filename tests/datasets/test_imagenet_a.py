"""ImageNet-A: folders of synsets, of which some belong to the nine classes."""

from pathlib import Path

import pytest
from drawing import draw

from leakaudit.datasets import imagenet_a
from leakaudit.images.synsets import CLASS_OF

FILES = [("n01498041", "stingray"), ("n01641577", "American bullfrog"), ("n01641577", "American bullfrog")]
FILES += [("n02085620", "Chihuahua"), ("n02190166", "fly"), ("n01820546", "lorikeet"), ("n02655020", "pufferfish")]
FILES += [("n01819313", "sulphur-crested cockatoo"), ("n02486410", "baboon"), ("n07768694", "pomegranate")]


def make(root: Path, folder: str = "imagenet-a") -> None:
    """Ten photographs and the list of names."""
    for number, (synset, _) in enumerate(FILES):
        draw(root / folder / synset / f"0.00{number}_sea lion _ tree_0.9.jpg", number, (30, 24))
    lines = [f"{synset} {name}" for synset, name in sorted({*FILES, ("n01531178", "goldfinch")})]
    (root / folder / "README.txt").write_text("A list of the 200 classes:\n\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize("folder", imagenet_a.FOLDERS)
def test_a_folder_says_the_synset_and_some_a_class(tmp_path: Path, folder: str) -> None:
    """The class is missing for a synset of none of the nine; names are those of the list beside the folders."""
    make(tmp_path, folder)
    data = imagenet_a.load("test", tmp_path)
    label, synset = data.column("class"), data.column("synset")
    found = {
        Path(path).name: ((*label.classes, "")[label.values[row]], synset.classes[synset.values[row]])
        for row, path in enumerate(data.images.paths)
    }
    assert found == {
        f"0.00{number}_sea lion _ tree_0.9.jpg": (CLASS_OF.get(each, ""), name)
        for number, (each, name) in enumerate(FILES)
    }
    assert data.notes == ("only 9 of the 200 synsets are here",)
    assert imagenet_a.splits(tmp_path) == ("test",)


def test_nine_keeps_those_of_the_nine_classes(tmp_path: Path) -> None:
    """What those who trained on nine classes test on."""
    make(tmp_path)
    data = imagenet_a.load("test", tmp_path, nine=True)
    assert len(data) == 8
    assert data.column("class").known.all()
    assert not imagenet_a.load("test", tmp_path).column("class").known.all()


def test_without_the_list_synsets_are_their_own_names(tmp_path: Path) -> None:
    """And files that are no images are counted."""
    make(tmp_path)
    (tmp_path / "imagenet-a" / "README.txt").unlink()
    (tmp_path / "imagenet-a" / "n01498041" / "Thumbs.db").write_text("")
    data = imagenet_a.load("test", tmp_path)
    assert data.column("synset").classes == tuple(sorted({synset for synset, _ in FILES}))
    assert data.notes[0] == "1 files are no images by their names, and were left out"
