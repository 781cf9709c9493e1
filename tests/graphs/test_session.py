"""A graph passes images as it was tried: so many at a time, of that size, and not without end."""

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import FLOAT, helper, mlp, mlp_by_hand, model, numbers, onnx, save

from leakaudit import anatomy
from leakaudit.errors import InputError, RefusedError
from leakaudit.graphs import graph, session, trial

node, value = helper.make_node, helper.make_tensor_value_info
IMAGE = (3, 4, 4)


def turning(rounds: int):
    """A classifier that turns so many times before it answers."""
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Sin", ["a"], ["b"])],
        "body",
        [value("i", onnx.TensorProto.INT64, []), value("go", onnx.TensorProto.BOOL, []), value("a", FLOAT, [])],
        [value("on", onnx.TensorProto.BOOL, []), value("b", FLOAT, [])],
    )
    nodes = [
        node("Loop", ["rounds", "", "start"], ["turned"], body=body),
        node("Flatten", ["x"], ["flat"]),
        node("Add", ["flat", "turned"], ["z"]),
        node("Gemm", ["z", "w"], ["o"]),
    ]
    held = {"w": numbers(48, 2), "rounds": np.array(rounds), "start": np.zeros((), np.float32)}
    return model(nodes, held, ["n", *IMAGE], {"o": ["n", 2]})


def test_a_pass_without_end_is_ended(monkeypatch):
    """After a multiple of what the trial took, in one line; a pass that ends in time is not."""
    monkeypatch.setattr(session, "LEAST", 0.2)
    tried = trial.Tried({}, ((1, 48), (1, 2)), together=True, rows=4, dims=(1, *IMAGE), seconds=0.001)
    runs = {}
    for rounds in (3, 1 << 40):
        made = turning(rounds)
        runs[rounds] = session.Graph(made, bytes(32), anatomy.of(made, Path("m.onnx")), tried, {})
    assert runs[3](torch.zeros(2, *IMAGE)).shape == (2, 2)
    with pytest.raises(RefusedError, match=r"had not run the graph on 4 images after 0 s, 20 times what the trial"):
        runs[1 << 40](torch.zeros(2, *IMAGE))


def test_images_pass_by_as_many_as_were_tried(tmp_path):
    """A graph that would make a map of terabytes of three images at a time is never given three."""
    nodes = [
        node("Shape", ["x"], ["sides"]),
        node("Gather", ["sides", "first"], ["n"]),
        *(node("Sub", ["n", f"{each}"], [f"less{each}"]) for each in (1, 2, trial.FEW)),
        node("Mul", ["less1", "less2"], ["some"]),
        node("Mul", ["some", f"less{trial.FEW}"], ["all"]),
        node("Mul", ["all", "all"], ["square"]),
        node("Mul", ["square", "large"], ["count"]),
        node("ConstantOfShape", ["count"], ["map"]),
        node("ReduceSum", ["map"], ["none"], keepdims=0),
        node("Flatten", ["x"], ["flat"]),
        node("Add", ["flat", "none"], ["z"]),
        node("Gemm", ["z", "w"], ["o"]),
    ]
    held = {f"{each}": np.array([each]) for each in (1, 2, trial.FEW)}
    held |= {"first": np.array([0]), "large": np.array([1 << 40]), "w": numbers(48, 2)}
    made = graph.load(save(model(nodes, held, ["n", *IMAGE], {"o": ["n", 2]}), tmp_path), IMAGE)
    x = numbers(trial.FEW + 3, *IMAGE)
    assert made.rows == trial.FEW
    expected = x.reshape(len(x), -1) @ held["w"]
    np.testing.assert_allclose(made(torch.from_numpy(x)), expected, atol=1e-4)
    np.testing.assert_allclose(made(torch.from_numpy(x[:3])), expected[:3], atol=1e-4)


def test_images_of_a_size_that_was_not_tried_do_not_pass(tmp_path):
    """Where a graph takes any size as well; those of the size that was tried do."""
    made = mlp(image=(3, "h", "w"))
    path = save(made, tmp_path)
    x = numbers(2, *IMAGE)
    np.testing.assert_allclose(graph.load(path, IMAGE)(torch.from_numpy(x)), mlp_by_hand(x)[1], atol=1e-4)
    with pytest.raises(InputError, match=r"tried with images of \[3, 4, 4\], these are \[3, 2, 8\]"):
        graph.load(path, IMAGE)(torch.zeros(2, 3, 2, 8))
