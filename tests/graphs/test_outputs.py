"""Of several outputs of a graph the logits are told, or asked for: never guessed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import FLOAT, MLP, helper, mlp, mlp_by_hand, numbers, onnx, save

from leakaudit import anatomy
from leakaudit.errors import InputError, RefusedError
from leakaudit.graphs import graph
from leakaudit.layer import parse

WHERE = Path("m.onnx")
IMAGE = (3, 4, 4)


def several(outputs: dict, *nodes, kind: int = FLOAT, batch="n"):
    """A perceptron that puts out `l` of 3 classes, and these beside it, before it."""
    made = mlp(batch)
    made.graph.node.extend(nodes)
    own = made.graph.output.pop()
    made.graph.output.extend(helper.make_tensor_value_info(name, kind, sides) for name, sides in outputs.items())
    made.graph.output.append(own)
    return made


def test_two_that_could_be_logits_are_asked_about(tmp_path):
    """The features that a graph puts out first are not taken for its logits; whoever is asked is told the names."""
    path = save(several({"z": ["n", 5]}), tmp_path)
    told = r"m\.onnx: 2 outputs, of which 2 could be the logits \(z \(n, 5\), l \(n, 3\)\); name one of them by --layer"
    for ask in (graph.describe, graph.load):
        with pytest.raises(InputError, match=told):
            ask(path)


@pytest.mark.parametrize("name", ["l", "two"])
def test_the_one_that_a_layer_names_is_taken(tmp_path, name):
    """By the name of the output or of its operator; the bottleneck is what leads to it."""
    path, layers = save(several({"z": ["n", 5]}), tmp_path), (parse(name),)
    about = graph.describe(path, layers=layers)
    assert (about.classes, about.width) == (3, 5)
    assert "of 2 outputs l is taken, which --layer names" in about.notes
    x = numbers(3, *IMAGE)
    np.testing.assert_allclose(graph.load(path, layers=layers)(torch.from_numpy(x)), mlp_by_hand(x)[1], atol=1e-5)


def test_the_one_of_as_many_numbers_as_classes_is_taken(tmp_path):
    """Where the classes are known, and where one output alone has so many."""
    path = save(several({"z": ["n", 5]}), tmp_path)
    assert graph.describe(path, classes=3).width == 5
    assert graph.load(path, classes=3).parts.logits == "l"
    with pytest.raises(InputError, match="could be the logits"):
        graph.describe(path, classes=4)
    same = several({"again": ["n", 3]}, helper.make_node("Neg", ["l"], ["again"]))
    with pytest.raises(InputError, match="could be the logits"):
        anatomy.of(same, WHERE, classes=3)


def test_what_cannot_be_logits_is_passed_over():
    """A map, labels, a table that has no row for each image: one is left, which is taken and named."""
    flat = helper.make_node("ArgMax", ["l"], ["label"], axis=1)
    for outputs, kind in (
        ({"r": ["n", 4, 2, 2]}, FLOAT),
        ({"label": ["n", 1]}, onnx.TensorProto.INT64),
        ({"w2": [7, 5]}, FLOAT),
    ):
        found = anatomy.of(several(outputs, flat, kind=kind), WHERE)
        assert (found.logits, found.bottleneck) == ("l", "z")
        assert "of 2 outputs l is taken, the only one that could be logits" in found.notes
    assert anatomy.of(several({"w2": [3, 5]}, batch=2), WHERE).logits == "l"
    with pytest.raises(InputError, match=r"z \(2, 5\), l \(2, 3\)"):
        anatomy.of(several({"z": [2, 5]}, batch=2), WHERE)
    made = several({"r": ["n", 4, 2, 2]})
    del made.graph.output[1]
    made.graph.output.append(helper.make_tensor_value_info("l", FLOAT, None))
    with pytest.raises(RefusedError, match=r"2 outputs \(r, l\), none of them known"):
        anatomy.of(made, WHERE)
    assert MLP["w2"].shape == (3, 5)


def test_logits_and_their_softmax_are_one_answer():
    """In either order; the logits are what enters the softmax."""
    made = several({"p": ["n", 3]}, helper.make_node("Softmax", ["l"], ["p"]))
    for _ in range(2):
        found = anatomy.of(made, WHERE)
        assert (found.logits, found.end) == ("l", "softmax")
        made.graph.output.extend([made.graph.output.pop(0)])
    other = several({"p": ["n", 3]}, helper.make_node("Softmax", ["b2"], ["p"]))
    with pytest.raises(InputError, match="could be the logits"):
        anatomy.of(other, WHERE)
