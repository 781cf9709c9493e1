"""A table of one's own images is read as it is, and what is wrong with it is named with its row."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leakaudit.datasets import splits, table
from leakaudit.errors import InputError

Make = Callable[..., Path]
HEADER = "path,split,digit,sex,age\n"
ROWS = "a.png,train,3,f,20.5\nb.png,train,4,m,31\nc.png,test,3,,\nd.png,validation,,f,44\n"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a table with 6x4 images beside it, each of one grey level, and give its path."""

    def write(text: str = HEADER + ROWS, images: str = "abcd", encoding: str = "utf-8") -> Path:
        for number, name in enumerate(images):
            Image.new("RGB", (6, 4), (10 * number, 20, 30)).save(tmp_path / f"{name}.png")
        path = tmp_path / "faces.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


def test_cells_become_classes_or_numbers(make: Make, tmp_path: Path) -> None:
    """Words and whole numbers, blanks among them or not, are classes; a fraction makes numbers; a blank is missing."""
    data = table.load("all", tmp_path, file=str(make()))
    assert list(data.columns) == ["digit", "sex", "age"]
    digit, sex, age = (data.column(name) for name in data.columns)
    assert (digit.classes, list(digit.values)) == (("3", "4"), [0, 1, 0, -1])
    assert (sex.classes, list(sex.values)) == (("f", "m"), [0, 1, -1, 0])
    assert age.classes == ()
    np.testing.assert_array_equal(age.values, np.float32([20.5, 31, np.nan, 44]))


def test_numbers_are_sorted_as_numbers(make: Make, tmp_path: Path) -> None:
    """Class 9 comes before class 10."""
    data = table.load("test", tmp_path, file=str(make("path,year\na.png,10\nb.png,9\n")))
    assert data.column("year").classes == ("9", "10")


def test_a_column_without_any_label_has_none_known(make: Make, tmp_path: Path) -> None:
    """All blanks are all missing, not a class of their own."""
    data = table.load("test", tmp_path, file=str(make("path,digit,sex\na.png,1,\nb.png,2,\n")))
    assert not data.column("sex").known.any()
    assert data.column("digit").known.all()


def test_true_and_false_are_classes(make: Make, tmp_path: Path) -> None:
    """A column of true and false has two classes."""
    data = table.load("test", tmp_path, file=str(make("path,smile\na.png,True\nb.png,False\n")))
    assert data.column("smile").classes == ("False", "True")


def test_each_row_is_in_the_split_it_names(make: Make, tmp_path: Path) -> None:
    """Splits are the words of the split column; classes are those of the whole table in each of them."""
    file = str(make())
    found = {name: table.load(name, tmp_path, file=file) for name in ("train", "validation", "test", "all")}
    assert [len(data) for data in found.values()] == [2, 1, 1, 4]
    assert {data.column("sex").classes for data in found.values()} == {("f", "m")}
    assert set(splits(table, tmp_path, {"file": file})) == set(found)
    assert len({data.fingerprint for data in found.values()}) == 4


def test_without_a_split_column_all_rows_are_test(make: Make, tmp_path: Path) -> None:
    """Nothing is called training data that the user did not call so."""
    file = str(make("path,digit\na.png,1\nb.png,2\n"))
    assert len(table.load("test", tmp_path, file=file)) == 2
    assert splits(table, tmp_path, {"file": file}) == ("all", "test")
    with pytest.raises(InputError, match="no column split"):
        table.load("train", tmp_path, file=file)


def test_a_byte_order_mark_and_stray_spaces_are_no_part_of_names(make: Make, tmp_path: Path) -> None:
    """What a spreadsheet adds is not read as data."""
    data = table.load("test", tmp_path, file=str(make(" path , digit\n a.png , x \nb.png,x\n", encoding="utf-8-sig")))
    assert data.column("digit").classes == ("x",)


def test_parquet_is_read_like_csv(make: Make, tmp_path: Path) -> None:
    """The same table in both forms gives the same labels and images."""
    csv = make()
    parquet = tmp_path / "faces.parquet"
    pd.read_csv(csv).to_parquet(parquet)
    one, two = (table.load("all", tmp_path, file=str(path)) for path in (csv, parquet))
    assert {name: labels.classes for name, labels in one.columns.items()} == {
        name: labels.classes for name, labels in two.columns.items()
    }
    assert np.array_equal(one.ids, two.ids)


def test_images_are_decoded_when_they_are_asked_for(make: Make, tmp_path: Path) -> None:
    """A batch holds the files' own pixels as 8-bit RGB, in the order of the rows asked for."""
    data = table.load("all", tmp_path, file=str(make()))
    assert data.images.shape == (3, 4, 6)
    batch = data.images.batch(np.array([3, 0]))
    assert batch.dtype == np.uint8
    assert (batch[:, 0] == np.array([30, 0])[:, None, None]).all()
    assert (batch[:, 1] == 20).all()


def test_size_resizes_to_a_square(make: Make, tmp_path: Path) -> None:
    """Images of several sizes become one size; without `size` they are refused, with the knob named."""
    file = str(make())
    Image.new("L", (9, 9), 7).save(tmp_path / "b.png")
    data = table.load("all", tmp_path, file=file, size=5)
    assert data.images.shape == (3, 5, 5)
    assert (data.images.batch(np.array([1])) == 7).all()
    plain = table.load("all", tmp_path, file=file)
    with pytest.raises(InputError, match=r"row 2: .*b\.png has 9x9 pixels, the first image 4x6; the knob size"):
        plain.images.batch(np.arange(4))


def test_paths_are_relative_to_root_or_to_the_table(make: Make, tmp_path: Path) -> None:
    """Root comes first, then the table's own folder; the identity is the path as it is written."""
    file = str(make())
    beside = table.load("train", tmp_path / "elsewhere", file=file)
    root = tmp_path / "root"
    root.mkdir()
    Image.new("RGB", (6, 4), (99, 0, 0)).save(root / "a.png")
    below = table.load("train", root, file=file)
    assert below.images.batch(np.array([0]))[0, 0, 0, 0] == 99
    assert beside.images.batch(np.array([0]))[0, 0, 0, 0] == 0
    assert np.array_equal(beside.ids, below.ids)


def test_another_file_under_the_same_name_changes_the_fingerprint(make: Make, tmp_path: Path) -> None:
    """Images replaced on disk are not taken for those of an earlier extraction."""
    file = str(make())
    before = table.load("all", tmp_path, file=file).fingerprint
    assert table.load("all", tmp_path, file=file).fingerprint == before
    Image.effect_noise((6, 4), 50).save(tmp_path / "a.png")
    assert table.load("all", tmp_path, file=file).fingerprint != before


def test_a_path_must_stay_in_its_folder(make: Make, tmp_path: Path) -> None:
    """A relative path that climbs out is refused; one that only looks so is not."""
    with pytest.raises(InputError, match=r"row 2: x/\.\./\.\./a\.png leaves"):
        table.load("test", tmp_path, file=str(make("path,d\na.png,1\nx/../../a.png,2\n")))
    assert len(table.load("test", tmp_path, file=str(make("path,d\nx/../a.png,1\nb.png,2\n")))) == 2


def test_a_broken_image_is_named_with_its_row(make: Make, tmp_path: Path) -> None:
    """A missing file is found at once, a truncated or foreign one when it is decoded."""
    file = str(make())
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:45])
    (tmp_path / "c.png").write_text("not an image")
    data = table.load("all", tmp_path, file=file)
    for row in (1, 2):
        with pytest.raises(InputError, match=rf"faces\.csv: row {row + 1}: .*{'abcd'[row]}\.png does not decode"):
            data.images.batch(np.array([row]))
    (tmp_path / "d.png").unlink()
    with pytest.raises(InputError, match=r"row 4: no such image: .*d\.png"):
        table.load("all", tmp_path, file=file)


def test_skip_unreadable_drops_broken_images_and_says_so(make: Make, tmp_path: Path) -> None:
    """What is left out is counted in the notes; a table of broken images only is refused."""
    file = str(make())
    (tmp_path / "b.png").write_text("not an image")
    (tmp_path / "d.png").unlink()
    data = table.load("all", tmp_path, file=file, skip_unreadable=True)
    assert list(data.column("digit").values) == [0, 0]
    assert data.notes == ("2 of 4 images could not be read and were left out",)
    assert len(data.images.batch(np.arange(2))) == 2
    with pytest.raises(InputError, match="none of the 1 images"):
        table.load("validation", tmp_path, file=file, skip_unreadable=True)


def test_deep_images_are_refused_rather_than_clipped(make: Make, tmp_path: Path) -> None:
    """16 bits do not fit into 8."""
    file = str(make())
    Image.fromarray(np.full((4, 6), 40_000, dtype=np.uint16)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="more than 8 bits"):
        table.load("all", tmp_path, file=file).images.batch(np.array([1]))


def test_groups_come_from_a_column(make: Make, tmp_path: Path) -> None:
    """Rows of one person share a number; a row without one is a group of its own."""
    file = str(make("path,who,d\na.png,ann,1\nb.png,,1\nc.png,ann,2\nd.png,,2\n"))
    data = table.load("test", tmp_path, file=file, group="who")
    assert data.groups == "who"
    assert data.group is not None
    assert data.group[0] == data.group[2]
    assert len(np.unique(data.group)) == 3
    with pytest.raises(InputError, match=r"no group column 'woh'\. Did you mean 'who'"):
        table.load("test", tmp_path, file=file, group="woh")


@pytest.mark.parametrize(
    ("text", "knobs", "message"),
    [
        ("", {}, "not a table"),
        ("path,digit\n", {}, "no rows"),
        ("picture,digit\na.png,1\n", {}, "no image column"),
        ("path,digit\na.png,1\n", {"image": "pth"}, "Did you mean 'path'"),
        ("path,split\na.png,\nb.png,test\n", {}, "row 1 has no split"),
        ("path,split\na.png,trian\nb.png,tset\n", {}, "no rows in split 'test'. Did you mean 'tset'"),
        ("path,d\na.png,1\n,2\n", {}, "row 2 has no image path"),
        ("path,d\na.png,1\n", {"size": 0}, "size = 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    make: Make, tmp_path: Path, text: str, knobs: dict[str, object], message: str
) -> None:
    """An empty table, a column that is not there, a blank where there must be none."""
    with pytest.raises(InputError, match=message) as error:
        table.load("test", tmp_path, file=str(make(text)), **knobs)
    assert len(str(error.value).splitlines()) == 1


def test_a_missing_label_column_is_named_with_the_nearest(make: Make, tmp_path: Path) -> None:
    """A typing error in a label costs one look."""
    data = table.load("all", tmp_path, file=str(make()))
    with pytest.raises(InputError, match=r"no label 'sxe'\. Did you mean 'sex'"):
        data.column("sxe")


def test_real_chest_images_are_read_with_patients_as_groups(data_root: Path) -> None:
    """The 1,000 chest X-rays come with their own split column, labels and patients; `valid` is `validation`."""
    file = str(data_root / "nih64" / "labels.csv")
    found = {
        name: table.load(name, data_root, file=file, group="patient_id") for name in ("train", "validation", "test")
    }
    assert sum(map(len, found.values())) == 1000
    data = found["test"]
    assert data.column("sex").classes == ("F", "M")
    assert data.images.shape == (3, 64, 64)
    assert data.images.batch(np.arange(4)).std() > 0


def test_whole_numbers_are_numbers_where_the_column_is_named(make: Make, tmp_path: Path) -> None:
    """Ages learned as numbers, blanks missing; unnamed, each of them is a class; words and strangers are refused."""
    file = str(make("path,age,year,d\na.png,20,1990,x\nb.png,,1991,x\nc.png,35,1990,y\nd.png,20,1992,y\n"))
    data = table.load("test", tmp_path, file=file, numbers="age+year")
    np.testing.assert_array_equal(data.column("age").values, np.float32([20, np.nan, 35, 20]))
    assert data.column("age").classes == data.column("year").classes == ()
    assert table.load("test", tmp_path, file=file, numbers="year").column("age").classes == ("20", "35")
    for numbers, message in (
        ("aeg", "no column 'aeg' of numbers. Did you mean 'age'"),
        ("d", "column 'd' holds words"),
    ):
        with pytest.raises(InputError, match=message):
            table.load("test", tmp_path, file=file, numbers=numbers)


def test_table_and_images_may_lie_below_root(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe names neither by a path of one machine: both are found from anywhere; a table at hand comes first."""
    home = make().parent / "set" / "images"
    home.mkdir(parents=True)
    for name in ("a.png", "b.png", "c.png", "d.png", "faces.csv"):
        (tmp_path / name).rename((home.parent if name == "faces.csv" else home) / name)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    data = table.load("train", tmp_path, file="set/faces.csv", folder="images")
    assert data.images.batch(np.array([1]))[0, 0, 0, 0] == 10
    assert data.name == "table:file=set/faces.csv,folder=images"
    assert "train" in splits(table, tmp_path, {"file": "set/faces.csv", "folder": "images"})
    (elsewhere / "set").mkdir()
    (elsewhere / "set" / "faces.csv").write_text("path,split,d\na.png,train,1\n")
    assert len(table.load("train", tmp_path / "set" / "images", file="set/faces.csv")) == 1
    with pytest.raises(InputError, match=r"set/face\.csv: no such table, here or below .* \(--root"):
        table.load("train", tmp_path, file="set/face.csv")


def test_a_share_is_held_out_by_names(tmp_path: Path) -> None:
    """About the share, every row once, the same whatever other rows there are; rows of one group are in one split."""
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    lines = [f"./{'/' * row}a.png,{row % 40},{row % 3}" for row in range(400)]
    file, part = tmp_path / "all.csv", tmp_path / "part.csv"
    file.write_text("\n".join(["path,who,d", *lines]))
    part.write_text("\n".join(["path,who,d", *lines[100:]]))
    found = {name: table.load(name, tmp_path, file=str(file), group="who", held_out=0.3) for name in ("train", "test")}
    assert splits(table, tmp_path, {"file": str(file), "held_out": 0.3}) == ("all", "train", "test")
    train, test = (set(np.asarray(data.group)) for data in found.values())
    assert not train & test
    assert len(found["train"]) + len(found["test"]) == 400
    assert 0.1 < len(found["test"]) / 400 < 0.5
    fewer = table.load("test", tmp_path, file=str(part), group="who", held_out=0.3)
    assert set(np.asarray(fewer.group)) == test
    for share in (1.0, -0.1, float("nan")):
        with pytest.raises(InputError, match=f"held_out = {share}: a number from 0"):
            table.load("test", tmp_path, file=str(file), held_out=share)


def test_a_share_is_not_held_out_of_what_is_split_already(make: Make, tmp_path: Path) -> None:
    """The table's own column has the say, and that the knob has none is said."""
    with pytest.raises(InputError, match=r"a column split of its own; held_out = 0\.5"):
        table.load("test", tmp_path, file=str(make()), held_out=0.5)
