"""What an attack writes down: figures, rows, baselines, threat model; the same twice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakaudit import audits, outcomes
from leakaudit.dataset import Labels
from leakaudit.embeddings import Embeddings
from leakaudit.inquest.exhibits import Exhibits


@pytest.fixture(scope="module")
def leaky(embed: Any) -> Embeddings:
    """Three private classes, moderately leaked."""
    made: Embeddings = embed(300, width=3, privates=3, leak=1.0)
    return made


@pytest.fixture(scope="module")
def rich(leaky: Embeddings, embed: Any, attacked: Any) -> Any:
    """An audit that holds all there is: trained rows, a training table, a fresh encoder, pixels."""
    exhibits = Exhibits(
        trained=leaky.ids[:20],
        table=np.array([[90, 5, 5], [5, 90, 5]]),
        random_init=embed(300, width=3, privates=3, leak=9.0),
        raw=np.random.default_rng(0).random((300, 3, 10, 10)).astype(np.float32),
        absent={"paper": "not asked"},
    )
    return attacked(leaky, auxiliaries=("balanced", "matched", "paper"), exhibits=exhibits)


def test_the_same_twice(leaky: Embeddings, attacked: Any) -> None:
    """Same rows and seed: the same document, byte for byte. Another seed: another p."""
    first, second = (attacked(leaky) for _ in range(2))
    assert audits.document(first.audit) == audits.document(second.audit)
    assert audits.document(attacked(leaky, seed=1).audit)["attributes"][0]["p"] != first.only.p


def test_progress_is_known_from_the_start(rich: Any) -> None:
    """Each step counts upwards to a total that stays."""
    done = [step.done for step in rich.steps]
    assert done == sorted(done)
    assert len({step.total for step in rich.steps}) == 1
    assert done[-1] == rich.steps[-1].total
    assert len(done) > 20


def test_an_audit_is_saved_and_read_back_whole(rich: Any, tmp_path: Path) -> None:
    """Save and load is identity, for the document and for the outcomes beside it."""
    path = tmp_path / "made.json"
    audits.save(rich.audit, path)
    outcomes.save(rich.outcomes, outcomes.path_of(path))
    assert audits.load(path) == rich.audit
    read = outcomes.load(path)
    assert read is not None
    for name, rows in rich.outcomes.items():
        for field in ("ids", "fold", "target", "private", "group"):
            assert (getattr(read[name], field) == getattr(rows, field)).all()
        assert {k: v.tolist() for k, v in read[name].hits.items()} == {k: v.tolist() for k, v in rows.hits.items()}


def test_trained_rows_are_left_out(rich: Any, leaky: Embeddings) -> None:
    """Rows that the checkpoint was trained on are attacked by nobody, and counted."""
    assert rich.only.rows.rows == 280
    assert rich.only.rows.trained == 20
    assert not np.isin(rich.outcomes["colour"].ids, leaky.ids[:20]).any()
    known = "no attack row is known, by name or by equal content, to have been trained on"
    assert rich.audit.threat["overlap"] == known


def test_a_strangers_overlap_is_unknown(leaky: Embeddings, attacked: Any) -> None:
    """Without a record of training the audit says so; rows without a label are left out and counted."""
    values = leaky.columns["colour"].values.copy()
    values[:7] = -1
    missing = replace(leaky, columns={**leaky.columns, "colour": Labels(values, ("c0", "c1", "c2"))})
    found = attacked(missing)
    assert found.audit.threat["overlap"] == "overlap with training unknown"
    assert found.only.rows.trained is None
    assert (found.only.rows.rows, found.only.rows.missing) == (293, 7)


def test_outcomes_give_the_figures_back(rich: Any) -> None:
    """The share of hits of each attacker in the outcomes is its plain accuracy, fold by fold scored once."""
    rows = rich.outcomes["colour"]
    assert rows.hits["nested"].mean() == pytest.approx(rich.only.figures.accuracy.value)
    for finding in rich.only.findings:
        hits = rows.hits[f"{finding.attacker}/{finding.auxiliary}"]
        assert hits.mean() == pytest.approx(finding.figures.accuracy.value)
    assert set(rows.fold) == set(range(5))
    assert rows.hits["model"].mean() == pytest.approx(rich.audit.utility.accuracy.value)
    assert rows.gains.dtype == np.float32
    assert rows.gains.mean() == pytest.approx(rich.only.figures.bits.value, abs=1e-6)


def test_baselines_say_what_else_gives_it_away(rich: Any) -> None:
    """Guessing and the target alone reach E = 0, noise pixels nothing, a fresh encoder that shows the class a lot."""
    reached = {each.baseline: each.figures for each in rich.only.baselines}
    assert reached["majority"].excess.value == pytest.approx(0, abs=1e-12)
    assert reached["target-only"].excess.value == pytest.approx(0, abs=1e-12)
    assert reached["raw-input"].excess.low < 0 < reached["random-init"].excess.low
    assert reached["random-init"].excess.value > 0.9
    note = next(each.note for each in rich.only.baselines if each.baseline == "raw-input")
    assert note == "256 leading principal components of 300 numbers"


def test_what_does_not_apply_says_why(leaky: Embeddings, attacked: Any) -> None:
    """Without model, images or logits the baselines are there, without figures and with the reason."""
    found = attacked(replace(leaky, logits=None), exhibits=Exhibits(absent={"raw": "embeddings alone"}))
    notes = {each.baseline: each.note for each in found.only.baselines if each.figures is None}
    assert notes == {
        "model-output": "does not apply: there are no logits",
        "random-init": "does not apply: there is no model",
        "raw-input": "does not apply: embeddings alone",
    }
    assert found.audit.utility is None


def test_only_balanced_decides(rich: Any, leaky: Embeddings, attacked: Any) -> None:
    """Matched findings stand beside, weighted by the training table where there is one."""
    decides = {(each.attacker, each.auxiliary): each.decides for each in rich.only.findings}
    assert decides == {("linear", "balanced"): True, ("linear", "matched"): False}
    bare = attacked(leaky, auxiliaries=("matched",)).only
    assert bare.auxiliary == "balanced"
    assert "rows as they came" in next(each for each in bare.findings if each.auxiliary == "matched").notes[0]
    tables = [next(f for f in each.findings if f.auxiliary == "matched").figures for each in (rich.only, bare)]
    assert tables[0].follows_target > tables[1].follows_target + 0.1


def test_upper_bound_is_the_largest_of_all_deciding_attackers(rich: Any) -> None:
    """UCB* is printed whatever the verdict, and no deciding attacker's bound is above it."""
    upper = [each.figures.upper for each in rich.only.findings if each.decides]
    assert rich.only.upper == pytest.approx(max(*upper, rich.only.figures.upper))


def test_cells_average_to_the_whole(rich: Any) -> None:
    """E is the mean of E over target classes, weighted by their rows."""
    cells = rich.only.cells
    mean = sum(cell.rows * cell.excess.value for cell in cells) / sum(cell.rows for cell in cells)
    assert mean == pytest.approx(rich.only.figures.excess.value)
    assert all(cell.excess.low <= cell.excess.value <= cell.excess.high for cell in cells)


def test_without_a_target_nothing_is_conditioned_on(leaky: Embeddings, attacked: Any) -> None:
    """One stratum, chance 1/C; the audit says that nothing was conditioned on."""
    found = attacked(leaky, target=None)
    assert found.audit.threat["conditioned_on"] is None
    assert "target: no target: nothing was conditioned on" in found.audit.provenance["notes"]
    assert found.only.target_classes == ("all",)
    assert found.only.figures.excess.value == pytest.approx((found.only.figures.balanced_accuracy.value * 3 - 1) / 2)


def test_numbers_are_attacked_in_quantile_bins(leaky: Embeddings, attacked: Any) -> None:
    """A continuous private attribute is cut into five bins, a continuous target into ten; the audit says so."""
    columns = {"age": Labels(leaky.z[:, 1], ()), "size": Labels(leaky.z[:, 0], ())}
    found = attacked(replace(leaky, columns=columns), private=("age",), target="size")
    assert len(found.only.classes) == 5
    assert len(found.only.target_classes) == 10
    assert found.only.figures.excess.value > 0.5
    assert "age: numbers, cut into 5 quantile bins" in found.audit.provenance["notes"]


def test_attributes_share_one_audit_and_one_error_rate(leaky: Embeddings, attacked: Any) -> None:
    """Two attributes: Holm's p, the worst verdict first, outcomes of each."""
    columns = {**leaky.columns, "coin": Labels(np.random.default_rng(8).integers(0, 2, 300), ("h", "t"))}
    both = attacked(replace(leaky, columns=columns), private=("colour", "coin"))
    first, second = both.audit.attributes
    least, most = (min(1, each.p_h / 0.8, each.p_i / 0.2) for each in (first, second))
    assert least < most
    assert first.p == pytest.approx(2 * least)
    assert second.p == pytest.approx(max(most, first.p))
    assert both.audit.verdict == "LEAK"
    assert both.audit.reason.startswith("colour: ")
    assert set(both.outcomes) == {"colour", "coin"}
    assert both.audit.attributes[1].verdict == "INCONCLUSIVE"


def test_the_audit_says_who_attacks_and_how_it_was_inferred(rich: Any) -> None:
    """Threat model and inference stand in words; both tests are named."""
    threat = rich.audit.threat
    assert threat["attackers"]["linear"]
    assert threat["not_tested"] == ["membership", "extraction", "singling out"]
    assert "H permutes the private labels within target classes" in rich.audit.provenance["inference"]
    assert 0 < rich.only.p_h <= 1
    assert rich.only.p == pytest.approx(min(1, rich.only.p_h / 0.8, rich.only.p_i / 0.2))
    assert "auxiliary paper does not apply to colour: not asked" in rich.audit.provenance["notes"]
