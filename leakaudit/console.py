"""What a command says: its product on stdout, all else on stderr, and at the end the exit status and its reason."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

from leakaudit import catalog, recipe, store
from leakaudit.errors import InputError, spelt

LONGEST = 1500
"""Letters of a line on stderr; of a longer one the middle is left out."""


def say(words: str) -> None:
    """One line on stderr; what a terminal would obey, in a name that somebody chose, is spelt out."""
    typer.echo(f"leakaudit: {spelt(words, LONGEST)}", err=True)


def end(status: int, reason: str) -> NoReturn:
    """The last line, and out."""
    say(f"exit {status}: {reason}")
    sys.exit(status)


def columns() -> int:
    """How wide text for the terminal may be."""
    return 120 if os.environ.get("CI") else shutil.get_terminal_size((120, 40)).columns


def put(text: str, form: str, output: Path | None = None, style: Callable[[str], str] | None = None) -> None:
    """To a file, or on stdout; words before colour, and colour only where somebody looks."""
    if output is not None:
        store.write_bytes(output, text.encode())
        return
    if form == "terminal" and sys.stdout.isatty() and "NO_COLOR" not in os.environ and style is not None:
        text = style(text)
    typer.echo(text, nl=not text.endswith("\n"))


def things(room: str) -> None:
    """What there is in a room, the recipes or the plans, each with what it is."""
    if room in ("recipes", "plans"):
        from leakaudit import grid

        known = dict.fromkeys(recipe.available() if room == "recipes" else grid.available(), "")
    else:
        known = {name: catalog.summary(room, name) for name in catalog.names(room)}
    typer.echo("\n".join([f"{room}:", *(f"  {name:<22} {words}".rstrip() for name, words in known.items())]))


def pick(what: str, name: str, known: Any) -> Any:
    """
    A name that is one of these; where they are a mapping, what it names.

    Raises:
        InputError: it is not.
    """
    if name not in known:
        raise InputError(f"no {what} {name!r}. {catalog.suggest(name, known)}")
    return known[name] if isinstance(known, dict) else name


def share(name: str, value: float) -> float:
    """
    A number between 0 and 1.

    Raises:
        InputError: it is not; `name` is the flag.
    """
    if not 0 < value < 1:
        raise InputError(f"{name} {value:g}: a number between 0 and 1 expected")
    return value
