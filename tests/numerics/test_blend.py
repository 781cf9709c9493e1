"""A blend of scores is the minimum of its objective over weights that are not negative."""

import pytest
import torch
from scipy.optimize import minimize

from leakaudit.numerics import blend as blending
from leakaudit.numerics.blend import blend, mix
from leakaudit.numerics.device import generator


def made(columns: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores of three rules, of which the first tells the label, the second says the opposite, the third nothing."""
    chance = generator(seed)
    labels = torch.randint(max(columns, 2), (1, 600), generator=chance)
    truth = torch.nn.functional.one_hot(labels, columns).float() if columns > 1 else 2.0 * labels[..., None] - 1
    noise = torch.randn(1, 600, 3, columns, generator=chance)
    return truth[:, :, None] * torch.tensor([1.0, -1.0, 0.0])[:, None] + noise, labels, torch.ones(1, 600)


@pytest.mark.parametrize("columns", [1, 3])
def test_no_other_weights_do_better(columns: int) -> None:
    """The objective is that of scipy's bounded minimiser; what misleads gets the weight zero, not a negative one."""
    scores, labels, weights = made(columns)
    a, reached = blend(scores, labels, weights, penalty=0.01)

    def objective(at: object) -> float:
        logits = torch.einsum("nja,j->na", scores[0].double(), torch.as_tensor(at, dtype=torch.float64))
        logits = torch.cat((torch.zeros_like(logits), logits), 1) if columns == 1 else logits
        nats = torch.nn.functional.cross_entropy(logits, labels[0])
        return float(nats) + 0.005 * float((torch.as_tensor(at) ** 2).sum())

    best = minimize(objective, [0.1] * 3, bounds=[(0, None)] * 3)
    assert objective(a[0].double().numpy()) == pytest.approx(best.fun, abs=1e-5)
    assert float(reached[0]) == pytest.approx(best.fun, abs=1e-5)
    assert float(a[0, 0]) > 0.5
    assert float(a[0, 1]) == 0


def test_questions_do_not_mix_and_hidden_rows_do_not_count() -> None:
    """Asked together, each gets the weights it gets alone; scores of rows with label -1 may be anything."""
    (one, first, weights), (two, second, _) = made(1, 0), made(1, 1)
    hidden = torch.arange(600) % 3 == 0
    first = torch.where(hidden, -1, first)
    wild = torch.where(hidden[None, :, None, None], 50.0, one)
    both, _ = blend(torch.cat((wild, two)), torch.cat((first, second)), torch.ones(2, 600), penalty=0.01)
    kept = ~hidden
    alone, _ = blend(one[:, kept], first[:, kept], weights[:, kept], penalty=0.01)
    torch.testing.assert_close(both[:1], alone, atol=1e-3, rtol=1e-3)


def test_weights_of_many_scores_are_learned_from_some_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the rows gives nearly the same weights as all of them, and other weights than a score of noise."""
    chance = generator(0)
    labels = torch.randint(2, (1, 4000), generator=chance)
    told = (2 * labels - 1).float()[:, :, None] + torch.randn(1, 4000, 1, generator=chance)
    scores = torch.stack([told, torch.randn(1, 4000, 1, generator=chance)], 2)
    whole = mix(scores, labels, torch.ones(1, 4000))
    monkeypatch.setattr(blending, "MOST", 2000)
    part = mix(scores, labels, torch.ones(1, 4000))
    assert not torch.equal(part.weights, whole.weights)
    assert torch.allclose(part.weights, whole.weights, atol=0.3)
    assert float(part.weights[0, 0]) > 5 * float(part.weights[0, 1])
