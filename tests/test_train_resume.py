"""Training leaves one whole folder, whatever happens on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from trying import TEXT, finish, plan, work

from leakaudit import store, train
from leakaudit.checkpoint import Checkpoint
from leakaudit.datasets import digits
from leakaudit.errors import InputError, RefusedError


@pytest.fixture(autouse=True)
def _one_thread() -> Generator[None, None, None]:
    """Bits depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, list[train.Epoch]]:
    """One uninterrupted run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    made = finish(work(plan(), tmp_path_factory.mktemp("whole")))
    torch.set_num_threads(threads)
    return made


def test_a_run_leaves_a_complete_checkpoint(whole: tuple[Checkpoint, list[train.Epoch]]) -> None:
    """Weights, rows, history, private head, and a card that says what an audit must know; nothing of the way there."""
    made, epochs = whole
    found = {path.name for path in made.folder.iterdir()} - {".lock"}
    assert found == {
        "weights.safetensors",
        "objective.safetensors",
        "rows.safetensors",
        "history.jsonl",
        "checkpoint.json",
    }
    assert [epoch.done for epoch in epochs] == [1, 2, 3]
    assert {epoch.total for epoch in epochs} == {3}
    lines = [json.loads(line) for line in (made.folder / "history.jsonl").read_text().splitlines()]
    assert [line["done"] for line in lines] == [1, 2, 3]
    assert [line["lr"] for line in lines] == pytest.approx([5e-3, 2.5e-3, 1.25e-3])
    card = made.card
    assert (card.shape, card.width, card.bottleneck) == ((3, 8, 8), 16, "classifier")
    assert card.accuracy_split == "test"
    assert card.accuracy.low < card.accuracy.value < card.accuracy.high
    assert made.table.sum() == len(made.trained) == card.provenance["rows"]
    head, _ = store.read_tensors(made.folder / "objective.safetensors")
    assert {name: tensor.shape for name, tensor in head.items()} == {"head.weight": (10, 16), "head.bias": (10,)}


def test_the_recorded_rows_are_the_training_rows(whole: tuple[Checkpoint, list[train.Epoch]]) -> None:
    """Ids and the (target, private) table are those of the split `train`, and none of `test` is among them."""
    made, _ = whole
    data, test = (digits.load(split, Path()) for split in ("train", "test"))
    assert np.array_equal(np.sort(made.trained), np.sort(data.ids))
    assert not np.isin(test.ids, made.trained).any()
    expected = np.zeros((10, 10), np.int64)
    np.add.at(expected, (data.column("digit").values, data.column("colour").values), 1)
    assert np.array_equal(made.table, expected)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    whole: tuple[Checkpoint, list[train.Epoch]], tmp_path: Path
) -> None:
    """On one CPU thread training is a function of recipe and seed."""
    again, _ = finish(work(plan(), tmp_path))
    other, _ = finish(work(plan(), tmp_path, seed=1))
    assert again.card.tensors == whole[0].card.tensors != other.card.tensors
    assert again.folder != other.folder


def test_a_complete_run_is_found_and_not_trained_again(tmp_path: Path) -> None:
    """The second call yields no epoch, whether or not it may resume."""
    first, _ = finish(work(plan(train__epochs=1), tmp_path))
    for resume in (False, True):
        again, epochs = finish(work(plan(train__epochs=1), tmp_path, resume=resume))
        assert again.card == first.card
        assert epochs == []


@pytest.mark.parametrize("after", [1, 2])
def test_an_abandoned_run_is_taken_up_with_the_same_final_bits(
    whole: tuple[Checkpoint, list[train.Epoch]], tmp_path: Path, after: int
) -> None:
    """Stopped after an epoch and resumed, a run ends where an uninterrupted one does; unasked it is not resumed."""
    running = work(plan(), tmp_path)
    for _ in range(after):
        next(running)
    running.close()
    message = f"{after} of 3 epochs are trained; go on with --resume, or delete the folder"
    with pytest.raises(InputError, match=message):
        next(work(plan(), tmp_path))
    made, epochs = finish(work(plan(), tmp_path, resume=True))
    assert [epoch.done for epoch in epochs] == list(range(after + 1, 4))
    assert made.card.tensors == whole[0].card.tensors
    assert len((made.folder / "history.jsonl").read_text().splitlines()) == 3
    one, two = (store.read_tensors(c.folder / "objective.safetensors")[0] for c in (made, whole[0]))
    assert all(np.array_equal(one[name], two[name]) for name in one)


KILLED = """
import sys, torch
from pathlib import Path
from leakaudit import recipe, train
torch.set_num_threads(1)
text, folder = Path(sys.argv[1]).read_text(), Path(sys.argv[2])
what = recipe.read(text, "try/irene", "try", {"train.epochs": 16})
for epoch in train.train(what, store=folder / "store", root=folder, seed=0, device="cpu", resume=True):
    print(epoch.done, flush=True)
"""


@pytest.mark.slow
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(tmp_path: Path, repository: Path) -> None:
    """A real SIGKILL in the middle of an epoch, twice; what lies there is whole, and the final weights are the same."""
    (tmp_path / "recipe.toml").write_text(TEXT)
    (tmp_path / "killed.py").write_text(KILLED)
    words = [sys.executable, "killed.py", "recipe.toml", str(tmp_path / "killed")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)}
    for more in (3, 2):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=tmp_path, text=True, env=environment)
        assert process.stdout is not None
        for _ in range(more):
            assert process.stdout.readline()
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
    many = plan(train__epochs=16)
    made, rest = finish(work(many, tmp_path / "killed", resume=True))
    assert 0 < len(rest) <= 11
    straight, _ = finish(work(many, tmp_path / "straight"))
    assert made.card.tensors == straight.card.tensors
    assert not (made.folder / "resume").exists()
    assert not list(made.folder.glob(".*.part"))


def test_a_damaged_unfinished_run_is_refused(tmp_path: Path) -> None:
    """Half a state is not gone on with."""
    running = work(plan(), tmp_path)
    next(running)
    running.close()
    (path,) = (tmp_path / "store").rglob("state-0001.safetensors")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RefusedError, match="state-0001"):
        next(work(plan(), tmp_path, resume=True))


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    """A second process is turned away while the first trains, and let in afterwards."""
    running = work(plan(), tmp_path)
    next(running)
    (folder,) = (path.parent for path in (tmp_path / "store").rglob("resume"))
    with pytest.raises(InputError, match="another leakaudit is training this"):
        next(work(plan(), tmp_path, resume=True))
    running.close()
    with FileLock(folder / ".lock", timeout=0):
        pass
