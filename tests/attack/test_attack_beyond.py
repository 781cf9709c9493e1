"""A file too large for memory is attacked by a sample, and by all of its rows where blocks will do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from leakaudit import lying, protocol
from leakaudit.catalog import Call
from leakaudit.dataset import Labels, identify
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.inquest import beyond, detection
from leakaudit.inquest.arena import Arena, Case
from leakaudit.numerics import logistic
from leakaudit.numerics.further import refit
from leakaudit.numerics.logistic import Fit
from leakaudit.numerics.moments import moments
from leakaudit.numerics.ranges import ranges
from leakaudit.numerics.stream import Stream

ROWS, WIDTH = 24_000, 10


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Embeddings:
    """Rows on disk with a leak of one direction, some labels missing, and a class that is rare."""
    rng = np.random.default_rng(0)
    y, v = rng.integers(0, 2, ROWS), rng.integers(0, 2, ROWS)
    z = (rng.standard_normal((ROWS, WIDTH)) * np.geomspace(5, 0.2, WIDTH)).astype(np.float16)
    z[:, 4] += (0.6 * v).astype(np.float16)
    v[::10] = -1
    path = tmp_path_factory.mktemp("lying") / "e.safetensors"
    save_file({"z": z}, path)
    columns = {
        "digit": Labels(y, ("0", "1")),
        "colour": Labels(v, ("a", "b")),
        "rare": Labels(np.minimum(np.arange(ROWS) // (ROWS - 2), 1), ("no", "yes")),
    }
    origin = Origin("made", "file", "0" * 64, "", "test", "lying")
    empty = np.empty((0, WIDTH), np.float32)
    return Embeddings(
        empty, None, columns, identify("made", np.arange(ROWS)), origin, lying=lying.find(path, large=1000)
    )


def test_a_solution_from_disk_is_that_in_memory(whole: Embeddings) -> None:
    """Hyperplanes refitted by blocks through a lens are those of the components, from any start."""
    assert whole.lying is not None
    z = whole.lying.take(np.arange(ROWS))
    known, labels = moments(z[:5000]).basis, whole.columns["colour"].values
    weights = (labels >= 0).astype(np.float32)
    penalty = np.full((1, 6), 0.01, np.float32)
    start = Fit(torch.zeros(1, 1, 6), torch.zeros(1, 1), torch.zeros(1), torch.zeros(1, dtype=torch.bool), 0)
    found = refit(Stream(whole.lying, ranges(z), labels), known, penalty, [labels], [weights], 2, [start])
    x = torch.from_numpy(known.components(z, 6))
    plain = logistic.fit(
        x, torch.from_numpy(labels)[None], torch.from_numpy(weights)[None], torch.from_numpy(penalty), 2
    )
    assert bool(found.converged.all())
    assert float((found.logits(x) - plain.logits(x)).abs().max()) < 0.02


def test_nobody_is_fitted_to_a_row_that_is_scored(whole: Embeddings) -> None:
    """Labels beyond the sample are those of the file, but for the scored rows and all rows of their groups."""
    drawn = beyond.draw(replace(whole, group=np.arange(ROWS) // 3), ("colour",), "digit", 0)
    assert (whole.columns["colour"].values[drawn.rows] >= 0).all()
    np.testing.assert_array_equal(drawn.sample.z, whole.lying.take(drawn.rows))
    code = {name: beyond.Column(labels.values, labels.classes, "") for name, labels in whole.columns.items()}
    made = drawn.beyond("digit", code["digit"], np.array([0, 7]), "cpu")
    held = np.isin(np.arange(ROWS) // 3, drawn.rows[[0, 7]] // 3)
    np.testing.assert_array_equal(made.held, held)
    further = made.further(drawn.codes("colour", code["colour"]), "balanced", None)
    np.testing.assert_array_equal(further.labels, np.where(held, -1, whole.columns["colour"].values))
    assert (further.weights[further.labels < 0] == 0).all()


def test_nobody_is_fitted_to_a_view_of_a_source_that_is_scored(whole: Embeddings) -> None:
    """Rows of the file that share the id of a scored row are held with it, and count as one where all are permuted."""
    drawn = beyond.draw(replace(whole, ids=identify("id", np.arange(ROWS) // 3)), ("colour",), "digit", 0)
    made = drawn.beyond("digit", beyond.Column(whole.columns["digit"].values, ("0", "1"), ""), np.array([0, 7]), "cpu")
    np.testing.assert_array_equal(made.held, np.isin(np.arange(ROWS) // 3, drawn.rows[[0, 7]] // 3))
    assert made.group is not None
    assert len(np.unique(made.group)) == ROWS // 3


def test_every_row_is_permuted_as_it_would_be_in_memory(whole: Embeddings) -> None:
    """The permutation test of rows on disk is that of the same rows held, with the same relabellings."""
    assert whole.lying is not None
    z, y, v = whole.lying.take(np.arange(ROWS)), whole.columns["digit"].values, whole.columns["colour"].values
    folds = protocol.folds(y, v[None], np.arange(ROWS), np.random.default_rng(0))
    held = Arena(z, y, 2, np.arange(ROWS), folds, 0, "cpu")
    stream = Stream(whole.lying, ranges(z), y)
    disk = replace(held, beyond=beyond.Beyond(stream, None, np.zeros(ROWS, bool)))
    one, other = (
        detection.detected(arena, [Case("colour", arena, v, 2, False, None, "", 99, everywhere=v)], 100)[0]
        for arena in (held, disk)
    )
    assert one.p == other.p == 1 / one.relabellings
    assert one.statistic == pytest.approx(other.statistic, rel=1e-3)
    assert one.rows == other.rows == int((v >= 0).sum())


def test_a_file_on_disk_ends_in_a_verdict(whole: Embeddings, attacked) -> None:
    """The leak is found; the audit says who was refitted on how many rows, and that the rest is of a sample."""
    callers = tuple(Call(name, {}) for name in ("linear", "quadratic", "gaussian-pca"))
    found = attacked(whole, private=("colour",), attackers=callers)
    assert found.only.verdict == "LEAK"
    told = ROWS * 9 // 10 - len(found.outcomes["colour"].ids)
    spoken = {
        finding.attacker: f"refitted on {told:,} rows" in " ".join(finding.notes) for finding in found.only.findings
    }
    assert spoken == {"linear": True, "quadratic": True, "gaussian-pca": False}
    [note] = [note for note in found.audit.provenance["notes"] if note.startswith("z lies on disk")]
    assert "linear and quadratic choose their knobs there and are refitted on all rows that are not scored" in note
