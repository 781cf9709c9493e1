"""What may be said to `leakaudit.audit` beside its subject: the flags of the command line, as keyword arguments."""

import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypedDict

from leakaudit import catalog, console, options
from leakaudit.catalog import Call
from leakaudit.errors import InputError
from leakaudit.protocol import AUXILIARIES, SUITES

TOLERANCE = 0.10


class Words(TypedDict, total=False):
    """What may be said beside the subject: the flags of `leakaudit attack`, with hyphens as underscores."""

    attacker: str | Sequence[str]
    auxiliary: str | Sequence[str]
    suite: str
    tolerance: float
    seeds: int
    memorisation: bool
    root: str | Path
    split: str
    rows: int
    group: str
    skip_unreadable: bool
    backbone: str
    layer: str | Sequence[str]
    size: str | int
    mean: str | Sequence[float]
    std: str | Sequence[float]
    partial: bool
    ledger: str | Path
    trust_on_first_use: bool
    store: str | Path
    device: str
    batch_size: int
    seed: int
    amp: bool


def attack(words: Mapping[str, Any]) -> tuple[tuple[Call, ...], tuple[str, ...]]:
    """The attackers and the auxiliary distributions."""
    names = _listed(words, "attacker") or console.pick("suite", str(words.get("suite", "standard")), SUITES)
    calls = tuple(catalog.call("attackers", name, "attacker") for name in names)
    asked = _listed(words, "auxiliary") or AUXILIARIES[:2]
    return calls, tuple(console.pick("auxiliary", name, AUXILIARIES) for name in asked)


def groups(words: Mapping[str, Any]) -> dict[str, Any]:
    """
    All other words, with the defaults and the checks that they have as flags.

    Raises:
        TypeError: a word is no flag.
        InputError: a number is none or out of range, or a name none.
    """
    strange = next((word for word in words if word not in Words.__annotations__), None)
    if strange is not None:
        raise TypeError(f"no word {strange!r}. {catalog.suggest(strange, Words.__annotations__)}")
    plain = {word: value for word, value in words.items() if value is not None}
    plain |= {word: Path(plain[word]) for word in ("root", "ledger", "store") if word in plain}
    plain |= {word: _joined(plain[word]) for word in ("size", "mean", "std") if word in plain}
    plain |= {word: _whole(word, plain[word]) for word in ("rows", "seeds", "seed", "batch_size") if word in plain}
    plain |= {"layer": _listed(plain, "layer")} if "layer" in plain else {}
    plain.setdefault("root", Path(os.environ.get("LEAKAUDIT_DATA") or ".leakaudit/data"))
    made: dict[str, Any] = {"tolerance": _share("tolerance", plain.get("tolerance", TOLERANCE))}
    for group in (options.Rows, options.Network, options.Passes, options.Again):
        made |= vars(group(**{each.name: plain[each.name] for each in fields(group) if each.name in plain}))
    made["layer"] = tuple(made["layer"] or ())
    return {word: value for word, value in made.items() if word not in ("data", "quiet", "verbose")}


def _listed(words: Mapping[str, Any], word: str) -> list[str]:
    """
    Names that a word gives; none where it is not said.

    Raises:
        InputError: it gives none all the same, or what is no name.
    """
    value = words.get(word)
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else None
    if value is not None and (not names or not all(isinstance(name, str) for name in names)):
        raise InputError(f"{word} = {f'{value!r}'[:60]}: a name or several expected")
    return names or []


def _whole(word: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        raise InputError(f"{word} = {f'{value!r}'[:60]}: a whole number expected") from error


def _share(word: str, value: Any) -> float:
    try:
        return console.share(word, float(value))
    except (TypeError, ValueError) as error:
        raise InputError(f"{word} = {f'{value!r}'[:60]}: a number expected") from error


def _joined(value: Any) -> str:
    value = value.tolist() if hasattr(value, "tolist") else value
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
