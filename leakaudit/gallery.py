"""
A gallery: every image rebuilt from its bottleneck by a decoder that never saw it, beside the truth and mean images.

Cross-fitted in three folds below 20,000 rows; from there on a decoder is trained on seven tenths and rebuilds the rest.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from leakaudit import catalog, protocol, stats
from leakaudit.attackers import Attack, Guesses, Question, Rows
from leakaudit.audits import Pictures
from leakaudit.decoders import Decoded
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.finding import Figures
from leakaudit.labels import Labelled
from leakaudit.numerics import pixels
from leakaudit.numerics.holdout import parts
from leakaudit.scoring import Answers

FOLDS, TENTHS = 3, 7
LARGEST = 64
"""Pixels a side of what is rebuilt; larger images are averaged down first."""
COLUMNS, FEWEST, THUMBNAILS, THUMBNAIL = 10, 2, 40, 48
"""Images in a strip, at most and at least; in the strips of one kind of all attributes; pixels a side of each."""
READERS = ("linear", "mlp")
"""Attackers that read images, the next only where those before it read true images badly."""
WELL = 0.9
"""E on held-out true images that is well enough."""
READ = 32
"""Most pixels a side of what it reads."""
DRAWS = 999
SOURCES = ("reconstruction", "truth", "class mean")

Codes = Int64[np.ndarray, " n"]
Rebuilt = Float32[np.ndarray, "n c h w"]


@dataclass(frozen=True)
class Step:
    """A decoder is trained, or an attribute read."""

    done: int
    total: int
    words: str


@dataclass(frozen=True)
class Gallery:
    """Images in 0..1, row by row."""

    true: Rebuilt
    made: Rebuilt
    """By the decoder; zero for rows that only served to train it."""
    mean: Rebuilt
    """Mean image of the rows the decoder was trained on."""
    usual: Rebuilt
    """Mean image of those of them in the row's target class."""
    fold: Codes
    """Which fold each row was rebuilt in; -1 for rows that only served to train."""
    converged: bool
    notes: tuple[str, ...]

    @property
    def folds(self) -> int:
        """Count of folds."""
        return int(self.fold.max()) + 1

    def seen(self, fold: int) -> np.ndarray:
        """Rows that the decoder of a fold was trained on."""
        rows: np.ndarray = self.fold != fold
        return rows


@dataclass(frozen=True)
class Reading:
    """One attribute read from the images of one gallery."""

    answers: Answers
    rows: Codes
    """Numbers of the scored rows."""
    guesses: dict[str, Codes]
    figures: dict[str, Figures]
    readers: tuple[str, ...]
    """The attacker that read each fold."""
    converged: bool
    p: float


def rebuild(
    subject: Embeddings,
    true: Rebuilt,
    target: Codes,
    cells: Codes,
    decode: Callable[..., Decoded],
    *,
    seed: int,
    device: str,
    total: int,
) -> Generator[Step, None, Gallery]:
    """Train a decoder per fold and rebuild its rows; `cells` are dealt evenly, `total` is that of the steps."""
    group = np.arange(len(subject)) if subject.group is None else subject.group
    fold = _deal(cells, group, protocol.chance(subject.origin.fingerprint, seed, "gallery"))
    made, mean, usual = (np.zeros_like(true) for _ in range(3))
    converged, notes = True, []
    for number in range(int(fold.max()) + 1):
        seen, new = fold != number, fold == number
        done = decode(subject.z[seen], true[seen], subject.z[new], seed=seed + number, device=device)
        made[new], mean[new] = done.images, true[seen].mean(axis=0)
        for stratum in np.unique(target[new]):
            alike = seen & (target == stratum)
            usual[new & (target == stratum)] = true[alike if alike.any() else seen].mean(axis=0)
        converged = converged and done.converged
        notes += [f"fold {number + 1}: {note}" for note in done.notes]
        yield Step(number + 1, total, f"decoder {number + 1} of {fold.max() + 1} trained")
    return Gallery(true, made, mean, usual, fold, converged, tuple(notes))


def count(rows: int) -> int:
    """How many decoders are trained for that many rows."""
    return FOLDS if rows < protocol.SPLIT_FROM else 1


def columns(attributes: int) -> list[int]:
    """How many images the strips of each attribute have: fewer where these are many, and none of the last of them."""
    each = min(COLUMNS, max(FEWEST, THUMBNAILS // attributes))
    return [each if number * each < THUMBNAILS else 0 for number in range(attributes)]


def pictures(shown: Gallery, reading: Reading, labels: Labelled, seed: int, most: int = COLUMNS) -> Pictures:
    """Strips of so many columns, at most, in which target classes, then private classes, take turns."""
    target, private = reading.answers.target, reading.answers.private
    shuffled = np.random.default_rng(seed).permutation(len(target))
    chosen: list[int] = []
    while len(chosen) < min(most, len(target)):
        times = [np.bincount(codes[chosen], minlength=codes.max() + 1) for codes in (target, private)]
        left = shuffled[~np.isin(shuffled, chosen)]
        seldom = np.lexsort((times[1][private[left]], times[0][target[left]]))
        chosen.append(int(left[seldom[0]]))
    chosen.sort(key=lambda row: (target[row], private[row]))
    rows = reading.rows[chosen]
    strips = (("truth", shown.true), ("reconstruction", shown.made), ("class mean", shown.usual))
    captions = [f"{labels.target.classes[target[row]]} / {labels.private.classes[private[row]]}" for row in chosen]
    small = [(name, pixels.shrink(made[rows], THUMBNAIL)) for name, made in strips]
    height, width = small[0][1].shape[2:]
    return Pictures(height, width, tuple((name, pixels.strip(made)) for name, made in small), tuple(captions))


def read(subject: Embeddings, shown: Gallery, labels: Labelled, *, seed: int, device: str) -> Reading:
    """Per fold an attacker learns from true images and reads the rebuilt, the true and the mean images of the rest."""
    rows, y, v = labels.rows, labels.target.codes, labels.private.codes
    strata, classes, many = len(labels.target.classes), len(labels.private.classes), len(SOURCES)
    sources = [pixels.shrink(part[rows], READ).reshape(len(rows), -1) for part in (shown.made, shown.true, shown.usual)]
    group = np.arange(len(rows)) if subject.group is None else subject.group[rows]
    fold, readers = shown.fold[rows], []
    chances, converged = np.zeros((many, len(rows), classes), dtype=np.float32), True
    for number in range(shown.folds):
        seen, new = fold != number, fold == number
        if not new.any():
            continue
        learnt, labelled = Rows(sources[1][seen], y[seen], strata, group[seen]), v[seen]
        many_new = np.concatenate([source[new] for source in sources])
        unseen = Rows(many_new, np.tile(y[new], many), strata, np.tile(group[new], many))
        readers.append(_reader(learnt, labelled, classes, seed + number, device))
        found = _ask(readers[-1], learnt, labelled, unseen, classes, seed + number, device)
        chances[:, new] = found.probabilities.reshape(many, -1, classes)
        converged = converged and found.converged
    scored = fold >= 0
    answers = Answers(
        target=y[scored],
        private=v[scored],
        strata=strata,
        classes=classes,
        group=None if subject.group is None else group[scored],
        doubled=shown.folds > 1,
        seed=seed,
    )
    if not answers.scored.any():
        where = f"{subject.origin.name}: among the {len(answers)} rows that were read"
        raise InputError(f"{where} the private label is a function of the target: there is nothing to read beyond it")
    said = dict(zip(SOURCES, chances[:, scored], strict=True))
    guesses = {name: answers.guess(part) for name, part in said.items()}
    figures = {name: answers.figures(guesses[name], part) for name, part in said.items()}
    rng = protocol.chance(subject.origin.fingerprint, seed, "reconstruction p")
    p = answers.p(guesses["reconstruction"], rng, DRAWS)
    return Reading(answers, rows[scored], guesses, figures, tuple(readers), converged, p)


def _reader(rows: Rows, labels: Codes, classes: int, seed: int, device: str) -> str:
    """The first attacker that reads held-out true images well, or the one that reads them best."""
    held = parts(rows.target * classes + labels, rows.group, 4, seed) == 0
    learnt, asked = (Rows(rows.z[part], rows.target[part], rows.strata, rows.group[part]) for part in (~held, held))
    best, chosen = -np.inf, READERS[0]
    for name in READERS:
        guess = _ask(name, learnt, labels[~held], asked, classes, seed, device).probabilities.argmax(axis=1)
        value = stats.excess(guess, asked.target, labels[held], rows.strata, classes)
        if value > best:
            best, chosen = value, name
        if value >= WELL:
            break
    return chosen


def _ask(name: str, seen: Rows, labels: Codes, unseen: Rows, classes: int, seed: int, device: str) -> Guesses:
    question = Question(labels, protocol.weights(protocol.DECIDING, seen.target, labels), classes)
    attack: Attack = catalog.thing("attackers", name).attack
    return attack(seen, unseen, (question,), seed=seed, device=device)[0]


def _deal(cells: Codes, group: Codes, rng: np.random.Generator) -> Codes:
    if count(len(cells)) == FOLDS:
        return protocol.deal(cells, group, FOLDS, rng)
    return np.where(protocol.deal(cells, group, 10, rng) < TENTHS, -1, 0)
