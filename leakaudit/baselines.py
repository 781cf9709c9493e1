"""
What is reached from something else than the bottleneck.

Nothing at all, the target, the model's output, a fresh encoder's bottleneck, the image itself.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from leakaudit.contest import Ask, Case, Entrant, compete, nested, saying
from leakaudit.finding import Baseline

LEADING = 256
"""Principal components of an image that are attacked, where it has more numbers."""
KINDS = ("model-output", "random-init", "raw-input")


def constants(case: Case) -> tuple[Baseline, Baseline]:
    """The commonest private class of all, and that of each target class."""
    answers = case.answers()
    one = np.full(len(answers), np.bincount(case.private, minlength=case.classes).argmax())
    own = answers.table.argmax(axis=1)[answers.target]
    return (
        Baseline("majority", None, answers.figures(one), "always the commonest private class"),
        Baseline(
            "target-only",
            None,
            answers.figures(own),
            "the commonest private class of the row's target class, among the scored rows",
        ),
    )


def contested(
    case: Case, kind: str, features: Float32[np.ndarray, "n p"] | str, attackers: Sequence[Entrant]
) -> Generator[str, None, Baseline]:
    """The nested winner on other features of the same rows; a text says why there are none."""
    if isinstance(features, str):
        return Baseline(kind, None, None, f"does not apply: {features}")
    note = ""
    if features.shape[1] > LEADING:
        note = f"{LEADING} leading principal components of {features.shape[1]:,} numbers"
        features = leading(features, LEADING, case.chance("range finder"))
    arena = replace(case.arena, z=features)
    answered = yield from saying(kind, compete(arena, attackers, [Ask(case.private, case.classes)]))
    best = nested(answered[0], arena.folds)
    answers = case.answers()
    chances = best.chances[case.scored]
    return Baseline(kind, best.winner, answers.figures(answers.guess(chances), chances), note)


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
