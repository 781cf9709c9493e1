"""Settings: what `leakaudit.toml`, or `[tool.leakaudit]` in `pyproject.toml`, says in place of flags."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leakaudit import catalog
from leakaudit.errors import InputError

VARIABLE = "LEAKAUDIT_BACKBONE"


def configured(commands: Mapping[str, Any]) -> dict[str, Any]:
    """
    What `leakaudit.toml`, or `[tool.leakaudit]` in `pyproject.toml`, says in the working directory; keys are flags.

    One value does where a flag may be repeated. The result is by command, and by command of a command.

    Code is named on the command line and nowhere else: whoever works in a stranger's folder has not asked for its code.

    Raises:
        InputError: the file is not TOML, a key is no flag of any command or has nothing in it, or code is named.
    """
    table, where = _settings()
    settings = {key.replace("-", "_"): value for key, value in table.items()}
    if len(settings) < len(table):
        spelt = [key.replace("-", "_") for key in table]
        twice = next(key for key, name in zip(table, spelt, strict=True) if spelt.count(name) > 1)
        raise InputError(f"{where}: {twice!r} stands there twice, with '-' and with '_'")
    known = {name for command in commands.values() for name in _flags(command)}
    backbones = {where: str(settings.get("backbone", "")), VARIABLE: os.environ.get(VARIABLE, "")}
    for place, backbone in backbones.items():
        if re.search(r"\.py(:|$)", backbone):
            raise InputError(f"{place}: backbone = {backbone!r}: code is named on the command line alone: --backbone")
    for name, key in zip(settings, table, strict=True):
        if name in ("data", "root"):
            raise InputError(f"{where}: {key!r} is no setting: give --{key} on the command line")
        if table[key] in ({}, []):
            raise InputError(f"{where}: {key!r} is empty, which asks for nothing: leave it out, or say what it is")
        if name not in known:
            raise InputError(f"{where}: no setting {key!r}. {catalog.suggest(name, known, 'leakaudit COMMAND --help')}")
    return {name: _defaults(command, settings) for name, command in commands.items()}


def _flags(command: Any) -> dict[str, Any]:
    """Options by the name of their flag, of a command or of all commands in it."""
    found = {name: part for each in getattr(command, "commands", {}).values() for name, part in _flags(each).items()}
    options = [part for part in command.params if part.param_type_name == "option"]
    found |= {name.strip("-").replace("-", "_"): part for part in options for name in part.opts if name[:2] == "--"}
    return {name: part for name, part in found.items() if part.envvar and name not in ("data", "root")}


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
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{file}: not TOML: {error}") from error
        for key in keys:
            table = table.get(key, {})
            if not isinstance(table, dict):
                raise InputError(f"{file}: a table [{'.'.join(keys)}] expected, {key} = {table!r} found")
        if table:
            return table, f"{file} [{'.'.join(keys)}]" if keys else file
    return {}, ""
