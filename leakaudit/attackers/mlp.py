"""
A perceptron of one hidden layer, in two forms: plain, and conditioned on the target class.

Finds what no hyperplane does: leaks by interaction, by distance, and those whose direction depends on the target.
"""

import numpy as np
import torch

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.numerics import perceptron
from leakaudit.numerics.device import generator
from leakaudit.numerics.holdout import parts

DECIDES = True


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    width: int = 64,
    epochs: int = 0,
    batch: int = 128,
    rate: float = 0.01,
    decay: float = 1.0,
    folds: int = 4,
) -> list[Guesses]:
    """
    Guess by the form with the lower weighted cross-entropy on held-out groups of the seen rows.

    `epochs` 0 is chosen by the count of rows. `converged` says that the held-out loss had stopped falling before the
    epochs were spent.
    """
    epochs = epochs or max(10, min(40, 40_000 // max(1, len(seen))))
    whitening = seen.moments.whitening
    damp = np.minimum(1.0, 16 / np.arange(1, len(whitening.variance) + 1)).astype(np.float32)
    x = torch.from_numpy(whitening.components(seen.z) * damp).to(device)
    new = torch.from_numpy(whitening.components(unseen.z) * damp).to(device)
    strata = torch.from_numpy(seen.target).to(device)
    asked = torch.from_numpy(unseen.target).to(device)
    guesses: list[Guesses | None] = [None] * len(questions)
    for classes in sorted({question.classes for question in questions}):
        alike = [i for i, question in enumerate(questions) if question.classes == classes]
        labels = torch.from_numpy(np.stack([questions[i].labels for i in alike])).to(device)
        weights = torch.from_numpy(np.stack([questions[i].weights for i in alike])).to(x)
        dealt = [parts(seen.strata * (questions[i].labels + 1) + seen.target, seen.group, folds, seed) for i in alike]
        outside = torch.from_numpy(np.stack(dealt) == 0).to(device)
        trained = perceptron.train(
            x, strata, labels.repeat(2, 1), weights.repeat(2, 1), outside.repeat(2, 1),
            torch.arange(2 * len(alike), device=device) >= len(alike), classes,
            generator=generator(seed), width=width, epochs=epochs, batch=batch, rate=rate, decay=decay,
        )  # fmt: skip
        chance = trained.networks.logits(new, asked).softmax(2).cpu().numpy()
        for row, i in enumerate(alike):
            form = int(trained.loss[row + len(alike)] < trained.loss[row])
            at = row + form * len(alike)
            note = f"{('plain', 'conditioned on the target class')[form]}, epoch {int(trained.best[at])} of {epochs}"
            guesses[i] = Guesses(chance[at], bool(trained.settled[at]), (note,))
    return [guess for guess in guesses if guess is not None]
