"""The local engine runs jobs side by side, within what the machine has, and ends them together."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from errands import (
    alive,
    count,
    die_until,
    die_while_sending,
    fail,
    finish,
    gone,
    look,
    meet,
    overlap,
    send,
    sleep,
    speak,
)

from leakaudit.engines import Ended, Failed, Job, Note, local
from leakaudit.errors import InputError


def test_every_job_ends_with_its_result_and_its_notes():
    """Results come by name, in `Ended` and in the end, and notes carry the job's name."""
    records, results = finish(local.run([Job("three", partial(count, 3)), Job("five", partial(count, 5))]))
    assert results == {"three": 3, "five": 5}
    assert [each.done for each in records if each.job == "five" and isinstance(each, Note)] == [1, 2, 3, 4, 5]
    assert sorted(each[:2] for each in records if isinstance(each, Ended)) == [("five", 5), ("three", 3)]


def test_what_the_machine_lacks_is_refused_before_any_job_starts(tmp_path):
    """A job that needs more than there is: which, how much, and what there is."""
    fitting = Job("fitting", partial(sleep, tmp_path))
    with pytest.raises(InputError, match=r"^greedy: needs 64 CPUs, this machine has 8 CPUs$"):
        next(local.run([fitting, Job("greedy", partial(count, 1), threads=64)], cpus=8))
    with pytest.raises(InputError, match=r"^greedy: needs 1e\+09 GB of memory, this machine has [0-9.]+ GB$"):
        next(local.run([fitting, Job("greedy", partial(count, 1), memory=10**18)], cpus=8))
    with pytest.raises(InputError, match=r"^greedy: needs 4096 GPUs, this machine has"):
        next(local.run([fitting, Job("greedy", partial(count, 1), gpus=4096)], cpus=8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("share", [0.25, 1 / 3, 0.5, 1.0, 2.0])
def test_shares_fill_gpus_and_no_more(share):
    """Of two GPUs, jobs of a share take both evenly, never a part of two, and one more has to wait."""
    machine, running = local.Room(1000, 2, 1e12), []
    for number in range(int(2 / share)):
        job = Job(str(number), partial(count, 1), gpus=share)
        devices = local._given(job, machine, running)
        assert devices is not None
        assert len(devices) == max(1, share)
        running.append(local.Worker(job, 1, None, None, devices))
    assert local._given(Job("late", partial(count, 1), gpus=share), machine, running) is None
    assert local._given(Job("no GPU", partial(count, 1)), machine, running) == ()
    given = [worker.devices[0] for worker in running]
    assert share > 1 or given.count(0) == given.count(1)


def test_cores_and_memory_are_not_given_twice():
    """What a running job was given, no other gets."""
    machine = local.Room(4, 0, 8e9)
    running = [local.Worker(Job("first", partial(count, 1), threads=3, memory=5 * 10**9), 1, None, None, ())]
    assert local._given(Job("small", partial(count, 1), threads=1, memory=3 * 10**9), machine, running) == ()
    assert local._given(Job("cores", partial(count, 1), threads=2), machine, running) is None
    assert local._given(Job("memory", partial(count, 1), memory=4 * 10**9), machine, running) is None


@pytest.mark.slow
def test_two_jobs_run_at_the_same_time(tmp_path):
    """Each of two jobs that wait for the other ends; where both cores are asked for, one runs after the other."""
    ours, theirs = tmp_path / "a", tmp_path / "b"
    jobs = [Job("a", partial(meet, ours, theirs)), Job("b", partial(meet, theirs, ours))]
    assert finish(local.run(jobs, cpus=2))[1] == {"a": True, "b": True}
    (folder := tmp_path / "here").mkdir()
    one = [Job(name, partial(overlap, folder), threads=2) for name in "abc"]
    assert finish(local.run(one, cpus=2))[1] == {"a": 1, "b": 1, "c": 1}


def test_threads_and_gpus_are_what_was_declared(monkeypatch):
    """Every library of arithmetic has the job's threads, whatever the user's shell says; no GPU is seen unasked."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    found = finish(local.run([Job("three", look, threads=3)], cpus=3))[1]["three"]
    blas = min(3, os.cpu_count())  # OpenBLAS takes no more than there are cores
    environment = {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": ""}
    assert found == {"torch": 3, "blas": blas, "openmp": 3} | environment
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


@pytest.mark.gpu
def test_a_job_sees_the_gpu_that_it_was_given():
    """A job with a share of a GPU sees one device."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA")
    found = finish(local.run([Job("half", look, gpus=0.5)]))[1]["half"]
    assert len(found["CUDA_VISIBLE_DEVICES"].split(",")) == 1
    assert found["CUDA_VISIBLE_DEVICES"] != ""


@pytest.mark.slow
def test_gpus_are_named_as_this_process_sees_them(monkeypatch):
    """The first GPU of a process that sees the third and the fourth is the third."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-8932")
    worker = local._started(Job("second", look, gpus=1), 1, (1,))
    try:
        while not worker.pipe.poll(60) or isinstance(said := worker.pipe.recv(), Note):
            pass
        assert said.result["CUDA_VISIBLE_DEVICES"] == "GPU-8932"
    finally:
        local._stop([worker])


@pytest.mark.slow
def test_a_killed_worker_is_started_again(tmp_path):
    """A process that is killed twice runs a third time; one that is killed each time failed with 128 and the signal."""
    jobs = [Job("twice", partial(die_until, 2, tmp_path)), Job("always", partial(fail, "death"))]
    records, results = finish(local.run(jobs))
    assert results["twice"] == 2
    assert results["always"] == Failed(128 + signal.SIGKILL, "its process was killed by SIGKILL, 3 times")
    assert "its process was killed by SIGKILL; attempt 3 of 3" in [each.words for each in records]


@pytest.mark.slow
def test_a_worker_killed_at_any_moment_blocks_nobody(tmp_path):
    """Processes that are killed at random moments, in the middle of a message too, hold up no other; all jobs end."""
    jobs = [Job(f"{number}", partial(die_while_sending, 5, tmp_path, number)) for number in range(6)]
    results = finish(local.run(jobs, attempts=6, cpus=4))[1]
    assert results == {job.name: 6 for job in jobs}


def test_closing_ends_the_processes(tmp_path):
    """Whoever stops listening leaves no process behind, nor what a job had started; a job cleans up behind itself."""
    work = local.run([Job("sleeper", partial(sleep, tmp_path))])
    assert next(work).job == "sleeper"
    work.close()
    assert not alive(int((tmp_path / "process").read_text()))
    assert gone(int((tmp_path / "child").read_text()))
    assert (tmp_path / "cleaned").exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_job_outlives_who_asked_for_it(tmp_path, how, environment):
    """Interrupted or killed, the asking process takes its jobs with it, and what they had started."""
    script = f"""
from functools import partial; from pathlib import Path; from errands import sleep
from leakaudit.engines import Job, local
if __name__ == "__main__":
    for note in local.run([Job("sleeper", partial(sleep, Path({str(tmp_path)!r})))]): print(note.job, flush=True)
"""
    (tmp_path / "ask.py").write_text(script)
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "ask.py")],
        env=environment | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as asking:
        assert asking.stdout.readline() == b"sleeper\n"
        processes = [int((tmp_path / name).read_text()) for name in ("process", "child")]
        assert all(map(alive, processes))
        asking.send_signal(how)
        assert asking.wait(timeout=30) == -how
        assert all(map(gone, processes))
        assert (tmp_path / "cleaned").exists()
        said = asking.stderr.read()
    assert said.count(b"Traceback") == (how == signal.SIGINT), said


@pytest.mark.slow
def test_stdout_is_left_to_the_product(capfd):
    """What a job prints goes to stderr."""
    finish(local.run([Job("speaks", speak)]))
    assert capfd.readouterr() == ("", "not the product\n")


@pytest.mark.slow
def test_results_that_are_not_kept_come_once():
    """A caller that takes results as they end may have none kept for it."""
    records, results = finish(local.run([Job("sends", partial(send, 10))], keep=False))
    assert results == {"sends": None}
    assert [len(each.result) for each in records if isinstance(each, Ended)] == [10]
