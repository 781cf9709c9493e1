"""Both engines tell the same of the same jobs."""

import pytest
from errands import count, every_way, finish

from leakaudit import catalog
from leakaudit.engines import Ended, Failed, Job, Note, Run, local
from leakaudit.errors import HereError, InputError, RefusedError

ENGINES = catalog.names("engines")
KINDS = {"input": InputError, "refused": RefusedError, "here": HereError, "disk": HereError} | dict.fromkeys(
    ("bug", "exit", "unsendable"), type(None)
)


@pytest.fixture(scope="module")
def found(three):
    """What each engine made of one job of each way to end: records and results, by the engine's name."""
    assert len(three.nodes) == 3
    return {name: finish(catalog.thing("engines", name).run(every_way())) for name in ENGINES}


@pytest.mark.parametrize("name", ENGINES)
def test_each_engine_keeps_the_contract(name):
    """Every file of the room has the one function."""
    assert isinstance(catalog.thing("engines", name).run, Run)
    assert {"attempts", "keep"} <= set(catalog.knobs(catalog.thing("engines", name).run))


@pytest.mark.ray
@pytest.mark.slow
def test_results_and_failures_are_the_same_on_every_engine(found):
    """What returns, what a user caused, what no machine has and what is a bug come to the same, word for word."""
    _, results = found["local"]
    assert results["counts"] == 3
    for _, others in found.values():
        assert others["counts"] == 3
        assert (others["sends"] == range(1000)).all()
        assert {name: each[:2] for name, each in failed(others)} == {name: each[:2] for name, each in failed(results)}
        assert {name: type(each.error) for name, each in failed(others)} == KINDS
    assert results["bug"] == Failed(70, "ZeroDivisionError: of all things this")
    assert results["refused"].status == 4
    assert results["disk"].words == "cannot write shard.safetensors: No space left on device"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_every_job_ends_once_and_notes_carry_its_name(found, name):
    """Each result comes once by `Ended`, as it is returned, and no note comes after it."""
    records, results = found[name]
    ended = [each for each in records if isinstance(each, Ended)]
    assert sorted(each.job for each in ended) == sorted(results)
    for number, each in enumerate(records):
        if isinstance(each, Note):
            assert each.job in {later.job for later in records[number:] if isinstance(later, Ended)}


def failed(results):
    """The failures among results, by name; of one that several nodes were tried for, without their names."""
    failures = [(name, each) for name, each in results.items() if isinstance(each, Failed)]
    return [(name, each._replace(words=each.words.partition(" (tried on ")[0])) for name, each in failures]


def test_a_bug_keeps_its_traceback(capfd):
    """Where it happened stands on stderr, and nothing on stdout."""
    finish(local.run([job for job in every_way() if job.name == "bug"]))
    said = capfd.readouterr()
    assert "errands.py" in said.err
    assert said.err.endswith("ZeroDivisionError: of all things\nthis\n")
    assert said.out == ""


def test_two_jobs_of_one_name_are_a_bug():
    """Results come by name."""
    with pytest.raises(AssertionError, match="no two jobs of one name"):
        next(local.run([Job("twice", count), Job("twice", count)]))
