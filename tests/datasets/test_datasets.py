"""What every data set promises; a new one is tested unasked, on the little one that its own tests make."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from leakaudit import catalog
from leakaudit.dataset import Dataset, Images
from leakaudit.datasets import splits
from leakaudit.errors import InputError
from leakaudit.numerics.resizing import fit

APART = ("train", "validation", "test")
BUILT_IN = ("digits",)
"""Data sets that need no file."""
NEED_A_FILE = ("arrays", "biased-mnist", "folders", "huggingface", "table")
"""Data sets whose tests make each its own files, not one layout."""
LAID_OUT = [name for name in catalog.names("datasets") if name not in (*BUILT_IN, *NEED_A_FILE)]


@pytest.fixture(params=[*BUILT_IN, *LAID_OUT])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> ModuleType:
    """Each data set in turn, laid out below `tmp_path` by `make` of its own tests."""
    if request.param in LAID_OUT:
        importlib.import_module(f"test_{request.param.replace('-', '_')}").make(tmp_path)
    return catalog.thing("datasets", request.param)


def every(source: ModuleType, root: Path) -> dict[str, Dataset]:
    """All splits."""
    return {split: source.load(split, root) for split in splits(source, root, {})}


def test_every_split_is_a_data_set_of_one_shape(source: ModuleType, tmp_path: Path) -> None:
    """Each split holds images and labels of one length, and all splits share shape, classes and normalisation."""
    found = every(source, tmp_path)
    assert set(found) <= set(source.SPLITS)
    assert source.SPLITS[-1] in found
    first = next(iter(found.values()))
    for split, data in found.items():
        assert data.split == split
        assert isinstance(data.images, Images)
        rows = np.array([0, len(data) - 1])
        batch = torch.from_numpy(np.ascontiguousarray(data.images.batch(rows)))
        assert fit(batch, data.images.shape).shape == (2, *data.images.shape)
        assert len(data.images.contents(rows)) == 2
        assert len(data.ids) == len(data) == len(data.images)
        for labels in data.columns.values():
            assert len(labels.values) == len(data)
            assert not labels.classes or labels.values.max() < len(labels.classes)
        assert {name: labels.classes for name, labels in data.columns.items()} == {
            name: labels.classes for name, labels in first.columns.items()
        }
        assert (data.images.shape, data.mean, data.std) == (first.images.shape, first.mean, first.std)


def test_no_image_is_in_two_splits(source: ModuleType, tmp_path: Path) -> None:
    """What a model is trained on is never what it is judged on."""
    found = every(source, tmp_path)
    ids = np.concatenate([found[split].ids for split in APART if split in found])
    assert len(np.unique(ids)) == len(ids)


def test_the_same_call_gives_the_same_data(source: ModuleType, tmp_path: Path) -> None:
    """Loading twice gives equal fingerprints, and the fingerprints of two splits differ."""
    once, again = every(source, tmp_path), every(source, tmp_path)
    assert [data.fingerprint for data in once.values()] == [data.fingerprint for data in again.values()]
    assert len({data.fingerprint for data in once.values()}) == len(once)


def test_a_split_that_is_not_there_is_refused_in_one_line(source: ModuleType, tmp_path: Path) -> None:
    """An unknown split is the user's to correct."""
    with pytest.raises(InputError) as error:
        source.load("tset", tmp_path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", LAID_OUT)
def test_where_the_data_are_not_there_one_line_says_what_to_put_where(name: str, tmp_path: Path) -> None:
    """The message names the folder below the root, and where the data come from."""
    source = catalog.thing("datasets", name)
    with pytest.raises(InputError) as error:
        source.load(source.SPLITS[-1], tmp_path)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{name}: not here: {tmp_path}")
    assert "http" in message
    assert "put " in message
