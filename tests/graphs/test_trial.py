"""A graph is run over one image in a process of its own, which may take so much and no more."""

import numpy as np
import pytest
from drawn import FLOAT, helper, mlp, model, numbers, numpy_helper, onnx, save

from leakaudit.errors import RefusedError
from leakaudit.graphs import graph, trial
from leakaudit.graphs.trial import Request

REQUEST = Request("x", (1, 3, 4, 4), 0, "float32", ("z", "l"))


def test_what_was_put_out_is_told():
    """Shapes of outputs and of what lies between; two images in one pass give what each gives alone."""
    tried = trial.attempt(mlp().SerializeToString(), REQUEST, "m")
    assert tried.outputs == ((1, 5), (1, 3))
    assert tried.shapes["f"] == (1, 48)
    assert tried.together
    assert tried.rows > 1


OUT = Request("x", (1, 3, 4, 4), 0, "float32", ("o",))
"""Of a `bomb`."""


def bomb(nodes, held=None):
    """A classifier whose logits have something large added, that counts for nothing."""
    whole = [
        helper.make_node("Flatten", ["x"], ["z"]),
        helper.make_node("Gemm", ["z", "w"], ["l"]),
        *nodes,
        helper.make_node("ReduceMean", ["big"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["l", "mean"], ["o"]),
    ]
    return model(whole, {"w": numbers(48, 2), **(held or {})}, ["n", 3, 4, 4], {"o": ["n", 2]})


LARGE = np.array([1 << 14, 1 << 14, 1 << 8], np.int64)


@pytest.mark.parametrize(
    ("operator", "given", "size"),
    [("ConstantOfShape", [], LARGE), ("Expand", ["one"], LARGE), ("Tile", ["one"], LARGE[:1] << 22)],
)
def test_a_map_that_is_too_large_is_refused_before_it_is_made(tmp_path, operator, given, size):
    """Shape inference knows its size."""
    held = {"size": size, "one": np.ones(1, np.float32)}
    made = bomb([helper.make_node(operator, [*given, "size"], ["big"])], held)
    with pytest.raises(RefusedError, match=r"a map of one image has .* MiB; at most 1,024 MiB are run"):
        graph.describe(save(made, tmp_path))


def test_a_map_whose_size_is_computed_is_bounded_by_the_process(monkeypatch):
    """A size that is computed is known to no inference: the memory of the trial ends it."""
    monkeypatch.setattr(trial, "MEMORY", 1 << 30)
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("Ceil", ["top"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["count"], to=onnx.TensorProto.INT64),
        helper.make_node("Mul", ["count", "size"], ["sides"]),
        helper.make_node("ConstantOfShape", ["sides"], ["big"]),
    ]
    with pytest.raises(RefusedError, match=r"m\.onnx: (it cannot be run|running it)"):
        trial.attempt(bomb(nodes, {"size": LARGE}).SerializeToString(), OUT, "m.onnx")


def test_a_loop_without_end_is_ended(tmp_path, monkeypatch):
    """Processor time is bounded as well."""
    monkeypatch.setattr(trial, "SECONDS", 1)
    truth = helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, [])
    count = helper.make_tensor_value_info("i", onnx.TensorProto.INT64, [])
    number = [helper.make_tensor_value_info(name, FLOAT, []) for name in ("a", "b")]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["a"], ["b"])],
        "body",
        [count, truth, number[0]],
        [helper.make_tensor_value_info("on", onnx.TensorProto.BOOL, []), number[1]],
    )
    ever = numpy_helper.from_array(np.array(True))
    nodes = [
        helper.make_node("Constant", [], ["ever"], value=ever),
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("Loop", ["", "ever", "top"], ["big"], body=body),
    ]
    with pytest.raises(RefusedError, match="ended its process"):
        graph.describe(save(bomb(nodes), tmp_path))


def test_a_graph_that_is_not_valid_is_refused():
    """An operator without its inputs is refused with what the checker says, on one line."""
    made = mlp()
    del made.graph.node[1].input[1:]
    with pytest.raises(RefusedError, match="m: it cannot be run") as caught:
        trial.attempt(made.SerializeToString(), REQUEST, "m")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("operator", "attribute"), [("DepthToSpace", "blocksize"), ("MaxPool", "kernel_shape")])
def test_a_graph_that_kills_its_process_kills_no_other(tmp_path, operator, attribute):
    """A size that divides by zero, or trips an assertion, inside the library is a refusal here."""
    size = 1 << 40 if attribute == "blocksize" else [100, 100]
    node = helper.make_node(operator, ["x"], ["big"], **{attribute: size})
    with pytest.raises(RefusedError, match=r"m\.onnx: (it cannot be run|running it over one image ended its process)"):
        graph.describe(save(bomb([node]), tmp_path))
