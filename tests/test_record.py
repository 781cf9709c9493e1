"""Records go to JSON and come back, or are refused by name."""

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pytest

from leakaudit import record
from leakaudit.errors import RefusedError


class Point(NamedTuple):
    """A pair."""

    x: float
    y: float = 0.0


@dataclass(frozen=True)
class Sheet:
    """One field of each sort."""

    kind: ClassVar[str] = "sheet"
    name: str
    count: int
    share: float
    point: Point
    points: tuple[Point, ...]
    by_name: dict[str, int]
    word: Literal["a", "b"]
    maybe: float | None = None
    notes: tuple[str, ...] = field(default=())
    loose: Any = None


SHEET = Sheet("s", 3, 0.5, Point(1.0, 2.0), (Point(1.0),), {"k": 1}, "a", None, ("n",), {"any": [1, None]})


def test_a_record_comes_back_as_it_was() -> None:
    """Through JSON text and back, equal, with keys in the order of fields."""
    text = json.dumps(record.to_json(SHEET))
    assert record.from_json(Sheet, json.loads(text), "f") == SHEET
    assert list(json.loads(text))[:3] == ["name", "count", "share"]


def test_a_whole_number_is_a_number() -> None:
    """JSON has one kind of number; a float field takes 1."""
    data = record.to_json(SHEET) | {"share": 1}
    share = record.from_json(Sheet, data, "f").share
    assert (share, type(share)) == (1.0, float)


def test_numpy_scalars_become_plain_numbers() -> None:
    """No library's type reaches a file."""
    found = record.to_json({"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(1)})
    assert json.dumps(found) == '{"a": 0.5, "b": 3, "c": true}'


def test_unknown_keys_are_left_alone_and_defaults_filled() -> None:
    """A later minor version may say more, an earlier one less."""
    data = record.to_json(SHEET) | {"later": 1}
    del data["notes"], data["maybe"]
    found = record.from_json(Sheet, data, "f")
    assert (found.notes, found.maybe) == ((), None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, r"f\.name: str expected, int found"),
        ({"count": 1.5}, r"f\.count: int expected, float found"),
        ({"count": True}, r"f\.count: int expected, bool found"),
        ({"share": None}, r"f\.share: float expected, NoneType found"),
        ({"word": "c"}, r"f\.word: 'c' is none of a, b"),
        ({"points": [{"x": "1"}]}, r"f\.points\[0\]\.x: float expected"),
        ({"points": "ab"}, r"f\.points: sequence expected"),
        ({"by_name": {"k": "v"}}, r"f\.by_name\.k: int expected"),
        ({"point": {"y": 1.0}}, r"f\.point: no 'x'"),
        ({"point": 4}, r"f\.point: mapping expected"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    """The path to the value stands in the message."""
    with pytest.raises(RefusedError, match=message):
        record.from_json(Sheet, record.to_json(SHEET) | change, "f")


def test_a_missing_key_is_refused() -> None:
    """What has no default must be there."""
    data = record.to_json(SHEET)
    del data["count"]
    with pytest.raises(RefusedError, match="f: no 'count'"):
        record.from_json(Sheet, data, "f")


def test_a_number_that_is_not_finite_is_a_bug() -> None:
    """NaN must have become None before."""
    with pytest.raises(AssertionError, match="not finite"):
        record.to_json(Point(float("nan")))
