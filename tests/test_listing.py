"""What a layout says of its rows before any image is opened: splits, groups, and labels that are not what they seem."""

import numpy as np
import pytest

from leakaudit.dataset import Labels
from leakaudit.listing import classes, dealt, grouped, meant, numbers, signs, whose

NAMES = [f"{row}.png" for row in range(6)]


@pytest.mark.parametrize(
    ("word", "split"),
    [("Training", "train"), (" TEST ", "test"), ("Dev", "validation"), ("eb1", "eb1"), ("Trainer", "Trainer")],
)
def test_a_word_is_the_split_that_it_usually_means(word: str, split: str) -> None:
    """Other words stand as they are."""
    assert meant(word) == split


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (None, NAMES),
        (classes(["b", "a", None, "b", "", "a"]), ["b", "a", "2.png", "b", "4.png", "a"]),
        (numbers([7, 1.5, None, 7, 1e6, -1]), ["7", "1.5", "2.png", "7", "1000000", "-1"]),
    ],
)
def test_rows_are_dealt_by_the_name_of_their_group(column: Labels | None, said: list[str]) -> None:
    """And where they have none, by their own."""
    assert whose(column, NAMES) == said


def test_who_is_tested_does_not_depend_on_who_else_there_is() -> None:
    """The code of a group may change with a further one, its name and its split do not; groups are never cut."""
    people = [f"p{row // 2}" for row in range(80)]
    sides = []
    for more in ([], ["ann", "bob"]):
        column = classes([*more, *people])
        parts = dealt("made", whose(column, ["x"] * len(column.values)), 0.4, "made")
        assert not set(grouped(column)[parts["train"]]) & set(grouped(column)[parts["test"]])
        sides.append({column.classes[column.values[row]] for row in parts["test"]} - set(more))
    assert sides[0] == sides[1]
    assert 4 < len(sides[0]) < 36


def test_a_column_of_minus_one_and_one_is_spoken_of() -> None:
    """Whole or with gaps; not where there is another label, where none is -1, or where they are words."""
    columns = {
        "smile": np.array([-1, 1, 1]),
        "hat": np.array([np.nan, -1.0, 1.0]),
        "race": np.array([-1, 1, 2]),
        "one": np.array([1, 1]),
        "word": np.array(["-1", "1"]),
    }
    assert signs(columns) == (
        "-1 is read as missing, and 1 is all else that is in smile, hat; write 0 and 1 if -1 is a class",
    )
    assert signs({"race": columns["race"], "word": columns["word"]}) == ()
