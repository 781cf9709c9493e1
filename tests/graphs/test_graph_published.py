"""A published ONNX file, read and run: the numbers are those of a plain session of onnxruntime."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import onnx

from leakaudit.graphs import graph
from leakaudit.numerics.taps import Tapped

onnxruntime = pytest.importorskip("onnxruntime")
IMAGES = 1000
"""Of the test set: a plain session takes one at a time."""


@pytest.fixture(scope="module")
def mnist(data_root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images in 0..1 and digits."""
    parts = [
        np.frombuffer(gzip.decompress((data_root / "mnist" / f"t10k-{name}-ubyte.gz").read_bytes()), np.uint8)
        for name in ("images-idx3", "labels-idx1")
    ]
    images = parts[0][16:].reshape(-1, 1, 28, 28)[:IMAGES].astype(np.float32) / 255
    return images, parts[1][8:][:IMAGES].astype(np.int64)


def test_a_published_graph_gives_its_own_accuracy(data_root, mnist):
    """
    Logits name the classes that a plain session names, and the bottleneck is what enters the last matrix.

    The graph takes one image at a time and ends in a softmax.
    """
    path = data_root / "checkpoints" / "noahcroit_mnist" / "model_mnist.onnx"
    x, y = mnist
    plain = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    own = np.stack([plain.run(None, {"input": image})[0] for image in x])
    told = graph.describe(path)
    last = [node for node in onnx.load(path).graph.node if node.op_type in ("Gemm", "MatMul")][-1]
    assert last.input[0] in told.notes[0]
    assert (told.shape, told.classes, told.width) == ((1, 28, 28), 10, 100)
    with torch.inference_mode():
        out = Tapped(graph.load(path), told.layer)(torch.from_numpy(x))
    np.testing.assert_array_equal(out.logits.argmax(1), own.argmax(1))
    np.testing.assert_allclose(out.logits.softmax(1), own, atol=1e-6)
    right = (own.argmax(1) == y).mean()
    assert (out.logits.argmax(1).numpy() == y).mean() == right
    assert right > 0.9  # it knows digits: images enter as it was trained
    assert out.z.shape == (IMAGES, 100)
