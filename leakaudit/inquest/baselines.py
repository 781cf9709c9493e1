"""
What is reached from something else than the bottleneck.

Nothing at all, the target, the model's output, a fresh encoder's bottleneck, the image itself; and the bottleneck from
which all that a hyperplane reads was erased.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from jaxtyping import Float32, Int64

from leakaudit import protocol
from leakaudit.finding import Baseline, Finding
from leakaudit.inquest.arena import Arena, Ask, Case, Codes
from leakaudit.inquest.contest import Answer, Entrant, compete, nested, saying
from leakaudit.numerics import erasure
from leakaudit.numerics.erasure import Eraser

LEADING = 256
"""Principal components of an image that are attacked, where it has more numbers."""
KINDS = ("model-output", "random-init", "raw-input")
ERASED = "leace"
READERS = ("linear", "mlp")
"""Attackers of the baselines."""
AFTER = ("linear", "quadratic")
"""Attackers of the erased bottleneck."""


@dataclass(frozen=True)
class Reached:
    """A baseline, and the guesses behind it on the scored rows; None where it does not apply."""

    baseline: Baseline
    guess: Codes | None


def constants(case: Case) -> tuple[Baseline, Baseline]:
    """The commonest private class of all, and that of each target class."""
    answers = case.answers()
    commonest = np.bincount(case.private[case.known], minlength=case.classes).argmax()
    own = answers.table.argmax(axis=1)[answers.target]
    return (
        Baseline(
            "majority", None, answers.figures(np.full(len(answers), commonest)), "always the commonest private class"
        ),
        Baseline(
            "target-only",
            None,
            answers.figures(own),
            "the commonest private class of the row's target class, among the scored rows",
        ),
    )


def contested(
    arena: Arena, cases: Sequence[Case], kind: str, features: Float32[np.ndarray, "n p"] | str,
    attackers: Sequence[Entrant],
) -> Generator[str, None, list[Reached]]:  # fmt: skip
    """The nested winner of each case on other features of the same rows; a text says why there are none."""
    if isinstance(features, str):
        return [Reached(Baseline(kind, None, None, f"does not apply: {features}"), None) for _ in cases]
    note = ""
    if features.shape[1] > LEADING:
        note = f"{LEADING} leading principal components of {features.shape[1]:,} numbers"
        features = leading(features, LEADING, protocol.chance("range finder", arena.seed, kind))
    other = replace(arena, z=features, known=None, given=None)
    asks = [Ask(case.private, case.classes) for case in cases]
    answered = yield from saying(kind, compete(other, attackers, asks))
    return [_winner(case, kind, each, note) for case, each in zip(cases, answered, strict=True)]


def erased(arena: Arena, cases: Sequence[Case], attackers: Sequence[Entrant]) -> Generator[str, None, list[Reached]]:
    """
    The bottleneck after a LEACE erasure of all private attributes, fitted in each fold on the rows of each fit.

    A linear attacker is blind to it by construction; what another still reads, no linear audit would have found.
    """
    asks = [Ask(case.private, case.classes) for case in cases]
    parts: list[list[dict[str, Answer]]] = []
    for fold in arena.folds:
        erasers = (_eraser(arena, asks, rows) for rows in (fold.train, fold.seen))
        tuned, final = (
            replace(arena, z=each.apply(arena.z), folds=(fold,), known=each.moments(arena.moments), given=None)
            for each in erasers
        )
        alone = replace(tuned, later=final)
        parts.append((yield from saying(ERASED, compete(alone, attackers, asks))))
    every = "the attribute" if len(cases) == 1 else f"all {len(cases)} attributes"
    note = f"{every} erased by LEACE, fitted on the rows that the attacker is"
    made = []
    for i, case in enumerate(cases):
        answer = {each.name: _joined(arena, [part[i][each.name] for part in parts]) for each in attackers}
        readings = tuple(_reading(case, name, each) for name, each in answer.items())
        best = _winner(case, ERASED, answer, note)
        made.append(replace(best, baseline=replace(best.baseline, readings=readings)))
    return made


def _eraser(arena: Arena, asks: Sequence[Ask], rows: Int64[np.ndarray, " m"]) -> Eraser:
    """Of what every private class says beyond the target on these rows, each counting as its attackers count it."""
    target, columns = arena.target[rows], []
    for question in (ask.of(rows, arena.target) for ask in asks):
        said = erasure.within(question.labels, target, question.classes, arena.strata, question.weights)
        columns.append(said * question.weights[:, None])
    return erasure.erase(arena.z[rows], np.concatenate(columns, axis=1))


def _reading(case: Case, name: str, answer: Answer) -> Finding:
    answers = case.answers()
    figures = answers.figures(answers.guess(answer.chances[case.scored]))
    return Finding(name, protocol.DECIDING, False, answer.converged, figures, answer.notes)


def _joined(arena: Arena, parts: Sequence[Answer]) -> Answer:
    """The answers of folds that were asked one by one."""
    chances = np.zeros_like(parts[0].chances)
    for fold, part in zip(arena.folds, parts, strict=True):
        chances[fold.test] = part.chances[fold.test]
    notes = dict.fromkeys(chain.from_iterable(part.notes for part in parts))
    validation = tuple(part.validation[0] for part in parts)
    return Answer(chances, validation, all(part.converged for part in parts), tuple(notes))


def _winner(case: Case, kind: str, answer: dict[str, Answer], note: str) -> Reached:
    best = nested(answer, case.arena.folds)
    answers = case.answers()
    chances = best.chances[case.scored]
    guess = answers.guess(chances)
    return Reached(Baseline(kind, best.winner, answers.figures(guess, chances), note), guess)


def model_output(logits: Float32[np.ndarray, "n k"]) -> Float32[np.ndarray, "n p"]:
    """The predicted label, one column each, beside the logits."""
    label = np.eye(logits.shape[1], dtype=np.float32)[logits.argmax(axis=1)]
    return np.concatenate([logits, label], axis=1, dtype=np.float32)


def leading(x: Float32[np.ndarray, "n p"], count: int, rng: np.random.Generator) -> Float32[np.ndarray, "n count"]:
    """
    The leading principal components, by a randomised range finder with two power iterations.

    Halko, Martinsson and Tropp, SIAM Review 53 (2011), algorithm 4.4.
    """
    x = x - x.mean(axis=0)
    basis = np.linalg.qr(x @ rng.standard_normal((x.shape[1], min(count + 16, len(x)))).astype(np.float32))[0]
    for _ in range(2):
        basis = np.linalg.qr(x @ np.linalg.qr(x.T @ basis)[0])[0]
    left, values, _ = np.linalg.svd(basis.T @ x, full_matrices=False)
    components: Float32[np.ndarray, "n count"] = ((basis @ left) * values)[:, :count].astype(np.float32)
    return components
