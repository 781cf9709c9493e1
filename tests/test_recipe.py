"""A recipe is TOML whose tables are calls, and what is wrong in it is named."""

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from leakaudit import catalog, recipe
from leakaudit.catalog import Call
from leakaudit.errors import InputError
from leakaudit.numerics.optimiser import optimiser, schedule

TEXT = """
[dataset]
name = "digits"
target = "digit"
private = "colour"
rho = 0.9
[backbone]
name = "simple-convnet"
[method]
name = "end"
alpha = 2
[train]
epochs = 7
[promise]
accuracy = { value = 0.9, tolerance = 0.02, source = "a paper" }
"""


def read(text: str = TEXT, **overrides: Any) -> recipe.Recipe:
    """The text as a recipe; `train__epochs=3` is `--set train.epochs=3`."""
    return recipe.read(text, "try/end", "end.toml", {key.replace("__", "."): value for key, value in overrides.items()})


def test_a_recipe_file_has_a_name_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the working directory, in it or below."""
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    for place, name in (("..", "mine"), (".", "mine"), ("below", "below/mine")):
        (Path(place) / "mine.toml").write_text(TEXT)
        assert recipe.find(f"{place}/mine.toml")[1] == name


def test_tables_are_calls() -> None:
    """Names and knobs are told apart; target and private are no knobs of the data set; the text is kept."""
    found = read()
    assert found.dataset == Call("digits", {"rho": 0.9})
    assert (found.target, found.private) == ("digit", "colour")
    assert found.method == Call("end", {"alpha": 2})
    assert (found.train.epochs, found.train.batch_size) == (7, 256)
    assert found.promise["accuracy"] == recipe.Promise(0.9, 0.02, "a paper")
    assert found.text == TEXT


def test_overrides_change_one_knob() -> None:
    """Also one that the file does not name, or one inside a table of a table; they are recorded."""
    found = read(method__alpha=3.0, method__beta=4.0, train__optimizer={"name": "SGD"}, **{"train__optimizer.lr": 0.5})
    assert found.method.knobs == {"alpha": 3.0, "beta": 4.0}
    assert found.train.optimizer == {"name": "SGD", "lr": 0.5}
    assert found.overrides["method.alpha"] == 3.0


def test_the_key_is_that_of_what_is_trained() -> None:
    """Comments, promises and an override that repeats the file change nothing; every knob does."""
    key = read().key
    assert read("# a comment\n" + TEXT).key == key
    assert read(dataset__rho=0.9).key == key
    assert key == "1bec21267651"  # of version 0.1: checkpoints that lie in stores are found by it
    assert read(train__compile=False, train__channels_last=False).key == key
    assert len({read(**{f"train__{knob}": True}).key for knob in recipe.HASTE} | {key}) == len(recipe.HASTE) + 1
    assert all(read(**{f"train__{knob}": value}).key == key for knob in recipe.IDLE for value in (True, False))
    assert read(TEXT.split("[promise]", maxsplit=1)[0]).key == key
    changes = {
        "dataset__rho": 0.8,
        "dataset__private": "digit",
        "backbone__kernel": 3,
        "method__alpha": 1,
        "train__epochs": 8,
    }
    assert len({key, *(read(**{name: value}).key for name, value in changes.items())}) == len(changes) + 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[dataset]", "[dataset", "end.toml: not TOML"),
        ("[method]", "[methods]", r"no table \[methods\] in a recipe\. Did you mean 'method'"),
        ('name = "end"', "", r"\[method\] name = \.\.\. expected"),
        ('target = "digit"', "", r"\[dataset\]: target = the name of a label expected"),
        ('private = "colour"', "private = 3", "private = the name of a label expected"),
        ("epochs = 7", "epoch = 7", r"\[train\]: no knob 'epoch'\. Did you mean 'epochs'"),
        ("epochs = 7", "epochs = 7.5", "a whole number expected"),
        ("epochs = 7", "epochs = 0", "epochs = 0: at least 1 expected"),
        ("epochs = 7", "batch_size = -1", "batch_size = -1: at least 1"),
        ("epochs = 7", "optimizer = { lr = 0.1 }", "optimizer = { name = "),
        ("epochs = 7", 'scheduler = "StepLR"', "a table"),
        ("tolerance = 0.02, ", "", r"\[promise\] accuracy: \{ value, tolerance, source \} expected"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, message: str) -> None:
    """File, table and key, in one line."""
    assert old in TEXT
    with pytest.raises(InputError, match=message) as error:
        read(TEXT.replace(old, new))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("key", ["alpha", "method.", "methods.alpha", "method.name.x"])
def test_an_override_names_table_and_knob(key: str) -> None:
    """TABLE.KNOB=VALUE, with a table there is."""
    with pytest.raises(InputError, match=f"--set {key}"):
        recipe.read(TEXT, "x", "x", {key: 1})


def test_recipes_are_found_here_before_those_that_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name or by path; one's own file hides the shipped one of the same name."""
    monkeypatch.chdir(tmp_path)
    assert recipe.load("digits/end").method.name == "end"
    home = tmp_path / "recipes" / "digits"
    home.mkdir(parents=True)
    (home / "end.toml").write_text(TEXT.replace("alpha = 2", "alpha = 5"))
    assert recipe.load("digits/end").method.knobs["alpha"] == 5
    assert recipe.load("recipes/digits/end.toml").name == "digits/end"
    (tmp_path / "loose.toml").write_text(TEXT)
    assert recipe.load("loose.toml").name.endswith("loose")
    with pytest.raises(InputError, match=r"no recipe 'digits/edn'\. Did you mean 'digits/end'"):
        recipe.load("digits/edn")
    with pytest.raises(InputError, match="no such recipe file"):
        recipe.load("digits/edn.toml")


@pytest.mark.parametrize("name", recipe.available())
def test_every_shipped_recipe_fits_what_it_calls(name: str) -> None:
    """Things are there, knobs are theirs, optimiser and schedule are torch's, and a header says what it is."""
    found = recipe.load(name)
    for room, call, function in (
        ("datasets", found.dataset, "load"),
        ("backbones", found.backbone, "build"),
        ("debias", found.method, "objective"),
    ):
        catalog.check(getattr(catalog.thing(room, call.name), function), call.knobs, name)
    mover = optimiser([nn.Linear(2, 2).parameters()], found.train.optimizer, name)
    schedule(mover, found.train.scheduler, name)
    assert found.text.startswith("# ")
    home = Path(found.dataset.knobs["file"]).parent.name if found.dataset.name == "table" else found.dataset.name
    assert name.startswith(f"{home}/{found.method.name}")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("method.alpha", float("nan"), r"\[method\] alpha = nan: a finite number"),
        ("train.optimizer.lr", float("inf"), r"\[train\] optimizer lr = inf: a finite number"),
        ("train.clip", 0.0, "clip = 0.0: more than 0"),
        ("promise.accuracy.value", "high", "value = 'high': a number expected"),
    ],
)
def test_what_no_run_can_be_is_refused(key: str, value: Any, words: str) -> None:
    """NaN, infinity and dates are TOML and no knobs; gradients clipped at nothing or below would climb."""
    with pytest.raises(InputError, match=words):
        recipe.read(TEXT, "try/end", "end.toml", {key: value})


def test_a_date_is_no_knob_and_a_table_is_no_number() -> None:
    """Whatever `--set` would make of it."""
    with pytest.raises(InputError, match="finite number"):
        recipe.read(TEXT.replace("alpha = 2", "alpha = 1979-05-27"), "try/end", "end.toml", {})
    with pytest.raises(InputError, match=r"\[method\] expected, method = 3 found"):
        recipe.read("method = 3" + TEXT.replace('[method]\nname = "end"\nalpha = 2\n', ""), "a", "b", {"method.x": 1})


def test_a_recipe_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """One line and not a stack of decoders."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text that can be read"):
        recipe.load(str(tmp_path / "bytes.toml"))
