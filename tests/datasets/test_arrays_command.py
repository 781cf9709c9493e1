"""From arrays to an audit by the real command: vectors train, and what they give away is found."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECIPE = """
[dataset]
name = "arrays"
file = "made.npz"
target = "sick"
private = "sex"
[backbone]
name = "mlp"
width = 8
depth = 1
[method]
name = "vanilla"
[train]
epochs = 4
batch_size = 50
optimizer = { name = "Adam", lr = 2e-2 }
"""


def write(folder: Path, shape: tuple[int, ...], kept: float) -> None:
    """
    600 rows far from 0, whose first number says the target and whose second the private label.

    `kept` is how far apart the second number keeps the two classes; in training rows they agree with the target.
    """
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 600)
    v = np.where(np.arange(600) < 250, np.where(random.random(600) < 0.9, y, 1 - y), random.integers(0, 2, 600))
    x = random.normal(size=(600, int(np.prod(shape)))).astype(np.float32)
    x[:, 0] += 4 * y
    x[:, 1] += kept * v
    labels: dict[str, Any] = {
        "sick": np.array(["no", "yes"])[y],
        "sex": np.array(["f", "m"])[v],
        "split": np.where(np.arange(600) < 250, "train", "test"),
    }
    np.savez(folder / "made.npz", x=(100 + 10 * x).reshape(600, *shape), **labels)
    (folder / "vec.toml").write_text(RECIPE)


@pytest.mark.parametrize(("kept", "leaks"), [(6.0, True), (0.0, False)])
def test_what_vectors_give_away_is_found_and_nothing_else(
    tmp_path: Path, leakaudit_here: Any, kept: float, *, leaks: bool
) -> None:
    """Train, attack: a private label that the vectors hold is read from the bottleneck; one they do not hold is not."""
    write(tmp_path, (6,), kept)
    trained = leakaudit_here("train", "vec.toml")
    assert trained.returncode == 0, trained.stderr
    attacked = leakaudit_here("attack", "vec", "--private", "sex", "--attacker", "linear", "--format", "json", "-q")
    assert attacked.returncode == 0, attacked.stderr
    audit = json.loads(attacked.stdout)
    found = audit["attributes"][0]
    assert audit["data"]["name"] == "arrays:file=made.npz"
    assert (found["verdict"] in ("LEAK", "DETECTED")) == leaks
    assert (found["figures"]["excess"]["value"] > 0.5) == leaks
    card = json.loads(next(tmp_path.rglob("checkpoint.json")).read_text())
    assert card["accuracy"]["value"] > 0.6
    assert card["mean"][0] > 90


def test_what_cannot_be_rebuilt_is_refused_in_one_line(tmp_path: Path, leakaudit_here: Any) -> None:
    """A vector is no picture, and images whose numbers leave 0..1 are none that a decoder rebuilds."""
    for shape, message in (((6,), "images of 1x1 pixels: SSIM needs"), ((5, 5), "images hold numbers from")):
        write(tmp_path, shape, 6.0)
        assert leakaudit_here("train", "vec.toml", "--set", "train.epochs=1").returncode == 0
        done = leakaudit_here(
            "reconstruct", str(next((tmp_path / ".leakaudit/checkpoints/vec").iterdir())), "--private", "sex", "-q"
        )
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        shutil.rmtree(tmp_path / ".leakaudit")
