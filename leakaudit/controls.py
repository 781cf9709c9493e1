"""
Checks on the audit itself: labels that nothing can tell, and leaks that must be found.

`shuffled`: v permuted within target strata, five draws; two detections fail. `planted`: a made-up attribute with v's
own table, redrawn within strata, of Bayes E = 2 tau, written into the leading components of a copy of z; three draws of
each shape, two must be detected. Groups in which targets differ trade labels among all groups. The ladder then goes
down from 2 tau for shapes that were found, and up for those that were not, until the smallest size found is known: the
audit's sensitivity. A step of it takes two draws, and a third where they differ.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from leakaudit.contest import Answer, Arena, Ask, Case, Codes, Entrant, compete, saying
from leakaudit.finding import Control, Sensitivity
from leakaudit.numerics import plants
from leakaudit.numerics.moments import Moments
from leakaudit.numerics.plants import SHAPES, Shape
from leakaudit.protocol import LADDER, PLANTS, PLANTS_FOUND, SHUFFLES, SHUFFLES_FAIL
from leakaudit.stats import Interval

PURE = 0.95
"""Share of rows of their group's commonest target from which plants keep v's own table."""
LARGEST = 0.95
"""A plant of Bayes E 1 would need an infinite gap."""


def shuffles(case: Case) -> tuple[Ask, ...]:
    """The private labels, shuffled five times."""
    drawn = (case.redraw(f"shuffle {number}", 1.0) for number in range(SHUFFLES))
    return tuple(Ask(labels, case.classes, control=True) for labels in drawn)


def shuffled(case: Case, asks: Sequence[Ask], answered: Sequence[dict[str, Answer]]) -> Control:
    """How many shuffles were taken for a leak."""
    trials = [
        case.trial(answer, ask.labels, f"shuffle {i} p")
        for i, (ask, answer) in enumerate(zip(asks, answered, strict=True))
    ]
    found = sum(detected for _, detected in trials)
    note = f"{found} of {SHUFFLES} shuffles detected at 5 %; {SHUFFLES_FAIL} fail"
    return Control("shuffled", found < SHUFFLES_FAIL, None, tuple(each for each, _ in trials), found, note)


@dataclass(frozen=True)
class Rung:
    """The draws of one shape at one size."""

    shape: Shape
    size: float
    draws: tuple[Interval, ...]
    detected: int

    @property
    def found(self) -> bool:
        """Whether draws enough were detected."""
        return self.detected >= PLANTS_FOUND


def applicable(case: Case, known: Moments) -> dict[Shape, str]:
    """Why a shape cannot be planted here; empty where it can."""
    space = plants.room(known)
    reasons = {shape: "" if space >= plants.WIDTH[shape] else f"z has {space} components that vary" for shape in SHAPES}
    if case.arena.strata == 1:
        reasons["class-dependent"] = "one target class: no direction can depend on it"
    return reasons


def sizes(tolerance: float) -> tuple[float, ...]:
    """The ladder, with 2 tau in it."""
    return tuple(sorted({*LADDER, min(2 * tolerance, LARGEST)}))


def steps(case: Case, known: Moments, attackers: Sequence[Entrant], tolerance: float) -> int:
    """The most words that `planted` yields."""
    shapes, space = [shape for shape, why in applicable(case, known).items() if not why], plants.room(known)
    first, two, third = (len(_pack(shapes, space, draws)) for draws in (PLANTS, PLANTS_FOUND, PLANTS - PLANTS_FOUND))
    copies = first + (len(sizes(tolerance)) - 1) * (two + third)
    return copies * len(case.arena.folds) * len(attackers)


def planted(
    case: Case, known: Moments, attackers: Sequence[Entrant], tolerance: float
) -> Generator[str, None, tuple[tuple[Control, ...], tuple[Sensitivity, ...]]]:
    """Plant, attack, and climb the ladder as far as needed."""
    ladder, size = sizes(tolerance), min(2 * tolerance, LARGEST)
    reasons = applicable(case, known)
    shapes = [shape for shape in SHAPES if not reasons[shape]]
    first = yield from _rung(case, known, attackers, shapes, size, range(PLANTS))
    climbed = {rung.shape: [rung] for rung in first}
    for step in [*(s for s in reversed(ladder) if s < size), *(s for s in ladder if s > size)]:
        still = [
            shape
            for shape, rungs in climbed.items()
            if (all(rung.found for rung in rungs) if step < size else not any(rung.found for rung in rungs))
        ]
        for rung in (yield from _step(case, known, attackers, still, step)):
            climbed[rung.shape].append(rung)
    controls = tuple(
        _control(climbed[shape][0]) if shape in climbed else _absent(shape, size, reasons[shape]) for shape in SHAPES
    )
    return controls, tuple(_sensitivity(shape, rungs) for shape, rungs in climbed.items())


def _control(rung: Rung) -> Control:
    note = f"{rung.detected} of {PLANTS} draws detected at 5 %; {PLANTS_FOUND} must be"
    return Control(f"planted-{rung.shape}", rung.found, rung.size, rung.draws, rung.detected, note)


def _absent(shape: Shape, size: float, reason: str) -> Control:
    return Control(f"planted-{shape}", None, size, (), 0, f"does not apply: {reason}")


def _sensitivity(shape: Shape, rungs: Sequence[Rung]) -> Sensitivity:
    """Sizes that were not asked are not listed: below one that was missed, and above one that was found."""
    ordered = sorted(rungs, key=lambda rung: rung.size)
    found = None
    for rung in reversed(ordered):
        if not rung.found:
            break
        found = rung.size
    return Sensitivity(
        shape, found, tuple((rung.size, float(rung.detected), float(len(rung.draws))) for rung in ordered)
    )


def _step(
    case: Case, known: Moments, attackers: Sequence[Entrant], shapes: Sequence[Shape], size: float
) -> Generator[str, None, list[Rung]]:
    """A step of the ladder: two draws of each shape, and a third where they differ."""
    rungs = yield from _rung(case, known, attackers, shapes, size, range(PLANTS_FOUND))
    torn = [rung.shape for rung in rungs if 0 < rung.detected < PLANTS_FOUND]
    more = yield from _rung(case, known, attackers, torn, size, range(PLANTS_FOUND, PLANTS))
    third = {rung.shape: rung for rung in more}
    return [
        replace(rung, draws=rung.draws + last.draws, detected=rung.detected + last.detected)
        if (last := third.get(rung.shape))
        else rung
        for rung in rungs
    ]


def _rung(
    case: Case, known: Moments, attackers: Sequence[Entrant], shapes: Sequence[Shape], size: float, draws: range
) -> Generator[str, None, list[Rung]]:
    """These draws of each shape at one size, in as few copies of z as hold them."""
    trials: dict[Shape, list[tuple[Interval, bool]]] = {shape: [] for shape in shapes}
    for number, copy in enumerate(_pack(shapes, plants.room(known), len(draws))):
        words = f"planted leaks of {size:g}"
        rng = case.chance(f"{words}, from {draws.start}, copy {number}")
        arena, labels = _sow(
            case, known, copy, size, f"{words}, from {draws.start}, {number}", rng.permutation(plants.room(known))
        )
        asks = [Ask(each, case.classes, control=True) for each in labels]
        answered = yield from saying(words, compete(arena, attackers, asks))
        for shape, each, answer in zip(copy, labels, answered, strict=True):
            trials[shape].append(case.trial(answer, each, f"{words} {shape} {len(trials[shape])} p"))
    return [
        Rung(shape, size, tuple(each for each, _ in drawn), sum(found for _, found in drawn))
        for shape, drawn in trials.items()
    ]


def _sow(
    case: Case,
    known: Moments,
    copy: Sequence[Shape],
    size: float,
    words: str,
    components: Int64[np.ndarray, " components"],
) -> tuple[Arena, list[Codes]]:
    """A copy of z with these plants in it, each in components of its own, and their labels."""
    z, at, labels = case.arena.z, 0, []
    for i, shape in enumerate(copy):
        purpose = f"{words} {shape} {i}"
        made = case.redraw(purpose, PURE)
        rng = case.chance(f"{purpose} signal")
        table = case.answers(made).table
        plant = plants.plant(shape, size, table, rng)
        width = plants.WIDTH[shape]
        z = plants.write(z, known, plant.columns(case.arena.target, made, rng), components[at : at + width])
        at += width
        labels.append(made)
    return replace(case.arena, z=z), labels


def _pack(shapes: Sequence[Shape], space: int, draws: int) -> list[list[Shape]]:
    """So many draws of these shapes, divided over as few copies of z as have the components for them."""
    copies: list[list[Shape]] = []
    left = 0
    for shape in sorted(list(shapes) * draws, key=SHAPES.index):
        if plants.WIDTH[shape] > left:
            copies.append([])
            left = space
        copies[-1].append(shape)
        left -= plants.WIDTH[shape]
    return copies
