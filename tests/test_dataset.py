"""A data set is what its fingerprint says, and its rows stay together."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit import catalog
from leakaudit.dataset import Dataset, Images, Labels, Pixels, hashes, identify, spell
from leakaudit.errors import InputError


@pytest.fixture
def data() -> Dataset:
    """Six rows with a label of each kind and groups."""
    values = np.arange(6 * 3 * 2 * 2, dtype=np.uint8).reshape(6, 3, 2, 2)
    columns = {
        "digit": Labels(np.array([0, 1, 2, 0, -1, 2]), ("a", "b", "c")),
        "age": Labels(np.array([1, 2, np.nan, 4, 5, 6], dtype=np.float32)),
    }
    return Dataset(
        "toy", "test", Pixels(values), columns, identify("toy", np.arange(6)), (0.5,) * 3, (0.5,) * 3, np.arange(6) // 2
    )


def test_missing_labels_are_known_to_be_missing(data: Dataset) -> None:
    """-1 among classes and NaN among numbers."""
    assert data.column("digit").known.tolist() == [True] * 4 + [False, True]
    assert data.column("age").known.tolist() == [True, True, False, True, True, True]


def test_rows_taken_bring_all_that_belongs_to_them(data: Dataset) -> None:
    """Images, labels, ids and groups move together, twice as well as once."""
    rows = np.array([4, 1, 3])
    part = data.take(rows).take(np.array([2, 0]))
    expected = rows[[2, 0]]
    assert isinstance(part.images, Images)
    assert np.array_equal(part.images.batch(np.arange(2)), data.images.batch(expected))
    assert np.array_equal(part.ids, data.ids[expected])
    assert part.group is not None
    assert data.group is not None
    assert np.array_equal(part.group, data.group[expected])
    for name, labels in data.columns.items():
        np.testing.assert_array_equal(part.column(name).values, labels.take(expected).values)


def test_a_sample_is_seeded_and_without_repetition(data: Dataset) -> None:
    """Drawn rows keep their order; asking for more than there are gives all."""
    one, again = data.sample(4, 0), data.sample(4, 0)
    assert np.array_equal(one.ids, again.ids)
    assert len(np.unique(one.ids)) == 4
    places = [list(data.ids).index(identity) for identity in one.ids]
    assert places == sorted(places)
    assert data.sample(6, 0) is data


def test_any_change_changes_the_fingerprint(data: Dataset) -> None:
    """Name, split, labels, ids, groups, normalisation, shape and stamp all count; equal data sets have equal ones."""
    assert data.fingerprint == replace(data).fingerprint
    digit = data.column("digit")
    changes = [
        replace(data, name="other"),
        replace(data, split="train"),
        replace(data, mean=(0.4,) * 3),
        replace(data, std=(0.4,) * 3),
        replace(data, stamp="x"),
        replace(data, group=None),
        replace(data, ids=data.ids[::-1]),
        replace(data, columns={**data.columns, "digit": Labels(digit.values[::-1].copy(), digit.classes)}),
        replace(data, columns={"digit": digit}),
        replace(data, images=Pixels(np.zeros((6, 3, 2, 3), dtype=np.uint8))),
    ]
    prints = {data.fingerprint, *(change.fingerprint for change in changes)}
    assert len(prints) == len(changes) + 1


def test_identities_depend_on_source_and_name_alone() -> None:
    """The same image of the same source has the same id; another name or source has another."""
    one, two = identify("a", ["x", "y"])
    assert one == identify("a", ["x"])[0]
    assert len({one, two, identify("b", ["x"])[0]}) == 3
    assert len(np.unique(identify("mnist", np.arange(70_000)))) == 70_000


def test_an_unknown_label_is_named_with_the_nearest(data: Dataset) -> None:
    """A typing error costs one look."""
    with pytest.raises(InputError, match=r"toy: no label 'digti'\. Did you mean 'digit'\? There are: age, digit"):
        data.column("digti")


def test_what_is_spelled_is_what_is_parsed() -> None:
    """The name of a data set is its call: parsing it gives the knobs that are not at their defaults."""
    from leakaudit.datasets import digits

    name = spell("digits", digits.load, rho=0.95, test_rho=0.1, seed=3)
    assert catalog.parse(name, "--data") == catalog.Call("digits", {"rho": 0.95, "seed": 3})


def test_names_of_files_that_are_not_utf8_are_names(data: Dataset) -> None:
    """Their bytes are told apart; those that are UTF-8 keep the identity that they had; what is typed must be UTF-8."""
    names = [os.fsdecode(name) for name in (b"\xe9.png", b"\xe8.png", "é.png".encode())]
    ids = identify("toy", names)
    assert len(set(ids.tolist())) == 3
    assert ids[2] == hashes(["toy/é.png".encode()])[0]

    def load(split: str, root: Path, *, file: str = "") -> Dataset:
        del split, root, file
        return data

    assert spell("toy", load, file=names[2]) == "toy:file=é.png"
    with pytest.raises(InputError, match=r"^toy:file=\\udce9.png: a name that is not UTF-8"):
        spell("toy", load, file=names[0])
