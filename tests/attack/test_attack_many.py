"""Private attributes of very many classes end, and their controls are asked of few."""

import numpy as np
import pytest

from leakaudit.inquest.arena import Arena, Case
from leakaudit.inquest.questions import MERGED, merged


def case(classes: int) -> Case:
    """Labels of so many classes, the first ones the most frequent, some missing."""
    labels = np.random.default_rng(0).geometric(0.01, 3000) % classes
    labels[:classes], labels[-100:] = np.arange(classes), -1
    arena = Arena(np.zeros((3000, 1), np.float32), np.zeros(3000, np.int64), 1, np.arange(3000), (), 0, "cpu")
    return Case("v", arena, labels, classes, grouped=False, usual=np.array([3]), fingerprint="", draws=99)


def test_many_classes_are_merged_for_controls():
    """Rows of one class stay together, missing labels stay missing, and no class is far larger than another."""
    many = case(300)
    few = merged(many)
    assert few.classes == MERGED
    np.testing.assert_array_equal(few.private < 0, many.private < 0)
    known = many.private >= 0
    pairs = np.unique(np.stack([many.private[known], few.private[known]]), axis=1)
    assert pairs.shape[1] == 300
    rows = np.bincount(few.private[known])
    assert len(rows) == MERGED
    assert rows.max() < 2 * rows.min()
    np.testing.assert_array_equal(few.usual, few.private[known][many.private[known] == 3][:1])


def test_few_classes_are_asked_as_they_are():
    """Nothing is merged where controls can be asked of the attribute itself."""
    assert merged(case(2 * MERGED)).classes == 2 * MERGED


@pytest.mark.slow
def test_an_attribute_of_a_hundred_classes_ends_in_a_verdict(embed, attacked):
    """Its controls say that they were asked of merged classes; those of two classes say nothing of the kind."""
    found = attacked(embed(900, width=4, privates=100)).only
    notes = [each.note for each in found.controls if each.control == "shuffled" or each.size is not None]
    assert notes
    assert all(f"its classes merged to {MERGED}" in note for note in notes)
    assert found.verdict in {"INCONCLUSIVE", "DETECTED"}
    assert not any("merged" in each.note for each in attacked(embed(300)).only.controls)
