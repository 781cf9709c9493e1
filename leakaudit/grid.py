"""
A plan: a grid of recipes, settings and seeds, as a TOML file (`*.plan.toml`).

    recipes = ["digits/vanilla", ...]       names of recipes, or files
    seeds = [0, 1, 2]
    [set]        "dataset.rho" = [0.9, 0.99]     knob = values, or one; each holds for the recipes that have the knob
    [attack]     how every model is attacked: the fields of `Attack`
    [resources]  what a cell is trusted to take: the fields of `Resources`

A cell is a recipe with some of these values and a seed. Cells come by seed first, so that a sweep that was cut short
covers the whole table. Everything that can be wrong with a plan is said before anything runs.
"""

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leakaudit import __version__, catalog, orders, store
from leakaudit import recipe as recipes
from leakaudit.errors import InputError
from leakaudit.orders import Attack, Resources
from leakaudit.recipe import Recipe, Training
from leakaudit.results import short

ENDING = ".plan.toml"
PARTS = ("recipes", "seeds", "set", "attack", "resources")
ROOMS = {"dataset": ("datasets", "load"), "backbone": ("backbones", "build"), "method": ("debias", "objective")}
"""Where a table of a recipe names its thing, and the function whose keyword arguments are its knobs."""
TABLES = (*ROOMS, "train")
LARGEST = 2**31 - 1
"""The largest seed."""
MOST = 100_000
"""Cells of a plan, at most."""


@dataclass(frozen=True)
class Cell:
    """One recipe with some settings and a seed, and how its model is attacked."""

    recipe: Recipe
    settings: dict[str, Any]
    """What the plan set of it: `dataset.rho` to value."""
    seed: int
    attack: Attack
    resources: Resources
    parents: tuple[str, ...]
    """Keys of the recipes that it starts from."""
    name: str
    """`digits/end rho=0.9 seed 0`, with the settings that vary: no two cells of a plan share it."""

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that two cells share exactly when they are the same work, by the same leakaudit."""
        return self.by(__version__)

    def by(self, version: str) -> str:
        """The key that it has for leakaudit of that version."""
        what = [self.recipe.name, self.recipe.key, self.parents, self.settings, self.seed, asdict(self.attack)]
        return store.digest(store.canonical(what), version)[:12]


@dataclass(frozen=True)
class Grid:
    """A plan, read and checked."""

    name: str
    """Path below the recipes folder without its ending: `papers/bridging-mnist`."""
    text: str
    """The file, verbatim."""
    cells: tuple[Cell, ...]


def load(name: str) -> Grid:
    """
    The plan of that path or name: a file, `recipes/NAME.plan.toml` here, or one that ships with leakaudit.

    Raises:
        InputError: there is no such plan, or it is not one; the message names file, table and key.
    """
    path, name = find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not text that can be read ({error})") from error
    return read(text, name, str(path))


def read(text: str, name: str, where: str) -> Grid:
    """The plan written in `text`; `where` names it in messages."""
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{where}: not TOML: {error}") from error
    for part, content in tables.items():
        if part not in PARTS:
            raise InputError(f"{where}: no {part!r} in a plan. {catalog.suggest(part, PARTS)}")
        if part in PARTS[2:] and not isinstance(content, dict):
            raise InputError(f"{where}: [{part}] expected, {part} = {content!r} found")
    names, seeds = _listed(tables, "recipes", str, where), _listed(tables, "seeds", int, where)
    wrong = next((seed for seed in seeds if not 0 <= seed <= LARGEST), None)
    if wrong is not None:
        raise InputError(f"{where}: seeds: {wrong}: a whole number from 0 to {LARGEST:,} expected")
    attack, resources = (
        orders.attack(tables.get("attack", {}), where),
        orders.resources(tables.get("resources", {}), where),
    )
    values = _values(tables.get("set", {}), f"{where} [set]")
    most = len(names) * len(seeds) * math.prod(map(len, values.values()))
    if most > MOST:
        raise InputError(f"{where}: {most:,} cells; at most {MOST:,} are run")
    made = _settled(names, values, where)
    titles = short(key for key, listed in values.items() if len(listed) > 1)
    cells = tuple(
        Cell(recipe, settings, seed, attack, resources, parents, _name(recipe.name, settings, titles, seed))
        for seed in seeds
        for recipe, settings, parents in made
    )
    return Grid(name, text, cells)


def find(name: str) -> tuple[Path, str]:
    """Path and name of a plan given by either."""
    if name.endswith(".toml"):
        path, name = recipes.find(name) if Path(name).is_file() else (Path(name), "")
        if not name:
            raise InputError(f"{path}: no such plan file")
        return path, name.removesuffix(".plan")
    for folder in recipes.folders():
        path = folder / f"{name}{ENDING}"
        if path.is_file():
            return path, name
    if name in recipes.available():
        raise InputError(f"{name}: a recipe, and no plan: leakaudit train {name}")
    raise InputError(f"no plan {name!r}. {catalog.suggest(name, available(), catalog.LIST.format('plans'))}")


def available() -> list[str]:
    """The names of all plans, of the working directory and of leakaudit itself."""
    found = [(path, folder) for folder in recipes.folders() for path in folder.rglob(f"*{ENDING}")]
    return sorted({path.relative_to(folder).as_posix().removesuffix(ENDING) for path, folder in found})


def parents(recipe: Recipe) -> list[Recipe]:
    """
    The recipes that this one starts from, the nearest first.

    Raises:
        InputError: there is no such recipe, or it starts, by whatever way, from itself.
    """
    found: list[Recipe] = []
    name = recipe.train.start
    while name is not None:
        if name in (recipe.name, *(parent.name for parent in found)):
            raise InputError(f"recipe {recipe.name} [train]: start = {name!r} goes in a circle")
        found.append(recipes.load(name))
        name = found[-1].train.start
    return found


def _listed(tables: Mapping[str, Any], part: str, kind: type, where: str) -> list[Any]:
    """A list that is there, holds something of that kind, and nothing twice."""
    found = tables.get(part)
    what = {"recipes": 'recipes = ["NAME", ...]', "seeds": "seeds = [0, ...]"}[part]
    if not isinstance(found, list) or not found or any(type(each) is not kind for each in found):
        said = "is missing" if found is None else f"{found!r} found"
        raise InputError(f"{where}: {what} expected at the top; {said}")
    twice = next((each for place, each in enumerate(found) if each in found[:place]), None)
    if twice is not None:
        raise InputError(f"{where}: {part}: {twice!r} stands there twice")
    return found


def _values(table: Mapping[str, Any], where: str) -> dict[str, list[Any]]:
    """Each knob with its values; `dataset.rho = [...]` and `"dataset.rho" = [...]` say the same."""
    pairs = [
        pair
        for key, value in table.items()
        for pair in ([(f"{key}.{knob}", each) for knob, each in value.items()]
                     if key in TABLES and isinstance(value, dict) else [(key, value)])
    ]  # fmt: skip
    found: dict[str, list[Any]] = {}
    for key, value in pairs:
        head, dot, knob = key.partition(".")
        if not dot or not knob or head not in TABLES:
            raise InputError(f'{where}: {key!r}: "TABLE.KNOB" expected, with TABLE one of {", ".join(TABLES)}')
        if key in found:
            raise InputError(f"{where}: {key} stands there twice")
        listed = value if isinstance(value, list) else [value]
        if not listed:
            raise InputError(f"{where}: {key} = []: at least one value expected")
        seen: set[Any] = set()
        for each in listed:
            same = repr(each) if isinstance(each, (bool, dict, list)) else each
            if same in seen:
                raise InputError(f"{where}: {key}: {each!r} stands there twice")
            seen.add(same)
        found[key] = listed
    return found


Settled = tuple[Recipe, dict[str, Any], tuple[str, ...]]


def _settled(names: Sequence[str], values: Mapping[str, list[Any]], where: str) -> list[Settled]:
    """
    Each recipe with each combination of the values of knobs that it has, and the keys of those that it starts from.

    Raises:
        InputError: no such recipe, a knob that none of them has, a value that it does not take, or the same cell twice.
    """
    made: dict[str, Settled] = {}
    lacking, known = set(values), set[str]()
    for name in names:
        seen: list[dict[str, Any]] = []
        for chosen in itertools.product(*values.values()):
            wanted = dict(zip(values, chosen, strict=True))
            try:
                plain = recipes.load(name, {key: value for key, value in wanted.items() if key.endswith(".name")})
                there = set(_knobs(plain))
                settings = {key: value for key, value in wanted.items() if _stem(key) in there}
                lacking -= set(settings)
                known |= there
                if settings in seen:
                    continue
                seen.append(settings)
                recipe = recipes.load(name, settings)
                _check(recipe)
                cell = recipe, settings, tuple(parent.key for parent in parents(recipe))
            except InputError as error:
                raise InputError(f"{where}: {error}") from error
            slot = store.canonical([recipe.name, settings])
            if slot in made:
                raise InputError(f"{where}: recipes: {name!r} stands there twice")
            made[slot] = cell
    if lacking:
        key = min(lacking)
        raise InputError(f"{where} [set]: no recipe of this plan has a knob {key!r}. {catalog.suggest(key, known)}")
    return list(made.values())


def _stem(key: str) -> str:
    """`train.optimizer` of `train.optimizer.lr`."""
    return ".".join(key.split(".")[:2])


def _knobs(recipe: Recipe) -> Iterator[str]:
    """The knobs that a recipe has, whether it sets them or not."""
    yield from (f"train.{knob}" for knob in catalog.knobs(Training))
    yield from ("dataset.target", "dataset.private")
    for table, (room, function) in ROOMS.items():
        module = catalog.thing(room, getattr(recipe, table).name, f"recipe {recipe.name} [{table}]")
        yield from (f"{table}.{knob}" for knob in ("name", *catalog.knobs(getattr(module, function))))


def _check(recipe: Recipe) -> None:
    """Refuse knobs that a recipe's things do not have, or not with these values."""
    for table, (room, function) in ROOMS.items():
        where, call = f"recipe {recipe.name} [{table}]", getattr(recipe, table)
        catalog.check(getattr(catalog.thing(room, call.name, where), function), call.knobs, where)


def _name(recipe: str, settings: Mapping[str, Any], titles: Mapping[str, str], seed: int) -> str:
    said = [
        f"{titles[key]}={value if isinstance(value, str) else store.canonical(value)}"
        for key, value in settings.items()
        if key in titles
    ]
    return " ".join([recipe, *said, f"seed {seed}"])
