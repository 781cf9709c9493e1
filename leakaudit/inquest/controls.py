"""
Checks on the audit itself: labels that nothing can tell, and leaks that must be found.

They are asked once per audit, of the attribute whose rows tell least (the largest MDE). `shuffled`: v permuted within
target strata, five draws; two detections fail. `planted`: a made-up attribute with v's own table, redrawn within
strata, of Bayes E = 2 tau, written into the leading components; three draws of each shape, two must be detected.
Groups in which targets differ trade labels among all groups. The ladder then goes down from 2 tau for shapes that were
found, and up for those that were not, until the smallest size found is known: the audit's sensitivity. A step of it
takes two draws, and a third where they differ; attackers are asked where the permutation test alone finds nothing.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from leakaudit import protocol
from leakaudit.finding import Control, Sensitivity
from leakaudit.inquest.arena import Arena, Ask, Case, Codes
from leakaudit.inquest.contest import Answer, Entrant, compete, saying, words
from leakaudit.inquest.detection import Trial, refitted, trial
from leakaudit.numerics import plants
from leakaudit.numerics.plants import SHAPES, Shape
from leakaudit.protocol import LADDER, PLANTS, PLANTS_FOUND, SHUFFLES, SHUFFLES_FAIL
from leakaudit.stats import LEVEL, Interval

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
    labels = [ask.labels for ask in asks]
    permuted = refitted(case.arena, labels, [case.classes] * len(labels), protocol.refits(1), grouped=case.grouped)
    trials = [
        trial(case, answer, each, found, f"shuffle {i} p")
        for i, (each, answer, found) in enumerate(zip(labels, answered, permuted, strict=True))
    ]
    found = sum(each.detected for each in trials)
    note = f"{found} of {SHUFFLES} shuffles detected at 5 %; {SHUFFLES_FAIL} would be too many"
    return Control("shuffled", found < SHUFFLES_FAIL, None, _intervals(trials), found, note)


@dataclass(frozen=True)
class Rung:
    """The draws of one shape at one size."""

    shape: Shape
    size: float
    draws: tuple[Trial, ...]

    @property
    def detected(self) -> int:
        """Draws that were detected."""
        return sum(each.detected for each in self.draws)

    @property
    def found(self) -> bool:
        """Whether draws enough were detected."""
        return self.detected >= PLANTS_FOUND


def applicable(case: Case) -> dict[Shape, str]:
    """Why a shape cannot be planted here; empty where it can."""
    space = _space(case)
    reasons = {shape: "" if space >= plants.WIDTH[shape] else f"z has {space} components that vary" for shape in SHAPES}
    if case.arena.strata == 1:
        reasons["class-dependent"] = "one target class: no direction can depend on it"
    return reasons


def sizes(tolerance: float) -> tuple[float, ...]:
    """The ladder, with 2 tau in it."""
    return tuple(sorted({*LADDER, min(2 * tolerance, LARGEST)}))


def steps(case: Case, attackers: Sequence[Entrant], tolerance: float) -> int:
    """The most words that `planted` yields."""
    shapes, space = [shape for shape, why in applicable(case).items() if not why], _space(case)
    first, two, third = (len(_pack(shapes, space, draws)) for draws in (PLANTS, PLANTS_FOUND, PLANTS - PLANTS_FOUND))
    copies = first + (len(sizes(tolerance)) - 1) * (two + third)
    asks = [Ask(case.private, case.classes, control=True)] * len(shapes) * PLANTS
    return copies * words(case.arena, attackers, asks)


def planted(
    case: Case, attackers: Sequence[Entrant], tolerance: float
) -> Generator[str, None, tuple[tuple[Control, ...], tuple[Sensitivity, ...]]]:
    """Plant, attack, and climb the ladder as far as needed."""
    ladder, size = sizes(tolerance), min(2 * tolerance, LARGEST)
    reasons = applicable(case)
    shapes = [shape for shape in SHAPES if not reasons[shape]]
    first = yield from _rung(case, attackers, shapes, size, range(PLANTS), anyway=True)
    climbed = {rung.shape: [rung] for rung in first}
    for step in [*(s for s in reversed(ladder) if s < size), *(s for s in ladder if s > size)]:
        still = [
            shape
            for shape, rungs in climbed.items()
            if (all(rung.found for rung in rungs) if step < size else not any(rung.found for rung in rungs))
        ]
        for rung in (yield from _step(case, attackers, still, step)):
            climbed[rung.shape].append(rung)
    controls = tuple(
        _control(climbed[shape][0]) if shape in climbed else _absent(shape, size, reasons[shape]) for shape in SHAPES
    )
    return controls, tuple(_sensitivity(shape, rungs) for shape, rungs in climbed.items())


def _control(rung: Rung) -> Control:
    note = f"{rung.detected} of {PLANTS} draws detected at 5 %; {PLANTS_FOUND} must be"
    return Control(f"planted-{rung.shape}", rung.found, rung.size, _intervals(rung.draws), rung.detected, note)


def _intervals(trials: Sequence[Trial]) -> tuple[Interval, ...]:
    return tuple(each.excess for each in trials if each.excess is not None)


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
    case: Case, attackers: Sequence[Entrant], shapes: Sequence[Shape], size: float
) -> Generator[str, None, list[Rung]]:
    """A step of the ladder: two draws of each shape, and a third where they differ."""
    rungs = yield from _rung(case, attackers, shapes, size, range(PLANTS_FOUND))
    torn = [rung.shape for rung in rungs if 0 < rung.detected < PLANTS_FOUND]
    more = yield from _rung(case, attackers, torn, size, range(PLANTS_FOUND, PLANTS))
    third = {rung.shape: rung for rung in more}
    return [replace(rung, draws=rung.draws + last.draws) if (last := third.get(rung.shape)) else rung for rung in rungs]


def _rung(
    case: Case, attackers: Sequence[Entrant], shapes: Sequence[Shape], size: float, draws: range, *,
    anyway: bool = False,
) -> Generator[str, None, list[Rung]]:  # fmt: skip
    """These draws of each shape at one size; attackers are asked `anyway`, or of what H alone does not detect."""
    trials: dict[Shape, list[Trial]] = {shape: [] for shape in shapes}
    for number, copy in enumerate(_pack(shapes, _space(case), len(draws))):
        purpose = f"planted leaks of {size:g}, from {draws.start}, copy {number}"
        arena, labels = _sow(case, copy, size, purpose)
        permuted = refitted(arena, labels, [case.classes] * len(labels), protocol.refits(1), grouped=case.grouped)
        found = [protocol.combined(each.p, 1.0) <= LEVEL for each in permuted]
        open_ = [i for i in range(len(copy)) if anyway or not found[i]]
        asks = [Ask(labels[i], case.classes, control=True) for i in open_]
        answered = yield from saying(f"planted leaks of {size:g}", compete(arena, attackers, asks))
        for i, shape in enumerate(copy):
            if i not in open_:
                trials[shape].append(Trial(None, detected=True))
                continue
            words = f"{purpose} {shape} {i} p"
            trials[shape].append(trial(case, answered[open_.index(i)], labels[i], permuted[i], words))
    return [Rung(shape, size, tuple(drawn)) for shape, drawn in trials.items()]


def _sow(case: Case, copy: Sequence[Shape], size: float, words: str) -> tuple[Arena, list[Codes]]:
    """A copy of the arena with these plants in it, each in components of its own, and their labels."""
    order = case.chance(words).permutation(_space(case))
    columns, places, labels, at = [], [], [], 0
    for i, shape in enumerate(copy):
        made = case.redraw(f"{words} {shape} {i}", PURE)
        rng = case.chance(f"{words} {shape} {i} signal")
        plant = plants.plant(shape, size, case.answers(made).table, rng)
        columns.append(plant.columns(case.arena.target, np.maximum(made, 0), rng))
        places.append(order[at : at + plants.WIDTH[shape]])
        at += plants.WIDTH[shape]
        labels.append(made)
    written = np.concatenate(columns, axis=1).astype(np.float32)
    components: Int64[np.ndarray, " width"] = np.concatenate(places)
    return case.arena.planted(written, components), labels


def _space(case: Case) -> int:
    """How many leading components can carry a plant."""
    return min(plants.LEADING, int(case.arena.x.shape[1]))


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
