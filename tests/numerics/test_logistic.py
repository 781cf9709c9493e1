"""The batched solver finds the minimum that scikit-learn finds, for every problem of the batch."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from leakaudit.numerics import logistic
from leakaudit.numerics.sweeps import Lens


def problem(n: int, d: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, noisy labels and weights."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(n, d))
    labels = (x @ chance.normal(size=(d, classes)) + 2 * chance.normal(size=(n, classes))).argmax(1)
    return x, labels, chance.random(n) + 0.2


def solve(
    x: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    strength: float,
    classes: int,
    dtype: torch.dtype = torch.float64,
    tolerance: float = 1e-14,
) -> logistic.Fit:
    """One problem, one penalty for all columns."""
    return logistic.fit(
        torch.from_numpy(x).to(dtype),
        torch.from_numpy(labels)[None],
        torch.from_numpy(weights)[None].to(dtype),
        torch.full((1, x.shape[1]), strength, dtype=dtype),
        classes,
        tolerance=tolerance,
        iterations=2000,
    )


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("strength", [1e-3, 1e-1])
@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_are_those_of_scikit_learn(classes: int, strength: float, weighted: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """The same objective, the same minimum: weights, bias and probabilities agree to six digits."""
    x, labels, weights = problem(400, 12, classes, classes)
    weights = weights if weighted else np.ones(400)
    theirs = LogisticRegression(C=1 / (strength * weights.sum()), tol=1e-12, max_iter=20_000)
    theirs.fit(x, labels, sample_weight=weights)
    ours = solve(x, labels, weights, strength, classes)
    np.testing.assert_allclose(ours.weights[0], theirs.coef_, atol=1e-5)
    intercept = theirs.intercept_ if classes == 2 else theirs.intercept_ - theirs.intercept_.mean()
    np.testing.assert_allclose(ours.bias[0], intercept, atol=1e-5)
    chance = ours.probabilities(torch.from_numpy(x))[0].T
    np.testing.assert_allclose(chance, theirs.predict_proba(x), atol=1e-6)
    assert ours.converged.all()


@pytest.mark.parametrize("classes", [2, 5])
def test_the_gradient_vanishes_at_the_solution(classes: int) -> None:
    """The certificate: autograd's gradient of the written objective is zero there."""
    x, labels, weights = problem(300, 8, classes, 0)
    fit = solve(x, labels, weights, 0.01, classes)
    w, b = fit.weights[0].clone().requires_grad_(), fit.bias[0].clone().requires_grad_()
    logits = torch.from_numpy(x) @ w.T + b
    logits = torch.cat((torch.zeros_like(logits), logits), 1) if classes == 2 else logits
    nats = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels), reduction="none")
    share = torch.from_numpy(weights / weights.sum())
    ((nats * share).sum() + 0.005 * w.square().sum()).backward()  # type: ignore[no-untyped-call]
    assert w.grad is not None
    assert b.grad is not None
    assert max(w.grad.abs().max(), b.grad.abs().max()) < 1e-6


def test_problems_of_a_batch_do_not_mix() -> None:
    """Problems that take few and many steps, solved together, get what each gets alone."""
    x, labels, weights = problem(300, 10, 3, 1)
    strengths = torch.tensor([10.0, 1e-1, 1e-3, 1e-5], dtype=torch.float64)
    several = torch.stack([torch.from_numpy(np.roll(labels, shift)) for shift in (0, 0, 0, 7)])
    together = logistic.fit(
        torch.from_numpy(x), several, torch.from_numpy(weights)[None].repeat(4, 1),
        strengths[:, None].repeat(1, 10), 3, tolerance=1e-14, iterations=2000,
    )  # fmt: skip
    for at in range(4):
        alone = solve(x, several[at].numpy(), weights, float(strengths[at]), 3)
        torch.testing.assert_close(together.weights[at], alone.weights[0], atol=1e-4, rtol=0)
    assert together.converged.all()


def test_float32_comes_as_near_as_it_is_asked() -> None:
    """In float32 the objective lies within 1e-6 nats of the float64 minimum."""
    x, labels, weights = problem(2000, 40, 10, 2)
    exact = solve(x, labels, weights, 0.01, 10)
    rough = solve(x, labels, weights, 0.01, 10, torch.float32, 1e-6)

    def objective(fit: logistic.Fit) -> float:
        logits = torch.from_numpy(x) @ fit.weights[0].double().T + fit.bias[0].double()
        nats = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels), reduction="none").numpy()
        return float(nats @ weights / weights.sum() + 0.005 * fit.weights.double().square().sum())

    assert 0 <= objective(rough) - objective(exact) < 2e-6
    assert rough.converged.all()


def test_missing_labels_and_zero_weights_do_not_count() -> None:
    """Label -1, weight 0 and a row left out are one and the same."""
    x, labels, weights = problem(300, 5, 3, 3)
    out = np.arange(300) % 3 == 0
    left = solve(x[~out], labels[~out], weights[~out], 0.01, 3)
    missing = solve(x, np.where(out, -1, labels), weights, 0.01, 3)
    weightless = solve(x, labels, np.where(out, 0.0, weights), 0.01, 3)
    torch.testing.assert_close(missing.weights, left.weights, atol=1e-6, rtol=0)
    torch.testing.assert_close(weightless.weights, left.weights, atol=1e-6, rtol=0)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_class_without_rows_is_never_guessed(classes: int) -> None:
    """Labels that never name the last class: its probability stays below 1e-9, the others are as without it."""
    x, labels, weights = problem(200, 4, 2, 4)
    labels = np.zeros_like(labels) if classes == 2 else labels
    fit = solve(x, labels, weights, 0.01, classes)
    chance = fit.probabilities(torch.from_numpy(x))[0]
    assert chance[-1].max() < 1e-9
    assert fit.converged.all()


def test_separable_rows_converge_with_little_penalty() -> None:
    """Ten classes without overlap and a penalty of 1e-6: solved, every row right."""
    labels = np.arange(500) % 10
    x = np.eye(10)[labels] + 0.01 * np.random.default_rng(0).normal(size=(500, 10))
    fit = solve(x, labels, np.ones(500), 1e-6, 10, torch.float32, 1e-6)
    assert fit.converged.all()
    assert (fit.logits(torch.from_numpy(x).float())[0].argmax(0).numpy() == labels).all()


def test_too_few_iterations_are_owned_up_to() -> None:
    """Cut short, it does not call itself converged."""
    x, labels, weights = problem(400, 12, 5, 5)
    cut = logistic.fit(
        torch.from_numpy(x), torch.from_numpy(labels)[None], torch.from_numpy(weights)[None],
        torch.full((1, 12), 1e-4, dtype=torch.float64), 5, tolerance=1e-10, iterations=2,
    )  # fmt: skip
    assert not cut.converged.any()


def test_chunks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """More problems than fit at once are solved in chunks, with the same result."""
    x, labels, weights = problem(100, 4, 3, 6)
    several = torch.stack([torch.from_numpy(np.roll(labels, shift)) for shift in range(5)])
    given = torch.from_numpy(x), several, torch.from_numpy(weights)[None].repeat(5, 1), torch.full((5, 4), 0.01)
    whole = logistic.fit(*given, 3)
    monkeypatch.setattr(logistic, "COLUMNS", 6)
    torch.testing.assert_close(logistic.fit(*given, 3).weights, whole.weights, atol=1e-5, rtol=0)


def test_the_gap_is_never_larger_than_stated() -> None:
    """However early it stops, the objective lies no further above the float64 minimum than the proof says."""
    x, labels, weights = problem(500, 20, 2, 6)
    exact = solve(x, labels, weights, 1e-3, 2)
    stated = []
    for tolerance in (1.0, 1e-1, 1e-3, 1e-6):
        fit = solve(x, labels, weights, 1e-3, 2, tolerance=tolerance)
        above = objective(fit, x, labels, weights, 1e-3) - objective(exact, x, labels, weights, 1e-3)
        assert -1e-14 <= above <= float(fit.gap[0]) <= tolerance
        stated.append(above)
    assert stated[0] > 1e-9  # it did stop early


def objective(fit: logistic.Fit, x: np.ndarray, labels: np.ndarray, weights: np.ndarray, strength: float) -> float:
    """Of two classes."""
    logits = fit.logits(torch.from_numpy(x))[0, 0]
    nats = torch.nn.functional.softplus(logits * torch.from_numpy(1 - 2 * labels)).numpy()
    return float(nats @ weights / weights.sum() + strength / 2 * fit.weights.square().sum())


@pytest.mark.parametrize("classes", [2, 4])
def test_questions_are_shared_and_columns_stay_out(classes: int) -> None:
    """Problems that share a question, some without a column, are what each is alone with the columns it has."""
    x, labels, weights = problem(300, 6, classes, 7)
    penalty = torch.full((3, 6), 0.05, dtype=torch.float64)
    penalty[1, 4:] = torch.inf
    penalty[2] = 0.5
    several = torch.from_numpy(np.stack((labels, np.roll(labels, 5)))).to(torch.int8)
    shares = torch.from_numpy(weights)[None].repeat(2, 1)
    of = torch.tensor([1, 0, 0])
    fit = logistic.fit(torch.from_numpy(x), several, shares, penalty, classes, of=of, tolerance=1e-13)
    assert fit.converged.all()
    assert not fit.weights[1, :, 4:].any()
    for at, (asked, width, strength) in enumerate(((1, 6, 0.05), (0, 4, 0.05), (0, 6, 0.5))):
        alone = solve(x[:, :width], several[asked].long().numpy(), weights, strength, classes)
        torch.testing.assert_close(fit.weights[at, :, :width], alone.weights[0], atol=1e-5, rtol=0)


HOSTILE = {
    "fewer rows than columns": np.random.default_rng(0).normal(size=(30, 80)),
    "columns four times": np.repeat(np.random.default_rng(1).normal(size=(200, 3)), 4, axis=1),
    "one column": np.random.default_rng(2).normal(size=(200, 1)),
    "a constant column": np.random.default_rng(3).normal(size=(200, 3)) * [1, 0, 1] + [0, 5, 0],
    "the range of float16": np.random.default_rng(4).normal(size=(300, 4)) * [6e-5, 1, 6e2, 6e4] / 4 + [0, 0, 0, 3e4],
    "large means": np.random.default_rng(5).normal(size=(300, 4)) + 1000,
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("classes", [2, 3])
def test_hostile_columns_are_solved_as_scikit_learn_solves_them_standardised(case: str, classes: int) -> None:
    """Through a lens that standardises, with the Gram of what it shows, in float32: the same probabilities."""
    x = HOSTILE[case]
    scale = np.where(x.std(0) > 0, x.std(0), 1)
    seen = (x - x.mean(0)) / scale
    labels = (seen[:, :1] + 0.7 * np.random.default_rng(6).normal(size=(len(x), classes))).argmax(1)
    lens = Lens(torch.from_numpy(x.mean(0)).float(), torch.from_numpy(1 / scale).float())
    fit = logistic.fit(
        torch.from_numpy(x).float(), torch.from_numpy(labels)[None], None, torch.full((1, len(scale)), 0.01), classes,
        lens=lens, gram=torch.from_numpy(np.atleast_2d(np.cov(seen.T, bias=True))).float(), tolerance=1e-7,
    )  # fmt: skip
    assert fit.converged.all()
    theirs = LogisticRegression(C=100 / len(x), tol=1e-10, max_iter=20_000).fit(seen, labels)
    ours = fit.probabilities(torch.from_numpy(seen).float())[0].T
    np.testing.assert_allclose(ours, theirs.predict_proba(seen), atol=2e-3)
    torch.testing.assert_close(fit.raw(lens).probabilities(torch.from_numpy(x).float())[0].T, ours, atol=2e-3, rtol=0)


@pytest.mark.parametrize("labels", [np.full(60, -1), np.zeros(60, np.int64), np.where(np.arange(60) == 7, 1, 0)])
def test_one_class_or_none_is_solved(labels: np.ndarray) -> None:
    """Finite, converged, and never surer of what no row says."""
    x = np.random.default_rng(8).normal(size=(60, 3))
    fit = solve(x, labels, np.ones(60), 0.1, 2, torch.float32, 1e-6)
    assert fit.converged.all()
    assert torch.isfinite(fit.weights).all()


def test_hundreds_of_classes_are_solved_to_a_proof() -> None:
    """As many classes as rows allow, most of them rare."""
    labels = np.random.default_rng(9).integers(0, 300, 1500)
    x = np.random.default_rng(10).normal(size=(300, 20))[labels] + np.random.default_rng(11).normal(size=(1500, 20))
    fit = logistic.fit(
        torch.from_numpy(x / 2**0.5).float(), torch.from_numpy(labels)[None], None, torch.full((1, 20), 1e-3), 300
    )
    assert fit.converged.all()
    assert (fit.logits(torch.from_numpy(x / 2**0.5).float())[0].argmax(0).numpy() == labels).mean() > 0.3


def test_a_solution_is_not_sought_again() -> None:
    """Started at its own solution it takes a sweep to see it, one to prove it, and few besides."""
    x, labels, weights = problem(400, 12, 3, 12)
    first = solve(x, labels, weights, 0.01, 3, torch.float32, 1e-6)
    again = logistic.fit(
        torch.from_numpy(x).float(), torch.from_numpy(labels)[None], torch.from_numpy(weights)[None].float(),
        torch.full((1, 12), 0.01), 3, start=first, tolerance=1e-6,
    )  # fmt: skip
    assert again.converged.all()
    assert again.iterations <= 4 < first.iterations
