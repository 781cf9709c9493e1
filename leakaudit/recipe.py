"""
A recipe: what to train, as a TOML file whose tables are each the keyword arguments of one call.

    [dataset]  name, target, private, and the knobs of `datasets/<name>.load`
    [backbone] name and the knobs of `backbones/<name>.build`
    [method]   name and the knobs of `debias/<name>.objective`
    [train]    the fields of `Training`
    [promise]  figure = {value, tolerance, source}
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from leakaudit import catalog, store
from leakaudit.catalog import Call
from leakaudit.errors import InputError

TABLES = ("dataset", "backbone", "method", "train", "promise")
BESIDE = (".plan.toml", ".published.toml")
"""What else lies among recipes: plans of sweeps, and figures that were published."""
HASTE = ("channels_last", "compile", "sync_batch_norm")
"""Knobs of [train] that are part of a recipe's key only where they are set: keys from before there were any hold."""
IDLE = ("decoded",)
"""Those that change no number, and are part of no key."""


class Promise(NamedTuple):
    """A figure that training by this recipe must reach, and where the figure comes from."""

    value: float
    tolerance: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the one loop runs."""

    epochs: int = 80
    batch_size: int = 256
    optimizer: dict = field(default_factory=lambda: {"name": "Adam", "lr": 1e-3, "weight_decay": 1e-4})
    """`name` of a class in `torch.optim`, and its arguments."""
    scheduler: dict | None = None
    """`name` of a class in `torch.optim.lr_scheduler`, and its arguments; stepped once per epoch."""
    amp: bool = False
    """
    Mixed precision (bfloat16 autocast), also of a second network: on CUDA, and on processors that compute bfloat16
    (AVX-512 BF16, AMX), where a step takes half to two thirds of the time; refused elsewhere.
    """
    channels_last: bool = False
    """
    Images and weights with channels last in memory, as tensor cores take them: for convolutions on CUDA, with `amp`.
    On a CPU residual networks gain a tenth, simple-convnet nothing. Numbers differ by rounding alone.
    """
    compile: bool = False
    """
    Training passes, also of a second network, compiled by torch.compile; refused where there is no compiler (C++ on a
    CPU, Triton on CUDA). It takes up to a minute before the first step, so it is for long runs: on a CUDA device
    `--set train.amp=true --set train.channels_last=true --set train.compile=true`. On a CPU a step of a small network
    takes a fifth less time. Numbers differ by rounding alone.
    """
    decoded: bool = True
    """
    Image files are decoded once, and their pixels kept below the store's `data/decoded`, so that later epochs, seeds
    and methods decode nothing; sets under 16 MiB are not, nor those that would take a quarter of the free disk. No
    number depends on it.
    """
    sync_batch_norm: bool = False
    """
    Among several processes (torchrun) batch norm takes the statistics of the whole batch, as one process does; without
    it those of each process's share. In one process it changes nothing.
    """
    clip: float | None = None
    """Largest gradient norm."""
    start: str | None = None
    """Name of a recipe whose weights are loaded first; trained first if the store lacks it."""


@dataclass(frozen=True)
class Recipe:
    """A recipe as it is run: file plus the overrides given on the command line."""

    name: str
    """Path below the recipes folder without its ending: `digits/end`."""
    dataset: Call
    target: str
    private: str
    backbone: Call
    method: Call
    train: Training
    promise: dict[str, Promise]
    text: str
    """The file, verbatim."""
    overrides: dict[str, Any]
    """What `--set` and `--epochs` changed: `method.alpha` to value."""

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that two recipes share exactly when they train the same thing."""
        train = {
            knob: value for knob, value in vars(self.train).items() if (value or knob not in HASTE) and knob not in IDLE
        }
        what = [self.dataset, self.target, self.private, self.backbone, self.method, train]
        return store.digest(store.canonical(what))[:12]


def load(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """
    The recipe of that path or name: a file, `recipes/NAME.toml` here, or one that ships with leakaudit.

    Raises:
        InputError: there is no such recipe, or it is not one; the message names file, table and key.
    """
    path, name = find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not text that can be read ({error})") from error
    return read(text, name, str(path), overrides or {})


def read(text: str, name: str, where: str, overrides: Mapping[str, Any]) -> Recipe:
    """The recipe written in `text`; `where` names it in messages."""
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{where}: not TOML: {error}") from error
    for table, content in tables.items():
        if table not in TABLES:
            raise InputError(f"{where}: no table [{table}] in a recipe. {catalog.suggest(table, TABLES)}")
        if not isinstance(content, dict):
            raise InputError(f"{where}: [{table}] expected, {table} = {content!r} found")
    for key, value in overrides.items():
        _override(tables, key, value)
    for table, content in tables.items():
        _plain(content, f"{where} [{table}]")
    dataset = _call(tables, "dataset", where)
    labels = {key: dataset.knobs.pop(key, None) for key in ("target", "private")}
    for key, value in labels.items():
        if not isinstance(value, str) or not value:
            raise InputError(f"{where} [dataset]: {key} = the name of a label expected")
    settings = catalog.check(Training, tables.get("train", {}), f"{where} [train]")
    _check_training(settings, f"{where} [train]")
    return Recipe(
        name=name,
        dataset=dataset,
        target=str(labels["target"]),
        private=str(labels["private"]),
        backbone=_call(tables, "backbone", where),
        method=_call(tables, "method", where),
        train=Training(**settings),
        promise={key: _promise(value, f"{where} [promise] {key}") for key, value in tables.get("promise", {}).items()},
        text=text,
        overrides=dict(overrides),
    )


def find(name: str) -> tuple[Path, str]:
    """Path and name of a recipe given by either."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"{name}: no such recipe file")
        known = (*folders(), path.parent.parent, path.parent)
        home = next(folder for folder in known if path.resolve().is_relative_to(folder.resolve()))
        return path, path.resolve().relative_to(home.resolve()).with_suffix("").as_posix()
    for folder in folders():
        path = folder / f"{name}.toml"
        if path.is_file():
            return path, name
    raise InputError(f"no recipe {name!r}. {catalog.suggest(name, available(), catalog.LIST.format('recipes'))}")


def available() -> list[str]:
    """The names of all recipes, of the working directory and of leakaudit itself."""
    found = {
        path.relative_to(folder).with_suffix("").as_posix()
        for folder in folders()
        for path in folder.rglob("*.toml")
        if not path.name.endswith(BESIDE)
    }
    return sorted(found)


def folders() -> Sequence[Path]:
    """Where recipes lie, in the order they are looked for."""
    package = Path(str(resources.files("leakaudit")))
    candidates = (Path("recipes"), package / "recipes", package.parent / "recipes")
    return [folder for folder in candidates if folder.is_dir()]


def _override(tables: dict[str, Any], key: str, value: Any) -> None:
    table, dot, knob = key.partition(".")
    if not dot or not knob or table not in TABLES:
        raise InputError(f"--set {key}: TABLE.KNOB=VALUE expected, with TABLE one of {', '.join(TABLES[:-1])}")
    inner = tables.setdefault(table, {})
    *outer, last = knob.split(".")
    for part in outer:
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {key}: {part} is not a table")
    inner[last] = value


def _call(tables: Mapping[str, Any], table: str, where: str) -> Call:
    knobs = dict(tables.get(table, {}))
    name = knobs.pop("name", None)
    if not isinstance(name, str):
        raise InputError(f"{where}: [{table}] name = ... expected")
    return Call(name, knobs)


def _check_training(settings: Mapping[str, Any], where: str) -> None:
    """
    Refuse training that cannot be.

    Raises:
        InputError: an optimiser without a name, no epoch, no row in a batch, or gradients clipped to nothing.
    """
    for key in ("optimizer", "scheduler"):
        if settings.get(key) is not None and not isinstance(settings[key].get("name"), str):
            raise InputError(f"{where}: {key} = {{ name = ..., ... }} expected")
    for key in ("epochs", "batch_size"):
        if settings.get(key, 1) < 1:
            raise InputError(f"{where}: {key} = {settings[key]}: at least 1 expected")
    if settings.get("clip") is not None and settings["clip"] <= 0:
        raise InputError(f"{where}: clip = {settings['clip']}: more than 0 expected")


def _promise(value: Any, where: str) -> Promise:
    if not isinstance(value, dict) or set(value) != {"value", "tolerance", "source"}:
        raise InputError(f"{where}: {{ value, tolerance, source }} expected")
    for figure in ("value", "tolerance"):
        if type(value[figure]) not in (int, float):
            raise InputError(f"{where}: {figure} = {value[figure]!r}: a number expected")
    return Promise(float(value["value"]), float(value["tolerance"]), str(value["source"]))


def _plain(value: Any, where: str) -> None:
    """
    Refuse what TOML can say and no knob can be.

    Raises:
        InputError: a date, a time, NaN or infinity.
    """
    if isinstance(value, dict):
        for key, part in value.items():
            _plain(part, f"{where} {key}")
    elif isinstance(value, list):
        for part in value:
            _plain(part, where)
    elif not isinstance(value, (str, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{where} = {value}: a finite number, a text, a list or a table expected")
