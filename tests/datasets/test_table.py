"""A table of one's own images is read as it is, and what is wrong with it is named with its row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leakaudit.datasets import splits, table
from leakaudit.errors import InputError

Make = Callable[..., Path]


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


def test_a_share_is_held_out_by_names(tmp_path: Path) -> None:
    """About the share, every row once, the same whatever other rows there are; rows of one group are in one split."""
    for row in range(400):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{row}.png")
    lines = [f"{row}.png,{row % 40},{row % 3}" for row in range(400)]
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


def test_rows_without_a_group_are_dealt_each_by_its_name(tmp_path: Path) -> None:
    """Not all together; and an image that is spelled in two ways is in one split."""
    for row in range(60):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{row}.png")
    lines = [f"{'./' * (row // 60)}{row % 60}.png,,{row % 3}" for row in range(120)]
    (tmp_path / "all.csv").write_text("\n".join(["path,who,d", *lines]))
    for group in ("who", None):
        knobs: dict[str, Any] = {"file": str(tmp_path / "all.csv"), "group": group, "held_out": 0.5}
        train, test = (table.load(split, tmp_path, **knobs) for split in ("train", "test"))
        assert len(train) + len(test) == 120
        assert min(len(train), len(test)) > 30
        assert not set(train.ids) & set(test.ids)


def test_a_share_is_not_held_out_of_what_is_split_already(make: Make, tmp_path: Path) -> None:
    """The table's own column has the say, and that the knob has none is said."""
    with pytest.raises(InputError, match=r"a column split of its own; held_out = 0\.5"):
        table.load("test", tmp_path, file=str(make()), held_out=0.5)
