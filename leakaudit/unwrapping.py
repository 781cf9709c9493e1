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

from leakaudit.errors import RefusedError

WRAPPERS = (
    *(
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "net_state_dict",
        "net",
        "network",
        "network_state_dict",
    ),
    *("encoder_state_dict", "encoder", "backbone_state_dict", "backbone", "teacher", "student", "module", "weights"),
    *("params", "parameters", "base_model", "classifier_state_dict", "weight", "state"),
    *("model_ema_state_dict", "state_dict_ema", "ema_state_dict", "model_ema", "ema_model", "params_ema", "ema"),
)
"""Keys under which a network's tensors lie; the first that is there is taken."""
PREFIXES = ("module", "_orig_mod", "model")
"""What DataParallel, torch.compile and a network within a network put before every name."""
TRAINING = re.compile(
    r"optim\w*|\w*_?optimi[sz]ers?(_states?(_dict)?)?|\w*_?optim(_state(_dict)?)?|(lr_)?schedulers?\w*|\w+_scheduler"
    r"|\w*scaler(_state(_dict)?)?|amp(_\w+)?|callbacks|loops|rng\w*|random_state|hyper_parameters|criterion(_state_dict)?",
    re.IGNORECASE,
)
"""What a training run keeps beside the network."""
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
        RefusedError: there are no tensors by name, two have one name, or lists hold several networks.
    """
    taken: list[str] = []
    beside: list[str] = []
    while True:
        if isinstance(tree, list):
            tree = _of_list(tree, where, taken, beside)
        elif isinstance(tree, dict) and (name := _wrapper(tree)) is not None:
            taken.append(name)
            beside += [_said(other, value) for other, value in tree.items() if other != name]
            tree = tree[name]
        else:
            break
    if not isinstance(tree, dict) or not _count(tree):
        held = f"; it has {_listed(tree)}" if isinstance(tree, dict) and tree else ""
        raise RefusedError(f"{where}: holds no tensors by name{held}")
    tensors: dict[str, np.ndarray] = {}
    _flatten(tree, "", tensors, beside, where)
    while prefix := next((f"{name}." for name in PREFIXES if all(key.startswith(f"{name}.") for key in tensors)), ""):
        if not all(len(key) > len(prefix) for key in tensors):
            break
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
        taken.append(prefix)
    return tensors, tuple(taken), tuple(beside)


def _wrapper(tree: dict[str, Any]) -> str | None:
    """
    The key under which the network lies, if the tensors do not lie here.

    A wrapper holds tensors by name. Tensors that stand here themselves, or in parts that are none (`layer1`), are the
    network's own: then `encoder` beside `fc.weight` is a part of it.
    """
    if any(isinstance(value, np.ndarray) and value.ndim for value in tree.values()):
        return None
    known = [name for name in WRAPPERS if name in tree and _network(tree[name])]
    others = [name for name, value in tree.items() if name not in known and not _training(name) and _network(value)]
    if not known or (others and not set(known) & set(_SURE)):
        return None
    return known[0]


_SURE = tuple(name for name in WRAPPERS if "state" in name or name in {"model", "net", "network"} or "ema" in name)
"""Wrappers that are no part of a network whose parts stand beside them, as `encoder` and `classifier` do."""


def _network(value: Any) -> bool:
    return isinstance(value, (dict, list)) and _count(value) > 0


def _training(name: str) -> bool:
    return TRAINING.fullmatch(name) is not None


def _of_list(items: list[Any], where: str, taken: list[str], beside: list[str]) -> Any:
    """The one network of a list: [state_dict, optimizer], [model, ema]."""
    found = [place for place, item in enumerate(items) if _network(item) and not _optimiser(item)]
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
            if full in tensors:
                raise RefusedError(f"{where}: two tensors are named {full[:120]!r}")
            tensors[full] = value
        elif _optimiser(value) or (_training(name) and isinstance(value, (dict, list))) or not _network(value):
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


def _said(name: str, value: Any) -> str:
    """What lies beside the network, in words: `epoch = 49`, `optimizer (12 tensors)`, `config (14 values)`."""
    if tensors := _count(value):
        return f"{_shown(name)} ({tensors} {'tensor' if tensors == 1 else 'tensors'})"
    if isinstance(value, (dict, list)):
        values = _values(value)
        return f"{_shown(name)} ({values} {'value' if values == 1 else 'values'})"
    return f"{_shown(name)} = {_shown(str(value))}"


def _listed(tree: dict[str, Any]) -> str:
    names = [_shown(name) for name in tree]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004 # five say enough


def _shown(text: str) -> str:
    """A text out of a stranger's file, shortened, without what would move a cursor."""
    cut = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return cut if cut.isprintable() else repr(cut)
