"""Embeddings keep rows, labels and groups together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit import embeddings
from leakaudit.dataset import Labels, identify
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.errors import InputError

ORIGIN = Origin("made up", "file", "", "", "", "")


def some(rows: int = 6) -> Embeddings:
    """A few rows with two columns."""
    return Embeddings(
        z=np.arange(2 * rows, dtype=np.float32).reshape(rows, 2),
        logits=np.ones((rows, 3), np.float32),
        columns={
            "person": Labels(np.array([0, 1, 0, -1, -1, 1][:rows]), ("ann", "bob")),
            "age": Labels(np.array([1.5, np.nan, 1.5, 2.5, np.nan, 3.5][:rows], dtype=np.float32)),
        },
        ids=identify("made up", np.arange(rows)),
        origin=ORIGIN,
    )


def test_rows_are_taken_together() -> None:
    """Taking rows takes vectors, outputs, labels, identities and groups alike."""
    rows = np.array([4, 0])
    found = some().grouped("person").take(rows)
    np.testing.assert_array_equal(found.z, some().z[rows])
    np.testing.assert_array_equal(found.ids, some().ids[rows])
    np.testing.assert_array_equal(found.column("person").values, [-1, 0])
    assert found.group is not None
    assert len(found.group) == len(found) == 2


@pytest.mark.parametrize("name", ["person", "age"])
def test_rows_of_one_label_are_one_group(name: str) -> None:
    """Rows share a group exactly when they share a label; a row without one is alone."""
    found = some().grouped(name)
    labels = found.column(name)
    assert found.group is not None
    for i in range(6):
        for j in range(6):
            alike = i == j or bool(labels.known[i] and labels.known[j] and labels.values[i] == labels.values[j])
            assert (found.group[i] == found.group[j]) == alike
    assert found.groups == name


def test_an_unknown_label_is_named_with_the_nearest() -> None:
    """A label that is not there is refused, with the one that was probably meant."""
    with pytest.raises(InputError, match="Did you mean 'person'"):
        some().column("persons")


def test_a_label_that_was_left_out_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Of a stranger's file, and of a data set whose notes came along; other notes are not repeated."""
    z = np.arange(12, dtype=np.float32).reshape(6, 2)
    np.savez(tmp_path / "z.npz", z=z, person=np.zeros((6, 2)), age=np.arange(6))
    with pytest.raises(
        InputError, match=r"no label 'person'\. There are: age\. Note: array person of shape \[6, 2\] is"
    ):
        embeddings.read(tmp_path / "z.npz").column("person")
    left = "columns that hold no label were left out: box, train_sex"
    noted = replace(some(), notes=("the sex of nobody is known", left))
    for name in ("box", "sex"):
        with pytest.raises(InputError, match=rf"^made up: no label '{name}'\. .*age, person\. Note: {left}$"):
            noted.column(name)
    for name in ("bo", "columns", "known"):
        with pytest.raises(InputError, match=r"There are: age, person\.$"):
            noted.column(name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    """NaN or infinity in z or logits is named with its first row; finite embeddings pass."""
    assert some().check() is not None
    for name in ("z", "logits"):
        found = some()
        getattr(found, name)[3, 1] = value
        with pytest.raises(InputError, match=f"{name} is not finite .* in 1 of 6 rows, first in row 3"):
            found.check()


def test_the_hash_is_of_the_numbers() -> None:
    """One changed number changes the hash; the same numbers do not."""
    changed = some()
    changed.z[0, 0] += 1
    assert some().sha256 == some().sha256 != changed.sha256


def test_a_folder_without_embeddings_is_said(tmp_path: Path) -> None:
    """A folder that holds no manifest can be corrected."""
    with pytest.raises(InputError, match="no finished embeddings"):
        embeddings.read(tmp_path)
