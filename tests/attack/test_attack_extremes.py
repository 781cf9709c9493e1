"""Embeddings and labels at the edge of sense: each has a defined answer, and none is a figure over nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakaudit import catalog, record
from leakaudit.attackers import Question, Rows
from leakaudit.audits import Audit
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.errors import InputError
from leakaudit.numerics.ranges import ranges
from leakaudit.protocol import DECIDERS
from leakaudit.verdict import WORST_FIRST

ROWS = 700
Change = Callable[[np.ndarray, np.ndarray], np.ndarray]
RNG = np.random.default_rng(1)
LEAKS: dict[str, Change] = {
    "perfectly separable": lambda z, v: np.column_stack([z, 100 * v]),
    "one column": lambda z, _: z[:, 1:2],
    "units of 1e-30": lambda z, _: z * 1e-30,
    "units of 1e30": lambda z, _: z * 1e30,
    "the largest float32": lambda z, _: z / np.abs(z).max() * np.finfo(np.float32).max,
    "units far apart": lambda z, _: z * np.array([1e30, 1e-30, 1.0, 1e-10, 1e10, 0.0]),
    "an offset of a million": lambda z, _: z + 1e6,
    "one row out of all proportion": lambda z, _: np.where((np.arange(len(z)) == 7)[:, None], 1e20, z),
    "repeated columns": lambda z, _: np.repeat(z[:, :2], 20, axis=1),
    "rank two of forty": lambda z, _: z[:, :2] @ RNG.standard_normal((2, 40)),
    "constant columns beside": lambda z, _: np.column_stack([z, np.full((len(z), 3), 0.1)]),
}


def changed(subject: Embeddings, change: Change) -> Embeddings:
    """The same rows and labels with another z."""
    z = change(subject.z.astype(np.float64), subject.columns["colour"].values)
    return replace(subject, z=z.astype(np.float32))


def relabelled(subject: Embeddings, **columns: Labels) -> Embeddings:
    """The same rows with other labels."""
    return replace(subject, columns={**subject.columns, **columns})


def codes(*values: Any) -> Labels:
    """A column of classes."""
    found = np.concatenate(values).astype(np.int64)
    return Labels(found, tuple(f"c{i}" for i in range(int(found.max()) + 1)))


def ended(attacked: Any, subject: Embeddings) -> tuple[Audit | None, str]:
    """The audit, or the line that refuses it."""
    try:
        return attacked(subject).audit, ""
    except InputError as refusal:
        return None, str(refusal)


@pytest.mark.parametrize("change", LEAKS.values(), ids=LEAKS)
def test_a_leak_is_found_in_any_form_of_numbers(change: Change, embed: Any, attacked: Any) -> None:
    """What reads E .69 from plain numbers reads as much from the same numbers in any unit, rank or company."""
    found = attacked(changed(embed(ROWS, leak=2.0), change)).only
    assert found.verdict == "LEAK"
    assert found.figures.excess.value > 0.6


def test_a_value_that_was_clipped_is_said(embed: Any, attacked: Any) -> None:
    """The audit's notes say how many values were out of all proportion; those of a plain audit do not."""
    wild = changed(embed(ROWS), LEAKS["one row out of all proportion"])
    said = [" ".join(attacked(each).audit.provenance["notes"]) for each in (wild, embed(ROWS))]
    assert ["clipped" in words for words in said] == [True, False]


def test_a_z_that_is_the_same_in_every_row_is_refused(embed: Any, attacked: Any) -> None:
    """Whatever its size; also where only rows without labels differ."""
    plain = embed(ROWS)
    lone = np.where(np.arange(ROWS) == 3, -1, plain.columns["colour"].values)
    only = relabelled(changed(plain, lambda z, _: (np.arange(ROWS) == 3)[:, None] * z), colour=codes(lone))
    for subject in (changed(plain, lambda z, _: 0 * z), changed(plain, lambda z, _: 0 * z + 3e38), only):
        with pytest.raises(InputError, match=r"z is the same in all .* attack rows"):
            attacked(subject)


@pytest.mark.parametrize("twice", [1, 0])
def test_copies_of_rows_are_no_leak(twice: int, embed: Any, attacked: Any) -> None:
    """Rows that stand twice, labels and all, would be remembered; they stay together, count once, and it is said."""
    once = embed(600, seed=4)
    subject = once.take(np.repeat(np.arange(300), 2)) if twice else once
    found = attacked(subject, attackers=(catalog.Call("nearest", {}),))
    assert found.only.p > 0.05
    assert ["count as one" in words for words in found.audit.provenance["notes"]].count(True) == twice


FEW: dict[str, Callable[[Embeddings], Embeddings]] = {
    "a class of one row": lambda e: relabelled(e, colour=codes(np.arange(ROWS) == 5)),
    "one class of three has one row": lambda e: relabelled(
        e, colour=codes(np.where(np.arange(ROWS) == 5, 2, np.arange(ROWS) % 2))
    ),
    "strata of one row": lambda e: relabelled(e, digit=codes(np.arange(ROWS))),
    "strata of two rows": lambda e: relabelled(e.take(np.arange(60)), digit=codes(np.arange(60) // 2)),
    "a group larger than any split": lambda e: replace(e, group=np.maximum(np.arange(ROWS) - 680, 0)),
    "three groups": lambda e: replace(e, group=np.arange(ROWS) % 3),
    "labels on one row in twenty": lambda e: relabelled(
        e, colour=codes(np.where(np.arange(ROWS) % 20, -1, np.arange(ROWS) // 20 % 2))
    ),
    "fewer rows than columns": lambda e: changed(
        e.take(np.arange(60)), lambda z, _: z @ np.random.default_rng(0).standard_normal((6, 300))
    ),
    "nine rows of ten with one value": lambda e: relabelled(
        e, colour=Labels(np.where(np.arange(ROWS) % 10, 5.0, np.arange(ROWS)).astype(np.float32))
    ),
}


@pytest.mark.parametrize("change", FEW.values(), ids=FEW)
def test_what_too_few_rows_tell_of_is_never_concluded(
    change: Callable[[Embeddings], Embeddings], embed: Any, attacked: Any
) -> None:
    """One line where nothing can be asked, else INCONCLUSIVE with the reason: never a size, never an absence."""
    audit, line = ended(attacked, change(embed(ROWS)))
    assert audit is None or (audit.verdict == "INCONCLUSIVE" and audit.reason)
    assert audit is not None or "function of" in line


def test_each_attribute_is_asked_of_the_rows_that_have_it(embed: Any, attacked: Any) -> None:
    """Labels missing in rows of their own: each attribute counts its own, and the one that leaks does so alone."""
    subject, draw = embed(1500, leak=2.0), np.random.default_rng(3)
    colour = np.where(draw.random(1500) < 0.4, -1, subject.columns["colour"].values)
    hat = np.where(draw.random(1500) < 0.4, -1, draw.integers(0, 2, 1500))
    rare = np.where(np.arange(1500) < 1485, -1, draw.integers(0, 2, 1500))
    labels = {"colour": codes(colour), "hat": codes(hat), "rare": codes(rare)}
    found = attacked(relabelled(subject, **labels), private=tuple(labels)).audit.attributes
    assert [each.rows.rows for each in found] == [int((each.values >= 0).sum()) for each in labels.values()]
    assert found[0].verdict == "LEAK"
    assert {each.verdict for each in found[1:]} == {"INCONCLUSIVE"}


def numbers(value: Any) -> list[float]:
    """Every number in a JSON document."""
    if isinstance(value, dict):
        return [each for part in value.values() for each in numbers(part)]
    if isinstance(value, list):
        return [each for part in value for each in numbers(part)]
    return [value] if isinstance(value, float) else []


@given(
    rows=st.integers(2, 100),
    width=st.integers(1, 12),
    strata=st.integers(1, 8),
    classes=st.integers(2, 9),
    power=st.sampled_from([-30, 0, 30]),
    missing=st.sampled_from([0.0, 0.5]),
    groups=st.sampled_from([None, None, None, 1, 60]),
    coarse=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=3, deadline=None, derandomize=True, database=None)
def test_any_small_audit_ends_in_a_verdict_or_a_line(attacked: Any, **drawn: Any) -> None:
    """Whatever the rows: one of five words with its reason and finite figures in order, or one line; no warning."""
    draw, rows = np.random.default_rng(drawn["seed"]), drawn["rows"]
    z = draw.standard_normal((rows, drawn["width"]))
    z = (np.round(z) if drawn["coarse"] else z) * 10.0 ** drawn["power"]
    v = np.where(draw.random(rows) < drawn["missing"], -1, draw.integers(0, drawn["classes"], rows))
    y = draw.integers(0, drawn["strata"], rows)
    columns = {"colour": codes(v) if v.max() >= 0 else Labels(v), "digit": codes(y)}
    origin = Origin("made", "file", "0" * 64, "", "test", "drawn")
    group = None if drawn["groups"] is None else draw.integers(0, drawn["groups"], rows)
    ids = np.arange(rows, dtype=np.uint64)
    audit, line = ended(attacked, Embeddings(z.astype(np.float32), None, columns, ids, origin, group))
    if audit is None:
        assert line
        assert "\n" not in line
        return
    (found,) = audit.attributes
    assert found.verdict in WORST_FIRST
    assert found.reason
    assert np.isfinite(numbers(json.loads(json.dumps(record.to_json(audit))))).all()
    for finding in found.findings:
        excess = finding.figures.excess
        assert excess.low <= excess.value <= excess.high


@pytest.mark.parametrize("name", DECIDERS)
@given(
    rows=st.integers(6, 60),
    width=st.sampled_from([1, 2, 70]),
    strata=st.integers(1, 3),
    classes=st.integers(2, 5),
    kind=st.sampled_from(["plain", "constant", "copies", "flat", "separable", "wild"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=4, deadline=None, derandomize=True, database=None)
def test_every_attacker_guesses_chances_whatever_the_numbers(name: str, **drawn: Any) -> None:
    """Chances are finite and sum to 1, with classes of one row, none at all, and rows that are all alike."""
    draw, rows = np.random.default_rng(drawn["seed"]), drawn["rows"]
    labels = draw.integers(0, drawn["classes"], rows)
    z = draw.standard_normal((rows, drawn["width"]))
    made = {
        "plain": z, "constant": 0 * z + 3, "copies": z[labels], "flat": z[:, :1] * z[:1],
        "separable": z + 1e3 * labels[:, None],
        "wild": z * np.where(np.arange(drawn["width"]) % 2, 1e-30, 1e30),
    }[drawn["kind"]].astype(np.float32)  # fmt: skip
    labels[: rows // 5] = -1
    target = draw.integers(0, drawn["strata"], rows)
    seen = Rows(ranges(made)(made), target, drawn["strata"], np.arange(rows))
    weights = np.where(labels >= 0, rows / (labels >= 0).sum(), 0).astype(np.float32)
    asked = (Question(labels, weights, drawn["classes"]),)
    attack = catalog.thing("attackers", name, "--attacker").attack
    for _ in range(2):
        (found,) = attack(seen, seen, asked, seed=0, device="cpu")
        assert found.probabilities.shape == (rows, drawn["classes"])
        assert np.isfinite(found.probabilities).all()
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-4)
        asked = (replace(asked[0], settled=found.settled),)
