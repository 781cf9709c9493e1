"""The options that commands share: each declared once, in a group that a command takes as one argument."""

import dataclasses
import inspect
import math
import tomllib
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from leakaudit import catalog, store
from leakaudit.errors import InputError
from leakaudit.progress import Manner

if typing.TYPE_CHECKING:
    from leakaudit.gate import Ask


class Form(StrEnum):
    """The forms of a report."""

    TERMINAL = "terminal"
    HTML = "html"
    JSON = "json"
    MARKDOWN = "markdown"


class Policy(StrEnum):
    """What an open gate does to the exit status."""

    FAIL = "fail"
    PASS = "pass"  # noqa: S105 (no password)


LARGEST = 2**31 - 1
"""The largest seed that every generator takes."""


def flag(
    words: str,
    *names: str,
    panel: str | None = None,
    metavar: str | None = None,
    variable: str | None = None,
) -> Any:
    """One option; its environment variable is LEAKAUDIT_ and its name, unless `variable` says another (or none)."""
    long = next(name for name in names if name.startswith("--"))
    usual = f"LEAKAUDIT_{long.strip('-').replace('-', '_').upper()}"
    envvar = (usual if variable is None else variable) or None
    return typer.Option(
        *names,
        help=words,
        rich_help_panel=panel,
        metavar=metavar,
        envvar=envvar,
        show_envvar=False,
    )


def within(name: str, value: int, least: int, most: float = math.inf) -> None:
    """
    Refuse a number that is too small or too large.

    Raises:
        InputError: it is; `name` is the flag.
    """
    if not least <= value <= most:
        raise InputError(f"{name} {value}: at {f'least {least}' if value < least else f'most {most}'} expected")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """What is attacked, for which attribute."""

    private: Annotated[
        list[str] | None,
        flag("Attribute to read; may be repeated.", "--private", panel="Subject", metavar="NAME"),
    ] = None
    target: Annotated[
        str | None,
        flag("What the model is for; what that tells is no leak.", "--target", panel="Subject", metavar="NAME"),
    ] = None

    @property
    def privates(self) -> tuple[str, ...]:
        """The private attributes, at least one."""
        if not self.private:
            raise InputError("--private NAME is missing: which attribute must not be readable?")
        return tuple(dict.fromkeys(self.private))


Root = Annotated[
    Path, flag("Where named data sets lie.", "--root", panel="Data", metavar="DIR", variable="LEAKAUDIT_DATA")
]


Group = Annotated[str | None, flag("Column that says whose row it is.", "--group", panel="Data", metavar="COLUMN")]
Seed = Annotated[int, flag("Seed of all chance.", "--seed", panel="Run", metavar="N")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """What it is audited on."""

    data: Annotated[
        str | None,
        flag("Data set, or CSV or parquet table of images.", "--data", panel="Data", metavar="DATA", variable=""),
    ] = None
    root: Root = Path(".leakaudit/data")
    split: Annotated[
        str | None, flag("Split to audit; extract takes several: train,test.", "--split", panel="Data", metavar="S")
    ] = None
    rows: Annotated[int | None, flag("At most this many rows.", "--rows", panel="Data", metavar="N")] = None
    group: Group = None
    skip_unreadable: Annotated[
        bool, flag("Leave out images that cannot be read, and say how many.", "--skip-unreadable", panel="Data")
    ] = False
    backbone: Annotated[
        str | None,
        flag("The network that a weights file fills.", "--backbone", panel="Subject", metavar="NAME[:KNOBS]"),
    ] = None

    def __post_init__(self) -> None:
        """Refuse no rows."""
        if self.rows is not None:
            within("--rows", self.rows, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where it all lies."""

    store: Annotated[
        Path, flag("Where checkpoints, embeddings and audits lie.", "--store", panel="Run", metavar="DIR")
    ] = Path(".leakaudit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(Place):
    """Where and how it runs."""

    device: Annotated[str, flag("auto, cpu, cuda or cuda:N.", "--device", panel="Run", metavar="D")] = "auto"
    batch_size: Annotated[int, flag("Images in one pass, at most.", "--batch-size", panel="Run", metavar="N")] = 512
    seed: Seed = 0
    quiet: Annotated[bool, flag("No progress.", "-q", "--quiet", panel="Run")] = False
    verbose: Annotated[bool, flag("One line per step.", "-v", "--verbose", panel="Run")] = False

    def __post_init__(self) -> None:
        """Refuse what no run can be."""
        within("--batch-size", self.batch_size, 1)
        within("--seed", self.seed, 0, LARGEST)

    @property
    def manner(self) -> Manner:
        """How progress is shown."""
        return "quiet" if self.quiet else "lines" if self.verbose else "bar"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Passes(Run):
    """How images pass through a network."""

    amp: Annotated[bool, flag("Mixed precision (bfloat16).", "--amp", panel="Run")] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Again:
    """What is attacked once more, beside what decides."""

    seeds: Annotated[int, flag("Attack seeds; the first decides.", "--seeds", metavar="N")] = 1
    memorisation: Annotated[bool, flag("Attack rows of the training, too.", "--memorisation")] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """What the report looks like and where it goes."""

    format: Annotated[Form, flag("Form of the report.", "--format", panel="Output")] = Form.TERMINAL
    output: Annotated[
        Path | None, flag("Write the report there, not to stdout.", "--output", panel="Output", metavar="FILE")
    ] = None

    def __post_init__(self) -> None:
        """Refuse a place that cannot be written before anything is computed."""
        if self.output is not None:
            store.check_place(self.output)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gates:
    """What decides the exit status."""

    max_private_accuracy: Annotated[
        list[str] | None,
        flag("Fail where more is read than T.", "--max-private-accuracy", panel="Gates", metavar="[NAME=]T"),
    ] = None
    max_excess: Annotated[
        list[str] | None, flag("Fail where E is above this.", "--max-excess", panel="Gates", metavar="[NAME=]E")
    ] = None
    on_inconclusive: Annotated[Policy, flag("What an open gate does.", "--on-inconclusive", panel="Gates")] = (
        Policy.FAIL
    )

    @property
    def asks(self) -> "tuple[Ask, ...]":
        """The gates that were asked for."""
        from leakaudit import gate

        accuracy = [gate.parse("max-private-accuracy", text) for text in self.max_private_accuracy or []]
        return (*accuracy, *(gate.parse("max-excess", text) for text in self.max_excess or []))


Tolerance = Annotated[float, flag("Excess advantage that is tolerated.", "--tolerance", panel="Gates", metavar="E")]


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each argument that is a group of options spread into those options."""
    hints = typing.get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        kinds = typing.get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(field.name, parameter.KEYWORD_ONLY, default=field.default, annotation=kinds[field.name])
            for field in dataclasses.fields(groups[name])
        ]

    @wraps(command)
    def spread_out(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})  # type: ignore[operator]
        command(**given)

    spread_out.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread_out.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return spread_out


def configured(commands: Mapping[str, Any]) -> dict[str, Any]:
    """
    What `leakaudit.toml`, or `[tool.leakaudit]` in `pyproject.toml`, says in the working directory; keys are flags.

    One value does where a flag may be repeated. The result is by command, and by command of a command.

    Raises:
        InputError: the file is not TOML, or a key is no flag of any command.
    """
    table, where = _settings()
    settings = {key.replace("-", "_"): value for key, value in table.items()}
    known = {name for command in commands.values() for name in _flags(command)}
    for name, key in zip(settings, table, strict=True):
        if name not in known:
            raise InputError(f"{where}: no setting {key!r}. {catalog.suggest(name, known)}")
    return {name: _defaults(command, settings) for name, command in commands.items()}


def _flags(command: Any) -> dict[str, Any]:
    """Options by the name of their flag, of a command or of all commands in it."""
    found = {name: part for each in getattr(command, "commands", {}).values() for name, part in _flags(each).items()}
    options = [part for part in command.params if part.param_type_name == "option"]
    found |= {name.strip("-").replace("-", "_"): part for part in options for name in part.opts if name[:2] == "--"}
    return {name: part for name, part in found.items() if name not in ("data", "root")}


def _defaults(command: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as values of a command's own parameters, and of those of the commands in it."""
    found: dict[str, Any] = {name: _defaults(each, settings) for name, each in getattr(command, "commands", {}).items()}
    for name, part in _flags(command).items() if not found else ():
        if name in settings:
            value = settings[name]
            listed = [f"{key}={limit}" for key, limit in value.items()] if isinstance(value, dict) else value
            found[part.name] = [str(listed)] if part.multiple and not isinstance(listed, list) else listed
    return found


def _settings() -> tuple[dict[str, Any], str]:
    for file, keys in (("leakaudit.toml", ()), ("pyproject.toml", ("tool", "leakaudit"))):
        if not Path(file).is_file():
            continue
        try:
            table = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: not TOML: {error}") from error
        for key in keys:
            table = table.get(key, {})
            if not isinstance(table, dict):
                raise InputError(f"{file}: a table [{'.'.join(keys)}] expected, {key} = {table!r} found")
        if table:
            return table, f"{file} [{'.'.join(keys)}]" if keys else file
    return {}, ""
