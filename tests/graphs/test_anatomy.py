"""A graph that is written to keep its reader busy is read in no time."""

import time
from pathlib import Path

import pytest
from drawn import helper, mlp, save

from leakaudit import anatomy
from leakaudit.errors import RefusedError
from leakaudit.graphs import flow, graph

WHERE = Path("m.onnx")
MANY = 10_000
SOON = 3.0
"""Seconds of processor time: a walk that is quadratic in `MANY` takes three times that, or more."""
node = helper.make_node


def spent(made) -> float:
    """Seconds that the reading of a graph takes."""
    start = time.process_time()
    flow.check(made, WHERE)
    anatomy.of(made, WHERE)
    return time.process_time() - start


def test_a_long_chain_and_a_wide_operator_are_read_soon():
    """Each name is walked over a bounded number of times."""
    chained = mlp()
    chained.graph.node.extend(node("Identity", [f"c{each}" if each else "l"], [f"c{each + 1}"]) for each in range(MANY))
    chained.graph.output[0].name = f"c{MANY}"
    wide = mlp()
    body = helper.make_graph([node("Sin", ["a"], ["b"])], "body", [], [])
    body.input.extend(helper.make_tensor_value_info(f"i{each}", 1, []) for each in range(MANY))
    wide.graph.node.append(node("Scan", ["l"] * (MANY + 1), ["o"] * MANY, body=body, num_scan_inputs=1))
    assert spent(chained) < SOON
    assert spent(wide) < SOON


@pytest.mark.parametrize(
    "strange",
    [node("Identity", ["l"], ["l"]), node("Identity", [], ["l"]), node("Softmax", [], ["l"]), node("Constant", [], [])],
    ids=["a circle", "nothing enters", "a softmax of nothing", "nothing comes out"],
)
def test_a_graph_that_is_none_is_refused(tmp_path, strange):
    """In one line, whatever it lacks, and without end where it has none."""
    made = mlp()
    made.graph.node.append(strange)
    with pytest.raises(RefusedError, match="it cannot be run"):
        graph.describe(save(made, tmp_path))
