"""A recipe is trained when it can be, and refused before anything is written when it cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from trying import TEXT, finish, plan, work

from leakaudit import checkpoint, recipe, train
from leakaudit.errors import InputError


def test_training_learns(tmp_path: Path) -> None:
    """A few epochs on unbiased digits read most of them; the untrained twin reads a tenth."""
    knobs = {"method__name": "vanilla", "dataset__rho": 0.1, "backbone__width": 8, "train__scheduler.gamma": 1.0}
    trained, epochs = finish(work(plan(train__epochs=8, **knobs), tmp_path))
    fresh, _ = finish(work(plan(train__epochs=1, **knobs | {"train__optimizer.lr": 1e-9}), tmp_path))
    assert trained.card.accuracy.value > 0.7
    assert fresh.card.accuracy.value < 0.3
    assert epochs[-1].loss < epochs[0].loss


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"dataset__name": "digist"}, "no data set 'digist'. Did you mean 'digits'"),
    ({"dataset__roh": 0.9}, r"\[dataset\]: no knob 'roh'. Did you mean 'rho'"),
    ({"dataset__rho": "high"}, "a number expected"),
    ({"dataset__rho": 2.0}, "from 0 to 1"),
    ({"dataset__target": "digti"}, "no label 'digti'. Did you mean 'digit'"),
    ({"dataset__private": "digit"}, "target and private are both 'digit'"),
    ({"backbone__name": "simple-convent"}, "no backbone"),
    ({"backbone__kernel": 4}, "an odd number"),
    ({"method__name": "iren"}, "no method 'iren'. Did you mean 'irene'"),
    ({"method__gama": 1.0}, r"\[method\]: no knob 'gama'. Did you mean 'gamma'"),
    ({"method__gamma": -1.0}, "at least 0"),
    ({"train__optimizer.name": "Adm"}, "Did you mean 'Adam'"),
    ({"train__optimizer.beta": 1.0}, "Adam has no argument 'beta'"),
    ({"train__scheduler.gama": 1.0}, "StepLR has no argument 'gama'"),
    ({"train__start": "no/such"}, "no recipe 'no/such'"),
    ({"promise__speed": {"value": 1.0, "tolerance": 0.1, "source": "me"}}, "no figure 'speed'"),
]


@pytest.mark.parametrize(("overrides", "message"), WRONG, ids=[next(iter(knobs)) for knobs, _ in WRONG])
def test_a_wrong_recipe_is_refused_before_anything_is_written(
    tmp_path: Path, overrides: dict[str, Any], message: str
) -> None:
    """One line that names the place and what there is instead; the store is not even begun."""
    with pytest.raises(InputError, match=message) as error:
        next(work(plan(**overrides), tmp_path))
    assert len(str(error.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([("1", "f"), ("1", "m")], "label 'digit' of .* has 1 class in split train"),
        ([("1", "f"), ("2", "f")], "label 'sex' of .* has 1 class"),
        ([("1", ""), ("2", "")], "label 'sex' of .* is missing in every row of split train"),
        (
            [("1.5", "f"), ("2.5", "m")],
            "label 'digit' of .* holds numbers; irene learns classes. Methods for numbers: .*l1",
        ),
        ([("1", "f"), ("2", "m"), ("3", "m", "test")], "split train of .* has no rows with digit = 3"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused_before_anything_is_written(
    tmp_path: Path, labels: list[tuple[str, ...]], message: str
) -> None:
    """One class, none, numbers, or a class that the training split lacks."""
    home = tmp_path / "images"
    home.mkdir()
    lines = ["path,digit,sex,split"]
    for number, (digit, sex, *split) in enumerate(labels):
        Image.new("RGB", (8, 8)).save(home / f"{number}.png")
        lines.append(f"{number}.png,{digit},{sex},{split[0] if split else 'train'}")
    (home / "table.csv").write_text("\n".join(lines))
    text = TEXT.replace('name = "digits"', f'name = "table"\nfile = "{home / "table.csv"}"').replace("colour", "sex")
    with pytest.raises(InputError, match=message):
        next(work(recipe.read(text, "try/table", "try", {}), tmp_path))
    assert not (tmp_path / "store").exists()


def test_rows_without_a_target_are_left_out_and_rows_without_a_private_label_are_not(tmp_path: Path) -> None:
    """A table of the user's own trains; its rows with a blank target are no training rows."""
    lines = ["path,digit,sex,split"]
    for number in range(40):
        Image.new("RGB", (8, 8), (number, 9 * (number % 2), 0)).save(tmp_path / f"{number}.png")
        digit, sex = "" if number < 4 else number % 2, "" if number > 30 else "fm"[number % 2]
        lines.append(f"{number}.png,{digit},{sex},train")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    text = TEXT.replace('name = "digits"', f'name = "table"\nfile = "{tmp_path / "table.csv"}"').replace(
        "colour", "sex"
    )
    made, epochs = finish(work(recipe.read(text, "try/table", "try", {"train.epochs": 1}), tmp_path))
    assert made.card.provenance["rows"] == len(made.trained) == 36
    assert made.table.sum() == 27
    assert made.card.accuracy_split == "train"
    assert epochs[0].validation_accuracy is None


def test_a_loss_that_diverges_stops_the_run_and_keeps_what_was_good(tmp_path: Path) -> None:
    """Exit with one line; nothing that is not finite is taken for a state."""
    wild = plan(train__optimizer={"name": "SGD", "lr": 1e30}, train__scheduler={"name": "ConstantLR", "factor": 1.0})
    with pytest.raises(InputError, match="the loss is not finite"):
        finish(work(wild, tmp_path))
    assert not list((tmp_path / "store").rglob("checkpoint.json"))


def test_start_trains_the_first_recipe_and_goes_on_from_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rate of nothing, the second recipe ends with the parameters that the first one ended with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes" / "try").mkdir(parents=True)
    (tmp_path / "recipes" / "try" / "first.toml").write_text(TEXT)
    second = plan("try/second", train__start="try/first", train__epochs=1, **{"train__optimizer.lr": 1e-30})
    made, epochs = finish(work(second, tmp_path))
    assert [(epoch.recipe, epoch.done) for epoch in epochs] == [
        ("try/first", 1),
        ("try/first", 2),
        ("try/first", 3),
        ("try/second", 1),
    ]
    (folder,) = checkpoint.stored(tmp_path / "store", "try/first")
    first = checkpoint.load(folder)
    assert np.array_equal(made.weights["classifier.weight"], first.weights["classifier.weight"])
    again, epochs = finish(work(second, tmp_path))
    assert (again.card.tensors, epochs) == (made.card.tensors, [])
    wide = plan("try/wide", train__start="try/first", backbone__width=3)
    with pytest.raises(InputError, match="its weights do not fit"):
        finish(work(wide, tmp_path))
    circle = TEXT.replace("[train]", '[train]\nstart = "try/circle"')
    (tmp_path / "recipes" / "try" / "circle.toml").write_text(circle)
    with pytest.raises(InputError, match="try/circle -> try/circle"):
        finish(work(recipe.load("try/circle"), tmp_path))


def test_a_promise_is_broken_below_its_tolerance_alone(tmp_path: Path) -> None:
    """A promised figure may be missed by the tolerance; better is never worse."""
    made, _ = finish(work(plan(train__epochs=1), tmp_path))
    reached = made.card.accuracy.value
    for value, broken in ((reached - 0.5, False), (reached + 0.05, False), (reached + 0.2, True)):
        promise = {"value": value, "tolerance": 0.1, "source": "a paper"}
        held = recipe.read(TEXT, "try/irene", "try", {"promise.accuracy": promise})
        lines = train.broken_promises(made, held)
        assert bool(lines) == broken
        assert all("a paper" in line for line in lines)


def test_real_mnist_teaches_a_plain_model_the_colour(data_root: Path, tmp_path: Path) -> None:
    """Trained on 2,000 images of which 99 % agree with their colour, it is far better there than where they do not."""
    text = TEXT.replace('"digits"', '"biased-mnist"\nrows = 2000').replace('"irene"', '"vanilla"')
    knobs = {"train.epochs": 3, "train.batch_size": 20, "train.scheduler.gamma": 1.0}
    running = train.train(
        recipe.read(text, "try/mnist", "try", knobs),
        store=tmp_path / "store",
        root=data_root,
        seed=0,
        device="cpu",
        resume=False,
    )
    made, epochs = finish(running)
    assert made.card.provenance["rows"] == 2000
    assert np.trace(made.table) == sum(int(rows * 0.99) for rows in made.table.sum(axis=1))
    assert epochs[-1].accuracy > 0.8
    assert made.card.accuracy.value < 0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_mixed_precision_learns_on_cuda_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    """Forward passes in bfloat16, weights in float32; a stopped run is finished on the device."""
    knobs = {"method__name": "vanilla", "dataset__rho": 0.1, "train__amp": True, "train__epochs": 8}
    what = plan(backbone__width=8, train__scheduler={"name": "ConstantLR", "factor": 1.0}, **knobs)
    first = train.train(what, store=tmp_path / "store", root=tmp_path, seed=0, device="cuda:0", resume=False)
    next(first)
    first.close()
    rest = train.train(what, store=tmp_path / "store", root=tmp_path, seed=0, device="cuda:0", resume=True)
    made, epochs = finish(rest)
    assert [epoch.done for epoch in epochs] == list(range(2, 9))
    assert {tensor.dtype.kind for tensor in made.weights.values()} == {"f", "i"}
    assert made.weights["classifier.weight"].dtype == np.float32
    assert made.card.accuracy.value > 0.5
