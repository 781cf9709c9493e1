"""
What lies around the tensors of a network in a stranger's file, taken off and named.

Wrappers (`state_dict`, `model`, `net`, `ema`, ...) and prefixes (`module.`, `model.`, `_orig_mod.`). Where several
wrappers stand side by side, the network as it was trained comes before its running average. A prefix is taken off
where every tensor has it. The state of an optimiser is never taken for weights.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakaudit.errors import RefusedError, spelt

NETWORKS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net_state_dict", "net", "network_state_dict"),
    *("network", "base_model", "encoder_state_dict", "backbone_state_dict", "teacher", "student", "f_net"),
    *("model_ema_state_dict", "state_dict_ema", "ema_state_dict", "model_ema", "ema_model", "params_ema", "ema"),
)
"""Keys under which a whole network lies, whatever lies beside; the first that is there is taken."""
PARTS = ("encoder", "backbone", "trunk", "module", "weights", "params", "parameters", "weight", "state")
"""Keys under which a network lies where no other tensors lie beside: else it may be one part of several."""
STATE = "state_dict"
"""How other such keys end."""
PREFIXES = ("module", "_orig_mod", "model")
"""What DataParallel, torch.compile and a network within a network put before every name."""
BETWEEN = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch.compile, FSDP and activation checkpoints put into names, wherever they wrap."""
AVERAGED = "n_averaged"
"""The count that torch.optim.swa_utils.AveragedModel keeps beside its `module.`."""
TRAINING = re.compile(
    r"optim\w*|\w*_?optimi[sz]ers?(_states?(_dict)?)?|\w*_?optim(_state(_dict)?)?|(lr_)?schedulers?\w*|\w+_scheduler"
    r"|\w*scaler(_state(_dict)?)?|amp(_\w+)?|callbacks|loops|rng\w*|random_state|hyper_parameters|criterion(_state_dict)?",
    re.IGNORECASE,
)
"""What a training run keeps beside the network."""
NAME = 1_000
"""Letters of a tensor's name, at most."""
SHOWN = 40
"""Letters of a value or a name out of a stranger's file, in a sentence."""


@dataclass(frozen=True)
class Weights:
    """The tensors that fill a network, and what stood around them."""

    tensors: dict[str, np.ndarray]
    format: str
    """In a person's words: `torch zip`."""
    sha256: str
    """Of the file's bytes."""
    size: int
    """Bytes of the file."""
    taken_off: tuple[str, ...] = ()
    """Wrappers and prefixes, in the order in which they were taken off: `state_dict`, `module.`."""
    beside: tuple[str, ...] = ()
    """What else the file holds, in a person's words: `epoch = 49`, `optimizer (12 tensors)`."""
    notes: tuple[str, ...] = ()
    """What a reader of an audit must know of how the file was read."""


def unwrap(tree: Any, where: str) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[str, ...]]:
    """
    Tensors by name, what was taken off, and what lay beside.

    Raises:
        RefusedError: there are no tensors by name, or two have one name.
    """
    taken: list[str] = []
    beside: list[str] = []
    while True:
        if isinstance(tree, list):
            tree = _of_list(tree, where, taken, beside)
        elif isinstance(tree, dict) and not _optimiser(tree) and (name := _wrapper(tree)):
            taken.append(_shown(name))
            beside += [_said(key, value, name) for key, value in tree.items() if key != name]
            tree = tree[name]
        else:
            break
    tensors: dict[str, np.ndarray] = {}
    if isinstance(tree, dict) and not _optimiser(tree):
        _flatten(tree, "", tensors, beside, where)
    if not tensors:
        raise RefusedError(f"{where}: {_nothing(tree)}")
    return _bare(tensors, taken, beside, where), tuple(taken), tuple(beside)


def _nothing(tree: Any) -> str:
    """What a file holds that holds no tensors by name."""
    if isinstance(tree, np.ndarray):
        return f"holds one tensor of shape {tree.shape}, not those of a network by name"
    if isinstance(tree, dict):
        what = "the state of an optimiser, and no network" if _optimiser(tree) else "no tensors by name"
        return f"holds {what}" + (f"; it has {_listed(tree)}" if tree else "")
    return "holds no tensors by name"


def _bare(tensors: dict[str, np.ndarray], taken: list[str], beside: list[str], where: str) -> dict[str, np.ndarray]:
    """The tensors without what stands before every name, and without what wraps leave in between."""
    if (
        AVERAGED in tensors
        and all(key.startswith("module.") for key in tensors if key != AVERAGED)
        and len(tensors) > 1
    ):
        beside.append(f"{AVERAGED} = {tensors.pop(AVERAGED)}")
    while prefix := next((f"{name}." for name in PREFIXES if all(key.startswith(f"{name}.") for key in tensors)), ""):
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
        taken.append(prefix)
    for mark in dict.fromkeys(found[0] for key in tensors for found in BETWEEN.finditer(key)):
        bare = {BETWEEN.sub("", key): tensor for key, tensor in tensors.items()}
        if len(bare) != len(tensors):
            raise RefusedError(f"{where}: two tensors have one name without {mark!r}")
        taken.append(mark)
    return {BETWEEN.sub("", key): tensor for key, tensor in tensors.items()}


def _wrapper(tree: dict[str, Any]) -> str:
    """
    The key under which the network lies; empty where its tensors lie here.

    `encoder` beside `decoder`, or beside a tensor, is a part of the network. A key that no list has is a wrapper where
    it alone holds tensors, and holds them by names with dots or in a wrapper, as a network of its own does.
    """
    holding = [key for key, value in tree.items() if not _training(key) and _network(value)]
    whole = [key for key in NETWORKS if key in holding] + [key for key in holding if key.endswith(STATE)]
    if whole:
        return whole[0]
    if len(holding) != 1 or any(isinstance(value, np.ndarray) and value.ndim for value in tree.values()):
        return ""
    alone = tree[holding[0]]
    dotted = isinstance(alone, dict) and (any("." in key for key in alone) or bool(_wrapper(alone)))
    return holding[0] if holding[0] in PARTS or dotted else ""


def _network(value: Any) -> bool:
    return isinstance(value, (dict, list)) and not _optimiser(value) and _count(value) > 0


def _training(name: str) -> bool:
    return TRAINING.fullmatch(name) is not None


def _of_list(items: list[Any], where: str, taken: list[str], beside: list[str]) -> Any:
    """The one network of a list: [state_dict, optimizer], [model, ema]."""
    found = [place for place, item in enumerate(items) if _network(item)]
    if not found:
        raise RefusedError(f"{where}: holds a list of {len(items)} things, none of which is tensors by name")
    taken.append(f"item {found[0]} of {len(items)}")
    beside += [_said(f"item {place}", item) for place, item in enumerate(items) if place != found[0]]
    return items[found[0]]


def _optimiser(item: Any) -> bool:
    """Whether it is an optimiser's state: `{state, param_groups}`."""
    return isinstance(item, dict) and "param_groups" in item


def _flatten(tree: Any, at: str, tensors: dict[str, np.ndarray], beside: list[str], where: str) -> None:
    """Nested tensors by their names joined with dots; what is no tensor lies beside."""
    for name, value in tree.items() if isinstance(tree, dict) else ((str(i), part) for i, part in enumerate(tree)):
        full = f"{at}{name}"
        if isinstance(value, np.ndarray):
            if len(full) > NAME:
                raise RefusedError(f"{where}: a tensor's name of {len(full):,} letters, at most {NAME:,} are read")
            if full in tensors:
                raise RefusedError(f"{where}: two tensors are named {full[:120]!r}")
            tensors[full] = value
        elif not _network(value) or _training(name):
            beside.append(_said(full, value))
        else:
            _flatten(value, f"{full}.", tensors, beside, where)


def _count(value: Any) -> int:
    """Tensors in a tree."""
    if isinstance(value, np.ndarray):
        return 1
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(_count, parts))


def _values(value: Any) -> int:
    """Numbers, texts and the like in a tree."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 1 if parts is None else sum(map(_values, parts))


def _said(name: str, value: Any, instead: str = "") -> str:
    """What lies beside the network, in words: `epoch = 49`, `optimizer (12 tensors)`, `config (14 values)`."""
    if tensors := _count(value):
        other = f"; {_shown(instead)} was taken" if instead and not _training(name) and _network(value) else ""
        return f"{_shown(name)} ({tensors} {'tensor' if tensors == 1 else 'tensors'}{other})"
    if isinstance(value, (dict, list)):
        values = _values(value)
        return f"{_shown(name)} ({values} {'value' if values == 1 else 'values'})"
    return f"{_shown(name)} = {_shown(str(value))}"


def _listed(tree: dict[str, Any]) -> str:
    names = [_shown(name) for name in tree]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004 # five say enough


def _shown(text: str) -> str:
    return spelt(text, SHOWN)
