"""What cannot be attacked is refused in one line, before anything is done."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakaudit.catalog import Call
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.inquest.exhibits import Exhibits

Change = Callable[[Embeddings], Embeddings]


def relabel(name: str, values: np.ndarray, classes: tuple[str, ...] = ("c0", "c1")) -> Change:
    """Another label column."""
    return lambda e: replace(e, columns={**e.columns, name: Labels(values, classes)})


def with_nan(e: Embeddings) -> Embeddings:
    """One number that is none."""
    z = e.z.copy()
    z[17, 2] = np.nan
    return replace(e, z=z)


DAMAGED: list[tuple[str, Change, str]] = [
    ("NaN in embeddings", with_nan, "made: z is not finite .* in 1 of 300 rows, first in row 17"),
    ("missing labels", relabel("colour", np.full(300, -1)), "label 'colour' is missing in every row"),
    ("missing targets", relabel("digit", np.full(300, -1)), "label 'digit' is missing in every row"),
    ("one class", relabel("colour", np.zeros(300, np.int64), ("c0",)), "every row is 'c0'"),
    ("all rows of one class", relabel("colour", np.ones(300, np.int64)), "every row is 'c1'"),
    ("all-constant numbers", relabel("colour", np.full(300, 3.0, np.float32), ()), "every row has the same value, 3"),
    ("a class without rows", relabel("colour", np.arange(300) % 2, ("a", "b", "c")), "no row of class 'c'"),
    ("a label beyond its classes", relabel("colour", np.arange(300) % 3), "class 2 found, but it has 2 classes"),
    ("no rows", lambda e: e.take(np.arange(0)), "there is nothing to attack"),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in DAMAGED], ids=[case[0] for case in DAMAGED])
def test_bad_rows_and_labels_are_refused(change: Change, words: str, embed: Any, attacked: Any) -> None:
    """Exit 2: what is wrong, and where."""
    with pytest.raises(InputError, match=words) as refusal:
        attacked(change(embed()))
    assert "\n" not in str(refusal.value)


ASKED: list[tuple[dict[str, Any], str]] = [
    ({"private": ("color",)}, "no label 'color'. Did you mean 'colour'"),
    ({"target": "digits"}, "no label 'digits'. Did you mean 'digit'"),
    ({"private": ("digit",)}, "'digit' is a function of 'digit' in these 300 rows"),
    ({"private": ("colour", "colour")}, "each once"),
    ({"attackers": (Call("liner", {}),)}, "no attacker 'liner'. Did you mean 'linear'"),
    ({"attackers": (Call("linear", {"colour": 1}),)}, "linear: no knob 'colour'"),
    ({"attackers": (Call("gaussian-pca", {}),)}, "none of them decides"),
    ({"auxiliaries": ("ballanced",)}, "no auxiliary 'ballanced'. Did you mean 'balanced'"),
    ({"tolerance": 0.0}, "a number between 0 and 1 expected"),
    ({"device": "cuda:99"}, "--device cuda:99"),
]


@pytest.mark.parametrize(("terms", "words"), ASKED, ids=[str(case[0])[:40] for case in ASKED])
def test_what_is_not_there_is_named_with_the_nearest(
    terms: dict[str, Any], words: str, embed: Any, attacked: Any
) -> None:
    """Exit 2: one line with what there is instead."""
    with pytest.raises(InputError, match=words):
        attacked(embed(), **terms)


def test_rows_that_were_all_trained_on_are_refused(embed: Any, attacked: Any) -> None:
    """Where no unseen row is left there is nothing to attack."""
    made = embed()
    with pytest.raises(InputError, match="every one of 300 rows was trained on"):
        attacked(made, exhibits=Exhibits(trained=made.ids))


def test_a_target_class_without_rows_is_said_and_changes_nothing(embed: Any, attacked: Any) -> None:
    """A model of a biased half has classes that no attack row has: the strata are those that are there."""
    plain = embed(900, leak=1.0)
    digit = plain.columns["digit"]
    wider = Labels(digit.values * 2, tuple(f"d{code}" for code in range(2 * len(digit.classes))))
    made = attacked(replace(plain, columns={**plain.columns, "digit": wider}), attackers=(Call("linear", {}),)).audit
    same = attacked(plain, attackers=(Call("linear", {}),)).audit
    assert made.attributes[0].mde == pytest.approx(same.attributes[0].mde)
    assert made.attributes[0].figures.excess.value == pytest.approx(same.attributes[0].figures.excess.value, abs=0.1)
    assert "target: no attack row is d1" in " ".join(made.provenance["notes"])


def test_a_private_label_that_the_target_determines_is_refused(embed: Any, attacked: Any) -> None:
    """Nothing can be read beyond a target that already says it."""
    made = embed(targets=4)
    columns = {**made.columns, "colour": Labels(made.columns["digit"].values % 2, ("c0", "c1"))}
    with pytest.raises(InputError, match="'colour' is a function of 'digit'"):
        attacked(replace(made, columns=columns))


@pytest.mark.parametrize("rows", [4, 12, 40])
def test_too_few_rows_is_a_verdict(rows: int, embed: Any, attacked: Any) -> None:
    """INCONCLUSIVE, with the rows that would decide; not an error."""
    found = attacked(embed(rows)).only
    assert found.verdict == "INCONCLUSIVE"
    assert "too few rows" in found.reason
    assert found.rows.would_decide > rows


def test_a_class_of_one_row_is_a_verdict_too(embed: Any, attacked: Any) -> None:
    """A private class that only one row has cannot be concluded about."""
    values = np.zeros(300, np.int64)
    values[5] = 1
    found = attacked(relabel("colour", values)(embed())).only
    assert found.verdict == "INCONCLUSIVE"
    assert "disagree (1;" in found.reason
