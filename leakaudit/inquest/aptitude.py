"""
Whether the model does its own task on these rows: what an audit must say first, where it does not.

The most common way to audit nonsense is a model whose images are prepared otherwise than it was trained on, or whose
classes stand in another order. Both show in how it names the target. Skill is balanced accuracy above chance over what
there is above chance: (b - 1/k) / (1 - 1/k), for k target classes that have rows.

A warning is given where skill, at 95 %, is at most a tenth; and where it cannot be told from nothing and is below a
half. Too few rows to say so much warn of nothing. Where the model's outputs are not the target's classes, nothing is
known of it, and that is said where its task would stand. Another order of the classes is sought on one half of the rows
or groups (an assignment that maximises the sum of recalls) and told where on the other half its skill is at least a
quarter and above that of the order given.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64
from scipy.optimize import linear_sum_assignment

from leakaudit import stats
from leakaudit.embeddings import Embeddings
from leakaudit.labels import Labelled
from leakaudit.stats import Interval

HARDLY = 0.1
"""Skill that is near none."""
UNSURE = 0.5
"""Skill that an interval must stay below for its rows to say anything."""
ORDERED = 0.25
"""Skill on unseen rows that another order of the classes must have."""
NAMED = 12
"""Classes that a warning lists."""
STRANGERS = ("weights", "published", "onnx", "module", "random-init")
"""Subjects that are shown images which they may not have been made for."""

Codes = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Aptitude:
    """What is to be said of a model's own task."""

    warnings: tuple[str, ...] = ()
    """Beside the verdict."""
    notes: tuple[str, ...] = ()
    unmeasured: str = ""
    """Why it is not known, in words that follow "Its own task:"; empty where it is, or where there is no such task."""


def named(logits: Float32[np.ndarray, "n k"] | None, classes: int) -> Codes | None:
    """
    The class that each row's logits name; None where they are not of so many classes.

    A single output names the second of two classes: a probability (all lie in 0..1) above a half, a logit above 0.
    """
    if logits is None or not classes:
        return None
    if logits.shape[1] == 1 and classes == 2:  # noqa: PLR2004 (the second or not)
        return (logits[:, 0] > _middle(logits)).astype(np.int64)
    return logits.argmax(axis=1).astype(np.int64) if logits.shape[1] == classes else None


def _middle(logits: Float32[np.ndarray, "n k"]) -> float:
    """Above what a single output names the second class."""
    return 0.5 if logits.size and logits.min() >= 0 and logits.max() <= 1 else 0.0


def aptitude(subject: Embeddings, rows: Labelled, target: str | None, seed: int, prepared: str = "") -> Aptitude:
    """
    What is to be said of how the model names the target on the attack rows.

    `seed` draws the halves; `prepared` says how images enter, in words.
    """
    kind = subject.origin.kind
    if target is None or subject.logits is None:
        why = "no target is named" if target is None else "none of its outputs is read"
        return Aptitude(unmeasured=_unmeasured(kind, why) if kind in STRANGERS else "")
    labels = subject.column(target)
    classes, outputs = len(labels.classes), subject.logits.shape[1]
    guesses = named(subject.logits, classes)
    if guesses is None and kind == "checkpoint":
        return Aptitude()  # the subject says which classes it has not learned
    if guesses is None:
        many = f"{classes:,} classes" if classes else "numbers"
        plural = "s" if outputs > 1 else ""
        return Aptitude(unmeasured=_unmeasured(kind, f"{outputs:,} output{plural}, {target} has {many}"))
    kept = rows.known
    y = rows.target.codes[kept]
    guess = guesses[rows.rows[kept]]
    group = None if subject.group is None else subject.group[rows.rows[kept]]
    if len(np.unique(y)) < 2:  # noqa: PLR2004 (nothing to tell apart)
        return Aptitude()
    above = f"above {_middle(subject.logits):g} it is taken to name {labels.classes[-1]}"
    notes = (f"the model has one output: {above}",) * (outputs == 1)
    own = subject.origin.kind == "checkpoint"
    order = None if own else _order(y, guess, classes, group, seed)
    found = _skill(y, guess, group)
    if found.high > HARDLY and not (found.low <= 0 and found.high <= UNSURE) and order is None:
        return Aptitude(notes=notes)
    chance = 1 / len(np.unique(y))
    right = found.value * (1 - chance) + chance
    said = f"the model names the {target} right in {100 * right:.1f} % of rows (mean over classes; chance is "
    said += f"{100 * chance:.1f} %)"
    if order is not None:
        return Aptitude((f"{said}: {_other(order, rows.target.classes)}",), notes)
    return Aptitude((f"{said}: {_why(subject.origin.kind, target, prepared)}",), notes)


def _unmeasured(kind: str, why: str) -> str:
    """That it is not known how well a model does its own task, and what that leaves open where it is shown images."""
    open_ = ", so that nothing shows whether the images enter as the model expects"
    return f"not measured ({why}){open_ if kind in STRANGERS else ''}"


def _other(order: tuple[Int64[np.ndarray, " k"], float], classes: tuple[str, ...]) -> str:
    """That another order of the classes is the model's."""
    known, share = order
    names = ", ".join(f"{number} {classes[k]}" for number, k in enumerate(known[:NAMED]))
    return (
        f"under another order of the classes it names {100 * share:.1f} %, on rows that were not used to find it: "
        f"label the rows with the model's own class numbers, which seem to be {names}{', ...' * (len(known) > NAMED)}"
    )


def _why(kind: str, target: str, prepared: str) -> str:
    """What may be the matter, of a subject of that kind."""
    if kind == "checkpoint":
        return f"what it has learned to name is not the {target} of these rows"
    if kind in ("file", "embeddings"):
        return "the logits may be of another task, or of other rows than these"
    how = f"; they enter as {prepared}" if prepared else ""
    return f"it may not be this model's task, or images are prepared otherwise than it was trained on{how}"


def _skill(y: Codes, guess: Codes, group: Codes | None) -> Interval:
    """Balanced accuracy above chance over what there is above it, of the classes that have rows."""
    there, cells = np.unique(y, return_inverse=True)
    found = stats.share(guess == y, cells, np.full(len(there), 1 / len(there)), group).interval
    value, low, high = ((part - 1 / len(there)) / (1 - 1 / len(there)) for part in found)
    return Interval(value, low, high)


def _order(
    y: Codes, guess: Codes, classes: int, group: Codes | None, seed: int
) -> tuple[Int64[np.ndarray, " k"], float] | None:
    """The target class of each output under another order, and its balanced accuracy on unseen rows."""
    seen = _half(len(y), group, seed)
    if len(np.unique(y[~seen])) < 2 or seen.sum() == 0:  # noqa: PLR2004 (nothing to tell apart)
        return None
    table = np.bincount(y[seen] * classes + guess[seen], minlength=classes**2).reshape(classes, classes)
    recalls = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    known: Int64[np.ndarray, " k"] = np.empty(classes, np.int64)
    names, outputs = linear_sum_assignment(-recalls - 1e-9 * np.eye(classes))
    known[outputs] = names
    if (known == np.arange(classes)).all():
        return None
    rest = None if group is None else group[~seen]
    given, other = (_skill(y[~seen], each[~seen], rest) for each in (guess, known[guess]))
    if other.low < ORDERED or other.low <= given.high:
        return None
    present = len(np.unique(y[~seen]))
    return known, other.value * (1 - 1 / present) + 1 / present


def _half(rows: int, group: Codes | None, seed: int) -> Bool[np.ndarray, " n"]:
    """Half of the rows, or of whole groups."""
    index = np.arange(rows) if group is None else np.unique(group, return_inverse=True)[1]
    units = int(index.max(initial=-1)) + 1
    drawn = np.random.default_rng(seed).permutation(units) < units // 2
    half: Bool[np.ndarray, " n"] = drawn[index]
    return half
