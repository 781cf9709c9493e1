"""A checkpoint is a whole folder whose weights are those it promises, or it is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakaudit import checkpoint, store
from leakaudit.checkpoint import Card, Checkpoint
from leakaudit.errors import InputError, RefusedError
from leakaudit.stats import Interval

TEXT = """
[dataset]
name = "digits"
target = "digit"
private = "colour"
[backbone]
name = "simple-convnet"
[method]
name = "vanilla"
"""
WEIGHTS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "steps": np.array(9)}
IDS = np.array([3, 2**63 + 1], dtype=np.uint64)
CARD = Card(
    recipe="try/vanilla",
    text=TEXT,
    overrides={"train.epochs": 3, "train.optimizer": {"name": "SGD", "lr": 0.1}},
    seed=4,
    tensors=store.digest_tensors(WEIGHTS),
    shape=(3, 8, 8),
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    target_classes=("0", "1"),
    private_classes=("red", "green"),
    bottleneck="classifier",
    width=3,
    table=((1, 0), (0, 1)),
    accuracy=Interval(0.5, 0.1, 0.9),
    accuracy_split="test",
    provenance={"torch": "2"},
)


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoint:
    """A checkpoint in a store."""
    return checkpoint.save(tmp_path / "checkpoints" / "try" / "vanilla" / "0123456789ab", CARD, WEIGHTS, IDS)


def test_a_checkpoint_comes_back_as_it_was(saved: Checkpoint) -> None:
    """Card, weights (scalars among them), rows and the recipe with its overrides."""
    found = checkpoint.load(saved.folder)
    assert found.card == CARD
    assert found.recipe.train.epochs == 3
    assert found.recipe.train.optimizer == {"name": "SGD", "lr": 0.1}
    assert {name: tensor.shape for name, tensor in found.weights.items()} == {"w": (2, 3), "steps": ()}
    assert all(np.array_equal(found.weights[name], tensor) for name, tensor in WEIGHTS.items())
    assert np.array_equal(found.trained, IDS)
    assert found.table.tolist() == [[1, 0], [0, 1]]
    assert found.name == f"try/vanilla@{CARD.tensors[:8]}"


def test_the_card_is_written_last(saved: Checkpoint) -> None:
    """Without it the folder is no checkpoint; with a state to resume the message says how to go on."""
    (saved.folder / "checkpoint.json").unlink()
    with pytest.raises(InputError, match="not a checkpoint folder"):
        checkpoint.load(saved.folder)
    (saved.folder / "resume").mkdir()
    with pytest.raises(InputError, match="training has not finished; train it with --resume"):
        checkpoint.load(saved.folder)


def test_the_store_lists_complete_checkpoints_of_a_recipe(saved: Checkpoint, tmp_path: Path) -> None:
    """Unfinished folders and other recipes are not among them."""
    checkpoint.save(tmp_path / "checkpoints" / "try" / "vanilla" / "ffff", CARD, WEIGHTS, IDS)
    (tmp_path / "checkpoints" / "try" / "vanilla" / "aaaa" / "resume").mkdir(parents=True)
    checkpoint.save(tmp_path / "checkpoints" / "try" / "end" / "0000", CARD, WEIGHTS, IDS)
    assert [path.name for path in checkpoint.stored(tmp_path, "try/vanilla")] == ["0123456789ab", "ffff"]
    assert checkpoint.stored(tmp_path, "try/none") == []
    assert saved.folder in checkpoint.stored(tmp_path, "try/vanilla")


def test_other_weights_than_promised_are_refused(saved: Checkpoint) -> None:
    """One altered number is found by the hash of the tensors."""
    store.write_tensors(saved.folder / "weights.safetensors", WEIGHTS | {"w": WEIGHTS["w"] + 1e-3})
    with pytest.raises(RefusedError, match="weights have sha256"):
        checkpoint.load(saved.folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "rows.safetensors", "checkpoint.json"])
def test_a_truncated_file_is_refused(saved: Checkpoint, name: str) -> None:
    """Whichever it is."""
    path = saved.folder / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RefusedError, match=name):
        checkpoint.load(saved.folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "rows.safetensors"])
def test_a_missing_file_is_told(saved: Checkpoint, name: str) -> None:
    """A card without its tensors is no checkpoint."""
    (saved.folder / name).unlink()
    with pytest.raises(RefusedError, match=name):
        checkpoint.load(saved.folder)


def test_other_rows_than_it_was_trained_on_are_refused(saved: Checkpoint) -> None:
    """Which rows are unseen hangs on them; the positive twin is the same file with the same rows."""
    promise = store.digest_tensors({"ids": IDS})
    path = saved.folder / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trained": promise}))
    assert np.array_equal(checkpoint.load(saved.folder).trained, IDS)
    for damaged in ({"ids": IDS[:-1]}, {"ids": IDS.astype(np.float64)}, {"other": IDS}):
        store.write_tensors(saved.folder / "rows.safetensors", damaged)
        with pytest.raises(RefusedError, match=r"rows\.safetensors: not the rows"):
            checkpoint.load(saved.folder)


def test_what_the_images_were_made_of_is_kept_and_promised(tmp_path: Path) -> None:
    """Beside their identities; other hashes, or none, are refused, and where an older card promises none, none are."""
    made_of = IDS + np.uint64(1)
    card = replace(CARD, contents=store.digest_tensors({"contents": made_of}))
    found = checkpoint.save(tmp_path / "new", card, WEIGHTS, IDS, made_of)
    assert found.contents is not None
    assert np.array_equal(found.contents, made_of)
    assert checkpoint.save(tmp_path / "old", CARD, WEIGHTS, IDS).contents is None
    for damaged in ({"ids": IDS}, {"ids": IDS, "contents": IDS}):
        store.write_tensors(tmp_path / "new" / "rows.safetensors", damaged)
        with pytest.raises(RefusedError, match=r"rows\.safetensors: not the images"):
            checkpoint.load(tmp_path / "new")


def test_a_damaged_recipe_in_a_card_is_refused(saved: Checkpoint) -> None:
    """The user did not write that file, so it is no input to correct."""
    path = saved.folder / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"text": "[dataset"}))
    with pytest.raises(RefusedError, match="its recipe is damaged"):
        checkpoint.load(saved.folder)


def test_a_card_that_lacks_something_is_refused(saved: Checkpoint) -> None:
    """The message names the key; a newer format is said to be newer."""
    path = saved.folder / "checkpoint.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in data.items() if key != "width"}))
    with pytest.raises(RefusedError, match="no 'width'"):
        checkpoint.load(saved.folder)
    path.write_text(json.dumps(data | {"format": 2}))
    with pytest.raises(RefusedError, match="newer leakaudit"):
        checkpoint.load(saved.folder)


def test_identity_is_that_of_the_tensors_alone(saved: Checkpoint, tmp_path: Path) -> None:
    """The same tensors under another recipe have the same identity."""
    other = checkpoint.save(tmp_path / "other", replace(CARD, recipe="try/other", seed=5), WEIGHTS, IDS)
    assert other.card.tensors == saved.card.tensors
    assert other.name != saved.name
