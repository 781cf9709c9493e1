"""The engine `ray` runs jobs on all nodes of a cluster, and loses none with a node."""

from functools import partial

import pytest
from clustered import machines
from errands import count, finish

from leakaudit.engines import Ended, Job, Note, ray

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A cluster of three nodes of one core each."""
    with machines(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def test_every_job_ends_with_its_result_and_its_notes(three, capfd):
    """Results come by name, in `Ended` and in the end, and notes carry the job's name."""
    records, results = finish(ray.run([Job("three", partial(count, 3)), Job("five", partial(count, 5))]))
    assert results == {"three": 3, "five": 5}
    assert sorted(each[:2] for each in records if isinstance(each, Ended)) == [("five", 5), ("three", 3)]
    assert {each.job for each in records if isinstance(each, Note)} <= {"three", "five"}
    said = capfd.readouterr()
    assert said == ("", f"leakaudit: ray: the cluster at {three.address}, 3 nodes\n")
