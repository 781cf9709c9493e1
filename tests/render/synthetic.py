"""Made-up audits that hang together: every figure is counted from one table of guesses, so that intervals agree."""

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from made_up import ages, bottleneck, controls, erased, interval, learned, png, ranked, separations

from leakaudit.audits import Attribute, Audit, Pictures, Reconstruction, Utility, worst
from leakaudit.finding import (
    Baseline,
    Cell,
    Coverage,
    Figures,
    Finding,
    Sensitivity,
    Verdict,
    labels_needed,
    worst_cell,
)
from leakaudit.outcomes import Outcomes
from leakaudit.stats import Interval

ATTACKERS = ("linear", "mlp", "gaussian-pca")
BASELINES = {"model-output": 0.05, "random-init": 0.9, "raw-input": 1.0}


@dataclass(frozen=True)
class Plan:
    """What a made-up audit is about."""

    name: str = "digits/vanilla"
    private: str = "colour"
    target: str | None = "digit"
    classes: tuple[str, ...] = ("red", "green", "blue", "yellow")
    targets: tuple[str, ...] = ("0", "1", "2", "3", "4")
    strength: float = 0.9
    """Chance that the strongest attacker knows the answer."""
    rows: int = 1500
    tolerance: float = 0.10
    verdict: Verdict | None = None
    seed: int = 0
    baselines: bool = True
    paper: bool = True
    pictures: bool = False
    reconstruction: bool = False
    utility: bool = True
    model: str = "a"
    deep: bool = True
    """Whether everything is known, a continuous attribute's regression apart."""
    number: bool = False


def guess(plan: Plan, strength: float, generator: np.random.Generator) -> np.ndarray:
    """(n,) hits of an attacker who knows the answer with probability `strength`."""
    knows = generator.random(plan.rows) < strength
    lucky = generator.random(plan.rows) < 1 / len(plan.classes)
    return (knows | lucky).astype(np.uint8)


def labels(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Target and private labels, the same for every plan of one seed and one size."""
    generator = np.random.default_rng(99)
    return generator.integers(0, len(plan.targets), plan.rows), generator.integers(0, len(plan.classes), plan.rows)


def figures(plan: Plan, hits: np.ndarray) -> Figures:
    """Every figure of a column of hits."""
    target, private = labels(plan)
    chance = 1 / len(plan.classes)
    recall = np.array(
        [[hits[(target == y) & (private == v)].mean() for v in range(len(plan.classes))] for y in np.unique(target)]
    )
    share = np.bincount(target) / plan.rows
    balanced, accuracy = float(share @ recall.mean(1)), float((share @ recall).mean())
    effective = plan.rows / 2

    def excess(value: float) -> float:
        return (value - chance) / (1 - chance)

    around = interval(balanced, effective)
    auc, tpr = ranked(max(0.0, excess(balanced)), plan.rows, plan.classes) if plan.deep else (None, ())
    one_sided = 1.645 / 1.96
    return Figures(
        private_accuracy=interval(accuracy, plan.rows),
        accuracy=interval(float(hits.mean()), plan.rows),
        balanced_accuracy=around,
        excess=Interval(*(excess(part) for part in around)),
        lower=excess(balanced - one_sided * (balanced - around.low)),
        upper=excess(balanced + one_sided * (around.high - balanced)),
        private_upper=interval(accuracy, plan.rows).high,
        private_lower=interval(accuracy, plan.rows).low,
        bits=Interval(*(max(0.0, 2 * excess(part)) for part in around)),
        follows_target=0.3,
        auc=auc,
        tpr=tpr,
    )


@functools.cache
def attribute(plan: Plan) -> tuple[Attribute, Outcomes]:
    """One attribute with its per-row outcomes."""
    generator = np.random.default_rng(plan.seed)
    nested = guess(plan, plan.strength, generator)
    found, of_paper = figures(plan, nested), figures(plan, guess(plan, plan.strength * 0.3, generator))
    findings = [
        Finding(name, auxiliary, auxiliary == "balanced" and name != "gaussian-pca", True, figures(plan, hits))
        for auxiliary, factor in (("balanced", 1.0), ("matched", 0.6))
        for name, hits in (
            (name, guess(plan, plan.strength * factor * (0.95 - 0.4 * i), generator))
            for i, name in enumerate(ATTACKERS)
        )
    ]
    if plan.paper:
        findings.append(Finding("linear", "paper", False, True, of_paper, ("SGD, 50 epochs",)))
    upper = max(found.upper, *(part.figures.upper for part in findings if part.decides))
    detected = found.lower > 0.02
    verdict: Verdict = (
        ("LEAK" if found.lower > plan.tolerance else "WITHIN" if upper <= plan.tolerance else "DETECTED")
        if detected
        else ("NOT_FOUND" if upper <= plan.tolerance else "INCONCLUSIVE")
    )
    target, private = labels(plan)
    cells = tuple(
        Cell(name, int((target == y).sum()), len(plan.classes), figures_of_cell(plan, nested[target == y]))
        for y, name in enumerate(plan.targets)
    )
    part = Attribute(
        private=plan.private,
        target=plan.target,
        classes=plan.classes,
        target_classes=plan.targets,
        verdict=plan.verdict or verdict,
        reason=f"a made-up reason about {plan.private}",
        p=0.0005 if detected else 0.4,
        attacker="linear",
        auxiliary="balanced",
        winners=("linear", "linear", "mlp", "linear", "linear"),
        figures=found,
        upper=upper,
        mde=0.06,
        entropy=float(np.log2(len(plan.classes))),
        rows=coverage(plan),
        findings=tuple(findings),
        baselines=baselines(plan, generator) if plan.baselines else (),
        controls=controls(generator),
        sensitivity=(
            Sensitivity("linear", 0.1, ((0.1, 2.0, 3.0), (0.2, 3.0, 3.0), (0.4, 3.0, 3.0))),
            Sensitivity("xor", None, ((0.1, 0.0, 3.0), (0.8, 1.0, 3.0))),
        ),
        cells=cells,
        separation=separations(plan.classes, plan.strength),
        reconstruction=reconstruction(plan, generator) if plan.reconstruction else None,
    )
    if plan.deep:
        part = deepened(part, plan)
    rows = Outcomes(
        ids=np.arange(plan.rows, dtype=np.uint64) * np.uint64(7919),
        fold=np.arange(plan.rows) % 5,
        target=target,
        private=private,
        group=np.arange(plan.rows),
        hits={"nested": nested, "model": (generator.random(plan.rows) < 0.9).astype(np.uint8)},
    )
    return part, rows


def deepened(part: Attribute, plan: Plan) -> Attribute:
    """The attribute with everything that goes beyond the first audit."""
    curve, excess = learned(plan.strength, plan.rows), part.figures.excess
    return replace(
        part,
        p_h=0.0005 if part.p < 0.05 else 0.61,
        p_i=part.p,
        h_family="ridge per target class",
        h_draws=200,
        learning=curve,
        labels_needed=labels_needed(curve),
        learning_note="by linear",
        share_of_raw=excess if plan.baselines else None,
        above_random=Interval(excess.value - 0.9, excess.low - 0.91, excess.high - 0.89) if plan.baselines else None,
        regression=ages() if plan.number else (),
        worst=worst_cell(part.cells) if plan.target else None,
        bottleneck=bottleneck(len(plan.targets), len(plan.classes)) if plan.utility and plan.target else None,
    )


def figures_of_cell(plan: Plan, hits: np.ndarray) -> Interval:
    """E inside one target class."""
    chance = 1 / len(plan.classes)
    return Interval(*((part - chance) / (1 - chance) for part in interval(float(hits.mean()), len(hits) / 2)))


def coverage(plan: Plan) -> Coverage:
    """All rows scored."""
    cells = len(plan.targets) * len(plan.classes)
    return Coverage(plan.rows, 0, 800, None, plan.rows, 1.0, cells, cells, 3 * plan.rows // 4, (), "cross-fit 5", 4200)


def baselines(plan: Plan, generator: np.random.Generator) -> tuple[Baseline, ...]:
    """All five; `target-only` does not apply without a target."""
    zero = figures(plan, guess(plan, 0.0, generator))
    flat = replace(zero, excess=Interval(0.0, 0.0, 0.0), lower=0.0, upper=0.0)
    of_target = Baseline("target-only", None, flat if plan.target else None, "no target")
    nothing = [Baseline("majority", None, flat), of_target]
    quadratic = figures(plan, guess(plan, 0.8 * plan.strength, generator))
    return (
        *nothing,
        *((erased(zero, quadratic),) if plan.deep else ()),
        *(
            Baseline(name, "mlp", figures(plan, guess(plan, strength, generator)))
            for name, strength in BASELINES.items()
        ),
    )


def reconstruction(plan: Plan, generator: np.random.Generator) -> Reconstruction:
    """Reads a little less than the attack."""
    names = ("truth", "reconstruction", "class mean")
    captions = tuple(f"{plan.targets[i % len(plan.targets)]}, {plan.classes[i % len(plan.classes)]}" for i in range(8))
    pictures = Pictures(8, 8, tuple((name, png(64, 8, generator)) for name in names), captions)
    return Reconstruction(
        decoder="convolutional",
        psnr=Interval(18.2, 18.0, 18.4),
        ssim=Interval(0.71, 0.70, 0.72),
        private=figures(plan, guess(plan, plan.strength * 0.9, generator)),
        truth=figures(plan, guess(plan, 0.99, generator)),
        mean_image=(9.1, 0.12),
        class_mean=(12.3, 0.31),
        class_mean_private=figures(plan, guess(plan, 0.01, generator)),
        notes=("SSIM with a window of 7",),
        pictures=pictures if plan.pictures else None,
    )


def audit(*plans: Plan, **changes: Any) -> tuple[Audit, dict[str, Outcomes]]:
    """An audit of one subject; each plan is one private attribute of it."""
    made = [attribute(plan) for plan in plans]
    first, parts = plans[0], tuple(part for part, _ in made)
    hits = made[0][1].hits["model"]
    found = worst(parts)
    whole = Audit(
        verdict=found.verdict,
        reason=found.reason,
        tolerance=first.tolerance,
        suite="0",
        subject={
            "name": first.name,
            "kind": "checkpoint",
            "sha256": first.model * 64,
            "layer": "bottleneck",
            "width": 64,
            "method": "vanilla",
            "seed": 0,
        },
        data={"name": "digits:rho=0.8", "split": "test", "fingerprint": "f" * 64, "rows": first.rows, "group": None},
        threat={
            "knows": "the bottleneck of unseen images and the target label",
            "auxiliary": ["balanced (decides)", "matched", "paper"],
            "attackers": {"linear": {"strengths": 8}, "mlp": {}, "gaussian-pca": {}},
            "conditioned_on": first.target,
            "overlap": "none: 800 trained rows left out",
            "not_tested": ["membership", "extraction"],
        },
        attributes=parts,
        utility=Utility(
            first.target or "digit",
            interval(float(hits.mean()), first.rows),
            interval(0.9, first.rows),
            "3, red",
            interval(0.7, 40),
            1 / len(first.targets),
        )
        if first.utility
        else None,
        provenance={
            "leakaudit": "0.1.0",
            "versions": {"python": "3.12", "torch": "2.15"},
            "seed": 0,
            "device": "cpu",
            "command": f"leakaudit attack {first.name} --private {first.private}",
        },
    )
    return replace(whole, **changes), {plan.private: rows for plan, (_, rows) in zip(plans, made, strict=True)}


VANILLA = Plan(pictures=True, reconstruction=True)
END = replace(VANILLA, name="digits/end", strength=0.09, seed=3, verdict="DETECTED", model="b")
BY_VERDICT = {
    "LEAK": VANILLA,
    "DETECTED": END,
    "INCONCLUSIVE": replace(VANILLA, name="small", strength=0.01, rows=300, verdict="INCONCLUSIVE", seed=5, model="c"),
    "WITHIN": replace(VANILLA, name="within", strength=0.03, rows=20000, verdict="WITHIN", seed=6, model="d"),
    "NOT_FOUND": replace(VANILLA, name="quiet", strength=0.0, rows=6000, verdict="NOT_FOUND", seed=7, model="e"),
}
