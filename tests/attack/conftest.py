"""Embeddings whose leak is known, and the whole attack on them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from leakaudit import attack
from leakaudit.audits import Attribute, Audit
from leakaudit.catalog import Call
from leakaudit.dataset import Labels, identify
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.outcomes import Outcomes

LINEAR = (Call("linear", {}),)


class Attacked(NamedTuple):
    """What an attack left."""

    audit: Audit
    outcomes: dict[str, Outcomes]
    steps: list[attack.Step]

    @property
    def only(self) -> Attribute:
        """The one attribute."""
        (attribute,) = self.audit.attributes
        return attribute


def _embed(
    rows: int = 300,
    *,
    width: int = 6,
    targets: int = 2,
    privates: int = 2,
    agree: float = 0.0,
    leak: float = 0.0,
    seed: int = 0,
    group: int | None = None,
) -> Embeddings:
    """
    Unit Gaussians around a mean per target class, moved by `leak` steps per private class along one direction.

    `agree` is the share of rows whose private class is the target's own. With `group`, rows of one group share target,
    private class and half of the noise.
    """
    rng = np.random.default_rng(seed)
    units = rows if group is None else group
    unit = np.arange(rows) % units
    y = rng.integers(0, targets, units)
    v = np.where(rng.random(units) < agree, y % privates, rng.integers(0, privates, units))
    v[:privates], y[: 2 * targets] = np.arange(privates), np.arange(2 * targets) % targets
    y, v = y[unit], v[unit]
    z = rng.standard_normal((rows, width)) + (0 if group is None else rng.standard_normal((units, width))[unit])
    z[:, 0] += 3 * y
    z[:, 1] += leak * v
    logits = 3 * np.eye(targets)[y] + rng.standard_normal((rows, targets))
    columns = {
        "digit": Labels(y.astype(np.int64), tuple(f"{i}" for i in range(targets))),
        "colour": Labels(v.astype(np.int64), tuple(f"c{i}" for i in range(privates))),
    }
    ids = identify("made", [str(i) for i in range(rows)])
    origin = Origin("made", "file", "0" * 64, "", "test", f"fingerprint {seed}")
    return Embeddings(
        z.astype(np.float32), logits.astype(np.float32), columns, ids, origin, None if group is None else unit
    )


def _attacked(subject: Embeddings, **terms: Any) -> Attacked:
    """Run the attack to its end; linear alone and the balanced auxiliary unless said otherwise."""
    usual = {
        "private": ("colour",), "target": "digit", "attackers": LINEAR, "auxiliaries": ("balanced",),
        "exhibits": attack.Exhibits(), "tolerance": 0.1, "seed": 0, "device": "cpu",
    }  # fmt: skip
    run = attack.attack(subject, **{**usual, **terms})
    steps = []
    while True:
        try:
            steps.append(next(run))
        except StopIteration as end:
            return Attacked(*end.value, steps)


@pytest.fixture(scope="session")
def embed() -> Callable[..., Embeddings]:
    """Make embeddings of which the leak is known."""
    return _embed


@pytest.fixture(scope="session")
def attacked() -> Callable[..., Attacked]:
    """Attack them."""
    return _attacked
