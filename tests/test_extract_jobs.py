"""Extraction as jobs: what they pass on their machines is what one process passes, and what is lost is done again."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from farmed import LINE, InPlace, files, furnish, shards, spoil, terms
from test_extract import finish

from leakaudit import auditor, embeddings, extract, farming
from leakaudit.embeddings import Embeddings
from leakaudit.errors import HereError, InputError
from leakaudit.subject import Terms


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Shards of ten rows, in a folder with images; the jobs' processes do not know how long a shard is."""
    for module in (embeddings, extract):
        monkeypatch.setattr(module, "SHARD", 10)
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)


def farm(engine: InPlace, asked: Terms) -> tuple[list[extract.Shard], list[Embeddings]]:
    """The records and results of an extraction as jobs."""
    made = farming.make(engine, LINE[0], asked)
    return finish(auditor.together(auditor.find(LINE[0], asked), asked, made))  # type: ignore[arg-type, return-value]


def alone(home: Path, **more: object) -> dict[str, bytes]:
    """The files of one process."""
    asked = terms(home, **more)
    finish(auditor.together(auditor.find(LINE[0], asked), asked))  # type: ignore[arg-type]
    return files(home)


def test_jobs_make_the_files_of_one_process(tmp_path: Path) -> None:
    """Of several layers too: the same keys and bytes, in whatever order jobs end; each shard is told of once."""
    engine, layer = InPlace(), ("features.3", "classifier:at=input")
    steps, found = farm(engine, terms(tmp_path / "many", layer=layer))
    assert files(tmp_path / "many") == alone(tmp_path / "one", layer=layer)
    assert [step.done for step in steps] == [4, 14, 24]
    assert [job.name for job in engine.jobs] == ["rows 0-9", "rows 10-19", "rows 20-23"]
    assert len(found) == 2
    assert farm(engine, terms(tmp_path / "many", layer=layer))[0] == []
    assert len(engine.jobs) == 3


def test_many_shards_are_few_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than `JOBS` where results are small; none whose result is large, if it makes more than one shard."""
    whole = [range(first, first + 10) for first in range(0, 1000, 10)]
    assert [len(part) for part in farming._parts(whole, 8)] == [2] * 50
    monkeypatch.setattr(farming, "RESULT", 79)
    assert [len(part) for part in farming._parts(whole, 8)] == [1] * 100


def test_a_job_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    """What they made is kept, the line says which rows and why, and the next run makes the rest and no more."""
    asked = terms(tmp_path / "s")
    with pytest.raises(InputError, match=r"^rows 10-19: its process was killed by .* \(1 of 3 jobs failed; what the"):
        farm(InPlace(lose="rows 10-19"), asked)
    assert shards(tmp_path / "s") == [0, 2]
    again = InPlace()
    steps, _ = farm(again, asked)
    assert [job.name for job in again.jobs] == ["rows 10-19"]
    assert max(step.done for step in steps) == 24
    assert files(tmp_path / "s") == alone(tmp_path / "one")


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_made_and_ends_the_jobs(tmp_path: Path) -> None:
    """The engine is closed."""
    engine = InPlace(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        farm(engine, terms(tmp_path / "s"))
    assert engine.closed
    assert shards(tmp_path / "s") == [2]


@pytest.mark.slow
def test_a_full_disk_of_who_asked_ends_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the second shard is written: one stays, and the engine is closed."""
    engine, write = InPlace(), embeddings.write_shard

    def full(path: Path, *more: object) -> None:
        if shards(tmp_path / "s"):
            raise HereError(f"cannot write {path}: No space left on device")
        write(path, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(embeddings, "write_shard", full)
    with pytest.raises(InputError, match="No space left on device"):
        farm(engine, terms(tmp_path / "s"))
    assert engine.closed
    assert shards(tmp_path / "s") == [2]


def errand(tmp_path: Path) -> farming.Errand:
    """What the first job is given."""
    engine = InPlace(stop_after=0)
    with pytest.raises(KeyboardInterrupt):
        farm(engine, terms(tmp_path / "s"))
    (given,) = engine.jobs[0].work.args  # type: ignore[attr-defined]
    return given  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("gone", r"no such table|no such file"),
        pytest.param("weights", r"other weights than on the machine that asked$", marks=pytest.mark.slow),
        pytest.param("labels", r"other rows or labels than on the machine that asked$", marks=pytest.mark.slow),
        ("image", r"rows 0 to 9 of .*faces\.csv test: other images than on the machine that asked$"),
    ],
)
def test_what_a_machine_lacks_is_its_own_fault(tmp_path: Path, change: str, words: str) -> None:
    """Data that are not there, other weights, labels or a single image: an engine is to try elsewhere."""
    given = errand(tmp_path)
    there = tmp_path / "there"
    furnish(there)
    if change == "gone":
        (there / "faces.csv").unlink()
    elif change == "weights":
        content = bytearray((there / "w.safetensors").read_bytes())
        content[-1] ^= 1
        (there / "w.safetensors").write_bytes(content)
    elif change == "labels":
        (there / "faces.csv").write_text((there / "faces.csv").read_text().replace("3.bmp,1", "3.bmp,0"))
    else:
        spoil(there / "5.bmp")
    with pytest.raises(HereError, match=words):
        finish(farming.work(replace(given, folder=there)))  # type: ignore[arg-type]
    assert Path.cwd() == tmp_path


@pytest.mark.slow
def test_a_machine_may_have_its_data_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its own environment says so; what is the same as of whoever asked says nothing new."""
    given = errand(tmp_path)
    furnish(tmp_path / "node")
    (tmp_path / "faces.csv").unlink()
    monkeypatch.chdir("/")
    moved = replace(given, folder=tmp_path / "not here", subject=str(tmp_path / "w.safetensors"))
    with pytest.raises(HereError, match="no such table"):
        finish(farming.work(moved))  # type: ignore[arg-type]
    monkeypatch.setenv(farming.VARIABLE, str(tmp_path / "node"))
    assert len(finish(farming.work(moved))[1][0]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("cuda", 1), ("auto", int(torch.cuda.is_available()))])
def test_jobs_declare_what_they_take(tmp_path: Path, device: str, gpus: int) -> None:
    """Few threads, and a GPU each where they are to run on one, also if whoever asks has none."""
    asked, engine = terms(tmp_path / "s"), InPlace(stop_after=0)
    made = farming.make(engine, LINE[0], replace(asked, device=device))
    with pytest.raises(KeyboardInterrupt):
        finish(auditor.together(auditor.find(LINE[0], asked), asked, made))  # type: ignore[arg-type]
    assert [job.gpus for job in engine.jobs] == [gpus] * 3
    assert all(1 <= job.threads <= farming.THREADS for job in engine.jobs)


def test_what_cannot_be_meant_is_refused(tmp_path: Path, leakaudit_here) -> None:
    """One GPU by number, torchrun and jobs at once, and an engine that there is not."""
    line = ["extract", *LINE[:5], "--engine"]
    done = leakaudit_here(*line, "local", "--device", "cuda:1")
    assert (done.returncode, "each job has a GPU of its own; auto, cpu or cuda expected" in done.stderr) == (2, True)
    done = leakaudit_here(*line, "slurm")
    assert (done.returncode, "'slurm'" in done.stderr) == (2, True)
    assert not (tmp_path / ".leakaudit").exists()


@pytest.mark.slow
def test_the_command_runs_jobs_in_processes_of_their_own(tmp_path: Path, leakaudit_here) -> None:
    """The local engine gives the files of one process."""
    for home, *more in (["one"], ["many", "--engine", "local"]):
        done = leakaudit_here("extract", *LINE, "--store", home, *more)
        assert done.returncode == 0, done.stderr
    assert files(tmp_path / "one") == files(tmp_path / "many")
