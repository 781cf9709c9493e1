"""The engine `ray` without a cluster: what is missing is told, and one that it starts for its jobs ends with them."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from clustered import SAID
from errands import alive, count, gone

from leakaudit.engines import Job, ray
from leakaudit.errors import InputError

JOBS = [Job("counts", partial(count, 3))]


def test_without_ray_installed_the_line_says_what_to_install(monkeypatch):
    """No traceback of an import, and no other engine in its place."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"^engine ray: Ray is not installed: pip install 'leakaudit\[ray\]'$"):
        next(ray.run(JOBS))


@pytest.mark.ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "ray://127.0.0.1:1"])
def test_an_address_that_nobody_answers_at_is_told(monkeypatch, address):
    """Neither is a cluster started instead, nor does anybody wait for minutes; the knob and the variable are alike."""
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=rf"^engine ray: no cluster answers at {address}; start one with: ray start"):
        next(ray.run(JOBS, address=address))
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=f"no cluster answers at {address}"):
        next(ray.run(JOBS))


@pytest.mark.ray
@pytest.mark.slow
def test_ctrl_c_ends_the_jobs_and_the_cluster_that_was_started(tmp_path, environment):
    """A Ctrl-C of the whole process group: jobs clean up behind themselves, no process of Ray is left."""
    pytest.importorskip("ray")
    script = f"""
from functools import partial; from pathlib import Path; from errands import sleep
from leakaudit.engines import Job, ray
jobs = [Job("sleeper", partial(sleep, Path({str(tmp_path)!r})))]
for note in ray.run(jobs, address="local"): print(note.job, flush=True)
"""
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    environment = environment | SAID | {"PYTHONPATH": path, "RAY_object_store_memory": str(80 << 20)}
    environment.pop("RAY_ADDRESS", None)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as asking:
        assert asking.stdout.readline() == b"sleeper\n"
        processes = [int((tmp_path / name).read_text()) for name in ("process", "child")]
        assert all(map(alive, processes))
        started = offspring(asking.pid)
        assert len(started) > 3
        os.killpg(asking.pid, signal.SIGINT)
        assert asking.wait(timeout=60) == -signal.SIGINT
        assert all(map(gone, [*processes, *started]))
        assert (tmp_path / "cleaned").exists()
        assert asking.stdout.read() == b""
        said = asking.stderr.read().decode()
    assert said.startswith("leakaudit: ray: a cluster of this machine alone, started for these jobs, 1 node\nTraceback")
    assert said.endswith("KeyboardInterrupt\n")


def offspring(process: int) -> list[int]:
    """All processes below one."""
    found = [
        int(each) for path in Path(f"/proc/{process}/task").glob("*/children") for each in path.read_text().split()
    ]
    return [*found, *(below for each in found for below in offspring(each))]
