"""The real command at the edge of sense: one line and its exit status, or an audit; never a traceback."""

import json

import numpy as np
import pytest

from leakaudit.verdict import WORST_FIRST

ROWS = 700
RNG = np.random.default_rng(0)
V = RNG.integers(0, 2, ROWS)
Y = RNG.integers(0, 2, ROWS)
Z = RNG.standard_normal((ROWS, 8)) + 2 * V[:, None] * (np.arange(8) == 1)


def overflowed() -> np.ndarray:
    """Numbers that float16 cannot hold in two rows."""
    z = Z.copy()
    z[[40, 90], 3] = 1e5
    with np.errstate(over="ignore"):
        return z.astype(np.float16)


REFUSED = {
    "float16 overflow": ({"z": overflowed()}, "z is not finite (NaN or infinity) in 2 of 700 rows, first in row 40"),
    "constant": ({"z": np.full((ROWS, 8), 3.7)}, "z is the same in all 700 attack rows: there is nothing to read"),
    "beyond float32": ({"z": Z * 1e60}, "z is not finite (NaN or infinity) in 700 of 700 rows, first in row 0"),
    "a class to each row": ({"colour": np.arange(ROWS), "digit": np.arange(ROWS)}, "'colour' is a function of 'digit'"),
}


@pytest.mark.parametrize(("arrays", "words"), REFUSED.values(), ids=REFUSED)
def test_an_impossible_question_ends_in_one_line(arrays, words, tmp_path, leakaudit_here):
    """Exit 2: nothing on stdout, and one line that says what is wrong."""
    np.savez(tmp_path / "e.npz", **{"z": Z, "colour": V, "digit": Y, **arrays})
    done = leakaudit_here("attack", "e.npz", "--private", "colour", "--target", "digit", "--attacker", "linear")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = [each for each in done.stderr.splitlines() if words in each]
    assert "e.npz" in line


@pytest.mark.parametrize(("unit", "status"), [(1.0, 1), (0.0, 3)])
def test_a_gate_on_numbers_of_any_unit_and_attributes_with_labels_of_their_own(unit, status, tmp_path, leakaudit_here):
    """float16 in unlike units, labels missing in unlike rows: exit 1 for a leak, 3 where rows tell nothing of it."""
    z = Z * np.array([1, 1, 1e4, 1, 1e-4, 1, 1, 1]) * np.where(np.arange(8) == 1, unit, 1.0)
    colour = np.where(RNG.random(ROWS) < 0.3, np.nan, V)
    hat = np.where(RNG.random(ROWS) < 0.3, "", np.where(RNG.random(ROWS) < 0.5, "yes", "no"))
    np.savez(tmp_path / "e.npz", z=z.astype(np.float16), colour=colour, hat=hat, digit=Y)
    words = ("--private", "colour", "--private", "hat", "--target", "digit", "--max-private-accuracy", "colour=0.6")
    done = leakaudit_here("attack", "e.npz", *words, "--attacker", "linear", "--format", "json")
    assert done.returncode == status, done.stderr
    audit = json.loads(done.stdout)
    assert [each["rows"]["missing"] for each in audit["attributes"]] == [
        int(np.isnan(colour).sum()),
        int((hat == "").sum()),
    ]
    assert {each["verdict"] for each in audit["attributes"]} <= set(WORST_FIRST)
