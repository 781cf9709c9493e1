"""A few embeddings in which one label is plain to read, in memory and in files, and one audit of them."""

from dataclasses import replace
from typing import NamedTuple

import jaxtyping
import numpy as np
import pytest

import leakaudit

ROWS = 200
HOSTILE = '"><img src=x onerror=alert(1)>'


class Rows(NamedTuple):
    """What an auditor holds: z (n, d), and the labels of each row."""

    z: np.ndarray
    gender: np.ndarray
    hair: np.ndarray
    id: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """All of it as a file of embeddings has it."""
        return self._asdict()


@pytest.fixture
def unchecked(monkeypatch):
    """As for a user, types are not checked at run time: what is handed over wrongly must be refused all the same."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Embeddings of which one direction is the gender, beside noise."""
    random = np.random.default_rng(0)
    v, y = random.integers(0, 2, ROWS), random.integers(0, 3, ROWS)
    z = random.normal(size=(ROWS, 4)).astype(np.float32)
    z[:, 0] += 3 * v
    return Rows(z, np.array(["f", "m"])[v], y, np.arange(ROWS))


@pytest.fixture(scope="session")
def found(rows):
    """The audit of what is in memory."""
    return leakaudit.audit(rows.columns(), private="gender", target="hair", attacker="linear", name="z.npz")


@pytest.fixture(scope="session")
def two(found):
    """The audit as one of two private attributes, one of them with a hostile name and hostile classes."""
    (audit,), (gender,) = found.audits, found.attributes
    hostile = replace(gender, private=HOSTILE, classes=("<script>alert(1)</script>", "\u202emale"))
    subject = {**audit.subject, "name": "<b>model</b>"}
    return leakaudit.Result(((replace(audit, attributes=(hostile, gender), subject=subject), None),))
