"""
What stands beside the verdict.

Coverage, E per target class, separation, centroids and misclassified rows, utility, threat model, and the words on how
the figures were inferred.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from leakaudit import catalog, stats
from leakaudit.audits import Attribute, Curve, Separation, Utility
from leakaudit.catalog import Call
from leakaudit.embeddings import Embeddings
from leakaudit.finding import Bottleneck, Cell, Coverage
from leakaudit.inquest.aptitude import named
from leakaudit.inquest.inquiry import Inquiry
from leakaudit.labels import Labelled
from leakaudit.numerics import extremes, gaussian
from leakaudit.numerics.attractors import Views, attractors
from leakaudit.numerics.extremes import Extreme
from leakaudit.numerics.gaussian import Line
from leakaudit.outcomes import Outcomes
from leakaudit.protocol import scheme
from leakaudit.stats import Interval

INFERENCE = (
    "E and accuracies: Clopper-Pearson on the number of rows the estimate is worth, its variance doubled where guesses "
    "are cross-fitted, by group where there are groups. Detection at 5 %: p is the smaller of H / .8 and I / .2, Holm "
    "over attributes. H permutes the private labels within target classes and refits ridges on all rows, cross-fitted "
    "(raw, whitened, per target class, on products); I is the nested winner (cross-fit: z with the standard error "
    "times sqrt 2; split, or few groups: permutation of the scored labels within target classes)."
)


def coverage(rows: Labelled, found: Inquiry, trained: int | None, would_decide: int | None) -> Coverage:
    """Which rows the figures speak of."""
    answers, case = found.answers, found.case
    covered = stats.covered(answers.table)
    inside = np.where(covered, answers.table, 0)
    single = np.flatnonzero(~covered.any(axis=1) & (answers.table.sum(axis=1) > 0))
    return Coverage(
        rows=int(case.known.sum()),
        missing=rows.missing,
        trained=trained,
        groups=len(np.unique(case.arena.group)) if case.grouped else None,
        scored=int(inside.sum()),
        share=float(inside.sum() / len(answers)),
        cells=int(covered.sum()),
        cells_possible=covered.size,
        off_majority=len(answers) - int(answers.table.max(axis=1).sum()),
        left_out=tuple(rows.target.classes[i] for i in single),
        scheme=scheme(len(case.private)),
        would_decide=would_decide,
    )


def cells(rows: Labelled, found: Inquiry) -> tuple[Cell, ...]:
    """E of the nested winner inside each target class."""
    answers, made = found.answers, []
    covered = stats.covered(answers.table)
    for y in np.flatnonzero(covered.any(axis=1)):
        weights = np.where(covered & (np.arange(answers.strata) == y)[:, None], 1 / covered[y].sum(), 0.0)
        classes = int(covered[y].sum())
        excess = stats.stretched(answers.share(found.guess, weights), classes / (classes - 1))
        made.append(Cell(rows.target.classes[y], int(answers.table[y].sum()), classes, excess))
    return tuple(made)


def separation(rows: Labelled, found: Inquiry) -> tuple[Separation, ...]:
    """The private classes along PC1 and along Fisher's direction."""
    case, arena = found.case, found.case.arena
    pc1 = gaussian.pc1(arena.z, case.private, case.classes, known=arena.moments, along=arena.first)
    lda = gaussian.lda(arena.z, case.private, case.classes, split=arena.halves)
    return _separation("pc1", pc1, rows), _separation("lda", lda, rows)


def _separation(direction: str, line: Line, rows: Labelled) -> Separation:
    curves = tuple(
        Curve(name, bell.rows, bell.mean, bell.deviation, tuple(int(count) for count in bell.histogram))
        for name, bell in zip(rows.private.classes, line.bells, strict=True)
    )
    return Separation(direction, line.d_prime, line.share, line.span, curves)


def bottleneck(
    subject: Embeddings, rows: Labelled, found: Inquiry, target: str | None, projection: str = "pca"
) -> Bottleneck | None:
    """Class centroids, and the misclassified rows among them; None where the model has no logits of the target."""
    guessed = _named(subject, rows, target)
    if guessed is None:
        return None
    case, arena = found.case, found.case.arena
    known = slice(None) if case.known.all() else case.known
    group = arena.group[known] if case.grouped else None
    targets = len(rows.target.classes)
    views = Views(
        arena.z[known], arena.target[known], guessed[known], case.private[known], targets, case.classes, group
    )
    return attractors(views, case.usual, arena.moments, case.chance("bottleneck plot"), projection)


def _named(subject: Embeddings, rows: Labelled, target: str | None) -> np.ndarray | None:
    """The target class that the model names on each row; None where it has no logits of it."""
    found = None if target is None else named(subject.logits, len(subject.column(target).classes))
    return None if found is None else found[rows.rows]


def model_hits(subject: Embeddings, rows: Labelled, target: str | None) -> np.ndarray | None:
    """On which rows the model names the target right; None where it has no logits of it."""
    guessed = _named(subject, rows, target)
    if guessed is None or target is None:
        return None
    hits: np.ndarray = guessed == subject.column(target).values[rows.rows]
    return hits


def utility(subject: Embeddings, rows: Labelled, target: str | None) -> Utility | None:
    """How well the model names the target on the attack rows; None where it does not."""
    hits, guessed = model_hits(subject, rows, target), _named(subject, rows, target)
    if hits is None or guessed is None or target is None:
        return None
    known = rows.known
    hits, y, v = hits[known], rows.target.codes[known], rows.private.codes[known]
    classes = len(rows.target.classes)
    group = None if subject.group is None else subject.group[rows.rows[known]]
    where = y, v, (classes, len(rows.private.classes)), group
    worst = extremes.worst(hits, *where)
    odds, note = _odds(extremes.gap(guessed[known], *where), rows)
    return Utility(
        target=target,
        accuracy=stats.share(hits, np.zeros(len(y), np.int64), np.ones(1), group).interval,
        balanced_accuracy=stats.share(hits, y, np.full(classes, 1 / classes), group).interval,
        worst_cell=f"{rows.target.classes[worst.place[0]]}, {rows.private.classes[worst.place[1]]}",
        worst_cell_accuracy=worst.interval,
        chance=1 / classes,
        odds=odds,
        odds_note=note,
    )


def _odds(found: Extreme | None, rows: Labelled) -> tuple[Interval | None, str]:
    """The equalised-odds gap, and where it is."""
    if found is None:
        return None, f"no target class has {extremes.SMALL} rows or groups of each of two private classes"
    y, guess, more, less = found.place
    targets, hidden = rows.target.classes, rows.private.classes
    words = f"{targets[y]} taken for {targets[guess]}" if guess != y else f"{targets[y]} named right"
    small = found.cells[1] - found.cells[0]
    left = f"; {small} of {found.cells[1]} cells under {extremes.SMALL} rows or groups left out" if small else ""
    return found.interval, f"{words}, more often of {hidden[more]} than of {hidden[less]}{left}"


def outcomes(subject: Embeddings, rows: Labelled, found: Inquiry, target: str | None) -> Outcomes:
    """Per-row outcomes of the rows that E covers."""
    case, answers = found.case, found.answers
    fold = np.full(len(case.private), -1, np.int64)
    for number, part in enumerate(case.arena.folds):
        fold[part.test] = number
    inside = answers.scored
    scored = case.scored[inside]
    hits = {"nested": found.guess, **found.guesses}
    marks = {name: (guess == answers.private)[inside].astype(np.uint8) for name, guess in hits.items()}
    model = model_hits(subject, rows, target)
    if model is not None:
        marks["model"] = model[scored].astype(np.uint8)
    ids = subject.ids[rows.rows][scored]
    labels = case.arena.target[scored], case.private[scored], case.arena.group[scored]
    gains = None if found.gains is None else found.gains.astype(np.float32)
    return Outcomes(ids, fold[scored], *labels, marks, gains)


def threat(
    target: str | None, attackers: tuple[Call, ...], auxiliaries: tuple[str, ...], *, overlap_known: bool
) -> dict[str, Any]:
    """Who attacks, and with what knowledge."""
    knobs = {}
    for call in attackers:
        signature = catalog.knobs(catalog.thing("attackers", call.name).attack)
        table = {**{name: knob.default for name, knob in signature.items()}, **call.knobs}
        knobs[call.name if [other.name for other in attackers].count(call.name) == 1 else str(call)] = {
            name: "by rows" if value == 0 else list(value) if isinstance(value, tuple) else value
            for name, value in table.items()
        }
    knows = "the bottleneck of unseen rows, and of labelled rows like them"
    return {
        "knows": knows if target is None else f"{knows}; the {target} of every row",
        "auxiliary": list(auxiliaries),
        "attackers": knobs,
        "conditioned_on": target,
        "overlap": "no attack row is known, by name or by equal content, to have been trained on"
        if overlap_known
        else "overlap with training unknown",
        "not_tested": ["membership", "extraction", "singling out"],
    }


def notes(
    subject: Embeddings, chosen: Mapping[str, Labelled], attributes: tuple[Attribute, ...],
    auxiliaries: tuple[str, ...], absent: Mapping[str, str],
) -> list[str]:  # fmt: skip
    """What a reader must know of rows and labels."""
    made = dict.fromkeys(subject.notes)
    for name, rows in chosen.items():
        if rows.target.note:
            made[f"target: {rows.target.note}"] = None
        if rows.private.note:
            made[f"{name}: {rows.private.note}"] = None
    without = [each.private for each in attributes if "paper" not in {part.auxiliary for part in each.findings}]
    if "paper" in auxiliaries and without:
        reason = absent.get("paper", "no training rows with these classes are at hand")
        made[f"auxiliary paper does not apply to {', '.join(without)}: {reason}"] = None
    return list(made)
