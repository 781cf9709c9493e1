"""
Attackers compete over the folds: each question is answered for rows that served for nothing, and scored once.

Inside a fold every attacker first answers the validation rows from the training rows. There the winner among
attackers is chosen by E, and the sign of guesses that are anti-correlated beyond two standard errors. Then each is
refitted on both parts and answers the fold's own rows.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float32, Int64

from leakaudit import catalog, protocol, stats
from leakaudit.attackers import Attack, Guesses, Question, Rows
from leakaudit.catalog import Call
from leakaudit.protocol import Fold
from leakaudit.scoring import Answers
from leakaudit.stats import LEVEL, POWERED, Interval, Table

Codes = Int64[np.ndarray, " n"]
Chances = Float32[np.ndarray, "n k"]


@dataclass(frozen=True)
class Entrant:
    """An attacker with its knobs."""

    name: str
    attack: Attack
    decides: bool


@dataclass(frozen=True)
class Arena:
    """What the attackers hold: rows without private labels, and how they are divided."""

    z: Float32[np.ndarray, "n d"]
    target: Codes
    strata: int
    group: Codes
    """A row that stands for itself is a group of its own."""
    folds: tuple[Fold, ...]
    seed: int
    device: str

    def rows(self, part: Codes) -> Rows:
        """Some rows as an attacker sees them."""
        return Rows(self.z[part], self.target[part], self.strata, self.group[part])


@dataclass(frozen=True)
class Ask:
    """A question about all rows; each attacker gets the labels of the rows it may see."""

    labels: Codes
    classes: int
    auxiliary: str = protocol.DECIDING
    table: Table | None = None
    """For `matched`."""
    control: bool = False
    """Asked of deciding attackers only."""

    def of(self, part: Int64[np.ndarray, " part"], target: Codes) -> Question:
        """The question with the labels and weights of some rows."""
        labels = self.labels[part]
        return Question(labels, protocol.weights(self.auxiliary, target[part], labels, self.table), self.classes)


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


@dataclass(frozen=True)
class Case:
    """One private attribute, and what is asked about it."""

    name: str
    arena: Arena
    private: Codes
    classes: int
    grouped: bool
    """Whether rows belong to groups."""
    usual: Int64[np.ndarray, " strata"] | None
    """The private class that goes with each target class in training, where that is known."""
    fingerprint: str
    draws: int
    """Permutations behind a p-value, where it is one of permutation."""

    @cached_property
    def scored(self) -> Codes:
        """Rows that are scored, in ascending order."""
        return np.sort(np.concatenate([fold.test for fold in self.arena.folds]))

    def chance(self, purpose: str) -> np.random.Generator:
        """A generator derived from data, attribute, seed and purpose."""
        return protocol.chance(self.fingerprint, self.arena.seed, f"{self.name}: {purpose}")

    def answers(self, labels: Codes | None = None) -> Answers:
        """The right answers of the scored rows; of made-up `labels` where given."""
        rows = self.scored
        return Answers(
            self.arena.target[rows],
            (self.private if labels is None else labels)[rows],
            self.arena.strata,
            self.classes,
            self.arena.group[rows] if self.grouped else None,
            doubled=len(self.arena.folds) > 1,
            seed=self.arena.seed,
            usual=self.usual,
        )

    @cached_property
    def purity(self) -> float:
        """Share of rows that have their group's commonest target; 1 without groups."""
        if not self.grouped:
            return 1.0
        _, index = np.unique(self.arena.group, return_inverse=True)
        table = stats.tabulate(index, self.arena.target, int(index.max()) + 1, self.arena.strata)
        return float(table.max(axis=1).sum() / len(index))

    def redraw(self, purpose: str, purity: float) -> Codes:
        """
        The private labels permuted within target strata; among all groups where their rows' targets are less pure.

        Groups that trade labels among those of one commonest target keep what that tells of their label, and in groups
        of several targets a row's own target does not tell it: labels permuted so would still be readable.
        """
        group = self.arena.group if self.grouped else None
        target = self.arena.target if self.purity >= purity else np.zeros_like(self.arena.target)
        return stats.redraw(target, self.private, group, self.chance(purpose))

    def trial(self, answered: "dict[str, Answer]", labels: Codes, purpose: str) -> tuple[Interval, bool]:
        """E of the nested winner on made-up labels, and whether it is detected at 5 %."""
        answers = self.answers(labels)
        if not answers.scored.any():
            return Interval(0.0, -1.0, 1.0), False
        guess = answers.guess(nested(answered, self.arena.folds).chances[self.scored])
        found = answers.p(guess, self.chance(purpose), min(self.draws, 199)) <= LEVEL
        return stats.stretched(*answers.advantage(guess)), found


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


def compete(
    arena: Arena, attackers: Sequence[Entrant], asks: Sequence[Ask]
) -> Generator[str, None, list[dict[str, Answer]]]:
    """Answer every question by every attacker; yields a word per attacker and fold, returns per question by name."""
    chances = [{each.name: np.zeros((len(arena.z), ask.classes), np.float32) for each in attackers} for ask in asks]
    marks: list[dict[str, list[tuple[float, Guesses]]]] = [{each.name: [] for each in attackers} for _ in asks]
    for number, fold in enumerate(arena.folds):
        train, validation = arena.rows(fold.train), arena.rows(fold.validation)
        seen, test = arena.rows(fold.seen), arena.rows(fold.test)
        for each in attackers:
            mine = [i for i, ask in enumerate(asks) if each.decides or not ask.control]
            call = partial(each.attack, seed=arena.seed + number, device=arena.device)
            tuned = call(train, validation, tuple(asks[i].of(fold.train, arena.target) for i in mine))
            final = call(seen, test, tuple(asks[i].of(fold.seen, arena.target) for i in mine))
            for i, first, last in zip(mine, tuned, final, strict=True):
                value, turned = judge(first.probabilities, asks[i], arena, fold.validation)
                chances[i][each.name][fold.test] = turn(last.probabilities) if turned else last.probabilities
                marks[i][each.name].append((value, last))
            yield f"fold {number + 1} of {len(arena.folds)}, {each.name}"
    return [
        {name: _answer(chances[i][name], parts) for name, parts in marks[i].items() if parts} for i in range(len(asks))
    ]


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
    target, private = arena.target[part], ask.labels[part]
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


def _answer(chances: Chances, parts: list[tuple[float, Guesses]]) -> Answer:
    notes = dict.fromkeys(note for _, guesses in parts for note in guesses.notes)
    return Answer(
        chances, tuple(value for value, _ in parts), all(guesses.converged for _, guesses in parts), tuple(notes)
    )
