"""What stands beside the verdict: erased embeddings, labels needed, numbers, what was there before."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakaudit.catalog import Call
from leakaudit.dataset import Labels
from leakaudit.errors import InputError
from leakaudit.finding import Learned
from leakaudit.inquest import learning
from leakaudit.inquest.exhibits import Exhibits
from leakaudit.stats import Interval


def reading(found: Any, name: str) -> float:
    """E of one attacker on the erased bottleneck."""
    leace = next(each for each in found.only.baselines if each.baseline == "leace")
    return next(each.figures.excess.value for each in leace.readings if each.attacker == name)


def test_erasure_blinds_a_hyperplane(embed: Any, attacked: Any) -> None:
    """A linear leak of E .68 is gone after LEACE, for `linear` and for `quadratic`."""
    found = attacked(embed(600, width=4, leak=2.0))
    assert found.only.figures.excess.value > 0.55
    assert abs(reading(found, "linear")) < 0.2
    assert abs(reading(found, "quadratic")) < 0.2


def test_erasure_leaves_what_no_hyperplane_reads(embed: Any, attacked: Any) -> None:
    """An attribute in the product of two components is untouched by LEACE: quadratic reads it, linear does not."""
    made = embed(900, width=12)
    v = made.columns["colour"].values
    sign = np.where(np.random.default_rng(5).random(900) < 0.5, 1, -1)
    z = made.z.copy()
    z[:, 2] += 2 * sign
    z[:, 3] += 2 * sign * (2 * v - 1)
    found = attacked(replace(made, z=z), attackers=(Call("quadratic", {}),))
    assert abs(reading(found, "linear")) < 0.2
    assert reading(found, "quadratic") > 0.7


def test_labels_needed_are_few_where_much_is_read(embed: Any, attacked: Any) -> None:
    """A strong leak needs few labels, a weak one more, nothing needs all and more; the curve ends with the figures."""
    strong, weak, none = (attacked(embed(500, width=4, leak=leak, seed=2)).only for leak in (4.0, 1.0, 0.0))
    assert strong.labels_needed <= 64
    assert none.labels_needed is None
    assert weak.labels_needed is None or weak.labels_needed >= strong.labels_needed
    assert [point.labels for point in strong.learning] == [32, 64, 128, 400]
    assert strong.learning[-1].excess == strong.figures.excess


def test_the_curve_has_points_that_double() -> None:
    """From 32 to half of the rows; four times apart with many attributes."""
    assert learning.points(60) == []
    assert learning.points(64) == [32]
    assert learning.points(1000) == [32, 64, 128, 256]
    assert learning.points(10**6)[-1] == 8192
    assert learning.points(10**6, 40) == [32, 128, 512]


def test_labels_are_needed_from_where_every_bound_is_above_zero() -> None:
    """A bound that sinks again does not count as known."""
    bounds = [-0.1, 0.1, -0.1, 0.2, 0.3]
    curve = [Learned(10 * 2**i, Interval(low, low, low), low) for i, low in enumerate(bounds)]
    assert learning.needed(curve) == 80
    assert learning.needed(curve[:3]) is None
    assert learning.needed([]) is None


def test_numbers_are_guessed_as_numbers(embed: Any, attacked: Any) -> None:
    """Age that is a component is named to a fraction of what the target leaves open; a coin's number is not at all."""
    made = embed(500, width=4)
    rng = np.random.default_rng(3)
    ages = {"age": 40 + 10 * made.z[:, 1].astype(np.float64), "noise": rng.normal(50, 9, 500)}
    columns = {**made.columns, **{name: Labels(values.astype(np.float32), ()) for name, values in ages.items()}}
    found = attacked(replace(made, columns=columns), private=("age", "noise")).audit
    age, noise = ({each.attacker: each for each in part.regression} for part in found.attributes)
    assert set(age) == {"ridge"}
    assert age["ridge"].r2.value > 0.95
    assert age["ridge"].mae.value < 0.3 * age["ridge"].mae_target
    assert noise["ridge"].r2.low < 0.02
    assert len(found.attributes[1].classes) == 5


@pytest.mark.slow
def test_what_was_there_before_is_compared_on_the_same_rows(embed: Any, attacked: Any) -> None:
    """E above a fresh encoder is zero where both are the same, and a share of the raw input's is one."""
    made = embed(400, width=3, leak=2.0)
    same = Exhibits(random_init=made, raw=made.z)
    found = attacked(made, attackers=(Call("linear", {}), Call("mlp", {})), exhibits=same).only
    assert abs(found.above_random.value) < 0.05
    assert found.share_of_raw.low <= 1 <= found.share_of_raw.high
    blind = attacked(made, exhibits=replace(same, random_init=embed(400, width=3), raw=embed(400, width=3).z)).only
    assert blind.above_random.low > 0.3
    assert blind.share_of_raw is None
    assert "may be zero" in blind.share_of_raw_note


def test_a_difference_of_two_that_read_everything_is_not_known_exactly(embed: Any, attacked: Any) -> None:
    """Where both name every row right no two outcomes differ, and what differs unseen still has bounds around 0."""
    made = embed(300, width=2, leak=40.0)
    found = attacked(made, exhibits=Exhibits(random_init=made)).only
    assert found.figures.excess.value == 1
    value, low, high = found.above_random
    assert value == 0
    assert found.figures.excess.low - 1 < low < -0.01
    assert high == -low


@pytest.mark.parametrize("missing", [0, 90])
def test_attributes_may_miss_labels_in_rows_of_their_own(missing: int, embed: Any, attacked: Any) -> None:
    """Each attribute is attacked and scored on the rows that have its label, in one audit."""
    made = embed(500, width=3, leak=3.0)
    v = made.columns["colour"].values
    first, second = v.copy(), v.copy()
    first[:missing] = -1
    second[500 - missing // 2 :] = -1
    columns = {**made.columns, "a": Labels(first, ("c0", "c1")), "b": Labels(second, ("c0", "c1"))}
    audit = attacked(replace(made, columns=columns), private=("a", "b")).audit
    assert [part.rows.rows for part in audit.attributes] == [500 - missing, 500 - missing // 2]
    assert [part.rows.missing for part in audit.attributes] == [missing, missing // 2]
    assert all(part.verdict == "LEAK" and part.rows.scored == part.rows.rows for part in audit.attributes)


def test_attack_seeds_are_points(embed: Any, attacked: Any) -> None:
    """Further seeds show where E falls with other folds; the first decides, alone or among others."""
    made = embed(300, width=3, leak=2.0)
    one, three = attacked(made).only, attacked(made, seeds=3).only
    assert one.seeds == ()
    assert len(three.seeds) == 2
    assert three.figures == one.figures
    assert all(abs(point - one.figures.excess.value) < 0.15 for point in three.seeds)
    assert len({one.figures.excess.value, *three.seeds}) == 3
    with pytest.raises(InputError, match="--seeds 0: at least 1"):
        attacked(made, seeds=0)
