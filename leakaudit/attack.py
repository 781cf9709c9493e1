"""
The attack verb: how much of each private attribute can be read from embeddings beyond what the target tells.

The protocol is in `protocol`, the statistics in `stats`, the rule in `verdict`; this file divides the rows, has the
attributes inquired into, and writes down what a reader of the audit needs to know.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from leakaudit import catalog, learning, portrait, protocol, standing, stats
from leakaudit.arena import Arena, Case
from leakaudit.attackers import Rows
from leakaudit.audit import Attribute, Audit, Outcomes, worst
from leakaudit.baselines import AFTER, READERS, model_output
from leakaudit.catalog import Call
from leakaudit.contest import Entrant, entrants
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.exhibits import Exhibits, copies, tamed, together
from leakaudit.inquiry import Inquiry, inquire
from leakaudit.labels import Labelled, labelled, recoded
from leakaudit.numerics.device import describe, resolve
from leakaudit.protocol import AUXILIARIES, DECIDERS, IN_PART, SUITE
from leakaudit.questions import Paper, Plan
from leakaudit.verdict import Evidence, rule


@dataclass(frozen=True)
class Step:
    """How far an attack has come."""

    done: int
    total: int
    words: str


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for every attribute."""

    target: str | None
    auxiliaries: tuple[str, ...]
    exhibits: Exhibits
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
    Attack all private attributes; the result is an audit without gates, and per-row outcomes.

    Raises:
        InputError: labels, embeddings or attackers that cannot be used; the message says what there is instead.
    """
    lined = _entrants(private, attackers, auxiliaries, tolerance)
    subject, exhibits = tamed(subject.check(), exhibits)
    keep = np.ones(len(subject), bool) if exhibits.trained is None else ~np.isin(subject.ids, exhibits.trained)
    chosen = labelled(subject, keep, private, target)
    left_out = tuple(name for name in DECIDERS if Call(name, {}) not in attackers)
    terms = Terms(target=target, auxiliaries=auxiliaries, exhibits=exhibits, left_out=left_out)
    plan = _plan(subject, chosen, terms, lined, attackers, tolerance, seed, resolve(device))
    total, done, run = plan.steps(), 0, inquire(plan)
    while True:
        try:
            words = next(run)
        except StopIteration as end:
            inquiries: dict[str, Inquiry] = end.value
            break
        done = min(done + 1, total)
        yield Step(done, total, words)
    adjusted = stats.holm([inquiries[name].p for name in private])
    attributes = tuple(
        _attribute(subject, inquiries[name], chosen[name], terms, p) for name, p in zip(private, adjusted, strict=True)
    )
    outcomes = {name: portrait.outcomes(subject, chosen[name], inquiries[name], target) for name in private}
    yield Step(total, total, "done")
    return _audit(subject, attributes, plan, chosen, terms, attackers), outcomes


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
        raise InputError(f"attackers {given}: none of them decides; add {' or '.join(DECIDERS)}")
    return lined


def _plan(
    subject: Embeddings, chosen: Mapping[str, Labelled], terms: Terms, lined: tuple[Entrant, ...],
    attackers: tuple[Call, ...], tolerance: float, seed: int, device: str,
) -> Plan:  # fmt: skip
    """What is asked about these attributes."""
    first = next(iter(chosen.values()))
    part, y, strata = subject.take(first.rows), first.target.codes, len(first.target.classes)
    fingerprint = subject.origin.fingerprint
    private = np.stack([rows.private.codes for rows in chosen.values()])
    group, grouped = together(part, np.concatenate([private, y[None]]))
    folds = protocol.folds(y, private, group, protocol.chance(fingerprint, seed, "folds"))
    arena = Arena(part.z, y, strata, group, folds, seed, device)
    if not arena.x.shape[1]:
        raise InputError(
            f"{subject.origin.name}: z is the same in all {len(part)} attack rows: there is nothing to read"
        )
    exhibits = terms.exhibits
    papers, tables, cases = {}, {}, []
    for name, rows in chosen.items():
        shape = strata, len(rows.private.classes)
        if exhibits.table is not None and exhibits.table.shape == shape:
            tables[name] = exhibits.table
        if "paper" in terms.auxiliaries and (paper := _paper(rows, part.ids, name, terms.target, exhibits)):
            papers[name] = paper
        usual = tables[name].argmax(axis=1) if name in tables else None
        if usual is None and name in papers:
            usual = stats.tabulate(papers[name].rows.target, papers[name].labels, *shape).argmax(axis=1)
        case = Case(
            name, arena, rows.private.codes, shape[1], grouped, usual, fingerprint,
            draws=max(999, 100 * len(chosen) - 1), names=rows.private.classes, values=rows.private.values,
        )  # fmt: skip
        _scorable(case, subject.origin.name, terms.target)
        cases.append(case)
    own = [call for call in attackers if call.name in READERS] or [Call(name, {}) for name in READERS]
    return Plan(
        arena=arena,
        cases=tuple(cases),
        attackers=lined,
        readers=entrants(own),
        after=entrants([Call(name, {}) for name in AFTER]),
        auxiliaries=terms.auxiliaries,
        tables=tables,
        papers=papers,
        features=_features(subject, part, first.rows, exhibits),
        tolerance=tolerance,
    )


def _scorable(case: Case, where: str, target: str | None) -> None:
    """Refuse where the scored rows say nothing beyond the target."""
    rows = case.scored
    table = stats.tabulate(case.arena.target[rows], case.private[rows], case.arena.strata, case.classes)
    if not stats.covered(table).any():
        raise InputError(
            f"{where}: {case.name!r} is a function of {target!r} in the {len(rows)} scored rows of "
            f"{case.known.sum()}: too few rows in which they disagree"
        )


def _features(
    subject: Embeddings, part: Embeddings, rows: Int64[np.ndarray, " n"], exhibits: Exhibits
) -> dict[str, Float32[np.ndarray, "n p"] | str]:
    """What the baselines are read from, or why they do not apply."""
    why = exhibits.absent
    features: dict[str, Any] = {
        "model-output": "there are no logits" if part.logits is None else model_output(part.logits),
        "random-init": why.get("random_init", "there is no model"),
        "raw-input": why.get("raw", "there are no images"),
    }
    for kind, x in (
        ("random-init", None if exhibits.random_init is None else exhibits.random_init.z),
        ("raw-input", exhibits.raw),
    ):
        if x is not None:
            assert len(x) == len(subject), "a baseline has the subject's rows"
            features[kind] = x.reshape(len(x), -1)[rows]
    return features


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
    answers, figures, case = found.answers, found.figures, found.case
    part, stretch = answers.advantage(found.guess)
    off, mde = len(answers) - int(answers.table.max(axis=1).sum()), answers.mde(found.guess)
    ruling = rule(
        Evidence(
            tolerance=found.tolerance, p=p, excess=figures.excess.value, error=stretch * part.variance**0.5,
            lower=figures.lower, upper=found.upper, mde=mde, cells=answers.mde(), rows=int(case.known.sum()),
            off_majority=off, classes=case.classes, doubled=answers.doubled, bounded=answers.bounded,
            failed=found.failed, unconverged=found.unconverged, alarm=found.alarm, left_out=terms.left_out,
        )
    )  # fmt: skip
    trained = terms.exhibits.trained
    beside = standing.above_random(found), standing.share_of_raw(found)
    stands = portrait.cells(rows, found)
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
        cells=stands,
        separation=portrait.separation(rows, found),
        p_h=found.refitted.p if found.refitted else None,
        p_i=found.nested,
        h_family=found.refitted.family if found.refitted else "",
        h_draws=found.refitted.relabellings if found.refitted else 0,
        learning=found.learning,
        labels_needed=learning.needed(found.learning),
        learning_note=f"by {found.winner}" if found.learning else "too few rows",
        above_random=beside[0].value,
        above_random_note=beside[0].note,
        share_of_raw=beside[1].value,
        share_of_raw_note=beside[1].note,
        regression=found.numbers,
        worst=max(stands, key=lambda cell: cell.excess.low, default=None),
    )


def _audit(
    subject: Embeddings, attributes: tuple[Attribute, ...], plan: Plan, chosen: Mapping[str, Labelled],
    terms: Terms, attackers: tuple[Call, ...],
) -> Audit:  # fmt: skip
    origin, arena, exhibits = subject.origin, plan.arena, terms.exhibits
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
            "notes": [
                *portrait.notes(subject, chosen, attributes, terms.auxiliaries, exhibits.absent),
                *copies(subject, arena.group),
            ],
        },
    )  # fmt: skip
