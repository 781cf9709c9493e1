"""Reports of any number of models and attributes, made from a few made-up attributes under other names."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import synthetic

from leakaudit.audits import Attribute, Audit, Gate, worst
from leakaudit.finding import WORST_FIRST, Control, Verdict
from leakaudit.render import Comparison, Difference, Place, Ranking, Report
from leakaudit.stats import Interval

WORDS = tuple(synthetic.BY_VERDICT)


@functools.cache
def base(word: str) -> tuple[Audit, Attribute]:
    """One made-up audit of a verdict, without what is only drawn."""
    made, _ = synthetic.audit(synthetic.BY_VERDICT[word])
    part = replace(made.attributes[0], separation=(), bottleneck=None, cells=(), reconstruction=None)
    return made, replace(part, findings=tuple(replace(f, figures=replace(f.figures, tpr=())) for f in part.findings))


def report(
    verdicts: Sequence[Sequence[Verdict]],
    *,
    warnings: int = 0,
    gates: Sequence[str] = (),
    failed: int = 0,
    name: str = "models/number-{}",
    private: str = "attribute-{}",
) -> Report:
    """A report in which `verdicts[i][j]` is that of model i on attribute j."""
    audits = tuple(_audit(row, i, warnings, failed, name, private) for i, row in enumerate(verdicts))
    first, later = audits[0], audits[1:]
    comparisons = tuple(_comparison(first, one, part.private) for one in later for part in one.attributes)
    rankings = tuple(
        Ranking(part.private, tuple(Place(one.name, 1 + i // 2, 2 + i // 2) for i, one in enumerate(audits)), "Ranked.")
        for part in first.attributes
        if len(audits) > 2
    )
    asked = [(one.name, part.private) for one in audits for part in one.attributes]
    judged = tuple(
        Gate(
            "--max-private-accuracy 0.2",
            private,
            0.2,
            gates[i % len(gates)],
            f"{f'{whose}: ' if len(audits) > 1 else ''}{private} is read at 47.1 %",
        )
        for i, (whose, private) in enumerate(asked)
        if gates
    )
    return Report(audits, comparisons, judged, min((a.verdict for a in audits), key=WORST_FIRST.index), rankings)


def _audit(row: Sequence[Verdict], i: int, warnings: int, failed: int, name: str, private: str) -> Audit:
    parts = tuple(_part(word, private.format(j), failed) for j, word in enumerate(row))
    made, _ = base(row[0])
    return replace(
        made,
        verdict=worst(parts).verdict,
        attributes=parts,
        subject={**made.subject, "name": name.format(i), "sha256": f"{i:064d}"},
        warnings=tuple(
            f"warning number {k} of a model whose classes stand otherwise {'so ' * 40}" for k in range(warnings)
        ),
    )


def _part(word: Verdict, private: str, failed: int) -> Attribute:
    part = base(word)[1]
    kinds = ("shuffled", "planted-linear", "planted-xor", "planted-radial", "converged")
    broken = tuple(Control(kind, False, None, (), 0) for kind in kinds[:failed])
    return replace(part, private=private, verdict=word, controls=(*broken, *part.controls[failed:]))


def _comparison(first: Audit, second: Audit, private: str) -> Comparison:
    one, two = (next(p for p in audit.attributes if p.private == private).figures for audit in (first, second))
    differences = []
    for name, before, after in (
        ("private_accuracy", one.private_accuracy.value, two.private_accuracy.value),
        ("excess", one.excess.value, two.excess.value),
        ("bits", 1.234, 2.345),
        ("target_accuracy", 0.9, 0.8),
        ("worst_group", 0.5, 0.7),
        ("equalised_odds", 0.123, 0.234),
    ):
        change = after - before
        differences.append(Difference(name, before, after, Interval(change, change - 0.05, change + 0.05)))
    words = f"{second.name} leaks less than {first.name}, and the data can tell: its E is lower, on the same 1500 rows."
    return Comparison(private, first.name, second.name, True, 1500, tuple(differences), words)
