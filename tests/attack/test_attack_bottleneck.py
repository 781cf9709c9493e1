"""Every audit of a model that names the target holds the bottleneck plot, and no row of it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakaudit import audits
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.finding import Bottleneck
from leakaudit.inquest import mixture
from leakaudit.inquest.exhibits import Exhibits
from leakaudit.labels import labelled


@pytest.fixture(scope="module")
def mistaken(embed: Any) -> Embeddings:
    """Most rows have their target's private class; of the others every other one lies with its private class."""
    made: Embeddings = embed(400, width=4, targets=3, privates=3, agree=0.7, seed=1)
    y, v = (made.column(name).values for name in ("digit", "colour"))
    moved = np.where(np.arange(400) % 2, v, y)
    z = np.random.default_rng(0).standard_normal((400, 4)) + 6 * np.eye(3, 4)[moved]
    return replace(made, z=z.astype(np.float32), logits=z[:, :3].astype(np.float32))


@pytest.fixture(scope="module")
def audited(mistaken: Embeddings, attacked: Any) -> Any:
    """Their audit."""
    return attacked(mistaken)


def plot(made: Any) -> Bottleneck:
    """The plot of an audit of one attribute."""
    found: Bottleneck | None = made.only.bottleneck
    assert found is not None
    return found


def test_an_audit_holds_the_plot(mistaken: Embeddings, attacked: Any, audited: Any) -> None:
    """Its counts are those of the subject, and rows drawn by their private class are told from chance."""
    made = audited
    found = plot(made)
    wrong = mistaken.logits.argmax(axis=1) != mistaken.column("digit").values
    assert (found.rows, found.wrong) == (400, int(wrong.sum()))
    assert 0.8 * found.wrong < found.shared <= found.away <= found.wrong
    assert found.chance < 0.8 * found.shared
    assert found.p == 0.001
    assert not found.trained
    assert made.audit.utility.accuracy.value == pytest.approx(1 - found.wrong / found.rows)
    assert found == plot(attacked(mistaken))


@pytest.mark.slow
def test_without_logits_of_the_target_there_is_none(mistaken: Embeddings, attacked: Any) -> None:
    """Nor where no target was named, or where the logits are of something else."""
    assert attacked(replace(mistaken, logits=None)).only.bottleneck is None
    assert attacked(mistaken, target=None).only.bottleneck is None
    assert attacked(replace(mistaken, logits=mistaken.logits[:, :2])).only.bottleneck is None


def test_what_dominates_is_what_dominated_in_training(mistaken: Embeddings, attacked: Any) -> None:
    """Where the training table is known it says so, whatever the attack rows would."""
    turned = Exhibits(table=np.array([[5, 90, 5], [5, 5, 90], [90, 5, 5]]), absent={"paper": "not asked"})
    made = attacked(mistaken, exhibits=turned)
    found = plot(made)
    assert found.trained
    assert [place.dominant for place in found.centroids] == [1, 2, 0]
    assert found.shared == 0
    assert made.only.trained_crossing == ((5, 90, 5), (5, 5, 90), (90, 5, 5))


def test_rows_without_a_private_label_are_left_out(mistaken: Embeddings, attacked: Any) -> None:
    """They are neither counted nor drawn."""
    colour = mistaken.column("colour")
    values = colour.values.copy()
    values[::4] = -1
    part = replace(mistaken, columns={**mistaken.columns, "colour": Labels(values, colour.classes)})
    made = attacked(part)
    found, kept = plot(made), values >= 0
    wrong = mistaken.logits.argmax(axis=1) != mistaken.column("digit").values
    assert (found.rows, found.wrong) == (300, int(wrong[kept].sum()))
    assert sum(mark[-1] for mark in found.marks) == found.wrong
    digit = mistaken.column("digit").values
    cells = [[int(((digit == y) & (values == v)).sum()) for v in range(3)] for y in range(3)]
    assert made.only.crossing == tuple(map(tuple, cells))
    assert sum(map(sum, cells)) == made.only.rows.rows == 300


def test_the_document_names_no_row(mistaken: Embeddings, audited: Any) -> None:
    """Neither a row's identity nor a number of its bottleneck stands in it, and its marks are whole numbers."""
    made = audited
    text = json.dumps(audits.document(made.audit))
    assert not any(str(identity) in text for identity in mistaken.ids)
    assert not any(f"{value:.4f}"[:-1] in text for value in np.abs(mistaken.z[:, 0]) if value > 5)
    assert {type(part) for mark in plot(made).marks for part in mark} == {int}


def test_a_projection_changes_the_plane_and_nothing_else(mistaken: Embeddings, attacked: Any, audited: Any) -> None:
    """Every figure of the audit is the same; a plane that there is not is refused."""
    made = attacked(mistaken, projection="lda").only
    assert made.bottleneck.projection == "lda"
    assert made.bottleneck.centroids != audited.only.bottleneck.centroids
    assert replace(made, bottleneck=None) == replace(audited.only, bottleneck=None)
    with pytest.raises(InputError, match=r"no projection 'umap'.*pca"):
        attacked(mistaken, projection="umap")


def test_classes_are_counted_as_the_audit_names_them(mistaken: Embeddings) -> None:
    """A number counts in its bins, no target is one line; a training table of other classes is none, nor endless."""
    age = Labels(np.random.default_rng(3).normal(40, 9, 400).astype(np.float32), ())
    part = replace(mistaken, columns={**mistaken.columns, "age": age})
    every = np.ones(400, bool)
    (counts,) = mixture.attacked(labelled(part, every, ("age",), None)["age"])
    assert counts == pytest.approx((80,) * 5, abs=1)
    rows = labelled(part, every, ("colour",), "digit")["colour"]
    table = np.arange(9).reshape(3, 3)
    assert mixture.trained(rows, Exhibits(table=table)) == ((0, 1, 2), (3, 4, 5), (6, 7, 8))
    assert mixture.trained(rows, Exhibits(table=table[:2])) == mixture.trained(rows, Exhibits()) == ()


def test_counts_of_endless_classes_are_left_out(monkeypatch: pytest.MonkeyPatch, mistaken: Embeddings) -> None:
    """Nobody looks at a million cells, and a document need not hold them."""
    rows = labelled(mistaken, np.ones(400, bool), ("colour",), "digit")["colour"]
    assert len(mixture.attacked(rows)) == 3
    monkeypatch.setattr(mixture, "MOST", 8)
    assert mixture.attacked(rows) == ()
