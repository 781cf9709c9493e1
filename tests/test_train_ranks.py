"""`leakaudit train` in several processes: one run, one voice, and the weights of one process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from filelock import FileLock
from ranked import End, command
from safetensors.numpy import load_file
from trying import TEXT

from leakaudit.errors import InputError
from leakaudit.loop import Loop
from leakaudit.numerics import device as devices
from leakaudit.numerics import gather

OPTIMIZER = 'optimizer = { name = "SGD", lr = 0.05, momentum = 0.9 }'
"""Not Adam, whose first steps are as large where a gradient is all rounding."""
SMALL = TEXT.replace('optimizer = { name = "Adam", lr = 5e-3 }', OPTIMIZER)
REPOSITORY = Path(__file__).parent.parent
LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "leakaudit"]
SYNC = ("--set", "train.sync_batch_norm=true")
MLP = SMALL.replace('name = "simple-convnet"\nkernel = 3\nwidth = 2\nactivation = "tanh"', 'name = "mlp"')


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with recipes, and one of another machine, with the same recipes and no store."""
    for folder in (tmp_path / "recipes", tmp_path / "other" / "recipes"):
        folder.mkdir(parents=True)
        (folder / "small.toml").write_text(SMALL)
        (folder / "mlp.toml").write_text(MLP)
        (folder / "after.toml").write_text(SMALL.replace("epochs = 3", 'epochs = 1\nstart = "small"'))
    return tmp_path


def elsewhere(home: Path) -> Callable[[int], None]:
    """All ranks but the first run on another machine."""
    return lambda rank: os.chdir(home / "other") if rank else None


def train(home: Path, *words: str, **how: object) -> list[End]:
    """`train` on CPUs, rank 1 on another machine."""
    how = {"before": elsewhere(home), **how}
    return command("train", *words, "--device", "cpu", folder=home, **how)  # type: ignore[arg-type]


def alone(home: Path, *words: str) -> End:
    """The same in one process."""
    (end,) = command("train", *words, "--device", "cpu", folder=home, world=1)
    return end


def folders(home: Path, name: str = "small") -> list[Path]:
    """The runs of a recipe in the store."""
    return sorted((home / ".leakaudit" / "checkpoints" / name).iterdir())


def weights(home: Path, name: str = "small") -> dict[str, np.ndarray]:
    """Those of the one checkpoint of a recipe."""
    (folder,) = folders(home, name)
    return load_file(folder / "weights.safetensors")


def losses(home: Path) -> list[float]:
    """Of each epoch."""
    (folder,) = folders(home)
    return [json.loads(line)["loss"] for line in (folder / "history.jsonl").read_text().splitlines()]


def silent(ends: list[End]) -> bool:
    """Nobody but the first says anything."""
    return not any(end.out or end.err for end in ends[1:])


def refused(ends: list[End], *words: str, speaker: int = 0) -> bool:
    """One rank ends with 2 and one line that holds the words; no other says anything."""
    lines = ends[speaker].err.splitlines()
    others = [end for rank, end in enumerate(ends) if rank != speaker]
    quiet = not any(end.out or end.err for end in others) and not ends[speaker].out
    ended = ends[speaker].status == 2 and all(end.status in {2, -15} for end in others)
    return quiet and ended and len(lines) == 1 and all(word in lines[0] for word in words)


def test_two_processes_leave_the_run_of_one(home: Path) -> None:
    """Same folder, history and figures to rounding; the second writes nothing and says nothing; ranks are on record."""
    words = ("small", *SYNC, "--epochs", "2")
    ends = train(home, *words, "-v")
    assert [end.status for end in ends] == [0, 0], ends
    assert silent(ends)
    assert "loss" in ends[0].err
    assert ends[0].out.startswith("leakaudit attack .leakaudit/checkpoints/small/")
    assert not (home / "other" / ".leakaudit").exists()
    shutil.copytree(home / ".leakaudit", home / "two" / ".leakaudit")
    shutil.rmtree(home / ".leakaudit")
    assert alone(home, *words).status == 0
    assert [path.name for path in folders(home)] == [path.name for path in folders(home / "two")]
    assert losses(home) == pytest.approx(losses(home / "two"), rel=1e-5)
    one, two = weights(home), weights(home / "two")
    for name, tensor in one.items():
        np.testing.assert_allclose(two[name], tensor, rtol=1e-4, atol=1e-5, err_msg=name)
    cards = [json.loads((folders(place)[0] / "checkpoint.json").read_text()) for place in (home, home / "two")]
    assert [card["provenance"]["ranks"] for card in cards] == [1, 2]
    assert cards[0]["accuracy"] == cards[1]["accuracy"]


@pytest.mark.slow
def test_statistics_of_shares_are_another_run(home: Path) -> None:
    """With batch norm that is not synchronised the folder is another, by the count of ranks; without batch norm not."""
    for name, same in (("small", False), ("mlp", True)):
        for world in (1, 2):
            ends = train(home, name, "--epochs", "1", world=world)
            assert [end.status for end in ends] == [0] * world, ends
        assert len(folders(home, name)) == (1 if same else 2)


def late(rank: int) -> None:
    """The first has much to do once they have met."""

    def slowly(*given: object, **how: object) -> Iterator[object]:
        met = next(meet(*given, **how))  # type: ignore[arg-type]
        time.sleep(1.5)
        yield met

    meet = gather.rendezvous
    gather.rendezvous = meet if rank else slowly


def test_what_all_find_wrong_the_first_says(home: Path) -> None:
    """One line, of the first, however late it is: a device of one's own choice."""
    ends = command("train", "small", "--device", "cuda:1", folder=home, before=late)
    assert refused(ends, "exit 2: --device cuda:1: under torchrun each process has a GPU of its own"), ends


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "smal", "--device", "cpu"), "exit 2: no recipe 'smal'. Did you mean 'small'?"),
        (("train", "small", "--set", "foo"), "exit 2: --set foo: TABLE.KNOB=VALUE expected"),
        (("train", "small", "--bogus"), "No such option: --bogus"),
    ],
)
def test_what_cannot_be_meant_one_says(home: Path, words: tuple[str, ...], said: str) -> None:
    """Before processes have met, and after."""
    assert refused(command(*words, folder=home), said)


@pytest.mark.slow
@pytest.mark.skipif(not devices.halves("cpu"), reason="this processor has no bfloat16")
def test_mixed_precision_is_shared_out_too(home: Path) -> None:
    """With synchronised batch norm and channels last; a finished run is found again by both."""
    words = ("small", *SYNC, "--set", "train.amp=true", "--set", "train.channels_last=true", "--epochs", "1")
    for _ in range(2):
        ends = train(home, *words)
        assert [end.status for end in ends] == [0, 0], ends
        assert str(folders(home)[0].relative_to(home)) in ends[0].out


@pytest.mark.slow
def test_ctrl_c_is_one_line(home: Path, environment: dict[str, str]) -> None:
    """As a terminal sends it, to all processes of torchrun: what is trained stays, and the next run goes on."""
    line = [*LAUNCHER, "train", "small", *SYNC, "--device", "cpu", "--epochs", "500", "-v"]
    how = {"cwd": home, "env": environment | {"PYTHONPATH": str(REPOSITORY)}, "text": True, "stderr": subprocess.PIPE}
    running = subprocess.Popen(line, start_new_session=True, **how)  # type: ignore[call-overload]
    try:
        said = next(text for text in running.stderr if " 2/500" in text)
        os.killpg(running.pid, signal.SIGINT)
        _, rest = running.communicate(timeout=100)
    finally:
        running.kill()
    lines = [text for text in rest.splitlines() if text.startswith("leakaudit: ")]
    assert [text[:34] for text in lines] == ["leakaudit: exit 130: interrupted; "], said + rest
    assert (folders(home)[0] / "resume" / "state.json").exists()


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_said_once(home: Path) -> None:
    """All see it, and all stop."""
    ends = train(home, "small", "--set", "train.optimizer.lr=1e30", *SYNC)
    assert refused(ends, "the loss is not finite in epoch 1 of 3")


@pytest.mark.slow
def test_what_the_first_alone_finds_wrong_ends_all(home: Path) -> None:
    """A run that another process trains, and one that is begun and not to be resumed."""
    words = ("small", *SYNC)
    begun = train(home, *words, before=lambda rank: _stop_after_one(rank, home))
    assert [end.status for end in begun] != [0, 0]
    assert refused(train(home, *words), "1 of 3 epochs are trained; go on with --resume")
    with FileLock(folders(home)[0] / ".lock"):
        assert refused(train(home, *words, "--resume"), "another leakaudit is training this")
    ends = train(home, *words, "--resume", "-v")
    assert [end.status for end in ends] == [0, 0], ends
    assert "1/3" not in ends[0].err
    assert "3/3" in ends[0].err


@pytest.mark.slow
def test_what_another_alone_finds_wrong_ends_all(home: Path) -> None:
    """It says so itself, and on which machine; the first is ended without a word."""
    (home / "other" / "recipes" / "small.toml").unlink()
    ends = train(home, "small", *SYNC)
    assert refused(ends, "no recipe 'small'", "(process 1 of 0-1, on ", speaker=1), ends
    (home / "other" / "recipes" / "small.toml").write_text(SMALL.replace('"digits"', '"digits"\nrho = 0.7'))
    ends = train(home, "small", *SYNC)
    assert refused(ends, "recipe small is another run here", "(process 1 of 0-1, on ", speaker=1), ends


@pytest.mark.slow
def test_an_image_that_one_cannot_read_ends_all_in_the_middle(home: Path) -> None:
    """The others wait for its share by then; what is kept is said, and nothing hangs."""

    def before(rank: int) -> None:
        elsewhere(home)(rank)
        if rank:
            Loop._step = _unreadable  # type: ignore[method-assign]

    ends = train(home, "small", *SYNC, before=before)
    assert refused(ends, "b.png: not an image", "(process 1 of 0-1, on ", speaker=1), ends


def _unreadable(*_: object) -> NoReturn:
    raise InputError("b.png: not an image")


def _stop_after_one(rank: int, home: Path) -> None:
    """Die as by a SIGKILL once an epoch is kept."""
    elsewhere(home)(rank)
    if rank:
        return
    from leakaudit import train as training

    keep = training._keep

    def keep_and_die(*given: object) -> None:
        keep(*given)  # type: ignore[arg-type]
        os._exit(9)

    training._keep = keep_and_die  # type: ignore[assignment]


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_a_run_that_was_killed_ends_with_the_bits_of_one_that_was_not(home: Path, world: int) -> None:
    """Resumed by as many processes bit for bit; by one process, where the run is the same, to rounding."""
    words = ("small", *SYNC)
    assert [end.status for end in train(home, *words, world=world)] == [0] * world
    shutil.copytree(home / ".leakaudit", home / "whole" / ".leakaudit")
    whole = weights(home)
    for resumed in (world, 1):
        shutil.rmtree(home / ".leakaudit")
        train(home, *words, before=lambda rank: _stop_after_one(rank, home), world=world)
        ends = train(home, *words, "--resume", world=resumed)
        assert [end.status for end in ends] == [0] * resumed, ends
        for (name, tensor), found in zip(whole.items(), weights(home).values(), strict=True):
            if resumed == world:
                np.testing.assert_array_equal(found, tensor, err_msg=name)
            else:
                np.testing.assert_allclose(found, tensor, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_a_recipe_that_starts_from_another_trains_both(home: Path) -> None:
    """The weights that it starts from reach the process that has no disk in common, also where they lie there."""
    for _ in range(2):
        ends = train(home, "after", *SYNC)
        assert [end.status for end in ends] == [0, 0], ends
        assert len(folders(home)) == len(folders(home, "after")) == 1
        shutil.rmtree(home / ".leakaudit" / "checkpoints" / "after")


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--device", "cpu"), pytest.param((), marks=pytest.mark.gpu)])
def test_torchrun_itself_trains(home: Path, environment: dict[str, str], words: tuple[str, ...]) -> None:
    """The real launcher: two processes come to the weights of one, and to its figures; the exit status is 0."""
    if not words and torch.cuda.device_count() < 2:
        pytest.skip("no two CUDA devices here")
    done = subprocess.run(
        [*LAUNCHER, "train", "small", *SYNC, *words], cwd=home, capture_output=True, text=True,
        env=environment | {"PYTHONPATH": str(REPOSITORY)}, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "leakaudit" in line][-1] == "leakaudit: exit 0: trained"
    assert done.stdout.count("leakaudit attack ") == 1
    two = weights(home)
    shutil.rmtree(home / ".leakaudit")
    assert alone(home, "small", *SYNC).status == 0
    for name, tensor in weights(home).items():
        np.testing.assert_allclose(two[name], tensor, rtol=1e-3, atol=1e-4, err_msg=name)
