"""
The attack verb: how much of each private attribute can be read from embeddings beyond what the target tells.

The protocol is in `protocol`, the statistics in `stats`, the rule in `verdict`; this file divides the rows, has the
attributes inquired into, and writes down what a reader of the audit needs to know.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass

from leakaudit import catalog, protocol, stats
from leakaudit.audits import Attribute, Audit, worst
from leakaudit.catalog import Call
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.inquest import brief, learning, mixture, portrait, standing
from leakaudit.inquest.aptitude import aptitude
from leakaudit.inquest.beyond import draw
from leakaudit.inquest.brief import Terms
from leakaudit.inquest.contest import entrants
from leakaudit.inquest.exhibits import Exhibits, copies, renamed, tamed
from leakaudit.inquest.inquiry import Inquiry, inquire
from leakaudit.inquest.questions import Plan
from leakaudit.inquest.repeats import Gap, memorised
from leakaudit.labels import Labelled, labelled
from leakaudit.numerics import planes
from leakaudit.numerics.device import describe, resolve
from leakaudit.outcomes import Outcomes
from leakaudit.protocol import DECIDERS, IN_PART, SUITE
from leakaudit.verdict import Evidence, rule

__all__ = ["Exhibits", "Step", "attack"]


@dataclass(frozen=True)
class Step:
    """How far an attack has come."""

    done: int
    total: int
    words: str


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
    seeds: int = 1,
    prepared: str = "",
    projection: str = "pca",
) -> Generator[Step, None, tuple[Audit, dict[str, Outcomes]]]:
    """
    Attack all private attributes; the result is an audit without gates, and per-row outcomes.

    `seed` decides; of `seeds` many, counted up from it, the others show how far the attack itself scatters. `prepared`
    says how images enter the model, in words; `projection` is the plane of the bottleneck plot.

    Raises:
        InputError: labels, embeddings or attackers that cannot be used; the message says what there is instead.
    """
    if projection not in planes.NAMES:
        raise InputError(f"no projection {projection!r}. {catalog.suggest(projection, planes.NAMES)}")
    lined = brief.lined(private, attackers, auxiliaries, tolerance, seeds)
    whole = None if subject.lying is None else draw(subject, private, target, seed)
    subject, exhibits = tamed((subject if whole is None else whole.sample).check(), exhibits)
    keep = ~subject.among(exhibits.trained, exhibits.contents)
    chosen = labelled(subject, keep, private, target)
    left_out = tuple(name for name in DECIDERS if Call(name, {}) not in attackers)
    terms = Terms(target=target, auxiliaries=auxiliaries, exhibits=exhibits, left_out=left_out, projection=projection)
    plan = brief.drawn(subject, chosen, terms, lined, attackers, tolerance, (seed, seeds), resolve(device), whole=whole)
    studied = subject.take(~keep) if exhibits.studied is None and not keep.all() else exhibits.studied
    if studied is not None:
        for name in filter(None, (*private, target)):
            studied.column(name)
    total, done = plan.steps() + 2 * len(private) * (studied is not None), 0
    run = _asked(plan, subject, studied, chosen, target)
    while True:
        try:
            words = next(run)
        except StopIteration as end:
            inquiries, gaps = end.value
            break
        done = min(done + 1, total)
        yield Step(done, total, words)
    adjusted = stats.holm([inquiries[name].p for name in private])
    attributes = tuple(
        _attribute(subject, inquiries[name], chosen[name], terms, p, gaps.get(name, ""))
        for name, p in zip(private, adjusted, strict=True)
    )
    outcomes = {name: portrait.outcomes(subject, chosen[name], inquiries[name], target) for name in private}
    yield Step(total, total, "done")
    return _audit(subject, attributes, plan, chosen, terms, attackers, prepared), outcomes


def _asked(
    plan: Plan, subject: Embeddings, studied: Embeddings | None, chosen: Mapping[str, Labelled], target: str | None
) -> Generator[str, None, tuple[dict[str, Inquiry], dict[str, Gap]]]:
    """Everything that is asked, and then of rows trained on what the linear attacker reads from them."""
    found = yield from inquire(plan)
    if studied is None:
        return found, {}
    (linear,) = entrants([Call("linear", {})])
    arena = plan.arena
    gaps = yield from memorised(subject, studied, chosen, target, linear, seed=arena.seed, device=arena.device)
    return found, gaps


def _attribute(subject: Embeddings, found: Inquiry, rows: Labelled, terms: Terms, p: float, gap: Gap) -> Attribute:
    answers, figures, case = found.answers, found.figures, found.case
    part, stretch = answers.advantage(found.guess)
    off, mde = len(answers) - int(answers.table.max(axis=1).sum()), answers.mde(found.guess)
    ruling = rule(
        Evidence(
            tolerance=found.tolerance, p=p, excess=figures.excess.value, error=stretch * part.variance**0.5,
            lower=figures.lower, upper=found.upper, mde=mde, cells=answers.mde(), rows=int(case.known.sum()),
            off_majority=off, classes=case.classes, doubled=answers.doubled, bounded=answers.bounded,
            conditioned=terms.target is not None, failed=found.failed, unconverged=found.unconverged, alarm=found.alarm,
            left_out=terms.left_out,
        )
    )  # fmt: skip
    trained = terms.exhibits.trained
    beside = standing.above_random(found), standing.share_of_raw(found)
    stands = portrait.cells(rows, found)
    overlap = None if trained is None else int(subject.among(trained, terms.exhibits.contents).sum())
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
        bottleneck=portrait.bottleneck(subject, rows, found, terms.target, terms.projection),
        p_h=found.refitted.p if found.refitted else None,
        p_i=found.nested,
        h_family=found.refitted.family if found.refitted else "",
        h_draws=found.refitted.relabellings if found.refitted else 0,
        h_rows=found.refitted.rows if found.refitted else 0,
        learning=found.learning,
        labels_needed=learning.needed(found.learning),
        learning_note=f"by {found.winner}" if found.learning else "too few rows",
        above_random=beside[0].value,
        above_random_note=beside[0].note,
        share_of_raw=beside[1].value,
        share_of_raw_note=beside[1].note,
        regression=found.numbers,
        seeds=found.seeds,
        memorisation=None if isinstance(gap, str) else gap,
        memorisation_note=gap if isinstance(gap, str) else "",
        worst=max(stands, key=lambda cell: cell.excess.low, default=None),
        crossing=mixture.attacked(rows),
        trained_crossing=mixture.trained(rows, terms.exhibits),
    )


def _audit(
    subject: Embeddings, attributes: tuple[Attribute, ...], plan: Plan, chosen: Mapping[str, Labelled],
    terms: Terms, attackers: tuple[Call, ...], prepared: str,
) -> Audit:  # fmt: skip
    origin, arena, exhibits = subject.origin, plan.arena, terms.exhibits
    decided, first = worst(attributes), next(iter(chosen.values()))
    own = aptitude(subject, first, terms.target, arena.seed, prepared)
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
        utility=portrait.utility(subject, first, terms.target),
        provenance={
            "seed": arena.seed,
            "device": describe(arena.device),
            "inference": portrait.INFERENCE,
            "notes": [
                *portrait.notes(subject, chosen, attributes, terms.auxiliaries, exhibits.absent),
                *renamed(subject, exhibits),
                *copies(subject, first.rows, arena.group),
                *own.notes,
            ],
            **({"own_task": own.unmeasured} if own.unmeasured else {}),
        },
        warnings=own.warnings,
    )  # fmt: skip
