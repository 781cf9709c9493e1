"""What a plan says of all its cells: how their models are attacked, and what each is given to run on."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leakaudit import catalog, protocol
from leakaudit.errors import InputError

UNITS = {f"{letter}{rest}": base**power for rest, base in (("B", 1000), ("iB", 1024))
         for power, letter in enumerate("KMGT", 1)}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Attack:
    """How the model of every cell is attacked: the options of `leakaudit attack` by their names."""

    auxiliary: tuple[str, ...] = ("balanced", "paper")
    suite: str = "standard"
    attacker: tuple[str, ...] = ()
    """Instead of the suite."""
    private: str | None = None
    """None: the recipe's; so is `target`."""
    target: str | None = None
    data: str | None = None
    split: str | None = None
    rows: int | None = None
    group: str | None = None
    skip_unreadable: bool = False
    tolerance: float = 0.10
    seeds: int = 1
    memorisation: bool = False
    batch_size: int = 512
    amp: bool = False

    def typed(self, subject: str, private: str, seed: int) -> str:
        """The command that attacks a subject so."""
        flags = {
            "private": private, "seed": seed, "auxiliary": self.auxiliary, "attacker": self.attacker,
            "suite": self.suite, "target": self.target, "data": self.data, "split": self.split, "rows": self.rows,
            "group": self.group, "skip-unreadable": self.skip_unreadable, "tolerance": self.tolerance,
            "seeds": self.seeds, "memorisation": self.memorisation, "amp": self.amp,
        }  # fmt: skip
        plain = {"suite": "standard", "tolerance": 0.10, "seeds": 1, "seed": 0}
        words = ["leakaudit", "attack", subject]
        for name, value in flags.items():
            if value is True:
                words.append(f"--{name}")
            elif value not in (None, False, plain.get(name)):
                words += [
                    w for each in (value if isinstance(value, tuple) else (value,)) for w in (f"--{name}", str(each))
                ]
        return shlex.join(words)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one cell is given, and trusted not to exceed."""

    cpus: int = 1
    """Cores, and threads of its arithmetic."""
    gpus: float = 0.0
    """GPUs, or the share of one; with none it runs on the CPU."""
    memory: str = ""
    """`4 GB`; empty: not counted."""

    @property
    def bytes(self) -> int:
        """`memory` in bytes; 0 where it is not counted."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]i?B)", self.memory)
        return int(float(found[1]) * UNITS[found[2]]) if found else 0


def attack(table: Mapping[str, Any], where: str) -> Attack:
    """
    The table [attack] of the plan at `where`.

    Raises:
        InputError: an unknown option, or a value that it does not take.
    """
    made = Attack(**catalog.check(Attack, table, f"{where} [attack]"))
    for part in ("auxiliary", "attacker"):
        listed = getattr(made, part)
        if len(set(listed)) < len(listed):
            raise InputError(f"{where} [attack]: {part}: {max(listed, key=listed.count)!r} stands there twice")
    if made.target is not None and made.target == made.private:
        raise InputError(f"{where} [attack]: target and private are both {made.target!r}")
    for name in made.auxiliary:
        if name not in protocol.AUXILIARIES:
            raise InputError(f"{where} [attack]: no auxiliary {name!r}. {catalog.suggest(name, protocol.AUXILIARIES)}")
    if protocol.DECIDING not in made.auxiliary:
        raise InputError(f"{where} [attack]: auxiliary: {protocol.DECIDING!r} is missing, which decides the verdict")
    if made.suite not in protocol.SUITES:
        raise InputError(f"{where} [attack]: no suite {made.suite!r}. {catalog.suggest(made.suite, protocol.SUITES)}")
    for name in made.attacker:
        catalog.call("attackers", name, f"{where} [attack] attacker")
    for knob in ("rows", "seeds", "batch_size"):
        if getattr(made, knob) is not None and getattr(made, knob) < 1:
            raise InputError(f"{where} [attack]: {knob} = {getattr(made, knob)}: at least 1 expected")
    if not 0 < made.tolerance < 1:
        raise InputError(f"{where} [attack]: tolerance = {made.tolerance:g}: a number between 0 and 1 expected")
    return made


def resources(table: Mapping[str, Any], where: str) -> Resources:
    """
    The table [resources] of the plan at `where`.

    Raises:
        InputError: an unknown resource, or an amount that is none.
    """
    made = Resources(**catalog.check(Resources, table, f"{where} [resources]"))
    if made.cpus < 1:
        raise InputError(f"{where} [resources]: cpus = {made.cpus}: at least 1 expected")
    if made.gpus < 0 or (made.gpus > 1 and made.gpus % 1):
        raise InputError(f"{where} [resources]: gpus = {made.gpus:g}: a share of one GPU, or a whole number expected")
    if made.memory and not made.bytes:
        raise InputError(f'{where} [resources]: memory = {made.memory!r}: a size such as "4 GB" expected')
    return made
