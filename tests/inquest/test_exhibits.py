"""Rows that stay together: of one group, of one source, of the same numbers; and when they count as one."""

from dataclasses import replace

import numpy as np
import pytest

from leakaudit.dataset import identify
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.inquest.exhibits import copies, reordered, together

RNG = np.random.default_rng(0)
ROWS = np.arange(400)
LABELS = RNG.integers(0, 2, (3, 400))
MADE = Embeddings(
    RNG.standard_normal((400, 6)).astype(np.float32),
    None,
    {},
    identify("made", np.arange(400)),
    Origin("made", "file", "0" * 64, "", "test", "exhibits"),
)


def test_views_of_one_source_stay_together() -> None:
    """Rows of the same id are of one image, however their numbers differ, and count as one with it."""
    image = RNG.permutation(np.arange(400) // 4)
    views = replace(MADE, ids=identify("id", image))
    group, counted = together(views, LABELS)
    np.testing.assert_array_equal(group[:, None] == group, image[:, None] == image)
    assert counted
    assert copies(views, ROWS, group)[0].startswith("300 rows have the numbers or the id of another")


def test_images_made_of_the_same_stay_together() -> None:
    """Copies under other names, whose numbers differ in the last bit as another batch leaves them."""
    image = RNG.permutation(np.arange(400) // 2)
    near = replace(MADE, z=MADE.z[image] + np.float32(1e-6) * MADE.z, contents=identify("pixels", image))
    group, counted = together(near, LABELS)
    np.testing.assert_array_equal(group[:, None] == group, image[:, None] == image)
    assert counted
    assert together(replace(near, contents=None), LABELS)[0].tolist() == list(range(400))
    patient = np.arange(400) // 4
    found, _ = together(replace(near, group=patient), LABELS)
    assert all(
        found[one] == found[two] for one, two in zip(np.argsort(image)[::2], np.argsort(image)[1::2], strict=True)
    )


@pytest.mark.parametrize("attributes", [1, 2])
def test_copies_stay_together_whatever_else_is_asked(attributes: int) -> None:
    """A second attribute that differs between copies does not part them: they would be remembered for the first."""
    rows = np.arange(400) // 2
    labels = np.stack([LABELS[0, rows], *LABELS[1:attributes], LABELS[2, rows]])
    group, counted = together(replace(MADE, z=MADE.z[rows]), labels)
    np.testing.assert_array_equal(group[:, None] == group, rows[:, None] == rows)
    assert counted


@pytest.mark.parametrize(("times", "counted"), [(3, False), (5, True)])
def test_one_row_many_times_counts_once(times: int, counted: bool) -> None:  # noqa: FBT001 (a case)
    """What a permutation of rows takes for many that agree are pairs: a row five times in 400 has ten of them."""
    rows = np.maximum(np.arange(400) - times + 1, 0)
    group, found = together(replace(MADE, z=MADE.z[rows]), LABELS[:, rows])
    assert len(np.unique(group)) == 401 - times
    assert found is counted
    assert ("count as one" in copies(MADE, ROWS, group)[0]) is counted


def test_a_row_of_its_own_is_alone() -> None:
    """Rows that differ in numbers and id stand for themselves, and nothing is said of copies."""
    group, counted = together(MADE, LABELS)
    assert group.tolist() == list(range(400))
    assert not counted
    assert copies(MADE, ROWS, group) == ()


def test_groups_that_hold_copies_of_one_another_are_one() -> None:
    """A patient registered twice is one; groups of rows of their own stay what they are, and nothing is said."""
    patient = np.arange(400) // 4
    alone, counted = together(replace(MADE, group=patient), LABELS)
    assert counted
    assert alone.tolist() == patient.tolist()
    assert copies(replace(MADE, group=patient), ROWS, alone) == ()
    twice = replace(MADE, z=MADE.z[ROWS % 200], group=patient)
    found, counted = together(twice, LABELS)
    assert counted
    np.testing.assert_array_equal(found[:, None] == found, (patient % 50)[:, None] == patient % 50)
    assert copies(twice, ROWS, found) == (
        "50 groups hold the numbers or the id of a row of another: they are one with it",
    )


def test_a_training_table_is_that_of_the_names() -> None:
    """Classes that stand in another order in these rows are matched by name, and others are no classes of training."""
    table, was = np.arange(6).reshape(2, 3), (("cat", "dog"), ("a", "b", "c"))
    found = reordered(table, was, (("dog", "cat"), ("c", "a", "b")))
    assert found is not None
    assert found.tolist() == [[5, 3, 4], [2, 0, 1]]
    assert reordered(table, was, (("dog", "cow"), ("a", "b", "c"))) is None
    assert reordered(table, was, (("dog", "cat"), ("a", "b"))) is None
    number = reordered(table[:1], ((), ("a", "b", "c")), ((), ("b", "a", "c")))
    assert number is not None
    assert number.tolist() == [[1, 0, 2]]
