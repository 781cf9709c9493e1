"""A hostile graph reaches no file beside it and fills no memory: it is refused, as data or in a process of its own."""

import numpy as np
import pytest
from asked import asked_of
from bombs import LOUD

onnx = pytest.importorskip("onnx")
SECONDS = 15
"""Within which a graph is tried and refused, its own process included, on a slow machine."""


def graph(nodes: list, weights: dict, *, opsets: tuple[tuple[str, int], ...] = (("", 17),)) -> bytes:
    """A model that flattens images of 1x4x4, does `nodes`, and multiplies `z` by two columns."""
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    held = {"last": np.ones((16, 2), np.float32)} | weights
    made = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), *nodes, helper.make_node("MatMul", ["z", "last"], ["logits"])],
        "g",
        [helper.make_tensor_value_info("x", real, ["n", 1, 4, 4])],
        [helper.make_tensor_value_info("logits", real, ["n", 2])],
        [onnx.numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    domains = [helper.make_opsetid(*each) for each in opsets]
    return helper.make_model(made, opset_imports=domains, ir_version=8).SerializeToString()


def foreign(kind: str, domain: str, **more: object) -> bytes:
    """A graph with an operator of another domain."""
    return graph([node(kind, ["flat"], domain=domain, **more)], {}, opsets=(("", 17), (domain, 1)))


def node(kind: str, ins: list[str], out: str = "z", **more: object) -> object:
    """One operator."""
    return onnx.helper.make_node(kind, ins, [out], **more)


def beside(location: str) -> bytes:
    """A graph whose numbers are said to lie in another file."""
    model = onnx.ModelProto.FromString(graph([node("Relu", ["flat"])], {}))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "128")):
        tensor.external_data.add(key=key, value=value)
    return model.SerializeToString()


def claimed(dims: list[int]) -> bytes:
    """A graph with a tensor that claims to be so large."""
    model = onnx.ModelProto.FromString(graph([node("Relu", ["flat"])], {}))
    model.graph.initializer[0].ClearField("dims")
    model.graph.initializer[0].dims.extend(dims)
    return model.SerializeToString()


def nested(depth: int) -> bytes:
    """Graphs within graphs."""
    helper = onnx.helper
    inner = helper.make_graph([], "end", [], [])
    for _ in range(depth):
        inner = helper.make_graph(
            [helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner)], "g", [], []
        )
    return helper.make_model(inner, ir_version=8).SerializeToString()


SIZE = {"size": np.array([10**6, 10**6], np.int64)}
TIMES = {"times": np.array([10**6, 10**6], np.int64)}
GRAPHS = {
    "passwd": lambda: beside("../../../../../../etc/passwd"),
    "absolute": lambda: beside("/etc/passwd"),
    "here": lambda: beside("w.bin"),
    "claimed": lambda: claimed([10**6, 10**6]),
    "negative": lambda: claimed([-1, 2]),
    "unfolded": lambda: graph([node("ConstantOfShape", ["size"], "big"), node("Add", ["flat", "big"])], SIZE),
    "tiled": lambda: graph([node("Tile", ["flat", "times"])], TIMES),
    "strange": lambda: foreign("Run", "evil"),
    "python": lambda: foreign("PyOp", "ai.onnx.contrib"),
    "context": lambda: foreign("EPContext", "com.microsoft", ep_cache_context="/etc/passwd"),
    "nested": lambda: nested(12),
    "loud": lambda: graph([node("Relu", ["flat"], LOUD), node("Relu", [LOUD])], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_does_nothing_but_compute(watcher, home, post, images, name):
    """Read, inspected and attacked, it ends in tensors or in one line, within bounds of memory and time."""
    path = post / f"{name}.onnx"
    path.write_bytes(GRAPHS[name]())
    (post / "w.bin").write_bytes(bytes(128))
    asked = [*asked_of(path, images)[:2], ["command", "extract", str(path), "--data", f"arrays:file={images}"]]
    ends = watcher.each(asked, home, seconds=60)
    assert len(ends) == len(asked)
    for end in ends[: 2 if name == "loud" else 3]:
        end.nothing_done()
        assert end.exit in (None, 0, 2, 4), end
        assert end.seconds < SECONDS
        assert all(line.isprintable() for line in (end.out + end.err).split("\n"))
        if end.exit:
            end.said_in_one_line()
    if name != "loud":
        assert ends[1].exit == 4
