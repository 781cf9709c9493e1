"""What no method can be trained on is refused before the first step, and a run that diverges keeps what was good."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from trying import TEXT, finish, plan, work

from leakaudit import catalog, recipe, store
from leakaudit import plan as plans
from leakaudit.checkpoint import Checkpoint
from leakaudit.errors import InputError
from leakaudit.recipe import Recipe

BLIND = [name for name in catalog.names("debias") if getattr(catalog.thing("debias", name), "BLIND", False)]
ASKING = [name for name in catalog.names("debias") if name not in BLIND]

WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "rebias",
        {"biased": "simple-convent"},
        r"\[method\]: no backbone 'simple-convent'. Did you mean 'simple-convnet'",
    ),
    (
        "rubi",
        {"biased": "simple-convnet:knel=1"},
        r"\[method\] simple-convnet:knel=1: no knob 'knel'. Did you mean 'kernel'",
    ),
    ("learned-mixin", {"biased": "simple-convnet:kernel"}, "NAME or NAME:knob=value"),
    ("rebias", {"biased": "simple-convnet:kernel=2"}, "kernel = 2: an odd number"),
    ("pseudo-bias", {"biased": "simple-convnet:width=0"}, "width = 0"),
    ("lnl", {"layer": "features.50"}, "no layer 'features.50' with a feature map. Did you mean 'features.5'"),
    ("lnl", {"layer": "classifier"}, "no layer 'classifier' with a feature map"),
    ("lnl", {"lam": float("nan")}, r"\[method\] lam = nan: a finite number"),
    ("rebias", {"sigma": float("inf")}, r"\[method\] sigma = inf: a finite number"),
    ("pseudo-bias", {"knobs": {"gamma": float("nan")}}, r"\[method\] knobs gamma = nan: a finite number"),
    ("adversary", {"hidden": 2.5}, "hidden = 2.5: a whole number"),
    ("reweight", {"by": "cell"}, "by = 'cell': one of 'draw', 'loss'"),
    ("group-dro", {"eta": -0.1}, "group-dro: eta = -0.1: at least 0"),
    ("jtt", {"up": 0.5}, "jtt: up = 0.5: at least 1"),
    ("lff", {"q": 0.0}, "lff: q = 0.0: a number above 0"),
]


@pytest.mark.parametrize(("method", "knobs", "message"), WRONG, ids=[f"{name}-{next(iter(k))}" for name, k, _ in WRONG])
def test_a_wrong_knob_of_a_method_is_refused_before_anything_is_written(
    tmp_path: Path, method: str, knobs: dict[str, Any], message: str
) -> None:
    """One line that names the knob and what there is instead."""
    with pytest.raises(InputError, match=message) as error:
        next(work(plan(method__name=method, **{f"method__{knob}": value for knob, value in knobs.items()}), tmp_path))
    assert len(str(error.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_batch_too_small_for_what_is_compared_is_refused(tmp_path: Path) -> None:
    """HSIC exists from four rows."""
    with pytest.raises(InputError, match=r"batch_size = 3: rebias compares rows of a batch; at least 4 expected"):
        next(work(plan(method__name="rebias", train__batch_size=3), tmp_path))


def test_a_second_network_that_does_not_fit_the_images_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were there a backbone for larger images alone, its name and the images' size would be said."""
    module = catalog.thing("backbones", "simple-convnet")
    build = module.build

    def demanding(classes: int, shape: tuple[int, int, int], *, kernel: int = 7, width: int = 16) -> torch.nn.Module:
        network: torch.nn.Module = build(classes, shape, kernel=kernel, width=width)
        if kernel == 1:
            network.features.insert(0, torch.nn.AvgPool2d(9))
        return network

    monkeypatch.setattr(module, "build", demanding)
    what = recipe.read(TEXT.replace('activation = "tanh"\n', ""), "try/rubi", "try", {"method.name": "rubi"})
    with pytest.raises(InputError, match=r"\[method\]: simple-convnet:kernel=1 does not fit images of 3x8x8 \("):
        next(work(what, tmp_path))
    assert list(tmp_path.iterdir()) == []


def table(folder: Path, method: str, header: str, cell: str) -> Recipe:
    """A recipe on 24 images of one's own, whose column `sex` is not there or empty."""
    lines = [f"path,digit,split{header}"]
    for number in range(24):
        Image.new("RGB", (8, 8), (number * 10, 90 * (number % 2), 0)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{number % 2},train{cell}")
    (folder / "table.csv").write_text("\n".join(lines))
    text = TEXT.replace('name = "digits"', f'name = "table"\nfile = "{folder / "table.csv"}"').replace("colour", "sex")
    knobs = {"method.name": method, "train.epochs": 1, "train.batch_size": 12, "backbone.activation": "relu"}
    if getattr(catalog.thing("debias", method), "NUMBERS", False):
        knobs["dataset.numbers"] = "digit"
    return recipe.read(text, f"try/{method}", "try", knobs)


@pytest.mark.parametrize(("header", "cell", "words"), [("", "", "no label 'sex'"), (",sex", ",", "'sex'.* is missing")])
@pytest.mark.parametrize("method", ASKING)
def test_a_method_that_needs_private_labels_is_refused_without(
    tmp_path: Path, method: str, header: str, cell: str, words: str
) -> None:
    """Where the column is not there, and where it holds nothing."""
    numbers = getattr(catalog.thing("debias", method), "NUMBERS", False)
    others = "l1" if numbers else "eps-supinfonce, .*vanilla"
    with pytest.raises(InputError, match=rf"{words}.*Methods that ask for none: .*{others}"):
        next(work(table(tmp_path, method, header, cell), tmp_path))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("method", BLIND)
def test_a_method_that_does_without_them_trains_there(tmp_path: Path, method: str) -> None:
    """The card names no private class, and that there is none is said."""
    made, epochs = finish(work(table(tmp_path, method, "", ""), tmp_path))
    assert len(epochs) == 1
    assert made.card.private_classes == ()
    assert made.table.size == 0
    if method == "pseudo-bias":
        assert made.card.guessed == (0, None, None, 0, None)
        assert "no row with a known sex to compare them with" in made.told
    else:
        assert made.card.guessed is None
        assert "'sex' has no classes in its training rows" in made.told


def test_an_empty_column_is_none(tmp_path: Path) -> None:
    """A blind method trains on a set whose private column holds nothing, just as on one without."""
    made, _ = finish(work(table(tmp_path, "rebias", ",sex", ","), tmp_path))
    assert not made.table.any()
    assert "'sex' has no classes" in made.told


@pytest.mark.parametrize("method", ["adversary", "rebias", "rubi"])
def test_divergence_stops_naming_the_epoch_and_keeps_the_last_good_state(tmp_path: Path, method: str) -> None:
    """A rate that grows from epoch to epoch: what lies there is finite, of the epoch before, and can be taken up."""
    growing = {"name": "ExponentialLR", "gamma": 1e9}
    knobs = {"train__optimizer": {"name": "SGD", "lr": 1e-3}, "train__epochs": 30, "backbone__activation": "relu"}
    what = plan(f"try/{method}", method__name=method, train__scheduler=growing, **knobs)
    running = work(what, tmp_path)
    first = next(running)
    with pytest.raises(InputError, match=r"the loss is not finite in epoch \d of 30 \(learning rate") as error:
        finish(running)
    number = int(str(error.value).split("in epoch ")[1][0])
    assert number > first.done == 1
    (folder,) = (path.parent for path in (tmp_path / "store").rglob("resume"))
    assert str(error.value).endswith(f"the state after epoch {number - 1} is kept in {folder / 'resume'}")
    assert not (folder / "checkpoint.json").exists()
    (kept,) = (folder / "resume").glob("state-*.safetensors")
    assert kept.name == f"state-{number - 1:04d}.safetensors"
    tensors, _ = store.read_tensors(kept)
    weights = [name for name in tensors if ".network." in name and name.endswith("weight")]
    assert len(weights) >= 9
    assert all(np.isfinite(tensors[name]).all() for name in weights)
    with pytest.raises(InputError, match=f"not finite in epoch {number} of 30"):
        finish(work(what, tmp_path, resume=True))


@pytest.mark.parametrize("method", ["jtt", "pseudo-bias"])
def test_a_second_network_that_diverges_alone_stops_the_run_too(tmp_path: Path, method: str) -> None:
    """Its answers would be taken for errors or for labels: no epoch is taken for good."""
    loop = plans.prepare(plan(method__name=method, train__epochs=1), tmp_path, 0, "cpu", None).loop
    assert loop._finite()
    assert loop.objective.inner is not None
    with torch.no_grad():
        next(loop.objective.inner.parameters()).fill_(torch.nan)
    assert not loop._finite()


def test_a_rate_that_no_number_holds_is_refused(tmp_path: Path) -> None:
    """Where nothing else stops a run, its schedule might."""
    with pytest.raises(InputError, match=r"the learning rate of epoch 1 is 1e\+39"):
        next(work(plan(train__optimizer={"name": "SGD", "lr": 1e39}), tmp_path))


def test_on_the_command_line_guesses_are_one_line_and_divergence_another(tmp_path: Path, leakaudit_here: Any) -> None:
    """The command on two recipes: the first ends with its figures and the line to type next, the second wildly."""
    text = TEXT.replace('"irene"', '"pseudo-bias"').replace("epochs = 3", "epochs = 1")
    (tmp_path / "small.toml").write_text(text)
    (tmp_path / "wild.toml").write_text(text.replace('"Adam", lr = 5e-3', '"SGD", lr = 1e30'))
    done = leakaudit_here("train", "small.toml", "wild.toml")
    assert done.returncode == 2
    assert done.stdout.startswith("leakaudit attack ")
    assert len(done.stdout.splitlines()) == 1
    named, told, last = done.stderr.splitlines()
    assert named.startswith("leakaudit: digit by small@")
    assert " % of rows [" in named
    assert told.startswith("leakaudit: pseudo-labels of ")
    assert "of 792 training rows agree with colour after matching names" in told
    assert last.startswith("leakaudit: exit 2: recipe ")
    assert "the loss is not finite in epoch 1 of 1" in last


def test_without_private_classes_nothing_more_is_said_of_other_methods(tmp_path: Path) -> None:
    """A method that makes out no labels says nothing of any where there are true ones."""
    made: Checkpoint = finish(work(plan(train__epochs=1), tmp_path))[0]
    assert made.card.guessed is None
    assert made.card.accuracy is not None
    right = f"named right in {100 * made.card.accuracy.value:.1f} % of rows"
    assert made.told.splitlines() == [next(line for line in made.told.splitlines() if right in line)]
