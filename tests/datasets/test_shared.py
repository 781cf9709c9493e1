"""Groups that official splits share are counted in a note: what is read of them may be remembered."""

import numpy as np
import pytest

from leakaudit.dataset import Pixels
from leakaudit.datasets._reader import Reading, read, straddling
from leakaudit.listing import Listing, numbers

HOW = Reading(source="made", where="made")


def listing(group: list[int] | None, **splits: list[int]) -> Listing:
    """A set of eight images in memory, with the groups and splits given."""
    return Listing(
        names=[str(row) for row in range(8)],
        columns={"age": numbers(range(8))},
        splits={name: np.array(rows, dtype=np.int64) for name, rows in splits.items()},
        images=Pixels(np.zeros((8, 3, 2, 2), np.uint8)),
        group=None if group is None else np.array(group),
        groups="patient",
    )


@pytest.mark.parametrize(
    ("group", "splits", "shared"),
    [
        ([0, 1, 2, 3, 0, 1, 6, 7], {"train": [0, 1, 2, 3], "test": [4, 5, 6, 7]}, [0, 1]),
        ([0, 1, 2, 3, 4, 5, 6, 0], {"train": [0, 1, 2], "validation": [3, 4], "test": [5, 6, 7]}, [0]),
        ([0, 0, 2, 3, 4, 4, 6, 7], {"train": [0, 1, 2, 3], "test": [4, 5, 6, 7]}, []),
        ([0, 0, 0, 0, 0, 0, 0, 0], {"train": [0, 1], "balanced": [4, 5], "eb1": [6, 7]}, []),
        ([0, 0, 0, 0, 0, 0, 0, 0], {"balanced": [4, 5]}, []),
        (None, {"train": [0, 1, 2, 3], "test": [4, 5, 6, 7]}, []),
    ],
)
def test_groups_in_two_of_train_validation_and_test_are_counted(
    group: list[int] | None, splits: dict[str, list[int]], shared: list[int]
) -> None:
    """In whichever two; further splits, which may share rows with these, do not count."""
    made = listing(group, **splits)
    assert straddling(made).tolist() == shared
    for split in splits:
        notes = read(made, "made", split, HOW).notes
        assert len(notes) == bool(shared)
        for note in notes:
            what = "2 groups (patient) have" if len(shared) > 1 else "1 group (patient) has"
            assert note == f"{what} rows in more than one of train, validation and test"
