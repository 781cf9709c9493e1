"""
Attackers compete over the folds: each question is answered for rows that served for nothing, and scored once.

Inside a fold every attacker first answers the validation rows from the training rows. There the winner among
attackers is chosen by E, and the sign of guesses that are anti-correlated beyond two standard errors. Then each is
refitted on both parts, with the knobs it chose, and answers the fold's own rows. Cross-fitted folds are so many more
questions about the same rows, each with the labels of its own part: all are answered in one call.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Int64

from leakaudit import catalog, stats
from leakaudit.attackers import Attack, Guesses, Question
from leakaudit.catalog import Call
from leakaudit.inquest.arena import Arena, Ask, Chances
from leakaudit.protocol import Fold
from leakaudit.stats import POWERED

HELD = 1 << 27
"""Probabilities held at a time."""


@dataclass(frozen=True)
class Entrant:
    """An attacker with its knobs."""

    name: str
    attack: Attack
    decides: bool


@dataclass(frozen=True)
class Answer:
    """One attacker's answer to one question."""

    chances: Chances
    """P(class | row) of every row, by the attacker of the row's fold; zero for rows that are not scored."""
    validation: tuple[float, ...]
    """E on the validation part of each fold."""
    converged: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Nested:
    """The answer of each fold's winner."""

    chances: Chances
    winners: tuple[str, ...]

    @property
    def winner(self) -> str:
        """The most frequent one over the folds; of equals, the first by name."""
        return min(set(self.winners), key=lambda name: (-self.winners.count(name), name))


def entrants(calls: Sequence[Call]) -> tuple[Entrant, ...]:
    """
    The attackers of these calls, named as short as tells them apart.

    Raises:
        InputError: there is no such attacker or knob.
    """
    made = []
    for call in calls:
        module = catalog.thing("attackers", call.name, "--attacker")
        knobs = catalog.check_counts(module.attack, call.knobs, f"--attacker {call.name}")
        alone = sum(other.name == call.name for other in calls) == 1
        attack: Callable[..., list[Guesses]] = partial(module.attack, **knobs) if knobs else module.attack
        made.append(Entrant(call.name if alone else str(call), attack, bool(module.DECIDES)))
    return tuple(made)


def words(arena: Arena, attackers: Sequence[Entrant], asks: Sequence[Ask]) -> int:
    """How many words `compete` yields."""
    return len(attackers) * len(list(_batches(arena, asks)))


def compete(
    arena: Arena, attackers: Sequence[Entrant], asks: Sequence[Ask]
) -> Generator[str, None, list[dict[str, Answer]]]:
    """Answer every question by every attacker; yields a word per attacker, returns per question by name."""
    answers: list[dict[str, Answer]] = [{} for _ in asks]
    for batch in _batches(arena, asks):
        for each in attackers:
            mine = [i for i in batch if each.decides or not asks[i].control]
            for i, answer in zip(mine, _answers(arena, each, [asks[i] for i in mine]), strict=True):
                answers[i][each.name] = answer
            yield f"{each.name}, {len(mine)} question{'s' * (len(mine) != 1)}"
    return answers


def _batches(arena: Arena, asks: Sequence[Ask]) -> Iterator[range]:
    """Questions of which all guesses can be held at a time."""
    most = max((ask.classes for ask in asks), default=1)
    size = max(1, HELD // max(1, len(arena.z) * most * len(arena.folds)))
    for first in range(0, len(asks), size):
        yield range(first, min(first + size, len(asks)))


def _answers(arena: Arena, attacker: Entrant, asks: Sequence[Ask]) -> list[Answer]:
    if not asks:
        return []
    call = partial(attacker.attack, seed=arena.seed, device=arena.device)
    tuned, final = (_whole if len(arena.folds) > 1 else _apart)(arena, call, asks)
    chances = [np.zeros((len(arena.z), ask.classes), np.float32) for ask in asks]
    marks: list[list[float]] = [[] for _ in asks]
    for i, ask in enumerate(asks):
        for fold, first, last in zip(arena.folds, tuned[i], final[i], strict=True):
            value, turned = judge(first, ask, arena, fold.validation)
            chances[i][fold.test] = turn(last.probabilities) if turned else last.probabilities
            marks[i].append(value)
    return [_answer(chances[i], marks[i], final[i]) for i in range(len(asks))]


Called = Callable[..., list[Guesses]]
Told = tuple[list[list[Chances]], list[list[Guesses]]]
"""Per question and fold: chances of the validation rows, and the guesses about the fold's own rows."""


def _whole(arena: Arena, call: Called, asks: Sequence[Ask]) -> Told:
    """All folds in one call, each with the labels of its own part."""
    rows, count = arena.everything, len(arena.folds)
    tuned = call(rows, rows, tuple(ask.hidden(fold.train, arena.target) for ask in asks for fold in arena.folds))
    again = (ask.hidden(fold.seen, arena.target) for ask in asks for fold in arena.folds)
    final = call(rows, rows, _settled(again, tuned))
    first = [guesses.probabilities[arena.folds[i % count].validation] for i, guesses in enumerate(tuned)]
    last = [
        replace(guesses, probabilities=guesses.probabilities[arena.folds[i % count].test])
        for i, guesses in enumerate(final)
    ]
    return (
        [first[i * count : (i + 1) * count] for i in range(len(asks))],
        [last[i * count : (i + 1) * count] for i in range(len(asks))],
    )


def _apart(arena: Arena, call: Called, asks: Sequence[Ask]) -> Told:
    """One fold, whose parts are attacked apart."""
    (fold,) = arena.folds
    train, validation = arena.tuning
    seen, test = (arena.later or arena).final
    tuned = call(train, validation, tuple(ask.of(fold.train, arena.target) for ask in asks))
    again = _settled((ask.of(fold.seen, arena.target) for ask in asks), tuned)
    final = call(seen, test, again)
    return [[guesses.probabilities] for guesses in tuned], [[guesses] for guesses in final]


def _settled(questions: Iterator[Question], tuned: Sequence[Guesses]) -> tuple[Question, ...]:
    return tuple(replace(question, settled=guesses.settled) for question, guesses in zip(questions, tuned, strict=True))


def saying(
    words: str, run: Generator[str, None, list[dict[str, Answer]]]
) -> Generator[str, None, list[dict[str, Answer]]]:
    """The run, with these words before each of its own."""
    while True:
        try:
            yield f"{words}: {next(run)}"
        except StopIteration as end:
            answered: list[dict[str, Answer]] = end.value
            return answered


def judge(chances: Chances, ask: Ask, arena: Arena, part: Int64[np.ndarray, " part"]) -> tuple[float, bool]:
    """E of the guesses on a validation part, and whether their sign is to be turned there."""
    known = ask.labels[part] >= 0
    chances, target, private = chances[known], arena.target[part][known], ask.labels[part][known]
    table = stats.tabulate(target, private, arena.strata, ask.classes)
    present = (table > 0)[target]
    size = arena.strata, ask.classes
    value = stats.excess(np.where(present, chances, -1).argmax(axis=1), target, private, *size)
    if value < -2 * stats.detectable(table, doubled=False) / POWERED:
        return stats.excess(np.where(present, turn(chances), -1).argmax(axis=1), target, private, *size), True
    return value, False


def turn(chances: Chances) -> Chances:
    """Guesses that name the least likely class."""
    turned: Chances = (1 - chances) / max(chances.shape[1] - 1, 1)
    return turned


def nested(answers: dict[str, Answer], folds: Sequence[Fold]) -> Nested:
    """In each fold the attacker with the largest E on its validation part; of equals, the first."""
    winners = tuple(max(answers, key=lambda name: answers[name].validation[i]) for i in range(len(folds)))
    chances = np.zeros_like(next(iter(answers.values())).chances)
    for winner, fold in zip(winners, folds, strict=True):
        chances[fold.test] = answers[winner].chances[fold.test]
    return Nested(chances, winners)


def _answer(chances: Chances, marks: Sequence[float], final: Sequence[Guesses]) -> Answer:
    notes = dict.fromkeys(note for guesses in final for note in guesses.notes)
    converged, lost = all(guesses.converged for guesses in final), ~np.isfinite(chances).all(axis=1)
    if lost.any():
        chances[lost] = 1 / chances.shape[1]
        notes[f"guesses of {lost.sum():,} rows are no numbers"], converged = None, False
    return Answer(chances, tuple(marks), converged, tuple(notes))
