"""Attackers compete fairly: nobody sees answers, the winner is chosen elsewhere, signs are turned."""

from collections.abc import Callable

import numpy as np
import pytest

from leakaudit import protocol
from leakaudit.attackers import Guesses, Question, Rows
from leakaudit.catalog import Call
from leakaudit.inquest import controls
from leakaudit.inquest.arena import Arena, Ask, Case
from leakaudit.inquest.contest import Answer, Entrant, compete, entrants, nested

Guess = Callable[[Rows, Rows, Question], np.ndarray]


def entrant(name: str, guess: Guess, *, decides: bool = True, converged: bool = True) -> Entrant:
    """An attacker made of one function from rows and question to chances."""

    def attack(seen: Rows, unseen: Rows, questions: tuple[Question, ...], *, seed: int, device: str) -> list[Guesses]:
        del seed, device
        return [Guesses(guess(seen, unseen, question), converged, (name,)) for question in questions]

    return Entrant(name, attack, decides)


def threshold(seen: Rows, unseen: Rows, question: Question) -> np.ndarray:
    """Two classes by which side of the middle the first component lies on."""
    means = [
        np.average(seen.z[question.labels == c, 0], weights=question.weights[question.labels == c]) for c in (0, 1)
    ]
    second = (unseen.z[:, 0] > sum(means) / 2) == (means[1] > means[0])
    return np.stack([~second, second], axis=1).astype(np.float32)


def contrary(seen: Rows, unseen: Rows, question: Question) -> np.ndarray:
    """The same, the wrong way round."""
    return 1 - threshold(seen, unseen, question)


def coin(seen: Rows, unseen: Rows, question: Question) -> np.ndarray:
    """Nothing but noise."""
    del seen, question
    second = np.random.default_rng(7).random(len(unseen)).astype(np.float32)
    return np.stack([1 - second, second], axis=1)


@pytest.fixture
def case() -> Case:
    """Two targets, two private classes two deviations apart on the first component."""
    rng = np.random.default_rng(0)
    target, private = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
    z = rng.standard_normal((400, 5)).astype(np.float32)
    z[:, 0] += 2 * private
    folds = protocol.folds(target, private[None], np.arange(400), protocol.chance("fp", 0, "folds"))
    arena = Arena(z, target, 2, np.arange(400), folds, 0, "cpu")
    return Case("v", arena, private, 2, grouped=False, usual=None, fingerprint="fp", draws=199)


def run(case: Case, attackers: list[Entrant], asks: list[Ask] | None = None) -> list[dict[str, Answer]]:
    """The contest to its end."""
    contest = compete(case.arena, attackers, asks or [Ask(case.private, 2)])
    while True:
        try:
            next(contest)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def test_an_attacker_gets_no_label_of_what_it_guesses(case: Case) -> None:
    """Five folds are tuned, then refitted: what is read of each question has no label and no weight in it."""
    shown: list[np.ndarray] = []

    def spy(seen: Rows, unseen: Rows, question: Question) -> np.ndarray:
        assert len(question.labels) == len(question.weights) == len(seen)
        assert ((question.labels >= 0) == (question.weights > 0)).all()
        shown.append(question.labels >= 0)
        return coin(seen, unseen, question)

    run(case, [entrant("spy", spy)])
    folds = case.arena.folds
    assert [np.flatnonzero(rows).tolist() for rows in shown[:5]] == [fold.train.tolist() for fold in folds]
    assert [np.flatnonzero(rows).tolist() for rows in shown[5:]] == [sorted(fold.seen) for fold in folds]
    assert not any(set(fold.seen) & set(fold.test) for fold in folds)


def test_what_was_settled_is_handed_back(case: Case) -> None:
    """The refit of each fold is told what the same fold's tuning chose."""
    given: list[object] = []

    def attack(seen: Rows, unseen: Rows, questions: tuple[Question, ...], *, seed: int, device: str) -> list[Guesses]:
        del seed, device
        given.extend(question.settled for question in questions)
        chances = coin(seen, unseen, questions[0])
        return [Guesses(chances, True, (), settled=i) for i in range(len(questions))]

    run(case, [Entrant("settles", attack, True)])
    assert given == [None] * 5 + [0, 1, 2, 3, 4]


def test_every_scored_row_is_answered_once(case: Case) -> None:
    """Chances of all rows are filled, each by the attacker of its own fold."""
    answer = run(case, [entrant("threshold", threshold)])[0]["threshold"]
    assert answer.chances.sum(axis=1) == pytest.approx(np.ones(400))


def test_the_winner_is_chosen_on_validation_rows(case: Case) -> None:
    """Of a reader and a coin the reader wins every fold; the nested answer is the reader's."""
    answered = run(case, [entrant("coin", coin), entrant("threshold", threshold)])[0]
    best = nested(answered, case.arena.folds)
    assert best.winner == "threshold"
    assert best.winners == ("threshold",) * 5
    assert (best.chances == answered["threshold"].chances).all()


def test_guesses_that_are_wrong_all_the_time_are_turned(case: Case) -> None:
    """What is below chance beyond doubt on validation rows is leakage too: E is that of the turned guesses."""
    answered = run(case, [entrant("threshold", threshold), entrant("contrary", contrary)])[0]
    assert answered["contrary"].chances == pytest.approx(answered["threshold"].chances)
    answers = case.answers()
    # Bayes: 2 Phi(1) - 1 = .68
    assert answers.excess(answers.guess(answered["contrary"].chances)) == pytest.approx(0.68, abs=0.09)


def test_controls_are_asked_of_deciding_attackers_only(case: Case) -> None:
    """An attacker that is only shown answers the question, and no control."""
    shown = entrant("shown", coin, decides=False)
    asks = [Ask(case.private, 2), Ask(case.private, 2, control=True)]
    first, second = run(case, [shown, entrant("threshold", threshold)], asks)
    assert set(first) == {"shown", "threshold"}
    assert set(second) == {"threshold"}


def test_shuffled_labels_that_are_read_fail_the_audit(case: Case) -> None:
    """Sound attackers find nothing in shuffled labels; answers that know them fail the control."""
    asks = controls.shuffles(case)
    assert controls.shuffled(case, asks, run(case, [entrant("threshold", threshold)], list(asks))).passed
    known = [{"cheat": Answer(np.eye(2, dtype=np.float32)[ask.labels], (1.0,) * 5, True, ())} for ask in asks]
    failed = controls.shuffled(case, asks, known)
    assert failed.passed is False
    assert failed.detected == 5


def test_plants_too_small_to_be_found_are_told(case: Case) -> None:
    """Of Bayes E .04 neither 400 rows nor a coin finds much: the control fails, and the ladder goes up until found."""
    climb = controls.planted(case, [entrant("coin", coin)], 0.02)
    while True:
        try:
            next(climb)
        except StopIteration as end:
            made, sensitivity = end.value
            break
    assert [control.passed for control in made] == [False] * 3
    for each in sensitivity:
        sizes = [step[0] for step in each.ladder]
        assert sizes == [0.04, 0.1, 0.2, 0.4, 0.8][: len(sizes)]
        assert each.found == sizes[-1] > 0.04


def test_attackers_are_named_as_short_as_tells_them_apart() -> None:
    """Two of a kind carry their knobs in their names."""
    assert [each.name for each in entrants([Call("linear", {}), Call("mlp", {})])] == ["linear", "mlp"]
    pair = entrants([Call("mlp", {"width": 8}), Call("mlp", {"width": 16})])
    assert [each.name for each in pair] == ["mlp:width=8", "mlp:width=16"]


def test_guesses_that_are_no_numbers_conclude_nothing(case: Case) -> None:
    """An attacker that broke down on a row guesses nothing there, and has not converged."""

    def broken(seen: Rows, unseen: Rows, question: Question) -> np.ndarray:
        chances = threshold(seen, unseen, question)
        chances[7] = np.nan
        return chances

    [answer] = run(case, [entrant("broken", broken), entrant("whole", threshold)])
    assert answer["whole"].converged
    assert not answer["broken"].converged
    assert "guesses of 1 rows are no numbers" in answer["broken"].notes
    np.testing.assert_array_equal(answer["broken"].chances[7], [0.5, 0.5])
    np.testing.assert_array_equal(np.delete(answer["broken"].chances, 7, 0), np.delete(answer["whole"].chances, 7, 0))
