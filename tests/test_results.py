"""Lines of a sweep: whole or absent, the latest of a cell holds, and a table is in one order."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from leakaudit import results
from leakaudit.errors import InputError, RefusedError
from leakaudit.results import Result
from leakaudit.stats import Interval

ONE = Result(
    cell="0" * 12, recipe="digits/end", settings={"dataset.rho": 0.9}, seed=0, status=0,
    accuracy=Interval(0.9, 0.8, 1.0), excess=Interval(0.1, 0.0, 0.2), verdict="LEAK", versions={"torch": "2"},
)  # fmt: skip


def test_a_line_comes_back_as_it_was(tmp_path):
    """Saving and reading is identity; a file that is not there holds nothing."""
    path = tmp_path / "new" / "lines.jsonl"
    assert results.read(path) == {}
    results.append(path, ONE)
    assert results.read(path) == {ONE.cell: ONE}


def test_of_two_lines_of_a_cell_the_later_holds(tmp_path):
    """A cell that failed first and then did not is finished."""
    path = tmp_path / "lines.jsonl"
    results.append(path, replace(ONE, status=2, message="no room"))
    assert not results.read(path)[ONE.cell].finished
    results.append(path, ONE)
    assert results.read(path)[ONE.cell].finished


def test_a_torn_line_costs_its_own_cell_alone(tmp_path):
    """What a crash cut off is left out; the line before it and the one after it are whole."""
    path = tmp_path / "lines.jsonl"
    other, third = (replace(ONE, cell=digit * 12, seed=int(digit)) for digit in "12")
    results.append(path, ONE)
    results.append(path, other)
    path.write_bytes(path.read_bytes()[:-40])
    results.append(path, third)
    assert results.read(path) == {ONE.cell: ONE, third.cell: third}


@pytest.mark.parametrize("line", ['{"format": 2}', '{"format": 1, "cell": "x"}', "[1]", '{"cell": "x"}'])
def test_foreign_lines_are_refused(tmp_path, line):
    """A whole line that is no result names file and line."""
    path = tmp_path / "lines.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(RefusedError, match="line 1"):
        results.read(path)


FOREIGN = {
    "words": b"# Notes\n\nof mine\n",
    "bytes": bytes(range(256)),
    "nothing": b"\0" * 100,
    "deep": b"[" * 100_000,
    "kinds": b'{"format":1,"cell":"a","recipe":null,"settings":{},"seed":0,"status":0}',
    "settings": b'{"format":1,"cell":"a","recipe":"r","settings":[1],"seed":0,"status":0}',
    "cell": b'{"format":1,"cell":["a"],"recipe":"r","settings":{},"seed":0,"status":0}',
    "endless": b'{"format":1,"cell":"a","recipe":"r","settings":{},"seed":0,"status":0,"seconds":NaN}',
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path, name):
    """Only what begins as a line of a sweep does is taken for one that was cut off; values are of their kinds."""
    path = tmp_path / "notes.txt"
    path.write_bytes(FOREIGN[name])
    with pytest.raises(RefusedError, match="line 1"):
        results.read(path)
    assert path.read_bytes() == FOREIGN[name]


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    """A device is not read without end, nor a pipe until somebody writes."""
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(InputError, match="the name of a file expected"):
        results.read(path)


@pytest.mark.parametrize("cut", [1, 5, 12, 200])
def test_a_line_may_be_cut_anywhere(tmp_path, cut):
    """From its first letter on."""
    path = tmp_path / "lines.jsonl"
    results.append(path, ONE)
    path.write_bytes(path.read_bytes() + path.read_bytes()[:cut])
    assert results.read(path) == {ONE.cell: ONE}


def test_numbers_are_sorted_as_numbers(tmp_path):
    """By recipe, then settings, 9 before 10, then seed."""
    path = tmp_path / "lines.jsonl"
    for number, (size, seed) in enumerate(((10, 0), (9, 1), (9, 0))):
        results.append(path, replace(ONE, cell=str(number), settings={"train.epochs": size}, seed=seed))
    assert [(r.settings["train.epochs"], r.seed) for r in results.read(path).values()] == [(9, 0), (9, 1), (10, 0)]


def test_knobs_go_by_their_last_word():
    """Unless two of them share it."""
    assert results.short(["dataset.rho", "train.epochs"]) == {"dataset.rho": "rho", "train.epochs": "epochs"}
    both = ["dataset.seed", "method.seed"]
    assert results.short(both) == {name: name for name in both}
