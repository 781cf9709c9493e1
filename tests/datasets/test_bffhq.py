"""bFFHQ: age and gender in the names of files, and a published test in which one follows from the other."""

from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import bffhq
from leakaudit.errors import InputError

FILES = [
    "0.5pct/align/0/11_0_0.png", "0.5pct/align/0/12_0_0.png", "0.5pct/align/1/13_1_1.png",
    "0.5pct/conflict/0/14_0_1.png", "2pct/align/1/13_1_1.png", "2pct/conflict/1/15_1_0.png",
    "valid/21_0_0.png", "valid/22_1_0.png",
    "test/31_0_0.png", "test/32_0_1.png", "test/33_1_0.png", "test/34_1_1.png",
]  # fmt: skip


def make(root: Path, folder: str = "bffhq") -> None:
    """Twelve faces."""
    for number, name in enumerate(FILES):
        draw(root / folder / name, number, (16, 16))


def told(root: Path, split: str, **knobs: float) -> dict[str, tuple[str, str]]:
    """Age and gender of each file of a split."""
    data = bffhq.load(split, root, **knobs)
    age, gender = data.column("age"), data.column("gender")
    return {
        Path(path).name: (age.classes[age.values[row]], gender.classes[gender.values[row]])
        for row, path in enumerate(data.images.paths)
    }


def test_the_last_two_numbers_of_a_name_are_age_and_gender(tmp_path: Path) -> None:
    """Aligned faces are young women and old men."""
    make(tmp_path)
    young, old = ("young", "female"), ("old", "male")
    assert told(tmp_path, "train") == {
        "11_0_0.png": young, "12_0_0.png": young, "13_1_1.png": old, "14_0_1.png": ("young", "male")
    }  # fmt: skip
    assert told(tmp_path, "validation") == {"21_0_0.png": young, "22_1_0.png": ("old", "female")}
    assert set(told(tmp_path, "test")) == {"31_0_0.png", "32_0_1.png", "33_1_0.png", "34_1_1.png"}
    assert bffhq.load("test", tmp_path).images.shape == (3, 224, 224)


def test_the_published_test_is_of_conflicting_faces_alone(tmp_path: Path) -> None:
    """Those of unequal codes, and a note says that gender follows from age there."""
    make(tmp_path)
    assert told(tmp_path, "conflict") == {"32_0_1.png": ("young", "male"), "33_1_0.png": ("old", "female")}
    assert "gender follows from age" in bffhq.load("conflict", tmp_path).notes[0]
    assert bffhq.load("test", tmp_path).notes[0].startswith("2 of 4 test images are bias-conflicting; these are the")


def test_share_is_the_folder_of_training_images(tmp_path: Path) -> None:
    """In per cent; where it is not there, those that are there are named. One face is one, in whatever share."""
    make(tmp_path)
    assert set(told(tmp_path, "train", share=2.0)) == {"13_1_1.png", "15_1_0.png"}
    both = [bffhq.load("train", tmp_path, share=share) for share in (0.5, 2.0)]
    assert len(np.intersect1d(both[0].ids, both[1].ids)) == 1
    assert (both[0].name, both[1].name) == ("bffhq", "bffhq:share=2.0")
    with pytest.raises(InputError, match=r"share = 5: no folder .*5pct\. Shares there are: 0\.5, 2"):
        bffhq.load("train", tmp_path, share=5.0)


def test_validation_may_lie_with_its_share(tmp_path: Path) -> None:
    """Re-packs keep `valid` in the folder of the share; a folder of the set within the set is found."""
    make(tmp_path, "bffhq/bffhq")
    (tmp_path / "bffhq/bffhq/valid").rename(tmp_path / "bffhq/bffhq/0.5pct/valid")
    assert set(told(tmp_path, "validation")) == {"21_0_0.png", "22_1_0.png"}


def test_a_name_of_another_form_is_left_out_and_one_of_another_code_is_refused(tmp_path: Path) -> None:
    """The first is counted in a note, the second named in one line."""
    make(tmp_path)
    (tmp_path / "bffhq/valid/Thumbs.db").write_text("")
    assert bffhq.load("validation", tmp_path).notes == ("1 files do not say target and bias, and were left out",)
    draw(tmp_path / "bffhq/test/40_2_0.png", 1)
    with pytest.raises(InputError, match=r"40_2_0\.png: a target below 2 and a bias below 2 expected") as error:
        bffhq.load("train", tmp_path)
    assert len(str(error.value).splitlines()) == 1
