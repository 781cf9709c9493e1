"""A recipe that a method cannot mean is refused in one line, before the first step and before anything is written."""

import math
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from trying import plan, work

from leakaudit.errors import InputError
from leakaudit.plan import prepare

CONTRASTIVE = ("supcon", "simclr", "eps-supinfonce", "infol1o", "fairkl", "bias-contrast")
WRONG = {
    "supcon": "temperature",
    "eps-supinfonce": "eps",
    "fairkl": "lam",
    "bias-contrast": "ce",
    "rebias": "outer",
    "end": "alpha",
    "jtt": "warmup",
}
"""A knob of some methods; all are asked in Python, and a recipe's way to them is the same."""


def refused(folder: Path, **overrides: Any) -> str:
    """The one line in which training with these overrides is refused; the store is not even begun."""
    with pytest.raises(InputError) as error:
        next(work(plan(**overrides), folder))
    assert list(folder.iterdir()) == []
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize(("name", "knob"), WRONG.items())
def test_a_number_below_zero_in_a_recipe_is_refused_by_name(tmp_path: Path, name: str, knob: str) -> None:
    """Weights, temperatures, margins and counts."""
    assert f"{name}: {knob} = -1" in refused(tmp_path, method__name=name, **{f"method__{knob}": -1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_in_a_recipe_is_refused_by_name(tmp_path: Path, value: float) -> None:
    """TOML can say nan and inf; no knob can be one."""
    assert f"temperature = {value}: a finite number" in refused(
        tmp_path, method__name="supcon", method__temperature=value
    )


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_a_batch_of_one_row_is_refused_by_a_method_that_compares_rows(tmp_path: Path, name: str) -> None:
    """One row has nothing to be compared with; two are enough to train."""
    message = refused(tmp_path, method__name=name, train__batch_size=1)
    assert f"batch_size = 1: {name} compares rows of a batch; at least 2 expected" in message
    prepare(plan(method__name=name, train__batch_size=2), tmp_path, 0, "cpu", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "method.temperature=nan"], "temperature = nan: a finite number"),
        (["--set", "train.batch_size=1"], "batch_size = 1: supcon compares rows of a batch; at least 2 expected"),
    ],
)
def test_the_command_says_so_in_one_line(
    leakaudit_here: Callable[..., "CompletedProcess[str]"], tmp_path: Path, words: list[str], message: str
) -> None:
    """Exit 2; what is wrong stands on stderr, nothing on stdout, and no run is begun on disk."""
    done = leakaudit_here("train", "digits/supcon", *words)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not list(tmp_path.rglob("checkpoints/*"))
