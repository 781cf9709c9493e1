"""Fresh weights of a graph have the spread that He's rule says, and nothing that was learnt stays unsaid."""

from pathlib import Path

import numpy as np
import pytest
from drawn import cnn, helper, mlp, model, numbers, numpy_helper

from leakaudit import anatomy
from leakaudit.errors import InputError
from leakaudit.graphs import redrawing

WHERE = Path("m.onnx")
MANY = 400
"""Sides of a matrix whose spread is measured: its relative error is about 1 / MANY."""


def drawn(made, seed: int = 0) -> dict[str, np.ndarray]:
    """The tensors of a redrawn graph."""
    fresh = redrawing.redrawn(made, seed, WHERE)
    return {name: numpy_helper.to_array(each) for name, each in anatomy.constants(fresh.graph).items()}


def test_weights_have_the_variance_of_he():
    """Two over the numbers that enter, whichever way round the matrix lies; what is added is 0."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "turned", "b"], ["h"], transB=1),
        helper.make_node("MatMul", ["h", "straight"], ["u"]),
        helper.make_node("Add", ["u", "c"], ["l"]),
    ]
    held = {"turned": numbers(MANY, 48), "b": numbers(MANY), "straight": numbers(MANY, 300), "c": numbers(300)}
    found = drawn(model(nodes, held, ["n", 3, 4, 4], {"l": ["n", 300]}))
    assert found["turned"].std() == pytest.approx(np.sqrt(2 / 48), rel=0.02)
    assert found["straight"].std() == pytest.approx(np.sqrt(2 / MANY), rel=0.02)
    assert not found["b"].any()
    assert not found["c"].any()


def test_a_seed_is_a_draw():
    """The same seed gives the same numbers, another others; the graph itself is not touched."""
    made = cnn()
    before = made.SerializeToString()
    one, again, two = drawn(made, 1), drawn(made, 1), drawn(made, 2)
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["k"], two["k"])
    assert made.SerializeToString() == before


def test_normalisation_is_at_its_start():
    """Scale and variance 1, shift and mean 0."""
    made = cnn()
    made.graph.node[0].output[0] = "raw"
    made.graph.node.insert(1, helper.make_node("BatchNormalization", ["raw", "s", "t", "mean", "var"], ["m"]))
    made.graph.initializer.extend(
        numpy_helper.from_array(numbers(4, seed=9), name) for name in ("s", "t", "mean", "var")
    )
    found = drawn(made)
    assert [float(found[name].max()) for name in ("s", "t", "mean", "var")] == [1.0, 0.0, 0.0, 1.0]
    assert [float(found[name].min()) for name in ("s", "t", "mean", "var")] == [1.0, 0.0, 0.0, 1.0]


def test_what_stays_is_said():
    """A tensor whose part nobody knows stays as it is in the file, and is named; where none stays, none is."""
    made = mlp()
    assert redrawing.notes(made, WHERE) == (redrawing.RULE,)
    made.graph.node[1].input[0] = "shifted"
    made.graph.node.insert(1, helper.make_node("Mul", ["f", "mask"], ["shifted"]))
    made.graph.initializer.append(numpy_helper.from_array(numbers(48), "mask"))
    assert "1 of 5 tensors stay as in the file (mask)" in redrawing.notes(made, WHERE)[1]
    np.testing.assert_array_equal(drawn(made)["mask"], numbers(48))


def test_quantised_weights_are_not_drawn():
    """There is no such baseline, and the reason is said."""
    made = mlp()
    made.graph.node.append(helper.make_node("DynamicQuantizeLinear", ["z"], ["q", "scale", "zero"]))
    with pytest.raises(InputError, match="quantised"):
        redrawing.redrawn(made, 0, WHERE)
