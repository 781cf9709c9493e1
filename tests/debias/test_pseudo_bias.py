"""Pseudo-bias makes out private labels for itself, hands them to another method, and is never shown the true ones."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import SIZES, TARGETS, batch, out, table
from torch.nn import functional
from trying import finish, plan, work

from leakaudit import catalog, provenance, record, store
from leakaudit.checkpoint import Checkpoint
from leakaudit.dataset import Dataset, Labels
from leakaudit.datasets import digits
from leakaudit.debias import Batch, Objective, Table, irene, pseudo_bias
from leakaudit.errors import InputError
from leakaudit.recipe import Recipe
from leakaudit.subject import Subject

LABELLED = sorted(
    name for name in catalog.names("debias") if not getattr(catalog.thing("debias", name), "BLIND", False)
)
TAPS = replace(SIZES, taps={"features.5": (5, 8, 8)})


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Bits depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(inner: str = "irene", **knobs: Any) -> pseudo_bias.PseudoBias:
    """In float64, always the same."""
    torch.manual_seed(0)
    objective = pseudo_bias.objective(TAPS, inner=inner, **knobs).double()
    assert isinstance(objective, pseudo_bias.PseudoBias)
    return objective


def recipe(name: str = "try/pseudo", **more: Any) -> Recipe:
    """A small run of it."""
    knobs = {"backbone__activation": "relu", "backbone__width": 4, "train__epochs": 2} | more
    return plan(name, method__name="pseudo-bias", method__warmup=1, **knobs)


class Listening(Objective):
    """A method that remembers what it is shown after an epoch."""

    def epoch(self, table: Table) -> None:
        """Keep it."""
        self.shown = table


def test_after_an_epoch_the_inner_method_is_shown_the_guesses() -> None:
    """And how many epochs are done; the true private labels it does not get."""
    rows, listening = batch(), Listening()
    objective = pseudo_bias.PseudoBias(TAPS, listening, "", 0.7, 0.5, 1).double()
    objective.weights(table(rows, 0))
    objective.epoch(table(rows, 1))
    assert torch.equal(listening.shown.v, objective.guessed())
    assert listening.shown.epoch == 1
    assert not torch.equal(listening.shown.v, rows.v)


def test_the_inner_method_gets_the_guesses_in_place_of_the_labels() -> None:
    """The loss is that of the method alone on a batch whose private classes are the twin's guesses."""
    objective, rows, answer = made(), batch(), out()
    objective.weights(table(rows, 0))
    guess = objective.guessed()
    objective.inner.eval()
    with torch.no_grad():
        assert torch.equal(guess, objective.inner(rows.x).logits.argmax(1))
    assert isinstance(objective.method, irene.Irene)
    assert objective.method.head.out_features == TARGETS
    expected = objective.method(replace(rows, v=guess), answer)
    assert torch.equal(objective(rows, answer), expected)
    other = replace(rows, v=(rows.v + 1) % 3)
    assert torch.equal(objective(other, answer), expected)
    assert not torch.equal(expected, objective.method(other, answer))


def test_before_the_twin_is_asked_no_row_has_a_private_label() -> None:
    """Then the method does what it does without any."""
    objective, rows, answer = made(), batch(), out()
    assert (objective.guessed() == -1).all()
    blank = replace(rows, v=torch.full_like(rows.v, -1))
    assert torch.equal(objective(rows, answer), objective.method(blank, answer))


def test_guesses_are_smoothed_over_epochs() -> None:
    """Probabilities: the first whole, then `smoothing` of the old and the rest of the new."""
    objective, rows = made(smoothing=0.75), batch()
    objective.weights(table(rows, 0))
    first = objective.drawn_to.clone()
    with torch.no_grad():
        assert torch.allclose(first, objective.inner(rows.x).logits.softmax(1))
        objective.inner.network.classifier.weight.neg_()
        objective.weights(table(rows, 1))
        objective.inner.eval()
        now = objective.inner(rows.x).logits.softmax(1)
    assert torch.allclose(objective.drawn_to, 0.75 * first + 0.25 * now)
    assert not torch.allclose(first, now)


def test_the_twin_learns_apart_from_the_model() -> None:
    """By the generalised cross-entropy on the target; the model's loss gives it nothing, the head something."""
    objective, rows, answer = made(), batch(), out()
    objective.weights(table(rows, 0))
    objective(rows, answer).backward()
    assert all(p.grad is None for p in objective.inner.parameters())
    assert all(p.grad is not None for p in objective.method.parameters())
    objective.train()
    with torch.no_grad():
        p = objective.inner(rows.x).logits.softmax(1).gather(1, rows.y[:, None])
        assert torch.allclose(objective.inner_step(rows, answer.detach()), ((1 - p**0.7) / 0.7).mean())


@pytest.mark.parametrize("inner", LABELLED)
def test_any_method_that_wants_labels_takes_them(inner: str) -> None:
    """Also one that counts groups, whose table is unknown at the start: weights and loss are finite, and f moves."""
    objective, rows, answer = made(inner), batch(), out()
    assert (objective.views, objective.readout, objective.least, objective.taps) == (
        objective.method.views, objective.method.readout, objective.method.least, objective.method.taps,
    )  # fmt: skip
    taps = {name: torch.rand(24, *TAPS.taps[name], dtype=torch.float64) for name in objective.taps}
    for epoch in range(2):
        drawn = objective.weights(table(rows, epoch))
        assert drawn is None or (bool(torch.isfinite(drawn).all()) and float(drawn.min()) > 0)
        loss = objective(rows, answer._replace(taps=taps))
        assert torch.isfinite(loss)
        (moved,) = torch.autograd.grad(loss, answer.logits)
        assert moved.abs().max() > 1e-9
        objective.epoch(table(rows, epoch + 1))


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"inner": "fairk"}, "pseudo-bias: inner: no method 'fairk'. Did you mean 'fairkl'"),
        ({"inner": "lff"}, "asks no private label has no use for one; adversary, .*, reweight do ask"),
        ({"inner": "pseudo-bias"}, "asks no private label"),
        ({"inner": "irene", "knobs": {"gama": 1.0}}, "pseudo-bias: inner irene: no knob 'gama'. Did you mean 'gamma'"),
        ({"inner": "irene", "knobs": {"gamma": -1.0}}, "irene: gamma = -1"),
        ({"q": 0.0}, "pseudo-bias: q = 0"),
        ({"q": 2.0}, "pseudo-bias: q = 2.0: at most 1"),
        ({"smoothing": 1.0}, "pseudo-bias: smoothing = 1"),
        ({"warmup": 0}, "pseudo-bias: warmup = 0"),
    ],
)
def test_what_cannot_be_is_refused(knobs: dict, words: str) -> None:
    """By name, with what there is instead."""
    with pytest.raises(InputError, match=words):
        pseudo_bias.objective(SIZES, **knobs)


def test_a_method_with_a_second_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were ReBias one that asks for labels, its network would still find the twin's place taken."""
    monkeypatch.setattr(catalog.thing("debias", "rebias"), "BLIND", False)
    with pytest.raises(InputError, match="it trains a second network of its own"):
        pseudo_bias.objective(SIZES, inner="rebias")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A real run."""
    torch.set_num_threads(1)
    return finish(work(recipe(), tmp_path_factory.mktemp("pseudo")))[0]


def test_the_true_labels_do_not_matter(whole: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the colours' names dealt out at random the same bits come out, and agreement falls to chance."""
    load = digits.load

    @functools.wraps(load)
    def blurred(split: str, root: Path, **knobs: Any) -> Dataset:
        data = load(split, root, **knobs)
        colour = data.column("colour")
        dealt = Labels(np.random.default_rng(0).permutation(colour.values), colour.classes)
        return replace(data, columns={**data.columns, "colour": dealt})

    monkeypatch.setattr(digits, "load", blurred)
    other, _ = finish(work(recipe(), tmp_path))
    assert other.card.tensors == whole.card.tensors
    assert other.card.provenance["fingerprint"] != whole.card.provenance["fingerprint"]
    assert whole.card.guessed is not None
    assert other.card.guessed is not None
    assert whole.card.guessed.information is not None
    assert whole.card.guessed.information > 0.6
    assert other.card.guessed.information == pytest.approx(0, abs=0.03)


def watched(real: Callable[..., Any], seen: list[torch.Tensor]) -> Callable[..., Any]:
    """The same call, and the private classes that it is given."""

    def call(self: Objective, what: Batch | Table, *rest: Any) -> Any:
        seen.append(what.v)
        return real(self, what, *rest)

    return call


def test_the_loop_shows_it_no_label_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a batch nor the table between epochs holds a private class; a method that asks for them gets them."""
    seen: dict[str, list[torch.Tensor]] = {"pseudo-bias": [], "irene": []}
    for name, kind in (("pseudo-bias", pseudo_bias.PseudoBias), ("irene", irene.Irene)):
        for call in ("forward", "weights", "epoch"):
            monkeypatch.setattr(kind, call, watched(getattr(kind, call), seen[name]))
        finish(work(plan(f"try/{name}", method__name=name, train__epochs=1), tmp_path))
    assert min(map(len, seen.values())) > 8
    assert torch.cat(seen["pseudo-bias"]).unique().tolist() == [-1]
    assert torch.cat(seen["irene"]).unique().tolist() == list(range(10))


def test_a_twin_that_is_not_online_stands_still_after_its_warm_up(tmp_path: Path) -> None:
    """After one epoch or two it is the same, and so are the guesses; online it goes on learning."""
    moved = {}
    for online in (False, True):
        ends = []
        for epochs in (1, 2):
            what = recipe(f"try/online-{online}", method__online=online, train__epochs=epochs, backbone__width=2)
            ends.append(store.read_tensors(finish(work(what, tmp_path))[0].folder / "objective.safetensors")[0])
        names = [name for name in ends[0] if name.startswith("inner.")]
        assert len(names) > 20
        moved[online] = [name for name in names if not np.array_equal(ends[0][name], ends[1][name])]
    assert moved[False] == []
    assert len(moved[True]) > 20


def test_the_card_says_how_well_the_guesses_agree(whole: Checkpoint) -> None:
    """Rows, and rows that conflict, are those of the training table; one line says the figures."""
    found = whole.card.guessed
    assert found is not None
    assert found.rows == whole.table.sum()
    assert found.conflicting == found.rows - whole.table.max(axis=1).sum()
    named, line = whole.told.splitlines()
    assert named.startswith("leakaudit: digit by try/pseudo@")
    assert f"{found.accuracy:.1%} of {found.rows} training rows agree with colour" in line
    assert f"{found.conflicting_accuracy:.1%} of the {found.conflicting} that conflict" in line
    assert f"information {found.information:.3f}" in line


def test_an_audit_of_it_says_how_well_the_guesses_agree(whole: Checkpoint) -> None:
    """What the card says stands in the audit's subject; of a checkpoint that made out no labels nothing does."""
    assert provenance.about(Subject(checkpoint=whole))["pseudo_labels"] == record.to_json(whole.card.guessed)
    plain = replace(whole, card=replace(whole.card, guessed=None))
    assert "pseudo_labels" not in provenance.about(Subject(checkpoint=plain))


def test_a_card_of_an_older_version_still_loads(whole: Checkpoint, tmp_path: Path) -> None:
    """It said nothing of guesses, and nothing is said."""
    document = store.read_json(whole.folder / "checkpoint.json")
    assert document.pop("guessed")["rows"] == 792
    for path in whole.folder.glob("*.safetensors"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    store.write_json(tmp_path / "checkpoint.json", document)
    from leakaudit import checkpoint

    old = checkpoint.load(tmp_path)
    assert old.card == replace(whole.card, guessed=None)
    assert "pseudo-labels" not in old.told


def test_a_run_killed_after_an_epoch_ends_with_the_same_bits(whole: Checkpoint, tmp_path: Path) -> None:
    """Twin, guesses and the inner method's own buffers are taken up where they stood."""
    running = work(recipe(), tmp_path)
    next(running)
    running.close()
    rest, epochs = finish(work(recipe(), tmp_path, resume=True))
    assert [epoch.done for epoch in epochs] == [2]
    assert rest.card.tensors == whole.card.tensors
    assert rest.card.guessed == whole.card.guessed
    one, two = (store.read_tensors(c.folder / "objective.safetensors")[0] for c in (rest, whole))
    assert {"drawn_to", "inner.network.classifier.weight"} <= set(one)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_sure_twin_on_coloured_rows_is_drawn_to_the_colour() -> None:
    """The attractor itself: where each row's image shows another class, that class is the guess and not its own."""
    random = torch.Generator().manual_seed(0)
    y = torch.randint(3, (24,), generator=random)
    v = torch.where(torch.arange(24) < 20, y, (y + 1) % 3)
    x = functional.one_hot(v, 3).double()[:, :, None, None].expand(24, 3, 8, 8).contiguous()
    rows = replace(batch(), x=x, y=y, v=torch.full_like(v, -1))
    objective = made()
    mover = torch.optim.Adam(objective.inner.parameters(), lr=0.05)
    for _ in range(150):
        mover.zero_grad()
        objective.inner_step(rows, out()).backward()
        mover.step()
    objective.weights(table(rows, 0))
    assert torch.equal(objective.guessed(), v)
    assert (v != y).sum() == 4
