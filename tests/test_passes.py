"""A network that is no function of one image is refused before any row is written; one that is, is read."""

from pathlib import Path

import numpy as np
import pytest
from test_extract import dataset, run

from leakaudit import network as networks
from leakaudit.catalog import Call
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError

CODE = """
import torch
from torch import nn
from torch.nn import functional

class Net(nn.Module):
    def __init__(self, classes, way):
        super().__init__()
        self.way, self.body, self.fc = way, nn.Linear(192, 6), nn.Linear(6, classes)
        self.batch = nn.BatchNorm1d(6, affine=False, track_running_stats=False)
        self.kept = nn.BatchNorm1d(6)

    def forward(self, x):
        z = self.body(x.flatten(1))
        if self.way == "dropout":
            z = functional.dropout(z)
        if self.way == "sampled":
            z = z + torch.randn_like(z)
        if self.way == "batch":
            z = self.batch(z)
        if self.way == "mean":
            z = z - z.mean(0)
        if self.way == "kept":
            z = functional.dropout(self.kept(z), training=self.training)
        return self.fc(input=z) if self.way == "keyword" else self.fc(z)
"""


def source(folder: Path, way: str) -> Encoder:
    """Own code that goes one way, with weights of its own."""
    data = dataset(12)
    (folder / "net.py").write_text(CODE)
    call = Call("net.py:Net", {"way": way})
    return Encoder("mine", "weights", call, 3, data.images.shape, data.mean, data.std, None, code=folder / "net.py")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("dropout", "mine: gives two different answers for the same image: dropout or sampling"),
        ("sampled", "mine: gives two different answers for the same image"),
        ("batch", "mine: what it says of an image depends on the images beside it: statistics of the batch"),
        ("mean", "mine: what it says of an image depends on the images beside it"),
    ],
)
def test_what_is_no_function_of_one_image_is_refused(tmp_path: Path, way: str, words: str) -> None:
    """Dropout and sampling in evaluation mode, and statistics of the batch, each have their line; no row is written."""
    with pytest.raises(InputError, match=words):
        run(tmp_path, dataset(12), source(tmp_path, way))
    assert not list(tmp_path.rglob("shard-*"))


def test_dropout_that_ends_with_training_and_kept_statistics_are_read(tmp_path: Path) -> None:
    """The same layers as they should be, and the same numbers in batches of any size."""
    one = run(tmp_path / "one", dataset(12), source(tmp_path, "kept"), batch_size=5)
    two = run(tmp_path / "two", dataset(12), source(tmp_path, "kept"), batch_size=12)
    np.testing.assert_allclose(one.z, two.z, atol=1e-5)


def test_a_classifier_that_is_called_with_a_keyword_is_read(tmp_path: Path) -> None:
    """What enters by name is the bottleneck as well."""
    found, plain = (run(tmp_path, dataset(12), source(tmp_path, way)) for way in ("keyword", "plain"))
    assert networks.of(source(tmp_path, "keyword"))[1] == "fc"
    np.testing.assert_array_equal(found.z, plain.z)
    np.testing.assert_array_equal(found.logits, plain.logits)
