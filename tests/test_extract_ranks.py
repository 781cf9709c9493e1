"""Processes that work together share out the rows of an extraction: none is lost or doubled, and one writes."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import crews
import numpy as np
import pytest
from farmed import LINE, files, furnish
from hypothesis import given
from hypothesis import strategies as some
from test_extract import dataset, encoder, run
from test_extract_layers import THREE, golden, together

from leakaudit import crew, embeddings, extract
from leakaudit.dataset import Dataset, Labels, Pixels
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of ten rows, and nobody is waited for."""
    for module in (embeddings, extract):
        monkeypatch.setattr(module, "SHARD", 10)
    monkeypatch.setattr(crew, "PAUSE_SECONDS", 0)


@given(
    rows=some.integers(1, 500),
    size=some.integers(1, 80),
    world=some.integers(1, 9),
    shard=some.integers(1, 60),
    chance=some.randoms(use_true_random=False),
)
def test_each_batch_is_one_ranks(rows: int, size: int, world: int, shard: int, chance) -> None:
    """Whatever is missing, every batch of it is passed once, in order, and within a window by index range."""
    whole = [range(first, min(first + shard, rows)) for first in range(0, rows, shard)]
    missing = sorted(chance.sample(whole, chance.randint(1, len(whole))), key=lambda each: each.start)
    windows = crew.shares(missing, size, world)
    assert [start for window in windows for share in window for start in share] == crew.starts(missing, size)
    for window in windows:
        counts = [len(share) for share in window]
        assert len(counts) == world
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    ("world", "rows", "lost"),
    [
        (3, 34, [1, 3]),
        pytest.param(3, 34, None, marks=pytest.mark.slow),
        pytest.param(3, 2, None, marks=pytest.mark.slow),
        pytest.param(2, 34, [], marks=pytest.mark.slow),
        pytest.param(2, 34, None, marks=pytest.mark.slow),
        pytest.param(3, 30, None, marks=pytest.mark.slow),
        pytest.param(2, 34, [0], marks=pytest.mark.slow),
    ],
)
def test_the_shards_are_those_of_one_process(tmp_path: Path, world: int, rows: int, lost: list[int] | None) -> None:
    """To the bit, of uneven counts, fewer rows than ranks, and resumed: only what is missing passes, and that once."""
    data = dataset(rows)
    run(tmp_path / "one", data, batch_size=7)
    wanted = files(tmp_path / "one")
    if lost is not None:
        run(tmp_path / "many", data, batch_size=7)
        where = next((tmp_path / "many").rglob("manifest.json")).parent
        if lost:
            (where / "manifest.json").unlink()
        for number in lost:
            embeddings.shard(where, number).unlink()
    said = crews.run(world, tmp_path / "many", crews.plain(data))
    assert [(each["status"], each["words"]) for each in said] == [(0, "")] * world
    assert files(tmp_path / "many") == wanted
    numbers = range(-(-rows // 10)) if lost is None else lost
    missing = [range(10 * number, min(10 * number + 10, rows)) for number in numbers]
    starts = crew.starts(missing, 7)
    assert sum(each["passed"] for each in said) == sum(min(7, rows - start) for start in starts)
    if len(starts) >= world:
        assert all(each["passed"] for each in said)
    assert said[0]["steps"] == ([] if lost == [] else [*range(10, rows, 10), rows])


@pytest.mark.slow
def test_several_layers_are_brought_from_all_ranks(tmp_path: Path) -> None:
    """In one pass, each with the bytes that one process gives it."""
    data = dataset(34)
    source = replace(golden(data), layers=THREE)
    together(tmp_path / "one", data, source)
    said = crews.run(3, tmp_path / "many", crews.plain(data, source))
    assert [each["status"] for each in said] == [0, 0, 0]
    assert files(tmp_path / "many") == files(tmp_path / "one")
    assert len(files(tmp_path / "one")) == 3 * 6


@dataclass(frozen=True)
class Torn(Pixels):
    """Images of which one does not decode."""

    at: int = 0
    how: Callable[[], None] = lambda: None

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """The images of these rows, if that one is not among them."""
        if self.at in rows and len(rows) == 7:  # not where a few are looked at for the key
            self.how()
        return super().batch(rows)


def refuse() -> None:
    """What is said of a bad image."""
    raise InputError("face.png does not decode")


def die() -> None:
    """What a process does that is killed."""
    os._exit(0)


def torn(data: Dataset, at: int, how: Callable[[], None], on: int | None = None) -> crews.Case:
    """A bad image, on the machine of one rank or on all."""
    bad = replace(data, images=Torn(data.images.values, at, how))
    return lambda rank: (encoder(data), bad if on in (None, rank) else data)


def test_a_bad_image_ends_all_and_what_was_finished_stays(tmp_path: Path) -> None:
    """Rank 0 says where it was met; the others end quietly; the next run goes on with the shards before it."""
    data = dataset(54)
    first, *others = crews.run(3, tmp_path, torn(data, 37, refuse))
    assert first["status"] == 2
    assert first["words"].startswith("process 2 on ")
    assert first["words"].endswith(": face.png does not decode")
    assert [(each["status"], each["words"]) for each in others] == [(2, "")] * 2
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("shard-*")}
    assert [path.name[6:11] for path in sorted(kept)] == ["00000", "00001", "00002"]
    assert not list(tmp_path.rglob("manifest.json"))
    assert [each["status"] for each in crews.run(3, tmp_path, crews.plain(data))] == [0, 0, 0]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def elsewhere(data: Dataset, change: str) -> tuple[Encoder, Dataset]:
    """What another machine has."""
    source = encoder(data)
    if change == "missing":
        raise InputError("biased-mnist: MNIST is not here")
    if change == "damaged":
        raise RefusedError("w.safetensors: truncated")
    if change == "weights":
        source = replace(source, seed=1)
    if change == "labels":
        data = replace(data, columns={"v": Labels(1 - data.columns["v"].values, ("a", "b"))})
    if change in ("images", "image"):
        values = data.images.values.copy()
        values[0 if change == "images" else 9] += 1
        data = replace(data, images=Pixels(values))
    return source, data


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        pytest.param("missing", 2, "biased-mnist: MNIST is not here", marks=pytest.mark.slow),
        ("image", 2, "row 9 of noise test is another image than that of process 0"),
        pytest.param("weights", 2, "other weights than process 0; the same on every node", marks=pytest.mark.slow),
        pytest.param("damaged", 4, "w.safetensors: truncated", marks=pytest.mark.slow),
        pytest.param("labels", 2, "other rows or labels than process 0; the same on ev", marks=pytest.mark.slow),
        pytest.param("images", 2, "other images than process 0; the same on every node", marks=pytest.mark.slow),
    ],
)
def test_what_another_machine_has_must_be_the_same(tmp_path: Path, change: str, status: int, words: str) -> None:
    """Data that are not there, other weights, labels or a single image: one line says what and where."""
    data = dataset(54)
    first, other = crews.run(2, tmp_path, lambda rank: elsewhere(data, change if rank else ""))
    assert (first["status"], other["status"], other["words"]) == (status, 2, "")
    assert first["words"].startswith("process 1 on ")
    assert f": {words}" in first["words"]


@pytest.mark.slow
def test_nan_on_any_rank_is_said_of_its_row(tmp_path: Path) -> None:
    """As in one process, with the row of the data set."""
    data = dataset(34)
    source = golden(data)
    assert source.weights is not None
    weights = {name: part.copy() for name, part in source.weights.items()}
    weights["classifier.bias"][0] = np.nan
    first, *others = crews.run(3, tmp_path, crews.plain(data, replace(source, weights=weights)))
    assert "logits is not finite (NaN or infinity) in 10 of 10 rows, first for row 0 of noise test" in first["words"]
    assert [each["status"] for each in (first, *others)] == [2, 2, 2]
    assert not list(tmp_path.rglob("shard-*"))


@pytest.mark.slow
def test_a_full_disk_under_rank_0_ends_all(tmp_path: Path) -> None:
    """The others write nothing, and end with it."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "embeddings").write_text("a file where a folder should be")
    first, *others = crews.run(3, tmp_path / "store", crews.plain(dataset(34)))
    assert first["words"].startswith("cannot write ")
    assert [each["status"] for each in (first, *others)] == [2, 2, 2]


@pytest.mark.slow
def test_a_process_that_dies_is_missed(tmp_path: Path) -> None:
    """It is not waited for: one line, and the shards before stay."""
    with pytest.raises(FileNotFoundError, match="/1'"):  # it could not say how it ended
        crews.run(2, tmp_path, torn(dataset(340), 317, die, on=1))
    said = (tmp_path.parent / f"{tmp_path.name}-said" / "0").read_text()
    assert "process 1 of the 2 that torchrun started is gone" in said
    assert 20 < len(list(tmp_path.rglob("shard-*"))) < 32


@pytest.mark.slow
def test_the_command_under_torchrun(tmp_path: Path, leakaudit, environment: dict[str, str], repository: Path) -> None:
    """The files of the command alone, told once; a bad image that another process meets is one line, and exit 2."""
    furnish(tmp_path)
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    line += ["-m", "leakaudit", "extract", *LINE, "--store", "many"]
    how = {"cwd": tmp_path, "env": environment | {"PYTHONPATH": str(repository)}, "capture_output": True, "text": True}
    alone = leakaudit("extract", *LINE, "--store", "one")
    done = subprocess.run(line, **how, timeout=200, check=False)
    assert (done.returncode, done.stdout) == (0, alone.stdout.replace("one", "many")), done.stderr
    assert files(tmp_path / "many") == files(tmp_path / "one")
    assert done.stderr.count("exit 0: extracted") == 1
    path = tmp_path / "17.bmp"  # of the second process; nobody looks at it for the key
    path.write_bytes(path.read_bytes()[:60])
    done = subprocess.run(line, **how, timeout=200, check=False)
    said = [each for each in done.stderr.splitlines() if each.startswith("leakaudit: ")]
    assert len(said) == 1, done.stderr
    assert said[0].startswith("leakaudit: exit 2: process 1 on ")
    assert "17.bmp does not decode" in said[0]
    assert "/leakaudit/" not in done.stderr  # no traceback of ours
    assert "exitcode  : 2" in done.stderr
