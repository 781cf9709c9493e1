"""Small ONNX graphs, built node by node, and the numbers that are in them."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT = onnx.TensorProto.FLOAT
VERSION, OPERATORS = 8, 17
"""Of the format, and of its operators."""


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, always the same."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def model(nodes, held, image, outputs, *, kind=FLOAT, imports=(), functions=()):
    """A `ModelProto`: operators, tensors by name, sides of the input `x`, sides of each output."""
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", kind, image)],
            [helper.make_tensor_value_info(name, FLOAT, sides) for name, sides in outputs.items()],
            [numpy_helper.from_array(value, name) for name, value in held.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPERATORS), *imports],
        functions=list(functions),
        producer_name="tests",
    )
    made.ir_version = VERSION
    return made


def save(made, folder: Path, name: str = "m.onnx") -> Path:
    """The file of a model."""
    (folder / name).write_bytes(made.SerializeToString())
    return folder / name


MLP = {"w1": numbers(5, 48), "b1": numbers(5), "w2": numbers(3, 5), "b2": numbers(3)}


def mlp(batch="n", *, end: str = "", image=(3, 4, 4), kind=FLOAT):
    """Flatten, Gemm, Relu, Gemm; then, if said, Softmax or Sigmoid."""
    nodes = [
        *([helper.make_node("Cast", ["x"], ["c"], to=FLOAT)] if kind != FLOAT else []),
        helper.make_node("Flatten", ["c" if kind != FLOAT else "x"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["h"], name="one", transB=1),
        helper.make_node("Relu", ["h"], ["z"], name="relu"),
        helper.make_node("Gemm", ["z", "w2", "b2"], ["l"], name="two", transB=1),
        *([helper.make_node(end, ["l"], ["p"])] if end else []),
    ]
    return model(nodes, MLP, [batch, *image], {"p" if end else "l": [batch, 3]}, kind=kind)


def mlp_by_hand(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bottleneck and logits of `mlp`, by numpy."""
    z = np.maximum(x.reshape(len(x), -1) @ MLP["w1"].T + MLP["b1"], 0)
    return z, z @ MLP["w2"].T + MLP["b2"]


CNN = {"k": numbers(4, 3, 1, 1), "kb": numbers(4), "w": numbers(4, 2), "b": numbers(2)}


def cnn(image=("n", 3, "h", "w"), *, last: bool = False):
    """Conv, Relu, GlobalAveragePool, Flatten, MatMul and Add; of images with channels last, if said."""
    nodes = [
        *([helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])] if last else []),
        helper.make_node("Conv", ["t" if last else "x", "k", "kb"], ["m"], name="stem.conv"),
        helper.make_node("Relu", ["m"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["z"]),
        helper.make_node("MatMul", ["z", "w"], ["u"], name="head"),
        helper.make_node("Add", ["u", "b"], ["l"]),
    ]
    return model(nodes, CNN, list(image), {"l": [image[0], 2]})


def cnn_by_hand(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bottleneck and logits of `cnn`, by numpy."""
    maps = np.einsum("nchw,dc->ndhw", x, CNN["k"][:, :, 0, 0]) + CNN["kb"][:, None, None]
    z = np.maximum(maps, 0).mean((2, 3))
    return z, z @ CNN["w"] + CNN["b"]
