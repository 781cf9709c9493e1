"""A target of numbers is trained, promised and audited in its own unit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from trying import finish, work

from leakaudit import auditor, checkpoint, recipe, store, train
from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint
from leakaudit.datasets import table
from leakaudit.errors import InputError
from leakaudit.extract import extract
from leakaudit.recipe import Recipe
from leakaudit.subject import Terms, find

TEXT = """
[dataset]
name = "table"
file = "faces.csv"
numbers = "age+months"
held_out = 0.5
target = "age"
private = "sex"
[backbone]
name = "simple-convnet"
kernel = 3
width = 2
[method]
name = "l1"
[train]
epochs = 3
batch_size = 40
optimizer = { name = "Adam", lr = 2e-2 }
"""
ROWS = 1000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose red is their age and whose blue is their sex, with noise; every twentieth age is missing."""
    folder, random = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    lines = ["path,age,months,sex,word,same"]
    for number in range(ROWS):
        age, sex = int(random.integers(20, 70)), int(random.integers(2))
        pixels = random.normal(0, 12, (8, 8, 3)) + np.array([3 * age, 60, 60 + 90 * sex])
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        told, months = ("", "") if number % 20 == 0 else (age, 12 * age + 7)
        lines.append(f"{number}.png,{told},{months},{'fm'[sex]},{'ab'[sex]},5.5")
    (folder / "faces.csv").write_text("\n".join(lines))
    return folder


def plan(**overrides: Any) -> Recipe:
    """The recipe, with some knobs changed."""
    return recipe.read(TEXT, "try/l1", "try", {key.replace("__", "."): value for key, value in overrides.items()})


def run(what: Recipe, home: Path, folder: Path, **how: Any) -> tuple[Checkpoint, list[train.Epoch]]:
    """Trained on the pictures, into a store of its own."""
    given: dict[str, Any] = {"seed": 0, "device": "cpu", "resume": False} | how
    return finish(train.train(what, store=folder / "store", root=home, **given))


@pytest.fixture(scope="module")
def made(home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, list[train.Epoch]]:
    """Ages learned by l1."""
    slower = {"name": "CosineAnnealingLR", "T_max": 12}
    return run(plan(train__epochs=12, train__scheduler=slower), home, tmp_path_factory.mktemp("made"))


def test_ages_are_learned_and_said_in_years(home: Path, made: tuple[Checkpoint, list[train.Epoch]]) -> None:
    """The error falls to a few years; card, history and the line that is printed say so; blanks are left out."""
    (done, epochs), data = made, table.load("train", home, file="faces.csv", numbers="age+months", held_out=0.5)
    ages = data.column("age")
    card = done.card
    assert card.closeness is not None
    assert card.closeness.r2 is not None
    assert card.closeness.mae.low < card.closeness.mae.value < 6
    assert card.closeness.r2.value > 0.7
    assert (card.accuracy, card.target_classes, card.accuracy_split) == (None, (), "test")
    assert card.unit == pytest.approx((ages.values[ages.known].mean(), ages.values[ages.known].std()), rel=1e-5)
    assert done.table.shape == (1, 2)
    assert done.table.sum() == len(done.trained) == ages.known.sum() < len(data)
    assert epochs[0].accuracy is epochs[0].validation_mae is None
    assert epochs[0].mae is not None
    assert epochs[-1].mae is not None
    assert epochs[-1].r2 is not None
    assert epochs[-1].mae < epochs[0].mae
    assert epochs[-1].r2 > 0.5
    assert f"target off by {epochs[-1].mae:.4g}" in epochs[-1].words
    assert done.told.startswith(f"leakaudit: age by {done.name}: off by {card.closeness.mae.value:.4g} [")


def test_the_checkpoint_itself_says_years(home: Path, tmp_path: Path, made: tuple[Checkpoint, Any]) -> None:
    """What extraction gets from the weights on disk has the error on the card: nothing is to be put right later."""
    subject = find(str(made[0].folder), Terms(store=tmp_path, root=home))
    assert subject.encoder is not None
    assert subject.dataset is not None
    running = extract(subject.encoder, subject.dataset, store=tmp_path, device="cpu", batch_size=64)
    while True:
        try:
            next(running)
        except StopIteration as stop:
            found = stop.value
            break
    ages = subject.dataset.column("age")
    error = np.abs(found.logits[:, 0] - ages.values)[ages.known].mean()
    assert made[0].card.closeness is not None
    assert error == pytest.approx(made[0].card.closeness.mae.value, rel=1e-4)


def test_months_train_as_years_do(home: Path, tmp_path: Path) -> None:
    """Twelve times the numbers, and seven: the same losses and R^2, and twelve times the error."""
    (years, first), (months, second) = (
        run(plan(dataset__target=target), home, tmp_path) for target in ("age", "months")
    )
    assert [epoch.loss for epoch in second] == pytest.approx([epoch.loss for epoch in first], rel=1e-3)
    assert years.card.closeness is not None
    assert months.card.closeness is not None
    assert months.card.closeness.mae.value == pytest.approx(12 * years.card.closeness.mae.value, rel=1e-2)


def test_a_run_taken_up_again_ends_with_the_same_bits(home: Path, tmp_path: Path) -> None:
    """The scale is folded into the weights once, at the end, however often a run is stopped before."""
    whole, _ = run(plan(method__name="exponential"), home, tmp_path / "whole")
    part = train.train(
        plan(method__name="exponential"), store=tmp_path / "store", root=home, seed=0, device="cpu", resume=False
    )
    next(part)
    part.close()
    rest, epochs = run(plan(method__name="exponential"), home, tmp_path, resume=True)
    assert [epoch.done for epoch in epochs] == [2, 3]
    assert rest.card.tensors == whole.card.tensors


def test_a_recipe_that_starts_from_another_starts_with_its_years(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rate of nothing, the second network ends with the first one's last layer."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes" / "try").mkdir(parents=True)
    (tmp_path / "recipes" / "try" / "first.toml").write_text(TEXT)
    second = plan(train__start="try/first", train__epochs=1, **{"train__optimizer.lr": 1e-30})
    made, _ = run(second, home, tmp_path)
    first = checkpoint.load(checkpoint.stored(tmp_path / "store", "try/first")[0])
    for part in ("weight", "bias"):
        np.testing.assert_allclose(made.weights[f"classifier.{part}"], first.weights[f"classifier.{part}"], rtol=1e-5)
    assert first.weights["classifier.bias"][0] > 20


def test_a_promised_error_is_an_upper_bound(made: tuple[Checkpoint, Any]) -> None:
    """More is broken, by more than the tolerance; less is never worse."""
    done, _ = made
    assert done.card.closeness is not None
    reached = done.card.closeness.mae.value
    for value, broken in ((reached + 5, False), (reached - 0.05, False), (reached - 0.2, True)):
        held = plan(promise__mae={"value": value, "tolerance": 0.1, "source": "a paper"})
        lines = train.broken_promises(done, held)
        assert bool(lines) == broken
        assert all("is above" in line and "a paper" in line for line in lines)


PROMISE = {"value": 1.0, "tolerance": 0.1, "source": "me"}
WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"dataset__target": "word"},
        r"label 'word' of .* holds classes; l1 learns numbers. Methods for classes: .*vanilla",
    ),
    (
        {"method__name": "vanilla"},
        r"holds numbers; vanilla learns classes. Methods for numbers: exponential, l1, thresh",
    ),
    ({"dataset__target": "same"}, "label 'same' of .* is 5.5 in every row of split train"),
    ({"dataset__numbers": "agee"}, "no column 'agee' of numbers. Did you mean 'age'"),
    ({"dataset__numbers": "word"}, "column 'word' holds words"),
    ({"promise__accuracy": PROMISE}, "no figure 'accuracy' of l1. There are: mae"),
    ({"method__name": "y-aware", "method__kernel": "gauss"}, "kernel = 'gauss': one of 'rbf', 'cauchy'"),
    ({"method__name": "threshold", "train__batch_size": 1}, "batch_size = 1: threshold compares rows"),
]


@pytest.mark.parametrize(("overrides", "message"), WRONG)
def test_what_numbers_cannot_be_is_refused_before_anything_is_written(
    home: Path, tmp_path: Path, overrides: dict[str, Any], message: str
) -> None:
    """Classes for a method of numbers, numbers for one of classes, one number alone: one line each."""
    with pytest.raises(InputError, match=message) as error:
        run(plan(**overrides), home, tmp_path)
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_model_of_numbers_is_audited(home: Path, tmp_path: Path, made: tuple[Checkpoint, Any]) -> None:
    """Inside ages of ten bins the sex is read; the model names no class, so none is said to be named right."""
    terms = Terms(store=tmp_path, root=home, private=("sex",))
    subject = find(str(made[0].folder), terms)
    running = auditor.attack(subject, terms, (Call("linear", {}),), ("balanced", "matched", "paper"))
    while True:
        try:
            next(running)
        except StopIteration as stop:
            audit, _ = stop.value
            break
    (part,) = audit.attributes
    assert part.verdict == "LEAK"
    assert len(part.target_classes) == 10
    assert audit.utility is None
    output = next(each for each in part.baselines if each.baseline == "model-output")
    assert output.figures is not None
    assert "target: numbers, cut into 10 quantile bins" in " ".join(audit.provenance["notes"])


@pytest.mark.parametrize("name", ["l1", "y-aware", "threshold", "exponential"])
def test_the_age_of_faces_is_trained_on_real_ones(data_root: Path, tmp_path: Path, name: str) -> None:
    """One epoch of each recipe for UTKFace, gender beside it, on half of the images."""
    if not (data_root / "utkface" / "labels.csv").is_file():
        pytest.skip("no utkface/labels.csv there")
    what = recipe.load(f"utkface/{name}", {"train.epochs": 1})
    done, _ = run(what, data_root, tmp_path)
    assert done.card.private_classes == ("female", "male")
    assert 2000 < done.card.provenance["rows"] < 3000
    assert done.card.closeness is not None
    assert done.card.closeness.mae.value < 16
    assert store.read_json(done.folder / "checkpoint.json")["accuracy"] is None


def test_an_old_card_is_read(made: tuple[Checkpoint, Any], tmp_path: Path) -> None:
    """A checkpoint of classes that was written before there were numbers has neither figure nor unit of them."""
    done, _ = finish(work(recipe.load("digits/vanilla", {"train.epochs": 1}), tmp_path))
    card = store.read_json(done.folder / "checkpoint.json")
    store.write_json(done.folder / "checkpoint.json", {k: v for k, v in card.items() if k not in ("closeness", "unit")})
    assert checkpoint.load(done.folder).card == done.card
    assert (done.card.closeness, done.card.unit) == (None, ())
    assert made[0].card.unit != ()
