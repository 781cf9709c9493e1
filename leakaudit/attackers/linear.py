"""
A hyperplane per class: multinomial logistic regression, solved to a proven gap.

A leak may sit in a direction of tiny variance, so the L2 penalty and the basis it acts on are chosen together on
held-out groups of the seen rows: some leading principal components, whitened; all of them, whitened; or all of them
with penalties inverse to their variance, which is the ridge on the columns themselves.
"""

import numpy as np
import torch

from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.attackers import components as whitened
from leakaudit.numerics.further import refit
from leakaudit.numerics.logistic import probabilities
from leakaudit.numerics.search import Basis, search, strengths

DECIDES = True


def attack(
    seen: Rows,
    unseen: Rows,
    questions: tuple[Question, ...],
    *,
    seed: int,
    device: str,
    components: tuple[int, ...] = (16, 64),
    penalties: int = 3,
    folds: int = 0,
) -> list[Guesses]:
    """
    Guess by the basis and penalty with the lowest weighted cross-entropy on held-out groups, refitted on all seen rows.

    `components` are the counts of leading whitened components tried beside all of them, `penalties` the count of
    strengths tried on each basis, `folds` the quarters held out in turn (0: 2 below 5,000 rows, else 1). `converged`
    says that the refit's objective is proven to lie within 1e-5 nats of its minimum.
    """
    x = whitened(seen, unseen)
    found = x.seen.shape[1]
    ladder = strengths(penalties)
    all_of_them = np.ones(found)
    damped = x.variance.mean() / x.variance if found else all_of_them
    whole = {f"all components, penalty {strength:.2g}": strength * all_of_them for strength in ladder}
    whole |= {f"all components as they vary, penalty {strength:.2g}": strength * damped for strength in ladder}
    counts = sorted({count for count in components if count < found})
    bases = []
    for count in counts:
        leading = {
            f"{count} leading components, penalty {strength:.2g}": strength * np.ones(count) for strength in ladder
        }
        bases.append(_basis(x.seen[:, :count], x.unseen[:, :count], leading, device))
    bases.append(_basis(x.seen, x.unseen, whole, device))
    answers = search(bases, questions, seen.target, seen.group, folds=folds, seed=seed)
    made = [Guesses(answer.probabilities, answer.converged, answer.notes, answer.settled) for answer in answers]
    return made if seen.beyond is None else _further(seen, bases, questions, made)


def _further(seen: Rows, bases: list[Basis], questions: tuple[Question, ...], made: list[Guesses]) -> list[Guesses]:
    """What was settled on, refitted on all rows of the file where their labels are shown."""
    assert seen.beyond is not None
    for basis in bases:
        for classes in sorted({question.classes for question in questions}):
            mine = [
                (i, question.further, made[i].settled)
                for i, question in enumerate(questions)
                if question.further is not None and question.classes == classes and made[i].settled.name in basis.names
            ]
            if not mine:
                continue
            picked = [basis.names.index(settled.name) for _, _, settled in mine]
            fit = refit(
                seen.beyond, seen.moments.basis, basis.penalties[picked].cpu().numpy(),
                [further.labels for _, further, _ in mine], [further.weights for _, further, _ in mine],
                classes, [settled.fit for _, _, settled in mine],
            )  # fmt: skip
            scale = torch.tensor([settled.scale for _, _, settled in mine], device=basis.unseen.device)
            chance = probabilities(fit.logits(basis.unseen) * scale[:, None, None]).transpose(1, 2).cpu().numpy()
            for at, (i, further, settled) in enumerate(mine):
                told = int((further.labels >= 0).sum())
                notes = (*made[i].notes, f"refitted on {told:,} rows, read from disk in {fit.iterations} sweeps")
                made[i] = Guesses(np.ascontiguousarray(chance[at]), bool(fit.converged[at]), notes, settled)
    return made


def _basis(seen: np.ndarray, unseen: np.ndarray, penalties: dict[str, np.ndarray], device: str) -> Basis:
    """Features and the penalties on them, by name."""
    table = np.stack(list(penalties.values())).astype(np.float32)
    x, y = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (seen, unseen))
    return Basis(x, y, torch.from_numpy(table).to(device), tuple(penalties))
