"""Tensors of an ONNX graph come back; what reaches out of the file, or is none, is refused by name."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from drawn import CNN, FLOAT, MLP, cnn, helper, mlp, model, numbers, onnx, save

from leakaudit import catalog
from leakaudit.errors import InputError, RefusedError
from leakaudit.graphs import graph

HEAD = 1024


@pytest.fixture
def room():
    """The format."""
    return catalog.thing("weights", "onnx")


def test_initializers_come_back(room, tmp_path):
    """Every tensor by name, with its shape and numbers."""
    found = room.read(save(cnn(), tmp_path))
    assert found.format == "ONNX"
    assert set(found.tree) == set(CNN)
    for name, value in CNN.items():
        np.testing.assert_array_equal(found.tree[name], value)


def test_a_model_is_recognised_by_its_fields(room, tmp_path):
    """Any name will do; text, a zip file, zeros and another protobuf are not taken for one, even under this name."""
    made = mlp()
    assert room.recognises(made.SerializeToString()[:HEAD], Path("m.bin"))
    made.doc_string = "long " * HEAD
    assert room.recognises(made.SerializeToString()[:HEAD], Path("m.bin"))
    saved_model = b"\x08\x01\x12\x80\x10\x0a\x20\x12\x07" + b"\x12\x01" * HEAD  # schema version, then a graph
    for other in (
        b"",
        b"PK\x03\x04" + bytes(HEAD),
        bytes(HEAD),
        b"\x80\x02}q\x00." * 99,
        b"z0,z1\n1,2\n" * 99,
        saved_model,
    ):
        assert not room.recognises(other[:HEAD], tmp_path / "m.onnx")


@pytest.mark.parametrize("keep", [0, 3, 40, -1])
def test_a_truncated_file_is_refused(room, tmp_path, keep):
    """A file that was cut anywhere is no graph."""
    path = save(mlp(), tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RefusedError, match="truncated, or not an ONNX model"):
        room.read(path)


def test_a_missing_file_is_said(room, tmp_path):
    """A path that does not exist can be corrected."""
    with pytest.raises(InputError, match="no such file"):
        room.read(tmp_path / "m.onnx")


@pytest.mark.parametrize("place", ["../../etc/passwd", "beside.bin"])
def test_numbers_in_another_file_are_refused(room, tmp_path, place):
    """Inside the folder or out of it: the file alone is what was hashed."""
    made = mlp()
    (tmp_path / "beside.bin").write_bytes(bytes(4096))
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    with pytest.raises(RefusedError, match="w1 lies in another file"):
        room.read(save(made, tmp_path))


def test_numbers_in_another_file_are_found_in_attributes(room, tmp_path):
    """A tensor that an operator holds inside a branch is looked at as well."""
    hidden = helper.make_tensor("far", FLOAT, [1], [0.0])
    hidden.data_location = onnx.TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="/etc/passwd")
    out = [helper.make_tensor_value_info("o", FLOAT, None)]
    branch = helper.make_graph([helper.make_node("Constant", [], ["o"], value=hidden)], "branch", [], out)
    made = mlp()
    made.graph.node.append(helper.make_node("If", ["x"], ["o"], then_branch=branch, else_branch=branch))
    with pytest.raises(RefusedError, match="far lies in another file"):
        room.read(save(made, tmp_path))


@pytest.mark.parametrize(("domain", "operator"), [("com.evil", "Run"), ("com.microsoft", "EPContext")])
def test_an_operator_of_another_library_is_refused(room, tmp_path, domain, operator):
    """It is named; an operator of onnxruntime's own is not refused."""
    made = mlp()
    made.graph.node[2].domain, made.graph.node[2].op_type = domain, operator
    with pytest.raises(RefusedError, match=f"operator {domain}:{operator} is none of ONNX"):
        room.read(save(made, tmp_path))
    made.graph.node[2].domain, made.graph.node[2].op_type = "com.microsoft", "Gelu"
    assert set(room.read(save(made, tmp_path)).tree) == set(MLP)


def test_control_characters_do_not_reach_the_terminal(room, tmp_path):
    """A stranger's names are escaped and cut."""
    made = mlp()
    made.graph.node[2].domain = "\x1b[31m" + "x" * 999
    with pytest.raises(RefusedError) as caught:
        room.read(save(made, tmp_path))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(tmp_path)) + 300


def functions(deep: int, wide: int):
    """A model whose functions call the next `wide` times each, `deep` deep; the last is a Relu."""
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made = []
    for level in range(deep):
        names = ["i", *(f"t{number}" for number in range(wide - 1)), "o"]
        last = level == deep - 1
        calls = [
            helper.make_node("Relu" if last else f"f{level + 1}", [one], [two], domain="" if last else "own")
            for one, two in pairwise(names)
        ]
        made.append(helper.make_function("own", f"f{level}", ["i"], ["o"], calls, versions))
    nodes = [
        helper.make_node("f0", ["x"], ["y"], domain="own"),
        helper.make_node("Flatten", ["y"], ["z"]),
        helper.make_node("Gemm", ["z", "w"], ["l"], name="head"),
    ]
    return model(nodes, {"w": numbers(48, 2)}, ["n", 3, 4, 4], {"l": ["n", 2]}, imports=versions[1:], functions=made)


def test_functions_are_written_out_within_bounds(room, tmp_path):
    """Functions of functions are read; too many operators, or a function that calls itself, are refused."""
    path = save(functions(3, 2), tmp_path)
    assert set(room.read(path).tree) == {"w"}
    assert graph.describe(path).width == 48
    with pytest.raises(RefusedError, match="more than 100,000 operators"):
        room.read(save(functions(15, 10), tmp_path))
    with pytest.raises(RefusedError, match="more than 16 deep"):
        room.read(save(functions(40, 1), tmp_path))
    made = functions(1, 1)
    made.functions[0].node[0].domain, made.functions[0].node[0].op_type = "own", "f0"
    with pytest.raises(RefusedError, match="f0 calls itself"):
        room.read(save(made, tmp_path))


def test_graphs_within_graphs_are_bounded(room, tmp_path):
    """Branches of branches of branches are refused."""
    out = [helper.make_tensor_value_info("o", FLOAT, None)]
    inner = helper.make_graph([helper.make_node("Constant", [], ["o"], value_float=1.0)], "g", [], out)
    for _ in range(20):
        node = helper.make_node("If", ["x"], ["o"], then_branch=inner, else_branch=inner.__class__())
        inner = helper.make_graph([node], "g", [], out)
    made = mlp()
    made.graph.node.extend(inner.node)
    with pytest.raises(RefusedError, match="more than 16 deep"):
        room.read(save(made, tmp_path))


def test_a_tensor_that_declares_more_than_it_holds_is_refused(room, tmp_path):
    """A terabyte in forty bytes is not allocated."""
    made = mlp()
    made.graph.initializer[1].dims[0] = 1 << 40
    with pytest.raises(RefusedError, match=r"b1 declares 1,099,511,627,776 numbers"):
        room.read(save(made, tmp_path))


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_libraries_the_extra_is_named(tmp_path, monkeypatch, missing):
    """One line says what to install."""
    path = save(mlp(), tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r"pip install 'leakaudit\[onnx\]'"):
        graph.describe(path)


def test_the_command_says_what_to_install(tmp_path, monkeypatch, leakaudit_here):
    """`attack m.onnx` without the extra ends in 2, in one line."""
    save(mlp(), tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, v=np.arange(40) % 2)
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = leakaudit_here("attack", "m.onnx", "--data", "d.npz", "--split", "all", "--private", "v")
    assert done.returncode == 2
    assert "pip install 'leakaudit[onnx]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
