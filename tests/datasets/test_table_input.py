"""A table as spreadsheets and other machines leave it is read for what it says, or refused in one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tabled import HEADER, ROWS, write

from leakaudit.datasets import _columns, splits, table
from leakaudit.errors import InputError


def refused(tmp_path: Path, text: str, split: str = "test", **knobs: object) -> str:
    """The one line with which a table is refused."""
    with pytest.raises(InputError) as error:
        table.load(split, tmp_path / "root", file=write(tmp_path, text), **knobs)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value).removeprefix(str(tmp_path) + "/")


@pytest.mark.parametrize("cut", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["faces.csv", "faces.tsv", "FACES.CSV"])
def test_what_separates_cells_is_read_from_the_table(tmp_path: Path, cut: str, name: str) -> None:
    """Commas, semicolons, tabs and bars, whatever the file is called, with a byte-order mark or without."""
    plain = table.load("all", tmp_path, file=write(tmp_path / "plain"))
    text = (HEADER + ROWS).replace(",", cut)
    for number, encoding in enumerate(("utf-8", "utf-8-sig")):
        file = write(tmp_path / f"{number}", text, name=name, encoding=encoding)
        data = table.load("all", tmp_path, file=file)
        assert list(data.columns) == ["digit", "sex", "age"]
        for label, found in data.columns.items():
            assert found.classes == plain.columns[label].classes
            np.testing.assert_array_equal(found.values, plain.columns[label].values)


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("path\na.png\nb.png\n", ","),
        ('path,note\na.png,"x; y; z"\nb.png,"w; v"\n', ","),
        ('"path";"note"\n"a.png";"one, two"\n"b.png";"three"\n', ";"),
        ("path;note\na.png;one, two, three\nb.png;it's; so\n", ";"),
        ("path\tnote\na.png\tone, two; three\nb.png\tfour\n", "\t"),
        ("path,sex\na.png,f\nb.png,m\n", ","),
        ("", ","),
    ],
)
def test_what_stands_inside_a_cell_separates_none(text: str, separator: str) -> None:
    """The other signs may stand in words, quoted or not; a table of one column has none."""
    assert _columns.separator(text, ",") == separator


def test_between_semicolons_a_comma_is_the_decimal_point(tmp_path: Path) -> None:
    """Where every cell of a column is such a number; words with commas stay words."""
    file = write(tmp_path, "path;score;note\na.png;20,5;1,5 m\nb.png;;x\nc.png;-3;y\n")
    data = table.load("test", tmp_path, file=file)
    np.testing.assert_array_equal(data.column("score").values, np.float32([20.5, np.nan, -3]))
    assert data.column("note").classes == ("1,5 m", "x", "y")


def test_words_stay_the_words_they_are(tmp_path: Path) -> None:
    """Yes and no, true and false as they are written; spaces around them, a file called 007 and long numbers."""
    rows = ["007,True , yes,20170116215618294", "008,False,no ,20170116215618295", "009,,\u00a0yes,20170116215618294"]
    file = write(tmp_path, "\n".join(["path, smile ,glasses,stamp", *rows]), images="")
    for name in ("007", "008", "009"):
        (tmp_path / name).write_bytes((Path(write(tmp_path / "other")).parent / "a.png").read_bytes())
    data = table.load("test", tmp_path, file=file, group="stamp")
    assert data.column("smile").classes == ("False", "True")
    smile = data.column("smile")
    assert list(smile.values) == [1, 0, -1]
    assert data.column("glasses").classes == ("no", "yes")
    assert data.column("stamp").classes == ("20170116215618294", "20170116215618295")
    assert data.group is not None
    assert data.group[0] == data.group[2] != data.group[1]


def test_numbers_too_long_for_a_float_are_words(tmp_path: Path) -> None:
    """Two identifiers of thirty digits are two, and not one rounded."""
    long = "9" * 30
    data = table.load("test", tmp_path, file=write(tmp_path, f"path,who\na.png,{long}\nb.png,{long[:-1]}8\n"))
    assert data.column("who").classes == (f"{long[:-1]}8", long)


def test_labels_of_parquet_keep_their_kinds(tmp_path: Path) -> None:
    """Booleans, categories, gaps among whole numbers, numbers, words with spaces: any number of columns."""
    write(tmp_path)
    frame = pd.DataFrame(
        {
            "path": ["a.png", "b.png", "c.png"],
            "smile": pd.array([True, None, False], dtype="boolean"),
            "race": pd.Categorical(["b", "a", None]),
            "year": pd.array([10, 9, None], dtype="Int64"),
            "score": [0.5, np.nan, 1.0],
            "word": [" x", "x ", None],
            "stamp": np.array([2**64 - 1, 2**64 - 2, 1], np.uint64),
        }
    )
    frame.to_parquet(tmp_path / "faces.parquet")
    data = table.load("test", tmp_path, file=str(tmp_path / "faces.parquet"))
    found = {name: (labels.classes, list(labels.values)) for name, labels in data.columns.items()}
    assert found["smile"] == (("False", "True"), [1, -1, 0])
    assert found["race"] == (("a", "b"), [1, 0, -1])
    assert found["year"] == (("9", "10"), [1, 0, -1])
    np.testing.assert_array_equal(data.column("score").values, np.float32([0.5, np.nan, 1]))
    assert found["word"] == (("x",), [0, 0, -1])
    assert found["stamp"] == (("1", str(2**64 - 2), str(2**64 - 1)), [2, 1, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,sex, sex\na.png,f,m\n", "two columns are called 'sex'"),
        ("path,sex\na.png,f,x\nb.png,m,y\n", "rows have more cells than the header's 2 names"),
        ("path,sex\na.png,f\nb.png,m,y\n", "not a table that can be read: .*line 3"),
        ("path,age\na.png,1\nb.png,inf\n", "column 'age' holds a number that is not finite"),
        ("path,d\nhttps://a.org/a.png,1\n", "row 1: https://a.org/a.png is an address: a file of this machine"),
        ("path,d\na.png,1\nC:\\pics\\a.png,1\n", r"row 2: C:\\pics\\a.png is a path of another machine"),
        (f"path,d\n{'a' * 5000}.png,1\n", "row 1: no such image"),
        ('path,d\na.png,x\nb.png,"y\nc.png,x\nd.png,z"\n', "row 2: the cell of 'd' holds a line break: a stray quote"),
        ('path,"d\na.png,1\nb.png,2"\nc.png,3\n', "the header: the cell of 'd a.png,1 b.png,2' holds a line break"),
        ("path,d\na.png,1\n\n\n,2\n", "row 2 has no image path"),
        ("path,d\n..\\a.png,1\n", r"row 1: ../a.png leaves the folder"),
        ("path,d\na.png,1\nx/../../b.png,1\n", r"row 2: x/\.\./\.\./b\.png leaves the folder"),
    ],
)
def test_what_cannot_be_told_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A column of one name twice, cells without a name, a number without an end, a path that is none of this folder."""
    assert pd.Series([refused(tmp_path, text)]).str.contains(rf"faces\.csv: {message}").all()


def test_a_quoted_cell_of_one_line_is_read(tmp_path: Path) -> None:
    """Commas and doubled quotes inside it belong to it."""
    data = table.load("test", tmp_path, file=write(tmp_path, 'path,d\na.png,"x, ""y"""\nb.png,z\n'))
    assert data.column("d").classes == ('x, "y"', "z")


def test_a_column_without_a_name_is_none(tmp_path: Path) -> None:
    """The row numbers that a data frame writes, and what a last separator adds."""
    data = table.load("test", tmp_path, file=write(tmp_path, ",path,sex,\n0,a.png,f,\n1,b.png,m,\n"))
    assert list(data.columns) == ["sex"]


def test_one_image_in_several_rows_is_allowed_where_its_labels_agree(tmp_path: Path) -> None:
    """By whatever spelling of the path; a missing label contradicts none; the count is a note, and ids are one."""
    data = table.load("test", tmp_path, file=write(tmp_path, "path,sex\na.png,f\nb.png,m\nx/../a.png,\n./a.png,f\n"))
    assert len(data) == 4
    assert len(set(data.ids)) == 2
    assert data.notes == ("2 rows name an image that an earlier row names, too",)
    assert table.load("test", tmp_path, file=write(tmp_path, "path,sex\na.png,f\nb.png,m\n")).notes == ()


def test_one_image_with_two_labels_is_refused(tmp_path: Path) -> None:
    """Both rows, the image and the label are named."""
    said = refused(tmp_path, "path,sex,age\na.png,f,1\nb.png,m,2\na.png,f,3\nb.png,f,2\n")
    assert said == "faces.csv: rows 2 and 4 name one image, b.png, and differ in 'sex'"


def test_one_image_in_train_and_test_is_refused_unless_allowed(tmp_path: Path) -> None:
    """Whatever the splits are called: no two that a table names are to share one."""
    text = "path,split,sex\na.png,train,f\nb.png,val,m\na.png,test,f\n"
    said = refused(tmp_path, text)
    assert said.startswith("faces.csv: rows 1 and 3, in train and test, name one image, a.png; shared_groups=allow")
    data = table.load("test", tmp_path, file=write(tmp_path, text), shared_groups="allow")
    assert data.notes == ("1 row names an image that an earlier row names, too; 1 in another split",)
    said = refused(tmp_path, text.replace("val", "spare").replace("train", "fold 1"))
    assert said.startswith("faces.csv: rows 1 and 3, in fold 1 and test, name one image, a.png")
    other = write(tmp_path, "path,split,sex\na.png,fold 1,f\nb.png,val,m\na.png,fold 1,f\n")
    assert table.load("fold 1", tmp_path, file=other).notes == ("1 row names an image that an earlier row names, too",)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("Train", "Val", "TEST"), ("training", "dev", "testing"), ("TRAINING", "Valid", "Testing ")],
)
def test_splits_are_known_by_their_usual_spellings(tmp_path: Path, train: str, validation: str, test: str) -> None:
    """In whatever case; what they are to share nothing of is theirs, too."""
    text = f"path,who,split\na.png,ann,{train}\nb.png,bob,{validation}\nc.png,cy,{test}\n"
    file = write(tmp_path, text)
    assert splits(table, tmp_path, {"file": file}) == ("train", "validation", "test", "all")
    for split, who in (("train", "ann"), ("validation", "bob"), ("test", "cy")):
        found = table.load(split, tmp_path, file=file, group="who").column("who")
        assert list(found.values) == [found.classes.index(who)]
    assert "'who' are in more than one of train, validation and test: ann" in refused(
        tmp_path, text.replace("cy", "ann"), group="who"
    )
    assert "in train and test, name one image, a.png" in refused(tmp_path, text.replace("c.png,cy", "a.png,ann"))
    fewer = text.replace(test, "fold 2").replace("cy", "bob")
    assert "in more than one of train, validation and fold 2: bob" in refused(tmp_path, fewer, "train", group="who")


def test_groups_in_two_splits_are_refused_unless_allowed(tmp_path: Path) -> None:
    """Three of them are named and the rest counted; allowed, a note counts them all."""
    who = ["ann", "bob", "cy", "dee", "eve", ""]
    rows = [f"{name},{split},{i % 2}" for split in ("train", "valid", "test") for i, name in enumerate(who)]
    rows = [row for row in rows if "eve" not in row or "test" in row]
    names = [f"{number}.png" for number in range(len(rows))]
    text = "\n".join(["path,who,split,d", *(f"{name},{row}" for name, row in zip(names, rows, strict=True))])
    write(tmp_path)
    for name in names:
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes())
    said = refused(tmp_path, text, group="who")
    assert said == (
        "faces.csv: rows of one 'who' are in more than one of train, validation and test: ann, bob, cy and 1 more; "
        "shared_groups=allow goes on, and says so in the audit"
    )
    data = table.load("test", tmp_path, file=write(tmp_path, text), group="who", shared_groups="allow")
    assert data.notes == ("4 groups (who) have rows in more than one of train, validation and test",)
    assert len(table.load("test", tmp_path, file=write(tmp_path, text))) == 6
