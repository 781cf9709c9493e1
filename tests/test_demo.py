"""The demo ends at once where one of its jobs cannot be done."""

from functools import partial

import pytest
from errands import alive, fail, sleep

from leakaudit import demo
from leakaudit.engines import Job, local
from leakaudit.errors import InputError
from leakaudit.progress import watch


def test_one_failed_job_ends_the_others(tmp_path):
    """The error of the first that fails is raised, and nobody waits for the other."""
    jobs = [Job("sleeper", partial(sleep, tmp_path)), Job("failing", partial(fail, "input", tmp_path / "process"))]
    with pytest.raises(InputError, match=r"^faces\.csv: nothing there$"):
        watch(demo.together(local.run(jobs, cpus=2)), "demo", "quiet")
    assert not alive(int((tmp_path / "process").read_text()))


def test_a_bug_ends_as_one(capfd):
    """A job's bug is no input that a user could correct, and keeps its traceback."""
    with pytest.raises(RuntimeError, match=r"^ZeroDivisionError: of all things this$"):
        watch(demo.together(local.run([Job("failing", partial(fail, "bug"))])), "demo", "quiet")
    assert "errands.py" in capfd.readouterr().err
