"""What lies around a network's tensors is taken off, named, and never taken for the network."""

import numpy as np
import pytest

from leakaudit.errors import RefusedError
from leakaudit.unwrapping import unwrap

NAMES = ("conv1.weight", "conv1.bias", "fc.weight", "fc.bias")
NET = {name: np.full(2, place, np.float32) for place, name in enumerate(NAMES)}
EMA = {name: tensor + 100 for name, tensor in NET.items()}
OPTIMISER = {"state": {"0": {"exp_avg": np.ones(2), "step": np.array(3)}}, "param_groups": [{"lr": 0.1}]}


def under(prefix: str, net: dict = NET) -> dict:
    """The network's tensors with something before every name."""
    return {f"{prefix}{name}": tensor for name, tensor in net.items()}


CASES = {
    "bare": (NET, (), ()),
    "state_dict": ({"state_dict": NET, "epoch": 3}, ("state_dict",), ("epoch = 3",)),
    "model, of a script": (
        {"model": NET, "optimizer": OPTIMISER, "args": {"lr": 0.1, "more": [1, 2]}},
        ("model",),
        ("optimizer (2 tensors)", "args (3 values)"),
    ),
    "model that is a name": ({"model": "resnet18", "net": NET}, ("net",), ("model = resnet18",)),
    "net and accuracy": ({"net": NET, "acc": 91.2, "epoch": np.array(3)}, ("net",), ("acc = 91.2", "epoch (1 tensor)")),
    "timm": (
        {"arch": "resnet18", "state_dict": NET, "state_dict_ema": EMA, "amp_scaler": {"scale": np.ones(1)}},
        ("state_dict",),
        ("arch = resnet18", "state_dict_ema (4 tensors; state_dict was taken)", "amp_scaler (1 tensor)"),
    ),
    "average before the network": ({"ema": EMA, "model": NET}, ("model",), ("ema (4 tensors; model was taken)",)),
    "average alone": ({"ema": NET, "step": 1}, ("ema",), ("step = 1",)),
    "Lightning": (
        {
            "epoch": 1,
            "state_dict": under("model."),
            "callbacks": {"EarlyStopping": {"best_score": np.ones(())}},
            "optimizer_states": [OPTIMISER],
            "lr_schedulers": [],
            "hyper_parameters": {"lr": 1.0},
        },
        ("state_dict", "model."),
        (
            *("epoch = 1", "callbacks (1 tensor)", "optimizer_states (2 tensors)"),
            *("lr_schedulers (0 values)", "hyper_parameters (1 value)"),
        ),
    ),
    "MMLab": (
        {"meta": {"env": "x"}, "state_dict": NET, "optimizer": OPTIMISER},
        ("state_dict",),
        ("meta (1 value)", "optimizer (2 tensors)"),
    ),
    "DINO": (
        {"student": EMA, "teacher": under("module."), "dino_loss": {"center": np.ones((1, 9))}},
        ("teacher", "module."),
        ("student (4 tensors; teacher was taken)", "dino_loss (1 tensor; teacher was taken)"),
    ),
    "wrappers in one another": (
        {"checkpoint": {"model": {"state_dict": under("module.")}, "epoch": 1}},
        ("checkpoint", "model", "state_dict", "module."),
        ("epoch = 1",),
    ),
    "a list": ([NET, OPTIMISER, 7], ("item 0 of 3",), ("item 1 (2 tensors)", "item 2 = 7")),
    "a list of a wrapper": ([5, {"model": NET}], ("item 1 of 2", "model"), ("item 0 = 5",)),
    "a wrapper that no list has": ({"resnet18": NET, "seed": 1}, ("resnet18",), ("seed = 1",)),
    "its own state_dict": (
        {"encoder_params_state_dict": NET, "opt_state_dict": OPTIMISER},
        ("encoder_params_state_dict",),
        ("opt_state_dict (2 tensors)",),
    ),
    "an encoder alone": ({"encoder": NET, "config": {"a": 1}}, ("encoder",), ("config (1 value)",)),
    "nested tensors": ({"conv1": {"weight": NET["conv1.weight"], "bias": NET["conv1.bias"]}, "fc": {
        "weight": NET["fc.weight"], "bias": NET["fc.bias"]}, "size": 3}, (), ("size = 3",)),
    "DataParallel": (under("module."), ("module.",), ()),
    "compiled, in parallel": (under("module._orig_mod."), ("module.", "_orig_mod."), ()),
    "parallel, compiled": (under("_orig_mod.module."), ("_orig_mod.", "module."), ()),
    "three deep": (under("model.module.model."), ("model.", "module.", "model."), ()),
    "compiled in part": (
        {name.replace("conv1.", "conv1._orig_mod."): tensor for name, tensor in NET.items()},
        ("_orig_mod.",),
        (),
    ),
    "sharded": (under("_fsdp_wrapped_module."), ("_fsdp_wrapped_module.",), ()),
    "averaged by torch": (
        under("module.") | {"n_averaged": np.array(7)},
        ("module.",),
        ("n_averaged = 7",),
    ),
    "what is no tensor among them": (
        NET | {"_extra_state": None, "cfg": {"a": 1}}, (), ("_extra_state = None", "cfg (1 value)")
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_network_is_found_and_the_rest_is_named(case):
    """The four tensors come out by their own names; what was taken off and what lay beside is said, in order."""
    tree, taken, beside = CASES[case]
    tensors, *said = unwrap(tree, "w.pt")
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        name: tensor.tolist() for name, tensor in NET.items()
    }
    assert said == [taken, beside]


def test_a_prefix_that_not_all_have_stays():
    """`model.` beside a loss of its own is for whoever matches names to say."""
    tree = {"state_dict": under("model.") | {"loss.weight": np.ones(1)}}
    tensors, taken, _ = unwrap(tree, "w.pt")
    assert set(tensors) == {*under("model."), "loss.weight"}
    assert taken == ("state_dict",)


def test_parts_of_one_network_stay_together():
    """An encoder beside a head is no wrapper; nor is one beside a tensor."""
    encoder = {"encoder": {"0.weight": np.ones(2)}}
    for rest, name in (({"head": {"weight": np.ones(2)}}, "head.weight"), ({"token": np.ones(2)}, "token")):
        tensors, taken, beside = unwrap(encoder | rest, "w.pt")
        assert sorted(tensors) == sorted(["encoder.0.weight", name])
        assert taken == beside == ()


def test_a_name_that_only_begins_like_a_prefix_stays():
    """`modules.0.weight` is no `module.`, and a tensor named `model` has no name without it."""
    for names in (["modules.0.weight"], ["model"], ["modelling.weight"], ["my_orig_mod.weight"]):
        tensors, taken, _ = unwrap({name: np.ones(1) for name in names}, "w.pt")
        assert list(tensors) == names
        assert taken == ()


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({}, "holds no tensors by name$"),
        ({"epoch": 3, "args": {"a": 1}}, "holds no tensors by name; it has epoch, args"),
        (OPTIMISER, "holds the state of an optimiser, and no network; it has state, param_groups"),
        ({"optimizer": OPTIMISER, "epoch": 1}, "holds no tensors by name; it has optimizer, epoch"),
        ([OPTIMISER, 3], "list of 2 things, none of which"),
        (np.ones((3, 4)), r"one tensor of shape \(3, 4\)"),
        (7, "holds no tensors by name$"),
        ({"a": {"b": np.ones(1)}, "a.b": np.ones(1)}, r"two tensors are named 'a\.b'"),
        ({"a._orig_mod.b": np.ones(1), "a.b": np.ones(1)}, "one name without '_orig_mod.'"),
        ({"k" * 2000: np.ones(1)}, "a tensor's name of 2,000 letters"),
        ({"\x1b[2J\nx": 1}, r"it has \\x1b\[2J x$"),
    ],
)
def test_what_holds_no_network_is_refused(tree, told):
    """The message names the file and what there is, in one line without what would move a cursor."""
    with pytest.raises(RefusedError, match=told) as refused:
        unwrap(tree, "w.pt")
    assert str(refused.value).startswith("w.pt: ")
    assert str(refused.value).isprintable()


def test_words_out_of_the_file_are_tame():
    """A stranger's keys and values are shortened, and cannot move a cursor."""
    _, taken, beside = unwrap({"state_dict": NET, "a\x1b[2J": "b\r\n" * 100, "note": "x" * 500}, "w.pt")
    assert taken == ("state_dict",)
    assert all(text.isprintable() and len(text) < 150 for text in beside)
