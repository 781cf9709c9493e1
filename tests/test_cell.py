"""One cell: what this machine lacks is said so that an engine tries another, in words that hold no path."""

from dataclasses import replace
from threading import Timer

import pytest
from filelock import FileLock
from sweeping import place, tiny

from leakaudit import cell as cells
from leakaudit import grid, recipe
from leakaudit.errors import HereError, InputError


def ended(run):
    """What a run comes to."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


def test_data_that_are_not_here_may_be_elsewhere(tmp_path):
    """A data set that cannot be loaded is this machine's lack; the folder is named by what it is."""
    cell = tiny('recipes = ["biased-mnist/vanilla"]\nseeds = [0]').cells[0]
    with pytest.raises(HereError) as failed:
        ended(cells.work(cell, place(tmp_path)))
    assert "DATA/mnist" in str(failed.value)
    assert str(tmp_path) not in str(failed.value)


def test_a_store_that_cannot_be_written_is_this_machines(tmp_path):
    """As a full disk: another machine may do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HereError, match="cannot write STORE"):
        ended(cells.work(tiny().cells[0], replace(place(tmp_path), store=tmp_path / "file" / "store")))


def test_what_is_wrong_everywhere_is_not_tried_elsewhere(tmp_path):
    """A label that the data do not have is no lack of a machine."""
    text = tiny().cells[0].recipe.text.replace('private = "colour"', 'private = "shade"')
    wrong = replace(tiny().cells[0], recipe=recipe.read(text, "digits/vanilla", "here", {}))
    with pytest.raises(InputError, match="digits: no label 'shade'") as failed:
        ended(cells.work(wrong, place(tmp_path)))
    assert not isinstance(failed.value, HereError)


def test_a_label_that_is_not_there_is_said_before_training(tmp_path):
    """On the machine that has the rows: whoever asked may not have them."""
    cell = tiny('recipes = ["digits/vanilla"]\nseeds = [0]\n[attack]\nprivate = "shade"').cells[0]
    with pytest.raises(InputError, match="no label 'shade'"):
        ended(cells.work(cell, place(tmp_path)))
    assert not (tmp_path / "store" / "checkpoints").exists()


def test_a_cell_waits_for_a_worker_that_is_still_ending(tmp_path):
    """A sweep that was killed leaves workers for seconds: the next one waits for the lock of their run."""
    cell = tiny().cells[0]
    first = cells.work(cell, place(tmp_path))
    while "epoch 1" not in next(first).words:
        pass
    (lock,) = (tmp_path / "store" / "checkpoints").rglob(".lock")
    first.close()
    held = FileLock(lock, thread_local=False)
    held.acquire()
    freed = Timer(0.5, held.release)
    freed.start()
    again = cells.work(cell, place(tmp_path))
    while "epoch 2" not in next(again).words:
        pass
    assert not held.is_locked
    again.close()
    freed.join()


def test_a_cell_knows_what_it_starts_from(tmp_path, monkeypatch):
    """Where a parent's settings change, the cells that start from it are others."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    text = grid.recipes.find("digits/vanilla")[0].read_text()
    keys = []
    for rate in ("2e-3", "1e-3"):
        (tmp_path / "recipes" / "first.toml").write_text(text.replace("2e-3", rate))
        (tmp_path / "recipes" / "then.toml").write_text(f'{text}\nstart = "first"\n')
        (cell,) = tiny('recipes = ["then"]\nseeds = [0]').cells
        assert cell.parents == (recipe.load("first").key,)
        keys.append(cell.key)
    assert keys[0] != keys[1]


def test_the_command_of_an_audit_is_one_that_can_be_typed():
    """The audit of a cell says the attack that makes it again, and no flag that is as usual."""
    asked = replace(tiny().cells[0].attack, rows=300, memorisation=True)
    assert asked.typed("store/a b", "colour", 1) == (
        "leakaudit attack 'store/a b' --private colour --seed 1 --auxiliary balanced --auxiliary paper --rows 300 "
        "--memorisation"
    )
