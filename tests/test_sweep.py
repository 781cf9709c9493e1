"""Sweeps: what is run, what is kept, what is left out, and what a failing cell costs."""

import contextlib

import pytest
from filelock import FileLock
from sweeping import PLAN, lines, names, place, quick, result, swept, tiny

from leakaudit import sweep
from leakaudit.cell import BEACON, Made
from leakaudit.engines import Ended
from leakaudit.errors import HereError, InputError
from leakaudit.progress import Begun


def failing(cell, where):
    """EnD finds no room, ever."""
    if cell.recipe.name == "digits/end":
        raise HereError("no room")
    return (yield from quick(cell, where))


def test_every_cell_is_run_once(tmp_path):
    """All cells of the plan end, each with one line, and the table comes in its own order."""
    records, found = swept(tmp_path)
    assert records[0] == Begun(6, 0)
    assert names(records) == [cell.name for cell in tiny().cells]
    assert [(each.recipe, each.seed) for each in found] == [
        *[("digits/end", 0), ("digits/end", 1)] * 2, ("digits/vanilla", 0), ("digits/vanilla", 1),
    ]  # fmt: skip
    assert len((tmp_path / "lines.jsonl").read_text().splitlines()) == 6


def test_finished_cells_are_left_out(tmp_path):
    """A second sweep runs nothing and finds the same; one with a seed more runs the new cells alone."""
    _, found = swept(tmp_path)
    records, again = swept(tmp_path)
    assert records == [Begun(6, 6)]
    assert again == found
    records, _ = swept(tmp_path, made=tiny(PLAN.replace("[0, 1]", "[0, 1, 2]")))
    assert len(names(records)) == 3
    assert all(name.endswith("seed 2") for name in names(records))


def test_cells_on_other_data_are_run_again(tmp_path):
    """A line whose data are not those that lie here does not count."""

    def elsewhere(cell, _):
        yield from ()
        return Made(result(cell, data="other" if cell.seed else ""))

    swept(tmp_path, work=elsewhere)
    records, _ = swept(tmp_path)
    assert len(names(records)) == 3
    assert all(name.endswith("seed 1") for name in names(records))


def test_a_failing_cell_leaves_the_others_alone(tmp_path):
    """The others finish; what failed has its status and why, and is tried again next time."""
    records, found = swept(tmp_path, work=failing)
    assert len(names(records)) == 6
    assert {(each.recipe, each.status, each.message) for each in found} == {
        ("digits/end", 2, "no room"), ("digits/vanilla", 0, ""),
    }  # fmt: skip
    records, found = swept(tmp_path)
    assert [name.split()[0] for name in names(records)] == ["digits/end"] * 4
    assert all(each.finished for each in found)


def test_a_line_is_kept_before_the_next_cell_ends(tmp_path):
    """Whoever stops a sweep after the second cell has two lines, and the engine is told to stop."""
    stopped = []

    def watched(jobs, **knobs):
        try:
            for job in jobs:
                with contextlib.suppress(StopIteration):
                    work = job.work()
                    while True:
                        next(work)
                yield Ended(job.name, Made(result(next(c for c in tiny().cells if c.name == job.name))))
        finally:
            stopped.append(knobs)

    going = sweep.sweep(
        tiny(), place(tmp_path), sweep.Engine(run=watched, attempts=5), tmp_path / "lines.jsonl", work=quick
    )
    ended = 0
    while ended < 2:
        ended += isinstance(next(going), Ended)
    going.close()
    assert len(lines(tmp_path)) == 2
    assert stopped == [{"attempts": 5, "keep": False}]
    records, _ = swept(tmp_path)
    assert len(names(records)) == 4


def test_two_sweeps_in_one_store_are_refused(tmp_path):
    """The second says so in one line; once the first is over it runs."""
    folder = place(tmp_path).store / "sweeps"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(InputError, match="another sweep runs in this store"):
        swept(tmp_path)
    swept(tmp_path)


def test_files_of_another_store_are_put_into_this_one(tmp_path):
    """What was made on another machine lies in the store before the line says that it does."""

    def away(cell, _):
        yield from ()
        return Made(result(cell), (("checkpoints/a/weights.safetensors", b"w"), (f"audits/{cell.seed}.json", b"{}")))

    swept(tmp_path, work=away)
    home = place(tmp_path).store
    assert (home / "checkpoints/a/weights.safetensors").read_bytes() == b"w"
    assert sorted(path.name for path in (home / "audits").iterdir()) == ["0.json", "1.json"]


def test_an_optimiser_that_torch_lacks_is_refused_first(tmp_path):
    """Nothing runs where a cell could not."""
    made = tiny(PLAN.replace('"train.epochs" = 2', '"train.optimizer" = {name = "Addam", lr = 0.1}'))
    with pytest.raises(InputError, match=r"\[train\].*Addam.*Did you mean 'Adam'"):
        swept(tmp_path, made=made)
    assert not lines(tmp_path)


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ('private = "color"', "digits: no label 'color'. Did you mean 'colour'"),
        ('target = "glyph"', "digits: no label 'glyph'"),
        ('private = "digit"', "target and private are both 'digit'"),
    ],
)
def test_a_label_that_cannot_be_attacked_is_refused_first(tmp_path, attack, words):
    """Nothing is trained for an attack on a label that the rows do not have, or on the target itself."""
    with pytest.raises(InputError, match=words):
        swept(tmp_path, made=tiny(f"{PLAN}[attack]\n{attack}"))
    assert not lines(tmp_path)


def test_a_beacon_tells_who_shares_the_store(tmp_path, monkeypatch):
    """
    A machine that reads the word there, and keeps its files where the asking one does, works in the same store.

    One that has another cache folder, or does not see the store, works in its own.
    """
    told = []

    def asks(cell, where):
        told.append(where)
        yield from ()
        return Made(result(cell))

    monkeypatch.setenv("LEAKAUDIT_HOME", str(tmp_path / "home"))
    seen = []

    def nodes(jobs, **_):
        for job in jobs[:1]:
            with contextlib.suppress(StopIteration):
                next(job.work())
            seen.append(told[0].here())
            monkeypatch.setenv("LEAKAUDIT_HOME", str(tmp_path / "other"))
            seen.append(told[0].here())
            monkeypatch.setenv("LEAKAUDIT_HOME", str(tmp_path / "home"))
            (told[0].store / BEACON).write_text("of another sweep")
            seen.append(told[0].here())
            yield Ended(job.name, Made(result(tiny().cells[0])))

    engine = sweep.Engine(run=nodes, away=True)
    assert list(sweep.sweep(tiny(), place(tmp_path), engine, tmp_path / "lines.jsonl", work=asks))
    assert [shared for _, shared in seen] == [True, False, False]
    assert [found.store for found, _ in seen] == [
        place(tmp_path).store, tmp_path / "other" / "sweeps", tmp_path / "home" / "sweeps",
    ]  # fmt: skip
    assert not (place(tmp_path).store / BEACON).exists()
