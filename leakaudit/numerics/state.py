"""
Where a training run stands, as tensors and JSON, never pickled: what a state dict holds, and back.

    resume/state-0007.safetensors   the tensors after epoch 7
    resume/state.json               last: names that file and its hash, and holds everything that is not a tensor

A process that dies, by SIGKILL too, leaves one whole state: each file is renamed into place, and what was renamed the
kernel keeps. A machine that loses its power may lose names that were given just before: the bytes of a file are on the
disk before it is renamed, so an older state may stand there again, or `state.json` may name a file that is missing or
is not the one it was; such a state is refused and said, never gone on with. Then delete the run's folder.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from leakaudit import store
from leakaudit.errors import RefusedError

Json = Any
CONTENT = "content"
"""Of the pieces of `to_bytes`, the one that is no tensor; names of tensors begin with a dot."""


def pack(value: Any, path: str, tensors: dict[str, np.ndarray]) -> Json:
    """The value as JSON; its tensors go to `tensors` under names that begin with `path`."""
    if isinstance(value, Tensor):
        tensors[path] = value.detach().cpu().numpy()
        return {"tensor": path}
    if isinstance(value, Mapping):
        items = [[key, pack(part, f"{path}.{key}", tensors)] for key, part in value.items()]
        return {"counter" if isinstance(value, Counter) else "dict": items}
    if isinstance(value, (list, tuple)):
        parts = [pack(part, f"{path}.{index}", tensors) for index, part in enumerate(value)]
        return {"tuple": parts} if isinstance(value, tuple) else parts
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{path}: a {type(value).__name__} cannot be kept without pickling it")


def unpack(value: Json, tensors: Mapping[str, np.ndarray]) -> Any:
    """What `pack` was given."""
    if isinstance(value, list):
        return [unpack(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return torch.from_numpy(np.array(tensors[content]))
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(unpack(part, tensors) for part in content)
    items = {key: unpack(part, tensors) for key, part in content}
    return Counter(items) if kind == "counter" else items


def to_bytes(value: Any) -> bytes:
    """The same in one piece, for another process: safetensors, the JSON as one of them."""
    from safetensors.numpy import save as packed

    tensors: dict[str, np.ndarray] = {}
    content = json.dumps(pack(value, ".", tensors)).encode()
    arrays = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    return packed({**arrays, CONTENT: np.frombuffer(content, dtype=np.uint8)})


def from_bytes(data: bytes) -> Any:
    """What `to_bytes` was given."""
    from safetensors.numpy import load as unpacked

    tensors = unpacked(data)
    return unpack(json.loads(tensors.pop(CONTENT).tobytes()), tensors)


def save(folder: Path, epoch: int, value: Any) -> None:
    """Keep where a run stands after `epoch`; what stood there before is removed once this is whole."""
    tensors: dict[str, np.ndarray] = {}
    content = pack(value, "", tensors)
    name = f"state-{epoch:04d}.safetensors"
    store.write_tensors(folder / name, tensors)
    document = {"format": 1, "file": name, "tensors": store.digest_tensors(tensors), "content": content}
    store.write_json(folder / "state.json", document)
    with store.writing(folder):
        for stale in folder.glob("state-*.safetensors"):
            if stale.name != name:
                stale.unlink()


def load(folder: Path) -> Any:
    """
    What was kept last.

    Raises:
        RefusedError: a file is damaged or missing.
    """
    document = store.read_json(folder / "state.json")
    try:
        path = folder / Path(document["file"]).name
        if not path.is_file():
            raise RefusedError(f"{path}: missing, though state.json names it")
        tensors, _ = store.read_tensors(path)
        if store.digest_tensors(tensors) != document["tensors"]:
            raise RefusedError(f"{path}: damaged: not the tensors that state.json names")
        return unpack(document["content"], tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"{folder / 'state.json'}: not a state of training ({error!r})") from error
