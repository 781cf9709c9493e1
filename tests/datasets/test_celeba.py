"""CelebA: three forms of one table, the papers' two subsets, and what rests on how few images."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawing import draw

from leakaudit.dataset import Dataset
from leakaudit.datasets import celeba
from leakaudit.errors import InputError

HEADER = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair "
    "Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks "
    "Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
)
ATTRIBUTES = HEADER.split()
SIZES = {0: (6, 8, 5, 1), 1: (3, 4, 5, 2), 2: (2, 2, 2, 2)}
"""By partition, images that are neither blond nor male, male, blond, both."""
N = sum(map(sum, SIZES.values()))
NAMES = [f"{number + 1:06}.jpg" for number in range(N)]
PARTITION = np.array([part for part, sizes in SIZES.items() for _ in range(sum(sizes))])
CELL = np.concatenate([np.repeat(np.arange(4), sizes) for sizes in SIZES.values()])
WHO = np.arange(N) // 2 + 7


def table() -> pd.DataFrame:
    """All attributes, -1 and 1, by image."""
    values = np.random.default_rng(0).choice([-1, 1], size=(N, len(ATTRIBUTES)))
    frame = pd.DataFrame(values, columns=ATTRIBUTES, index=NAMES)
    frame["Blond_Hair"], frame["Male"] = CELL // 2 * 2 - 1, CELL % 2 * 2 - 1
    return frame


def write(path: Path, text: str) -> None:
    """A file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def lines(values: np.ndarray) -> str:
    """A text file of the official kind: a name and a number in each line."""
    return "".join(f"{name} {value}\n" for name, value in zip(NAMES, values, strict=True))


def annotate(root: Path, folder: str = "celeba", anno: str = "", judged: str = "") -> None:
    """The official text files."""
    body = "".join(f"{name} " + " ".join(f"{value:2}" for value in row) + "\n" for name, *row in table().itertuples())
    write(root / folder / anno / "list_attr_celeba.txt", f"{N}\n{HEADER} \n{body}")
    write(root / folder / judged / "list_eval_partition.txt", lines(PARTITION))


def has(data: Dataset, name: str) -> np.ndarray:
    """Which images have an attribute, by the words of its classes."""
    labels = data.columns[name]
    return np.array(labels.classes)[labels.values] == "yes"  # noqa: PD011 - no pandas here


def make(root: Path, images: str = "celeba/img_align_celeba") -> None:
    """A few faces in the official layout, as its files are unpacked into one folder."""
    annotate(root)
    for number, name in enumerate(NAMES):
        draw(root / images / name, number, (11, 9))


def nested(root: Path) -> None:
    """The official folders, with identities."""
    make(root, "CelebA/Img/img_align_celeba")
    (root / "celeba").rename(root / "elsewhere")
    annotate(root, "CelebA", "Anno", "Eval")
    write(root / "CelebA" / "Anno" / "identity_CelebA.txt", lines(WHO))


def kaggle(root: Path) -> None:
    """The csv form on Kaggle."""
    make(root, "celeba/img_align_celeba/img_align_celeba")
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        (root / "celeba" / name).unlink()
    table().to_csv(root / "celeba" / "list_attr_celeba.csv", index_label="image_id")
    parts = pd.DataFrame({"image_id": NAMES, "partition": PARTITION}).iloc[::-1]
    parts.to_csv(root / "celeba" / "list_eval_partition.csv", index=False)


def packed(root: Path) -> None:
    """What the papers' authors packed: attributes apart by spaces, partitions by row."""
    make(root, "CelebA/img_align_celeba")
    (root / "celeba").rename(root / "elsewhere")
    table().to_csv(root / "CelebA" / "list_attr_celeba.csv", index_label="image", sep=" ")
    pd.DataFrame({"split": PARTITION}).to_csv(root / "CelebA" / "list_eval_partition.csv")


@pytest.mark.parametrize("form", [make, nested, kaggle, packed])
def test_every_form_gives_the_attributes_that_were_written(tmp_path: Path, form: Callable[[Path], None]) -> None:
    """Forty columns by their own names, yes where the table says 1, in the official partitions."""
    form(tmp_path)
    wanted = table()
    for part, split in enumerate(("train", "validation", "test")):
        data = celeba.load(split, tmp_path)
        here = np.flatnonzero(part == PARTITION)
        assert [Path(path).name for path in data.images.paths] == [NAMES[row] for row in here]
        assert list(data.columns) == ATTRIBUTES
        for name, labels in data.columns.items():
            assert labels.classes == ("no", "yes")
            assert np.array_equal(has(data, name), wanted[name].to_numpy()[here] == 1)
        assert data.images.batch(np.arange(2)).shape == (2, 3, 11, 9)
        assert data.images.shape == (3, 224, 224)


def test_zero_is_no_as_minus_one_is(tmp_path: Path) -> None:
    """Some copies of the csv hold 0 and 1."""
    kaggle(tmp_path)
    before = celeba.load("test", tmp_path).fingerprint
    table().replace(-1, 0).to_csv(tmp_path / "celeba" / "list_attr_celeba.csv", index_label="image_id")
    assert celeba.load("test", tmp_path).fingerprint == before


def test_who_is_shown_is_the_group_where_that_is_said(tmp_path: Path) -> None:
    """Identities come from their own file, and without it there are no groups."""
    nested(tmp_path)
    data = celeba.load("test", tmp_path)
    assert data.groups == "identity"
    assert data.group is not None
    assert data.group.tolist() == WHO[PARTITION == 2].tolist()
    (tmp_path / "CelebA" / "Anno" / "identity_CelebA.txt").unlink()
    assert celeba.load("test", tmp_path).group is None


def test_balanced_are_the_images_that_the_papers_draw(tmp_path: Path) -> None:
    """As many of each cell as the smallest has, by the same call of pandas with the same seed."""
    make(tmp_path)
    valid = table().replace(-1, 0)[PARTITION == 1]
    groups = [group.sample(2, random_state=42).index for _, group in valid.groupby(["Blond_Hair", "Male"])]
    data = celeba.load("balanced", tmp_path)
    assert {Path(path).name for path in data.images.paths} == {name for names in groups for name in names}
    other = celeba.load("balanced", tmp_path, seed=3)
    assert set(other.images.paths) != set(data.images.paths)
    assert len(other) == len(data) == 8


@pytest.mark.parametrize("goes", ["against", "along"])
def test_conflicting_are_those_that_go_against_training(tmp_path: Path, goes: str) -> None:
    """Blond men and women who are not blond; were the blond of the training partition men, it would be the others."""
    make(tmp_path)
    if goes == "along":
        path = tmp_path / "celeba" / "list_attr_celeba.txt"
        count, header, *body = path.read_text().splitlines()
        place = 1 + ATTRIBUTES.index("Blond_Hair")
        turned = [line.split() for line in body]
        for row, line in enumerate(turned):
            line[place] = str(-int(line[place])) if PARTITION[row] == 0 else line[place]
        path.write_text("\n".join([count, header, *(" ".join(line) for line in turned)]) + "\n")
    data = celeba.load("conflicting", tmp_path)
    assert np.array_equal(has(data, "Blond_Hair") == has(data, "Male"), np.full(4, goes == "against"))
    assert set(data.ids) < set(celeba.load("balanced", tmp_path).ids)


def test_the_notes_print_the_cells_and_say_on_how_few_images_it_rests(tmp_path: Path) -> None:
    """A reader of an audit on these splits sees all four cells; no other split has such a note."""
    make(tmp_path)
    cells, few = celeba.load("balanced", tmp_path).notes
    assert cells == (
        "the official validation partition holds: Blond_Hair no and Male no 3, Blond_Hair no and Male yes 4, "
        "Blond_Hair yes and Male no 5, Blond_Hair yes and Male yes 2; 2 of each were drawn with seed 42"
    )
    assert few.startswith("Blond_Hair yes and Male yes is only 2 images, so a figure of this split rests on 8 images")
    assert few.endswith("uncertain by 35 points (95 %)")
    _, against, few = celeba.load("conflicting", tmp_path).notes
    assert against.endswith("training partition: Blond_Hair no and Male no and Blond_Hair yes and Male yes")
    assert "rests on 4 images" in few
    assert celeba.load("test", tmp_path).notes == celeba.load("train", tmp_path).notes == ()


def test_the_published_makeup_test_rests_on_36_images(tmp_path: Path) -> None:
    """With the published counts of makeup and gender, nine of each cell are drawn, and a note says what that is."""
    counts = (3667, 8449, 7742, 9)
    rows = [f"{makeup} {male}" for makeup, male in ((-1, -1), (-1, 1), (1, -1), (1, 1))]
    body = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
    names = [f"{number:06}.jpg" for number in range(len(body) + 20)]
    both = [*body, *[rows[1], rows[2]] * 10]
    text = "".join(f"{name} {row}\n" for name, row in zip(names, both, strict=True))
    write(tmp_path / "celeba" / "list_attr_celeba.txt", f"{len(names)}\nHeavy_Makeup Male\n{text}")
    parts = "".join(f"{name} {int(place < len(body))}\n" for place, name in enumerate(names))
    write(tmp_path / "celeba" / "list_eval_partition.txt", parts)
    (tmp_path / "celeba" / "img_align_celeba").mkdir()
    listing = celeba.layout(tmp_path, target="Heavy_Makeup")
    cells, few = listing.notes["balanced"]
    assert "Heavy_Makeup yes and Male no 7742, Heavy_Makeup yes and Male yes 9; 9 of each" in cells
    assert few == (
        "Heavy_Makeup yes and Male yes is only 9 images, so a figure of this split rests on 36 images: an accuracy is "
        "uncertain by 16 points (95 %)"
    )
    assert (len(listing.splits["balanced"]), len(listing.splits["conflicting"])) == (36, 18)


def test_where_a_cell_is_empty_the_refusal_says_which(tmp_path: Path) -> None:
    """Nothing balances over a cell without images; the other splits stay."""
    make(tmp_path)
    path = tmp_path / "celeba" / "list_eval_partition.txt"
    path.write_text(lines(np.where((PARTITION == 1) & (CELL == 3), 0, PARTITION)))
    with pytest.raises(InputError, match=r"no rows in split 'balanced'.*Blond_Hair yes and Male yes is only 0"):
        celeba.load("balanced", tmp_path)
    assert celeba.splits(tmp_path) == ("train", "validation", "test")


def test_where_training_goes_neither_way_nothing_conflicts(tmp_path: Path) -> None:
    """Without an association in the training partition there is nothing to go against."""
    make(tmp_path)
    even = np.where(np.isin(np.arange(N), [np.flatnonzero(cell == CELL)[0] for cell in range(4)]), 0, 2)
    path = tmp_path / "celeba" / "list_eval_partition.txt"
    path.write_text(lines(np.where(PARTITION == 1, 1, even)))
    assert len(celeba.load("balanced", tmp_path)) == 8
    with pytest.raises(InputError, match=r"no rows in split 'conflicting'.*none, as the two are not associated there"):
        celeba.load("conflicting", tmp_path)


def test_the_knobs_change_only_the_two_splits(tmp_path: Path) -> None:
    """Another target balances over other cells; the official partitions are what they were."""
    make(tmp_path)
    data = celeba.load("balanced", tmp_path, target="Smiling", private="Young")
    pairs = 2 * has(data, "Smiling") + has(data, "Young")
    assert len(set(np.bincount(pairs, minlength=4).tolist())) == 1
    assert np.array_equal(celeba.load("test", tmp_path, target="Smiling").ids, celeba.load("test", tmp_path).ids)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"target": "Blonde_Hair"}, "target = 'Blonde_Hair': no such attribute. Did you mean 'Blond_Hair'?"),
        ({"private": "Female"}, "private = 'Female': no such attribute"),
        ({"target": "Male"}, "target and private are both 'Male'"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_knobs_that_say_nothing_are_refused(tmp_path: Path, knobs: dict[str, object], message: str) -> None:
    """One line, with the nearest attribute."""
    make(tmp_path)
    with pytest.raises(InputError) as error:
        celeba.load("test", tmp_path, **knobs)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def cut(text: str) -> str:
    """Without the last line, as a broken download is."""
    return text[: text.rstrip().rindex("\n") + 1]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("list_attr_celeba.txt", cut, f"its first line announces {N} images, {N - 1} follow"),
        ("list_attr_celeba.txt", lambda text: text.replace("000003.jpg", "000002.jpg"), "names 000002.jpg twice"),
        ("list_attr_celeba.txt", lambda text: re.sub("(3.jpg) +-?1", r"\1 2", text), "3.jpg: 5_o_Clock_Shadow is 2"),
        ("list_attr_celeba.txt", lambda text: text[:-4], "not a table that can be read"),
        ("list_attr_celeba.txt", lambda text: text.replace(" Young", ""), "not a table that can be read"),
        ("list_eval_partition.txt", cut, f"says nothing of {NAMES[-1]}"),
        ("list_eval_partition.txt", lambda text: text.replace("000004.jpg 0", "000004.jpg 3"), "partition 3"),
        ("list_eval_partition.txt", lambda text: text.replace("000004.jpg 0", "000004.jpg x"), "partition: "),
        ("list_eval_partition.txt", None, "lacks list_eval_partition.txt"),
        ("img_align_celeba", None, "lacks img_align_celeba/"),
    ],
)  # fmt: skip
def test_damaged_and_missing_files_are_refused(
    tmp_path: Path, name: str, change: Callable[[str], str] | None, message: str
) -> None:
    """One line that names the file and what is wrong with it."""
    make(tmp_path)
    path = tmp_path / "celeba" / name
    if change is None:
        path.rename(tmp_path / "gone")
    else:
        path.write_text(change(path.read_text()))
    with pytest.raises(InputError) as error:
        celeba.load("test", tmp_path)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert str(tmp_path / "celeba") in str(error.value)


def test_a_csv_without_its_columns_is_refused(tmp_path: Path) -> None:
    """The message names the column and those there are."""
    kaggle(tmp_path)
    for name, column in (("list_eval_partition.csv", "partition"), ("list_attr_celeba.csv", "image_id")):
        path = tmp_path / "celeba" / name
        path.write_text(path.read_text().replace(column, "something", 1))
        with pytest.raises(InputError, match=f"{name}: no column '{column}' or "):
            celeba.load("test", tmp_path)
    packed(tmp_path)
    path = tmp_path / "CelebA" / "list_eval_partition.csv"
    path.write_text(cut(path.read_text()))
    with pytest.raises(InputError, match=f"list_eval_partition.csv: {N - 1} rows, but there are {N} images"):
        celeba.load("test", tmp_path)
