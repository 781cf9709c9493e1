"""Components are computed once and agree with z, planted or not; labels may be missing anywhere."""

from dataclasses import replace

import numpy as np
import pytest

from leakaudit import protocol
from leakaudit.attackers import components
from leakaudit.inquest.arena import Arena, Ask, Case


def arena(scale: float = 1.0, rows: int = 300) -> Arena:
    """Correlated columns; one of them in other units by `scale`."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((rows, 5)) @ rng.standard_normal((5, 5)) + 2
    z[:, 0] *= scale
    target = rng.integers(0, 2, rows)
    folds = protocol.folds(target, rng.integers(0, 2, (1, rows)), np.arange(rows), rng)
    return Arena(z.astype(np.float32), target, 2, np.arange(rows), folds, 0, "cpu")


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_planted_components_are_those_of_planted_z(scale: float) -> None:
    """Z rebuilt around replaced components gives these components back; columns that vary evenly or in other units."""
    plain = arena(scale)
    columns = np.random.default_rng(1).standard_normal((300, 2)).astype(np.float32)
    planted = plain.planted(columns, np.array([3, 1]))
    assert (planted.x[:, [3, 1]] == columns).all()
    assert (planted.x[:, [0, 2, 4]] == plain.x[:, [0, 2, 4]]).all()
    again = plain.moments.basis.components(planted.z)
    assert again == pytest.approx(planted.x, abs=2e-2 if scale > 1 else 1e-4)
    assert planted.everything.x is planted.x


def test_parts_share_the_components_of_the_whole() -> None:
    """Seen and unseen rows are slices of one matrix: nothing is projected again."""
    whole = arena()
    fold = whole.folds[0]
    seen, unseen = whole.rows(fold.seen), whole.rows(fold.test)
    found = components(seen, unseen, 3)
    assert (found.seen == whole.x[fold.seen, :3]).all()
    assert (found.unseen == whole.x[fold.test, :3]).all()
    assert len(found.variance) == 3
    assert found.variance[0] == 1 > found.variance[1] > found.variance[2]


def test_the_parts_of_one_split_are_slices_without_a_copy() -> None:
    """Training, validation and scored rows are the rows of those numbers; seen rows share memory with training rows."""
    folds = arena().folds
    whole = replace(arena(), folds=folds[:1])
    (train, validation), (seen, test) = whole.tuning, whole.final
    fold = folds[0]
    for rows, part in ((train, fold.train), (validation, fold.validation), (seen, fold.seen), (test, fold.test)):
        alone = whole.rows(part)
        assert (rows.z == alone.z).all()
        assert rows.x == pytest.approx(alone.x, abs=1e-5)
        assert (rows.target == alone.target).all()
        assert (rows.group == alone.group).all()
    assert np.shares_memory(train.z, seen.z)
    assert np.shares_memory(train.x, seen.x)
    assert not np.shares_memory(seen.z, test.z)


def test_a_hidden_question_is_the_question_elsewhere() -> None:
    """Labels and weights of a part stand at its rows, and nowhere else; among some rows they stand at their places."""
    whole = arena()
    labels = np.random.default_rng(2).integers(0, 3, 300)
    labels[::7] = -1
    part = np.arange(10, 200, 3)
    ask = Ask(labels, 3)
    shown, hidden = ask.of(part, whole.target), ask.hidden(part, whole.target)
    assert (hidden.labels[part] == shown.labels).all()
    assert (hidden.weights[part] == shown.weights).all()
    assert (np.delete(hidden.labels, part) == -1).all()
    assert (np.delete(hidden.weights, part) == 0).all()
    assert shown.weights[shown.labels < 0].sum() == 0
    assert shown.weights[shown.labels >= 0].mean() == pytest.approx(1)
    within = ask.hidden(part, whole.target, np.arange(200))
    assert (within.labels == hidden.labels[:200]).all()


def test_rows_without_a_label_are_not_scored() -> None:
    """Missing labels stay missing when labels are drawn again, and leave the scored rows."""
    whole = arena()
    labels = np.random.default_rng(3).integers(0, 2, 300)
    labels[:40] = -1
    case = Case("v", whole, labels, 2, grouped=False, usual=None, fingerprint="", draws=99)
    assert case.scored.tolist() == list(range(40, 300))
    drawn = case.redraw("again", 1.0)
    assert (drawn[:40] == -1).all()
    for y in (0, 1):
        rows = whole.target[40:] == y
        assert sorted(drawn[40:][rows]) == sorted(labels[40:][rows])
    assert (drawn != labels).any()
