"""Reports made from made-up audits."""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jaxtyping
import pytest

from leakaudit.render import Report
from leakaudit.report import report

sys.path.insert(0, str(Path(__file__).parent))

import synthetic

TYPED = ("test_same_numbers", "test_every_figure", "test_histograms")
"""Tests that render every form and every figure with types checked at run time."""


@pytest.fixture(autouse=True)
def _types(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere types are not checked again: a page is forty thousand calls, and checks take most of a rendering."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", request.module.__name__ not in TYPED)


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    """A report on one audit per plan, made once; tuples of plans are several attributes of one subject."""

    @functools.cache
    def make(*plans: synthetic.Plan | tuple[synthetic.Plan, ...]) -> Report:
        groups = [plan if isinstance(plan, tuple) else (plan,) for plan in plans]
        return report([synthetic.audit(*group) for group in groups], ())

    return make


@pytest.fixture(scope="session")
def one(make_report: Callable[..., Report]) -> Report:
    """One model."""
    return make_report(synthetic.VANILLA)


@pytest.fixture(scope="session")
def pair(make_report: Callable[..., Report]) -> Report:
    """Vanilla and EnD."""
    return make_report(synthetic.VANILLA, synthetic.END)


@pytest.fixture(scope="session")
def many(make_report: Callable[..., Report]) -> Report:
    """Every verdict, two attributes of the first, no target, no baselines and no paper protocol in some."""
    leak, detected, inconclusive, within, quiet = synthetic.BY_VERDICT.values()
    second = replace(leak, private="style", classes=("thin", "bold"), strength=0.3, seed=9)
    bare = replace(inconclusive, baselines=False, paper=False, reconstruction=False, utility=False)
    return make_report((leak, second), detected, bare, within, replace(quiet, target=None, targets=("all",)))
