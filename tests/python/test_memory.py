"""Rows and images in memory: however a program holds them, they are the same embeddings and the same data set."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from leakaudit import embeddings
from leakaudit.errors import InputError
from leakaudit.python import memory
from leakaudit.subject import Terms

TERMS = Terms(store=Path("nowhere"), root=Path("nowhere"))


def held(given, **labels):
    """The embeddings that these become."""
    columns = memory.columns(labels, "labels")
    return memory.held(given, columns, "rows", TERMS).embeddings


def ways(rows):
    """The same rows, as programs hold them."""
    frame = pd.DataFrame({"gender": rows.gender, "hair": rows.hair, "id": rows.id})
    wide = pd.DataFrame(rows.z, columns=[f"z{k}" for k in range(4)]).join(frame)
    return {
        "labels": held(rows.z.astype(np.float64), gender=rows.gender, hair=rows.hair, id=rows.id),
        "columns": held({"z": rows.z, "gender": frame["gender"].astype("category")}, hair=frame["hair"], id=rows.id),
        "objects": held(
            rows.z, gender=rows.gender.astype(object), hair=tuple(rows.hair), id=frame["id"].astype("Int64")
        ),
        "tensors": held(
            torch.tensor(rows.z, requires_grad=True), gender=rows.gender, hair=torch.tensor(rows.hair), id=rows.id
        ),
        "lists": held({name: part.tolist() for name, part in rows.columns().items()}),
        "table": held(wide),
        "arrow": held(pa.Table.from_pandas(wide)),
    }


def test_every_way_to_hand_rows_over_is_one(rows):
    """Arrays, tensors, lists and data frames of the same numbers and labels are the same embeddings, identities too."""
    found = ways(rows)
    one = found["labels"]
    for name, other in found.items():
        assert np.array_equal(one.z, other.z), name
        assert np.array_equal(one.ids, other.ids), name
        assert {label: part.classes for label, part in other.columns.items()} == {
            "gender": ("f", "m"),
            "hair": ("0", "1", "2"),
        }, name
        assert all(np.array_equal(one.columns[label].values, part.values) for label, part in other.columns.items())
        assert other.origin.fingerprint == one.origin.fingerprint, name


def test_they_are_what_a_file_holds(rows, tmp_path):
    """A file of the same arrays gives the same rows, labels and identities; without named images its own."""
    np.savez(tmp_path / "z.npz", **rows.columns())
    file, here = embeddings.read(tmp_path / "z.npz"), held(rows.columns())
    assert np.array_equal(file.z, here.z)
    assert np.array_equal(file.ids, here.ids)
    assert file.origin.fingerprint == here.origin.fingerprint
    unnamed = held(rows.z, gender=rows.gender)
    assert not np.isin(unnamed.ids, here.ids).any()
    assert np.array_equal(unnamed.ids, held(torch.from_numpy(rows.z), gender=rows.gender.tolist()).ids)


def test_missing_labels_are_missing_whatever_marks_them(rows):
    """None, NaN, the empty text and -1 are no class; a column of each kind lacks just that row."""
    text, number = [None, *rows.gender[1:].tolist()], [np.nan, *(rows.gender[1:] == "f").astype(float)]
    kinds = {
        "none": text,
        "empty": ["", *text[1:]],
        "series": pd.Series(text),
        "category": pd.Series(text, dtype="category"),
        "nan": np.array(number),
        "minus one": np.array([-1, *(rows.gender[1:] == "f")]),
        "nullable": pd.Series([None, *(rows.gender[1:] == "f").tolist()], dtype="boolean"),
        "whole": pd.Series([None, *(rows.gender[1:] == "f").astype(int).tolist()], dtype="Int64"),
        "half": torch.tensor(number, dtype=torch.bfloat16),
    }
    for name, labels in kinds.items():
        part = held(rows.z, gender=labels).column("gender")
        assert len(part.classes) == 2, name
        assert part.known.tolist() == [False] + [True] * (len(rows.z) - 1), name


@pytest.mark.parametrize("labels", [[1, "f"] * 100, [object()] * 200, [{}] * 200, 7, [[1], [1, 2]]])
def test_what_is_no_column_is_refused(rows, labels):
    """Objects, and text among numbers, are guessed at by nobody."""
    with pytest.raises(
        InputError, match=r"of one kind|of different lengths|neither text nor numbers|z has 200|is no column"
    ):
        held(rows.z, gender=labels)


def test_neither_frame_nor_mapping_is_refused():
    """What holds no columns is told from what does."""
    with pytest.raises(InputError, match="a mapping or a data frame expected, int found"):
        memory.columns(7, "labels")
    with pytest.raises(InputError, match="'a' is given twice"):
        memory.merged("labels", {"a": np.zeros(1)}, {"a": np.zeros(1)})
