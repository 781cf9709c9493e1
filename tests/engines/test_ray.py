"""The engine `ray` runs jobs on all nodes of a cluster, and loses none with a node."""

from functools import partial

import numpy as np
import pytest
from errands import alive, count, die_until, fail, finish, gone, look, only_on, send, sleep, where

from leakaudit.engines import Ended, Failed, Job, Note, ray
from leakaudit.errors import HereError, InputError

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("three")]


def test_every_job_ends_with_its_result_and_its_notes(three, capfd):
    """Results come by name, in `Ended` and in the end, notes carry the job's name, and nothing is said on stdout."""
    jobs = [Job("three", partial(count, 3)), Job("five", partial(count, 5)), Job("dies", partial(fail, "death"))]
    records, results = finish(ray.run(jobs, attempts=2))
    assert results == {"three": 3, "five": 5, "dies": Failed(137, "its process was killed, 2 times")}
    assert sorted(each.job for each in records if isinstance(each, Ended)) == ["dies", "five", "three"]
    assert {each.job for each in records if isinstance(each, Note)} <= set(results)
    said = capfd.readouterr()
    assert said == ("", f"leakaudit: ray: the cluster at {three.address}, 3 nodes\n")


def test_threads_are_what_was_declared_and_no_gpu_is_seen(monkeypatch):
    """A task has the threads of the same job on the local engine."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = finish(ray.run([Job("one", look)]))[1]["one"]
    environment = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    assert found == {"torch": 1, "blas": 1, "openmp": 1} | environment


def test_what_no_node_has_is_refused_before_any_job_starts(tmp_path):
    """A job that needs more than the largest node has: which, how much, and what there is."""
    fitting = Job("fitting", partial(sleep, tmp_path))
    with pytest.raises(InputError, match=r"^greedy: needs 64 CPUs, the largest node has 1 CPU$"):
        next(ray.run([fitting, Job("greedy", partial(count, 1), threads=64)]))
    with pytest.raises(InputError, match=r"^greedy: needs 0.5 GPU, the largest node has no GPUs$"):
        next(ray.run([fitting, Job("greedy", partial(count, 1), gpus=0.5)]))
    with pytest.raises(InputError, match=r"^greedy: needs 1e\+06 GB of memory, the largest node has"):
        next(ray.run([fitting, Job("greedy", partial(count, 1), memory=10**15)]))
    assert not list(tmp_path.iterdir())


def test_a_job_whose_data_one_node_has_is_done_there(three):
    """A node that lacks something is tried once; where none has it, the failure names them all."""
    jobs = [Job(name, partial(only_on, name)) for name in three.nodes]
    jobs.append(Job("nowhere", partial(only_on, "node99")))
    results = finish(ray.run(jobs))[1]
    nowhere = results.pop("nowhere")
    assert results == {name: name for name in three.nodes}
    assert isinstance(nowhere.error, HereError)
    assert nowhere.status == 2
    assert nowhere.words.startswith("node99: not on this machine (tried on ")
    assert nowhere.words.count("(") == 4


def test_a_node_that_dies_takes_nothing_with_it(three, tmp_path):
    """With a node killed while its job runs, and one whose result lies on it unfetched, all jobs come to their end."""
    doomed = three.add()
    jobs = [Job(f"{number}", partial(where, tmp_path, 2.0, 3_000_000)) for number in range(8)]
    work = ray.run(jobs)
    records = []
    while doomed not in {path.name for path in tmp_path.iterdir()}:
        records.append(next(work))
    three.kill(doomed)
    rest, results = finish(work)
    assert len(results) == 8
    assert all(np.array_equal(result, np.arange(3_000_000)) for result in results.values())
    ended = [each.job for each in [*records, *rest] if isinstance(each, Ended)]
    assert sorted(ended) == sorted(results)


def test_a_result_lost_before_it_is_fetched_is_made_again(three, tmp_path):
    """A finished job whose node dies before anybody asked for its result is done again."""
    doomed = three.add()
    work = ray.run([Job("kept", partial(send, 10)), Job("lost", partial(where, tmp_path, 0.0, 3_000_000, doomed))])
    record = next(work)
    assert isinstance(record, (Note, Ended))
    while not (tmp_path / f"{doomed}.done").exists():
        record = next(work)
    three.kill(doomed)
    (tmp_path / "anywhere").touch()
    results = finish(work)[1]
    assert np.array_equal(results["lost"], np.arange(3_000_000))


def test_a_job_that_no_node_has_room_for_any_more_is_given_up(three, tmp_path):
    """Where the only node that refused nothing dies, a job fails in time, and says why."""
    last = three.add()
    work = ray.run([Job("bound", partial(where, tmp_path, 3.0, 10, last))], patience=2.0)
    while not (tmp_path / last).exists():
        next(work)
    three.kill(last)
    failed = finish(work)[1]["bound"]
    assert failed.status == 2
    assert "not on this machine" in failed.words


def test_a_killed_worker_is_started_again(tmp_path):
    """A process that is killed twice runs a third time."""
    assert finish(ray.run([Job("twice", partial(die_until, 2, tmp_path))]))[1] == {"twice": 2}


def test_a_full_disk_is_left_for_another_node():
    """A job whose node has no room on its disk is done where there is."""
    results = finish(ray.run([Job("writes", partial(only_on, "node2", full=True))]))[1]
    assert results == {"writes": "node2"}


def test_closing_ends_the_jobs_and_leaves_the_cluster(tmp_path):
    """Whoever stops listening leaves no job running, a job cleans up behind itself, and the cluster is still there."""
    work = ray.run([Job("sleeper", partial(sleep, tmp_path))])
    while not (tmp_path / "child").exists():
        next(work)
    process = int((tmp_path / "process").read_text())
    assert alive(process)
    work.close()
    assert gone(process)
    assert gone(int((tmp_path / "child").read_text()))
    assert (tmp_path / "cleaned").exists()
    assert finish(ray.run([Job("next", partial(count, 2))]))[1] == {"next": 2}


def test_big_results_do_not_pile_up():
    """Results that are larger together than all the stores come one by one."""
    jobs = [Job(f"{number}", partial(send, 2_000_000)) for number in range(6)]  # 16 MB each
    ends = (each for each in ray.run(jobs, keep=False) if isinstance(each, Ended))
    assert [int(each.result[-1]) for each in ends] == [1_999_999] * 6
