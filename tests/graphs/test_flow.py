"""The values of an image decide nothing of the work or the memory of a graph; the shape of an image may."""

from pathlib import Path

import numpy as np
import pytest
from drawn import FLOAT, cnn, helper, mlp, model, numbers, numpy_helper, onnx

from leakaudit.errors import RefusedError
from leakaudit.graphs import flow

WHERE = Path("m.onnx")
INT, BOOL = onnx.TensorProto.INT64, onnx.TensorProto.BOOL
node, value = helper.make_node, helper.make_tensor_value_info


def classifier(*nodes):
    """A classifier with something beside it: `seen` is of the image's values, `sides` of its shape, `one` is held."""
    whole = [
        node("Flatten", ["x"], ["z"]),
        node("Gemm", ["z", "w"], ["l"]),
        node("ReduceMax", ["x"], ["top"], keepdims=0),
        node("Cast", ["top"], ["seen"], to=INT),
        node("Shape", ["x"], ["whole"]),
        node("Gather", ["whole", "zero"], ["sides"]),
        *nodes,
    ]
    held = {"w": numbers(48, 2), "zero": np.zeros((), np.int64), "one": np.ones((), np.int64), "yes": np.array(True)}
    held["no"] = np.array(False)
    return model(whole, held, ["n", 3, 4, 4], {"l": ["n", 2]})


def looped(count: str, start: str, goes: str):
    """A Loop of so many rounds, that starts and goes on by those conditions."""
    body = helper.make_graph(
        [node("Sin", ["a"], ["b"]), node("Greater", ["a", "top"], ["low"]), node("Identity", ["go"], ["same"])],
        "body",
        [value("i", INT, []), value("go", BOOL, []), value("a", FLOAT, [])],
        [value(goes, BOOL, []), value("b", FLOAT, [])],
    )
    return node("Loop", [count, start, "top"], ["big"], body=body)


def branched(condition: str):
    """An If between two numbers."""
    two = [helper.make_graph([node("Neg", ["top"], [name])], name, [], [value(name, FLOAT, [])]) for name in "ab"]
    return node("If", [condition], ["big"], then_branch=two[0], else_branch=two[1])


def scanned(*inner):
    """A Scan over the images, with these operators inside: `part` is an image."""
    body = helper.make_graph(
        [node("ReduceMax", ["part"], ["most"], keepdims=0), *inner],
        "body",
        [value("part", FLOAT, None)],
        [value("most", FLOAT, [])],
    )
    return node("Scan", ["x"], ["big"], body=body, num_scan_inputs=1)


SIZED = {
    "ConstantOfShape": ["{}"],
    "Range": ["zero", "{}", "one"],
    "Expand": ["one", "{}"],
    "Tile": ["x", "{}"],
    "Reshape": ["x", "{}"],
    "Resize": ["x", "", "", "{}"],
    "Pad": ["x", "{}"],
    "Slice": ["x", "zero", "{}"],
    "TopK": ["x", "{}"],
    "OneHot": ["one", "{}", "x"],
    "Split": ["x", "{}"],
    "SplitToSequence": ["x", "{}"],
    "ReduceSum": ["x", "{}"],
    "Unsqueeze": ["x", "{}"],
    "MaxUnpool": ["x", "whole", "{}"],
    "AffineGrid": ["x", "{}"],
    "Compress": ["x", "{}"],
    "NonZero": ["{}"],
    "Unique": ["{}"],
    "NonMaxSuppression": ["{}"],
}
"""Operators, and what enters them: `{}` is the size."""


@pytest.mark.parametrize(("operator", "inputs"), SIZED.items(), ids=SIZED)
def test_a_size_comes_of_shapes_not_of_values(operator, inputs):
    """The same operator passes with a side of the image, and is refused by name with one of its values."""
    flow.check(classifier(node(operator, [each.format("sides") for each in inputs], ["big"])), WHERE)
    made = classifier(node(operator, [each.format("seen") for each in inputs], ["big"], name="bomb"))
    with pytest.raises(RefusedError, match=rf"m\.onnx: operator {operator} bomb: the size of what it puts out") as told:
        flow.check(made, WHERE)
    assert str(told.value).isprintable()


def test_rounds_and_branches_come_of_shapes_not_of_values():
    """How often a Loop runs, and which graph an If runs."""
    asked = node("Cast", ["sides"], ["asked"], to=BOOL)
    doubt = node("Cast", ["seen"], ["doubt"], to=BOOL)
    for fine in (looped("sides", "yes", "same"), looped("", "asked", "same"), branched("asked"), scanned()):
        flow.check(classifier(asked, doubt, fine), WHERE)
    bad = (looped("seen", "yes", "same"), looped("", "doubt", "same"), looped("one", "yes", "low"), branched("doubt"))
    for each in bad:
        with pytest.raises(RefusedError, match=rf"operator {each.op_type} big: whether or how often it runs its graph"):
            flow.check(classifier(asked, doubt, each), WHERE)


def test_inner_graphs_are_followed():
    """What an inner graph takes from the outer one, is handed, carries on, or puts out, depends as it did there."""
    inside = [node("Cast", ["most"], ["count"], to=INT), node("ConstantOfShape", ["count"], ["none"])]
    outer = [node("ConstantOfShape", ["seen"], ["none"])]
    after = [node("Cast", ["big"], ["count"], to=INT), node("ConstantOfShape", ["count"], ["none"])]
    flow.check(classifier(scanned(node("ConstantOfShape", ["sides"], ["none"]))), WHERE)
    for made in (
        [scanned(*inside)], [scanned(*outer)], [scanned(), *after], [looped("one", "yes", "same"), *after],
        [node("Cast", ["one"], ["sure"], to=BOOL), branched("sure"), *after],
    ):  # fmt: skip
        with pytest.raises(RefusedError, match="operator ConstantOfShape none: the size"):
            flow.check(classifier(*made), WHERE)


def test_a_carried_value_is_followed_from_round_to_round():
    """What enters a carried place in one round is what the next counts by."""
    body = helper.make_graph(
        [
            node("ConstantOfShape", ["second"], ["none"]),
            node("Identity", ["first"], ["moved"]),
            node("Identity", ["seen"], ["fresh"]),
            node("Identity", ["go"], ["same"]),
        ],
        "body",
        [value("i", INT, []), value("go", BOOL, []), value("first", INT, []), value("second", INT, [])],
        [value("same", BOOL, []), value("fresh", INT, []), value("moved", INT, [])],
    )
    made = classifier(node("Loop", ["one", "yes", "one", "one"], ["p", "q"], body=body))
    with pytest.raises(RefusedError, match="operator ConstantOfShape none"):
        flow.check(made, WHERE)


@pytest.mark.parametrize("operator", ["RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"])
def test_a_graph_that_draws_is_refused(operator):
    """What comes out would be no function of the image."""
    with pytest.raises(RefusedError, match=f"operator {operator} big: it draws random numbers"):
        flow.check(classifier(node(operator, ["one"], ["big"])), WHERE)


def test_dropout_passes_unless_it_trains():
    """Told by a held False, or by nothing, that it is at rest."""
    for at_rest in (["x"], ["x", "one"], ["x", "", ""], ["x", "one", "no"]):
        flow.check(classifier(node("Dropout", at_rest, ["big"])), WHERE)
    for told in ("yes", "sides"):
        with pytest.raises(RefusedError, match="operator Dropout big: it draws random numbers"):
            flow.check(classifier(node("Dropout", ["x", "one", told], ["big"])), WHERE)


def test_an_operator_that_nobody_listed_does_not_pass():
    """It may take held tensors, and nothing of the image; nor does one that holds a graph, or a function."""
    flow.check(classifier(node("StringSplit", ["one"], ["big"])), WHERE)
    with pytest.raises(RefusedError, match="operator StringSplit big: it is not known to take the same memory"):
        flow.check(classifier(node("StringSplit", ["x"], ["big"])), WHERE)
    body = helper.make_graph([node("Sin", ["a"], ["b"])], "body", [value("a", FLOAT, [])], [value("b", FLOAT, [])])
    with pytest.raises(RefusedError, match="operator SequenceMap big: it holds a graph"):
        flow.check(classifier(node("SequenceMap", ["one"], ["big"], body=body)), WHERE)
    made = mlp()
    made.functions.append(helper.make_function("own", "F", [], [], [], [helper.make_opsetid("", 17)]))
    with pytest.raises(RefusedError, match="function F cannot be written out"):
        flow.check(made, WHERE)


def test_classifiers_pass():
    """Of fixed and of free sizes, and one whose rows are counted by Shape, as exporters write it."""
    for made in (mlp(), mlp(1, end="Softmax"), cnn(), cnn(("n", 4, 4, 3), last=True)):
        flow.check(made, WHERE)
    held = node("Constant", [], ["rest"], value=numpy_helper.from_array(np.array([48])))
    rows = [node("Unsqueeze", ["sides", "axes"], ["rows"]), node("Concat", ["rows", "rest"], ["target"], axis=0)]
    flow.check(classifier(held, *rows, node("Reshape", ["x", "target"], ["flat"])), WHERE)
