"""
The attack verb: how much of each private attribute can be read from embeddings beyond what the target tells.

The protocol is in `protocol`, the statistics in `stats`, the rule in `verdict`; this file divides the rows, has every
attribute inquired into, and writes down what a reader of the audit needs to know.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from leakaudit import catalog, portrait, protocol, stats
from leakaudit.attackers import Rows
from leakaudit.audit import Attribute, Audit, Outcomes, worst
from leakaudit.baselines import model_output
from leakaudit.catalog import Call
from leakaudit.contest import Arena, Case, Entrant, entrants
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.inquiry import Inquiry, Paper, Plan, inquire
from leakaudit.labels import Labelled, labelled, recoded
from leakaudit.numerics.device import describe, resolve
from leakaudit.protocol import AUXILIARIES, DECIDERS, IN_PART, SUITE
from leakaudit.verdict import Evidence, rule


@dataclass(frozen=True)
class Step:
    """How far an attack has come."""

    done: int
    total: int
    words: str


@dataclass(frozen=True, kw_only=True)
class Exhibits:
    """What else the auditor holds; each None where it does not apply, with the reason in `absent`."""

    trained: UInt64[np.ndarray, " t"] | None = None
    """Identities of the images the checkpoint was trained on."""
    table: Int64[np.ndarray, "targets privates"] | None = None
    """Training rows in each (target, private) cell."""
    paper: Embeddings | None = None
    """Training rows under the papers' colouring."""
    random_init: Embeddings | None = None
    """The subject's rows through a fresh encoder."""
    raw: Float32[np.ndarray, "n ..."] | None = None
    """The subject's rows as pixels, at most 32x32."""
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for every attribute."""

    target: str | None
    attackers: tuple[Entrant, ...]
    readers: tuple[Entrant, ...]
    auxiliaries: tuple[str, ...]
    exhibits: Exhibits
    tolerance: float
    seed: int
    device: str
    draws: int
    """Permutations behind a p-value that is one of permutation."""
    left_out: tuple[str, ...]
    """Attackers of the suite that were not asked for, or not with their default knobs."""


def attack(
    subject: Embeddings,
    *,
    private: tuple[str, ...],
    target: str | None,
    attackers: tuple[Call, ...],
    auxiliaries: tuple[str, ...],
    exhibits: Exhibits,
    tolerance: float,
    seed: int,
    device: str,
) -> Generator[Step, None, tuple[Audit, dict[str, Outcomes]]]:
    """
    Attack every private attribute; the result is an audit without gates, and per-row outcomes.

    Raises:
        InputError: labels, embeddings or attackers that cannot be used; the message says what there is instead.
    """
    subject.check()
    lined = _entrants(private, attackers, auxiliaries, tolerance)
    keep = np.ones(len(subject), bool) if exhibits.trained is None else ~np.isin(subject.ids, exhibits.trained)
    chosen = {name: labelled(subject, keep, name, target) for name in private}
    terms = Terms(
        target=target,
        attackers=lined,
        readers=entrants(
            [call for call in attackers if call.name in DECIDERS] or [Call(name, {}) for name in DECIDERS]
        ),
        auxiliaries=auxiliaries,
        exhibits=exhibits,
        tolerance=tolerance,
        seed=seed,
        device=resolve(device),
        draws=max(999, 100 * len(private) - 1),
        left_out=tuple(name for name in DECIDERS if Call(name, {}) not in attackers),
    )
    plans = {name: _plan(subject, chosen[name], name, terms) for name in private}
    sizes = {name: plan.steps() for name, plan in plans.items()}
    total, done, inquiries = sum(sizes.values()), 0, {}
    for name, plan in plans.items():
        start, run = done, inquire(plan)
        while True:
            try:
                words = next(run)
            except StopIteration as end:
                inquiries[name] = end.value
                break
            done += 1
            yield Step(done, total, f"{name}: {words}")
        done = start + sizes[name]
    adjusted = dict(zip(private, stats.holm([inquiries[name].p for name in private]), strict=True))
    attributes = tuple(_attribute(subject, inquiries[name], chosen[name], terms, adjusted[name]) for name in private)
    outcomes = {name: portrait.outcomes(subject, chosen[name], inquiries[name], target) for name in private}
    yield Step(total, total, "done")
    return _audit(subject, attributes, plans[private[0]], chosen, terms, attackers), outcomes


def _entrants(
    private: tuple[str, ...], attackers: tuple[Call, ...], auxiliaries: tuple[str, ...], tolerance: float
) -> tuple[Entrant, ...]:
    for name in auxiliaries:
        if name not in AUXILIARIES:
            raise InputError(f"no auxiliary {name!r}. {catalog.suggest(name, AUXILIARIES)}")
    if not private or len(set(private)) < len(private):
        raise InputError(f"--private {' '.join(private)}: one or more labels expected, each once")
    if not 0 < tolerance < 1:
        raise InputError(f"--tolerance {tolerance:g}: a number between 0 and 1 expected")
    lined = entrants(attackers)
    if not any(each.decides for each in lined):
        given = ", ".join(map(str, attackers)) or "none"
        raise InputError(f"attackers {given}: none of them decides; add linear or mlp")
    return lined


def _plan(subject: Embeddings, rows: Labelled, name: str, terms: Terms) -> Plan:
    """What is asked about one attribute."""
    part = subject.take(rows.rows)
    y, v = rows.target.codes, rows.private.codes
    group = np.arange(len(part)) if part.group is None else part.group
    fingerprint = subject.origin.fingerprint
    folds = protocol.folds(y, v, group, protocol.chance(fingerprint, terms.seed, f"{name}: folds"))
    scored = np.concatenate([fold.test for fold in folds])
    if not stats.covered(
        stats.tabulate(y[scored], v[scored], len(rows.target.classes), len(rows.private.classes))
    ).any():
        raise InputError(
            f"{subject.origin.name}: {name!r} is a function of {terms.target!r} in the {len(scored)} scored rows of "
            f"{len(y)}: too few rows in which they disagree"
        )
    arena = Arena(part.z, y, len(rows.target.classes), group, folds, terms.seed, terms.device)
    shape = len(rows.target.classes), len(rows.private.classes)
    exhibits = terms.exhibits
    table = exhibits.table if exhibits.table is not None and exhibits.table.shape == shape else None
    paper = _paper(rows, part.ids, name, terms.target, exhibits) if "paper" in terms.auxiliaries else None
    usual = None if table is None else table.argmax(axis=1)
    if usual is None and paper is not None:
        usual = stats.tabulate(paper.rows.target, paper.labels, *shape).argmax(axis=1)
    case = Case(name, arena, v, shape[1], part.group is not None, usual, fingerprint, terms.draws)
    why = exhibits.absent
    features: dict[str, Any] = {
        "model-output": "there are no logits" if part.logits is None else model_output(part.logits),
        "random-init": why.get("random_init", "there is no model"),
        "raw-input": why.get("raw", "there are no images"),
    }
    if exhibits.random_init is not None:
        features["random-init"] = _aligned(exhibits.random_init.z, subject, rows)
    if exhibits.raw is not None:
        features["raw-input"] = _aligned(exhibits.raw.reshape(len(exhibits.raw), -1), subject, rows)
    return Plan(
        case=case,
        attackers=terms.attackers,
        readers=terms.readers,
        auxiliaries=terms.auxiliaries,
        table=table,
        paper=paper,
        features=features,
        tolerance=terms.tolerance,
    )


def _aligned(x: Float32[np.ndarray, "n p"], subject: Embeddings, rows: Labelled) -> Float32[np.ndarray, "m p"]:
    assert len(x) == len(subject), "a baseline has the subject's rows"
    part: Float32[np.ndarray, "m p"] = x[rows.rows]
    return part


def _paper(
    rows: Labelled, attacked: UInt64[np.ndarray, " m"], name: str, target: str | None, exhibits: Exhibits
) -> Paper | None:
    """Training rows of known classes, without the images that are attacked."""
    if exhibits.paper is None:
        return None
    z = exhibits.paper.z
    v = recoded(exhibits.paper.column(name), rows.private)
    y = np.zeros(len(z), np.int64) if target is None else recoded(exhibits.paper.column(target), rows.target)
    known = (v >= 0) & (y >= 0) & ~np.isin(exhibits.paper.ids, attacked)
    if not known.any():
        return None
    seen = Rows(z[known], y[known], len(rows.target.classes), np.arange(int(known.sum())))
    return Paper(seen, v[known], entrants([Call("linear-sgd", {})])[0])


def _attribute(subject: Embeddings, found: Inquiry, rows: Labelled, terms: Terms, p: float) -> Attribute:
    answers, figures, case = found.answers, found.figures, found.plan.case
    part, stretch = answers.advantage(found.guess)
    off, mde = len(answers) - int(answers.table.max(axis=1).sum()), answers.mde(found.guess)
    ruling = rule(
        Evidence(
            tolerance=found.plan.tolerance, p=p, excess=figures.excess.value, error=stretch * part.variance**0.5,
            lower=figures.lower, upper=found.upper, mde=mde, cells=answers.mde(), rows=len(case.private),
            off_majority=off, classes=case.classes, doubled=answers.doubled, bounded=answers.bounded,
            failed=found.failed, unconverged=found.unconverged, alarm=found.alarm, left_out=terms.left_out,
        )
    )  # fmt: skip
    trained = terms.exhibits.trained
    overlap = None if trained is None else int(np.isin(subject.ids, trained).sum())
    return Attribute(
        private=case.name,
        target=terms.target,
        classes=rows.private.classes,
        target_classes=rows.target.classes,
        verdict=ruling.verdict,
        reason=ruling.reason,
        p=p,
        attacker=found.winner,
        auxiliary=protocol.DECIDING,
        winners=found.winners,
        figures=figures,
        upper=found.upper,
        mde=mde,
        entropy=stats.conditional_entropy(answers.table),
        rows=portrait.coverage(rows, found, overlap, ruling.would_decide),
        findings=found.findings,
        baselines=found.baselines,
        controls=found.controls,
        sensitivity=found.sensitivity,
        cells=portrait.cells(rows, found),
        separation=portrait.separation(rows, found),
    )


def _audit(
    subject: Embeddings, attributes: tuple[Attribute, ...], plan: Plan, chosen: Mapping[str, Labelled],
    terms: Terms, attackers: tuple[Call, ...],
) -> Audit:  # fmt: skip
    origin, arena, exhibits = subject.origin, plan.case.arena, terms.exhibits
    decided = worst(attributes)
    return Audit(
        verdict=decided.verdict,
        reason=decided.reason if len(attributes) == 1 else f"{decided.private}: {decided.reason}",
        tolerance=plan.tolerance,
        suite=f"{SUITE}{IN_PART}" if terms.left_out else SUITE,
        subject={
            "name": origin.name, "kind": origin.kind, "sha256": origin.sha256, "layer": origin.layer,
            "width": subject.z.shape[1],
        },
        data={
            "name": origin.data or origin.name, "split": origin.split, "fingerprint": origin.fingerprint,
            "rows": len(subject), "group": subject.groups or None,
        },
        threat=portrait.threat(terms.target, attackers, terms.auxiliaries, overlap_known=exhibits.trained is not None),
        attributes=attributes,
        utility=portrait.utility(subject, next(iter(chosen.values())), terms.target),
        provenance={
            "seed": arena.seed,
            "device": describe(arena.device),
            "inference": portrait.INFERENCE,
            "notes": portrait.notes(subject, chosen, attributes, terms.auxiliaries, exhibits.absent),
        },
    )  # fmt: skip
