"""Parts keep groups whole and strata in their share."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leakaudit.numerics.holdout import parts


@settings(deadline=None)
@given(rows=st.integers(1, 200), count=st.integers(2, 6), strata=st.integers(1, 5), seed=st.integers(0, 9))
def test_every_stratum_is_dealt_out_evenly(rows: int, count: int, strata: int, seed: int) -> None:
    """Where each row is its own group, no two parts differ by more than one row of any stratum."""
    stratum = np.random.default_rng(seed).integers(0, strata, rows)
    part = parts(stratum, np.arange(rows), count, seed)
    for which in range(strata):
        sizes = np.bincount(part[stratum == which], minlength=count)
        assert sizes.max() - sizes.min() <= 1


@settings(deadline=None)
@given(groups=st.integers(1, 40), count=st.integers(2, 5), seed=st.integers(0, 9))
def test_groups_stay_together(groups: int, count: int, seed: int) -> None:
    """All rows of a group are in one part, and the same seed deals alike."""
    group = np.random.default_rng(seed).integers(0, groups, 150)
    part = parts(group % 3, group, count, seed)
    assert all(len(set(part[group == which])) == 1 for which in set(group))
    assert (part == parts(group % 3, group, count, seed)).all()


def test_seeds_deal_differently() -> None:
    """Another seed is another division."""
    ids = np.arange(100)
    assert (parts(ids % 2, ids, 4, 0) != parts(ids % 2, ids, 4, 1)).any()
