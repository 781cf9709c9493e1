"""What every data set that needs no file promises; a new one is tested unasked."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from leakaudit import catalog
from leakaudit.dataset import Dataset, Images
from leakaudit.datasets import splits
from leakaudit.errors import InputError


@pytest.fixture(params=catalog.names("datasets"))
def source(request: pytest.FixtureRequest) -> ModuleType:
    """Each data set in turn."""
    return catalog.thing("datasets", request.param)


def every(source: ModuleType, root: Path) -> dict[str, Dataset]:
    """All splits, or a skip where the data are not here."""
    try:
        return {split: source.load(split, root) for split in splits(source, root, {})}
    except InputError:
        pytest.skip("its data are not here")


def test_every_split_is_a_data_set_of_one_shape(source: ModuleType, tmp_path: Path) -> None:
    """Each split holds images and labels of one length, and all splits share shape, classes and normalisation."""
    found = every(source, tmp_path)
    assert {"train", "test"} <= set(found)
    for split, data in found.items():
        assert data.split == split
        assert isinstance(data.images, Images)
        batch = data.images.batch(np.array([0, len(data) - 1]))
        assert batch.shape == (2, *data.images.shape)
        assert len(data.ids) == len(data)
        for labels in data.columns.values():
            assert len(labels.values) == len(data)
            assert labels.values.max() < len(labels.classes)
        assert [labels.classes for labels in data.columns.values()] == [
            labels.classes for labels in found["train"].columns.values()
        ]
        assert (data.images.shape, data.mean, data.std) == (
            found["train"].images.shape,
            found["train"].mean,
            found["train"].std,
        )


def test_no_image_is_in_two_splits(source: ModuleType, tmp_path: Path) -> None:
    """What a model is trained on is never what it is judged on."""
    ids = np.concatenate([data.ids for data in every(source, tmp_path).values()])
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
