"""How an option is declared, and how a command takes a whole group of them as one argument."""

import dataclasses
import inspect
import math
import typing
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from leakaudit.errors import InputError

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
