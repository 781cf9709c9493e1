"""A stranger's ONNX graph gives the bottleneck and the logits that its operators say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import FLOAT, MLP, cnn, cnn_by_hand, helper, mlp, mlp_by_hand, model, numbers, onnx, save

from leakaudit import extract, store
from leakaudit import network as networks
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset, Labels, Pixels, identify
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, RefusedError
from leakaudit.graphs import graph
from leakaudit.layer import parse
from leakaudit.numerics.taps import Tapped

CLOSE = 1e-5
"""Float32 sums of a few dozen numbers, in another order."""
IMAGE = (3, 4, 4)


def passed(path: Path, x: np.ndarray, seed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Bottleneck and logits by leakaudit's own hooks."""
    made = Tapped(graph.load(path, x.shape[1:], seed=seed), graph.BOTTLENECK).eval()
    with torch.inference_mode():
        out = made(torch.from_numpy(x))
    return out.z.numpy(), out.logits.numpy()


def encoder(path: Path) -> Encoder:
    """The encoder of a graph, as the command line makes it."""
    told = graph.describe(path, IMAGE)
    return Encoder(
        told.name, "onnx", Call("onnx", {}), told.classes, IMAGE, (0.0,) * 3, (1.0,) * 3, None,
        layer=told.layer, code=path, notes=told.notes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "by_hand"),
    [(mlp(), mlp_by_hand), (cnn(), cnn_by_hand), (mlp(2), mlp_by_hand), (mlp(1, end="Softmax"), mlp_by_hand)],
    ids=["gemm", "conv, matmul and add", "two at a time", "one at a time, with softmax"],
)
def test_a_graph_gives_what_numpy_gives(tmp_path, made, by_hand):
    """Bottleneck and logits are the same sums; a fixed batch or a softmax at the end changes nothing."""
    x = numbers(5, *IMAGE)
    z, logits = by_hand(x)
    path = save(made, tmp_path)
    found = passed(path, x)
    np.testing.assert_allclose(found[0], z, atol=CLOSE, rtol=CLOSE)
    np.testing.assert_allclose(found[1], logits, atol=CLOSE, rtol=CLOSE)
    again = passed(path, x)
    assert all(np.array_equal(one, two) for one, two in zip(found, again, strict=True))


def test_channels_last_are_turned(tmp_path):
    """A graph that takes (n, h, w, c) is given that, and says so; one that takes (n, c, h, w) does not."""
    x = numbers(3, *IMAGE)
    path = save(cnn(("n", 4, 4, 3), last=True), tmp_path)
    np.testing.assert_allclose(passed(path, x)[0], cnn_by_hand(x)[0], atol=CLOSE, rtol=CLOSE)
    told = graph.describe(path)
    assert told.shape == (3, 4, 4)
    assert any("channels last" in note for note in told.notes)
    assert not any("channels last" in note for note in graph.describe(save(cnn(), tmp_path, "n.onnx"), IMAGE).notes)


def test_bytes_enter_as_bytes(tmp_path):
    """A graph of uint8 gets 0..255 of images in 0..1, and refuses normalised ones."""
    path = save(mlp(kind=onnx.TensorProto.UINT8), tmp_path)
    x = np.random.default_rng(0).integers(0, 256, (4, *IMAGE)).astype(np.float32)
    np.testing.assert_allclose(passed(path, x / 255)[1], mlp_by_hand(x)[1], rtol=1e-4, atol=1e-2)
    assert graph.describe(path).raw
    with pytest.raises(InputError, match="the graph takes bytes; --mean 0"):
        networks.of(replace(encoder(path), mean=(0.5,) * 3))
    with pytest.raises(InputError, match=r"images in 0\.\.1 expected"):
        passed(path, x)


def test_a_description_says_what_is_needed(tmp_path):
    """Sides that are free are None, and classes, width, name and the end of the graph are told."""
    told = graph.describe(save(cnn(), tmp_path), IMAGE)
    assert (told.shape, told.classes, told.width, told.layer, told.raw) == ((3, None, None), 2, 4, "bottleneck", False)
    assert told.name == f"m@{store.digest_file(tmp_path / 'm.onnx')[:8]}"
    assert "MatMul head" in told.notes[0]
    assert not any("softmax" in note for note in told.notes)
    unsized = graph.describe(tmp_path / "m.onnx")
    assert (unsized.shape, unsized.classes, unsized.width) == ((3, None, None), 0, 0)
    ended = graph.describe(save(mlp(1, end="Softmax"), tmp_path, "s.onnx"))
    assert ended.shape == IMAGE
    assert any("softmax" in note for note in ended.notes)
    assert any("1 image at a time" in note for note in ended.notes)


def test_layers_are_read_by_name(tmp_path):
    """An operator by name, or a tensor, gives what comes out of it, and with `at=input` what enters."""
    layers = (parse("stem.conv"), parse("z"), parse("head:at=input"))
    made = graph.load(save(cnn(), tmp_path), IMAGE, layers)
    seen: dict[str, torch.Tensor] = {}
    inner = dict(made.named_modules())
    for name in ("stem.conv", "z"):
        inner[name].register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
    inner["head"].register_forward_pre_hook(lambda _, given: seen.update(head=given[0]))
    x = numbers(3, *IMAGE)
    made(torch.from_numpy(x))
    assert seen["stem.conv"].shape == (3, 4, 4, 4)
    np.testing.assert_allclose(seen["z"], cnn_by_hand(x)[0], atol=CLOSE, rtol=CLOSE)
    assert torch.equal(seen["z"], seen["head"])
    with pytest.raises(InputError, match="no operator or tensor 'heat'"):
        graph.load(tmp_path / "m.onnx", IMAGE, (parse("heat"),))


def test_the_inside_is_listed(tmp_path):
    """Every tensor that an operator makes, with its shape."""
    there = {each.name: each for each in graph.inner(save(cnn(), tmp_path), IMAGE)}
    assert list(there) == ["m", "r", "g", "z", "u", "l"]
    assert (there["m"].operator, there["m"].shape, there["z"].shape) == ("Conv", (1, 4, 4, 4), (1, 4))


def test_rows_that_see_each_other_pass_alone(tmp_path):
    """A graph that takes the mean of a batch off gives each image what it gives it alone, and says so."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("ReduceMean", ["f"], ["a"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["f", "a"], ["s"]),
        helper.make_node("Add", ["s", "f"], ["z"]),
        helper.make_node("Gemm", ["z", "w"], ["l"]),
    ]
    made = model(nodes, {"w": numbers(48, 2)}, ["n", *IMAGE], {"l": ["n", 2]})
    x, path = numbers(3, *IMAGE), save(made, tmp_path)
    np.testing.assert_allclose(passed(path, x)[0], x.reshape(3, -1), atol=CLOSE)
    assert any("one at a time" in note for note in graph.describe(path).notes)


def test_a_sigmoid_of_one_number_is_two_classes(tmp_path):
    """The logits of the classes are 0 and that number, so that the larger one names the class."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["z"]),
        helper.make_node("Gemm", ["z", "w"], ["l"]),
        helper.make_node("Sigmoid", ["l"], ["p"]),
    ]
    path = save(model(nodes, {"w": numbers(48, 1)}, ["n", *IMAGE], {"p": ["n", 1]}), tmp_path)
    logits = passed(path, numbers(4, *IMAGE))[1]
    assert logits.shape == (4, 2)
    assert not logits[:, 0].any()
    assert graph.describe(path).classes == 2


def test_images_of_another_shape_are_said(tmp_path):
    """What a graph takes and what it is given stand in one line."""
    made = graph.load(save(mlp(), tmp_path), IMAGE)
    with pytest.raises(InputError, match="takes images of 3x4x4, these are 3x5x4"):
        made(torch.zeros(1, 3, 5, 4))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(InputError, match="leave out --amp"):
        made(torch.zeros(1, *IMAGE))


def test_an_untrained_graph_has_other_weights(tmp_path):
    """The baseline of a random initialisation is the same graph with weights by the seed; its digest is its own."""
    made = encoder(save(mlp(), tmp_path))
    x = torch.from_numpy(numbers(3, *IMAGE))

    def run(each: Encoder) -> tuple[torch.Tensor, bytes]:
        network, layer = networks.of(each)
        return Tapped(network, layer)(x).z, bytes(network.state_dict()["sha256"].numpy())

    (own, sha), (one, first), (again, same), (two, second) = map(
        run, (made, made.untrained(1), made.untrained(1), made.untrained(2))
    )
    assert torch.equal(one, again)
    assert first == same
    assert len({sha, first, second}) == 3
    assert not torch.equal(own, one)
    assert not torch.equal(one, two)
    np.testing.assert_allclose(own, mlp_by_hand(x.numpy())[0], atol=CLOSE, rtol=CLOSE)


def test_two_inputs_are_refused(tmp_path):
    """A graph that wants more than images is not guessed at."""
    made = mlp()
    made.graph.input.append(helper.make_tensor_value_info("mask", FLOAT, ["n", 1]))
    with pytest.raises(RefusedError, match=r"2 inputs \(x, mask\)"):
        graph.describe(save(made, tmp_path))
    assert MLP["w1"].shape == (5, 48)


def test_the_digest_is_that_of_the_file(tmp_path):
    """Whichever layers are read, so that each lies in the store under one key."""
    path = save(cnn(), tmp_path)
    made = [graph.load(path, IMAGE, layers) for layers in ((), (parse("head"),), (parse("head"), parse("z")))]
    assert {bytes(each.state_dict()["sha256"].numpy()).hex() for each in made} == {store.digest_file(path)}


def test_a_graph_is_extracted(tmp_path):
    """Shards hold what numpy gives, by the same call as any network's."""
    values = np.random.default_rng(3).integers(0, 256, (20, *IMAGE), dtype=np.uint8)
    columns = {"v": Labels(np.arange(20) % 2, ("a", "b"))}
    ids = identify("made", np.arange(20))
    given = Dataset("made", "test", Pixels(values), columns, ids, (0.0,) * 3, (1.0,) * 3)
    steps = extract.extract(encoder(save(cnn(), tmp_path)), given, store=tmp_path / "s", device="cpu", batch_size=7)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found = stop.value
            break
    z, logits = cnn_by_hand(values.astype(np.float32) / 255)
    np.testing.assert_allclose(found.z[:], z, atol=CLOSE, rtol=CLOSE)
    np.testing.assert_allclose(found.logits[:], logits, atol=CLOSE, rtol=CLOSE)
    assert found.origin.layer == "bottleneck"


def two_heads():
    """The mean of two classifiers of one bottleneck, as distilled transformers have it."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["z"], name="trunk"),
        helper.make_node("Gemm", ["z", "one"], ["a"], name="head"),
        helper.make_node("Gemm", ["z", "two"], ["b"], name="head_dist"),
        helper.make_node("Add", ["a", "b"], ["l"]),
    ]
    return model(nodes, {"one": numbers(48, 2), "two": numbers(48, 2, seed=1)}, ["n", *IMAGE], {"l": ["n", 2]})


def test_a_bottleneck_that_cannot_be_told_is_named_by_hand(tmp_path):
    """Two classifiers are no single one: without `--layer` nothing is guessed, with it that layer is read."""
    path = save(two_heads(), tmp_path)
    source = encoder(path)
    assert (source.layer, source.classes) == ("", 2)
    with pytest.raises(InputError, match=r"met Gemm head, Gemm head_dist\); name the tensor to be read by --layer"):
        networks.of(source)
    network, layer = networks.of(replace(source, layers=(parse("trunk"),)))
    x = numbers(3, *IMAGE)
    out = Tapped(network, layer, layers=(parse("trunk"),))(torch.from_numpy(x))
    np.testing.assert_allclose(out.taps["trunk"], x.reshape(3, -1), atol=CLOSE)
