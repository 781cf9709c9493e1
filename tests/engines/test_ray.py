"""The engine `ray` runs jobs on all nodes of a cluster, and loses none with a node."""

from functools import partial

import numpy as np
import pytest
from errands import alive, count, die_until, fail, finish, gone, look, only_on, send, sleep, where

from leakaudit.engines import Ended, Failed, Job, Note, ray
from leakaudit.errors import HereError, InputError

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("three")]


def test_every_job_ends_with_its_result_and_its_notes(three, capfd, tmp_path, monkeypatch):
    """
    Results come by name, in `Ended` and in the end, notes carry the job's name, and nothing is said on stdout.

    A process that is killed is started again, so often; each has the threads of the same job on the local engine.
    """
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    jobs = [Job("looks", look), Job("twice", partial(die_until, 1, tmp_path)), Job("dies", partial(fail, "death"))]
    records, results = finish(ray.run(jobs, attempts=2))
    environment = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    assert results == {
        "looks": {"torch": 1, "blas": 1, "openmp": 1} | environment,
        "twice": 1,
        "dies": Failed(137, "its process was killed, 2 times"),
    }
    assert sorted(each.job for each in records if isinstance(each, Ended)) == ["dies", "looks", "twice"]
    assert {each.job for each in records if isinstance(each, Note)} <= set(results)
    assert "its process was killed; attempt 2 of 2" in [each.words for each in records]
    said = capfd.readouterr()
    assert said == ("", f"leakaudit: ray: the cluster at {three.address}, 3 nodes\n")


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


def test_a_job_is_done_on_a_node_that_has_what_it_needs():
    """A node that lacks data, or room on its disk, is tried once; where none has it, the failure names them all."""
    jobs = [Job("data", partial(only_on, "node1")), Job("disk", partial(only_on, "node2", full=True))]
    results = finish(ray.run([*jobs, Job("nowhere", partial(only_on, "node99"))]))[1]
    nowhere = results.pop("nowhere")
    assert results == {"data": "node1", "disk": "node2"}
    assert isinstance(nowhere.error, HereError)
    assert nowhere.status == 2
    assert nowhere.words.startswith("node99: not on this machine (tried on ")
    assert nowhere.words.count("(") == 4


def test_a_node_that_dies_takes_nothing_with_it(three, tmp_path):
    """With a node killed while its job runs, and one whose result lies on it unfetched, all jobs come to their end."""
    doomed = three.add()
    jobs = [Job(f"{number}", partial(where, tmp_path, 2.0, 3_000_000)) for number in range(6)]
    work = ray.run(jobs)
    records = []
    while doomed not in {path.name for path in tmp_path.iterdir()}:
        records.append(next(work))
    three.kill(doomed)
    rest, results = finish(work)
    assert len(results) == 6
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
    """Where the only node that is large enough dies, the job fails in time, and says what it needs; others go on."""
    large = three.add(cpus=2)
    jobs = [Job("wide", partial(where, tmp_path, 600.0, 10), threads=2), Job("counts", partial(count, 2))]
    work = ray.run(jobs, patience=2.0)
    while not (tmp_path / large).exists():
        next(work)
    three.kill(large)
    wide = finish(work)[1]["wide"]
    assert wide[:2] == (2, "wide: needs 2 CPUs, and no node that is left has it")


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
    """Results that are larger together than the store of any node come one by one."""
    jobs = [Job(f"{number}", partial(send, 3_000_000)) for number in range(4)]  # 24 MB each
    ends = (each for each in ray.run(jobs, keep=False) if isinstance(each, Ended))
    assert [int(each.result[-1]) for each in ends] == [2_999_999] * 4
