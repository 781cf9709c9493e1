"""Progress of many jobs: what is counted, what a line says, and that nothing is said where nobody asked."""

import sys

import pytest

from leakaudit.engines import Ended, Failed, Note
from leakaudit.progress import Begun, Board, survey

RECORDS = [
    Begun(5, 1),
    Note("a", "reading the data", 0, 2),
    Note("b", "epoch 1 of 2", 1, 2),
    Ended("a", "whatever"),
    Note("c", "attack: planted leaks", 1, 9),
    Ended("b", Failed(2, "no room")),
]


def work():
    """What a sweep yields."""
    yield from RECORDS
    return "all of it"


def test_jobs_are_counted():
    """Every job is in one of the states, and a running one says what it does."""
    board = Board()
    for record in RECORDS:
        board.add(record)
    assert board.counts() == "1 waiting, 1 running, 1 done, 1 failed, 1 finished before"
    assert [words for _, words in board.running.values()] == ["attack: planted leaks"]


def test_a_job_that_ends_is_a_line(capsys):
    """Where stderr is no terminal: what there is to do, and each job that ends; steps as well with `lines`."""
    assert survey(work(), "bar") == "all of it"
    assert capsys.readouterr().err.splitlines() == [
        "5 cells: 4 waiting, 0 running, 0 done, 0 failed, 1 finished before",
        "a: done (2 waiting, 1 running, 1 done, 0 failed, 1 finished before)",
        "b: failed, exit 2: no room (1 waiting, 1 running, 1 done, 1 failed, 1 finished before)",
    ]
    survey(work(), "lines")
    assert "b: epoch 1 of 2" in capsys.readouterr().err.splitlines()


def test_quiet_says_nothing(capsys):
    """And the result is the same."""
    assert survey(work(), "quiet") == "all of it"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("many", [1, 40])
def test_a_terminal_shows_one_table(capsys, monkeypatch, many):
    """Counts above, a row for each running job; of very many the first."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")

    def busy():
        yield Begun(many, 0)
        yield from (Note(f"job {number}", "epoch 1 of 2", 1, 2) for number in range(many))
        return "all of it"

    assert survey(busy(), "bar") == "all of it"
    board = Board()
    for record in busy():
        board.add(record)
    assert board.table().row_count == (1 if many == 1 else 21)
    capsys.readouterr()
