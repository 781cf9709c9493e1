"""
A stranger's ONNX graph as a network: onnxruntime runs it, and its bottleneck and logits are seen like any other's.

Nothing of the stranger's code runs: a graph is data, its operators are those of onnxruntime. It is first tried in a
process of its own (`trial`), over one image.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from leakaudit import anatomy, catalog, redrawing, trial
from leakaudit.anatomy import Anatomy, Entry
from leakaudit.errors import InputError
from leakaudit.layer import Layer
from leakaudit.weights import onnx as room

BOTTLENECK = "bottleneck"
"""Name of the layer whose input is the bottleneck."""
PASS = 512
"""Images that pass at a time, at most."""
SIDE = 224
"""Height and width that a graph is tried with where it takes any and no images are named."""


@dataclass(frozen=True)
class Description:
    """What an encoder is made of, of a graph."""

    name: str
    """`stem@sha8`."""
    sha256: str
    shape: tuple[int | None, int | None, int | None]
    """Channels, height and width of its input; None: any."""
    classes: int
    layer: str
    """Name of the layer whose input is the bottleneck."""
    width: int
    """Numbers of the bottleneck."""
    raw: bool
    """Whether it takes bytes: images in 0..1, of mean 0 and deviation 1, are what it is to be given."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Inner:
    """A tensor of a graph that can be read."""

    name: str
    operator: str
    shape: tuple[int | None, ...] | None
    """None: not even its rank is known."""


class Site(nn.Module):
    """A place in the graph: a hook before it sees what enters an operator, a hook after it what comes out."""

    def forward(self, _: Tensor, after: Tensor) -> Tensor:
        """What comes out."""
        return after


class Graph(nn.Module):
    """A session of onnxruntime over the graph; its state is the sha256 of what it runs."""

    def __init__(self, model: Any, parts: Anatomy, tried: trial.Tried, sites: dict[str, tuple[str, str]]) -> None:
        """Run `model`, which `opened` to put out what `_wanted` names"""
        super().__init__()
        self.parts, self.sites = parts, sites
        self.rows = parts.entry.batch or (min(PASS, tried.rows) if tried.together else 1)
        self._content: bytes = model.SerializeToString(deterministic=True)
        self._sessions: dict[str, Any] = {}
        state = bytearray(hashlib.sha256(self._content).digest())
        self.register_buffer("sha256", torch.frombuffer(state, dtype=torch.uint8))
        for name in (BOTTLENECK, *sites):
            self._modules[name] = Site()  # add_module refuses dots, which names of tensors have

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits; each `Site` is called with what enters its operator and what comes out."""
        if torch.is_autocast_enabled(x.device.type):
            raise InputError("an ONNX graph runs in the precision it was exported in: leave out --amp")
        images = _images(x.detach().cpu().contiguous().numpy(), self.parts.entry)
        starts = range(0, len(images), self.rows)
        blocks = [self._run(images[first : first + self.rows], x.device) for first in starts]
        names = _wanted(self.parts, self.sites)
        found = {
            name: torch.from_numpy(np.concatenate([block[place] for block in blocks])).to(x.device).float()
            for place, name in enumerate(names)
        }
        for name, (before, after) in self.sites.items():
            self._site(name)(found[before], found[after])
        logits = found[self.parts.logits].flatten(1)
        if _binary(self.parts, logits.shape[1]):
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        out: Tensor = self._site(BOTTLENECK)(_pooled(found[self.parts.bottleneck], self.parts), logits)
        return out

    def _site(self, name: str) -> nn.Module:
        site = self._modules[name]
        assert site is not None
        return site

    def _run(self, block: np.ndarray, device: torch.device) -> list[np.ndarray]:
        """What the tensors are for some images, one row each."""
        entry, there = self.parts.entry, len(block)
        block = np.concatenate([block, np.repeat(block[-1:], self.rows - there, 0)]) if entry.batch else block
        fed = {entry.name: np.ascontiguousarray(block if entry.axes[0] == "n" else block[0])}
        names = _wanted(self.parts, self.sites)
        try:
            made = self._session(device).run(trial.outputs(len(names)), fed)
        except Exception as error:  # onnxruntime's own, of many kinds
            raise InputError(
                f"onnxruntime cannot run the graph on {len(block)} images ({room.short(error)})"
            ) from error
        return [_rows(np.asarray(part), len(block), name)[:there] for part, name in zip(made, names, strict=True)]

    def _session(self, device: torch.device) -> Any:
        if device.type not in self._sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
            options.log_severity_level = 4  # what it has to say is in what it raises
            wanted = ["CUDAExecutionProvider"] * (device.type == "cuda") + ["CPUExecutionProvider"]
            there = [name for name in wanted if name in onnxruntime.get_available_providers()]
            self._sessions[device.type] = onnxruntime.InferenceSession(self._content, options, providers=there)
        return self._sessions[device.type]


def load(path: Path, shape: tuple[int, ...] = (), layers: tuple[Layer, ...] = (), seed: int | None = None) -> Graph:
    """
    The graph of a file, for images of `shape` (c, h, w); with a seed, its weights are drawn anew.

    Raises:
        InputError: no such file, library or layer; or there are no weights that could be drawn anew.
        RefusedError: the file cannot be trusted, or does not run.
    """
    _, model, parts = _read(path)
    sites = {layer.name: _ends(model.graph, layer.name, path) for layer in layers}
    tried = _try(model, parts, sites, shape, path)
    if seed is not None:
        model = redrawing.redrawn(model, seed, path)
    return Graph(trial.opened(model, _wanted(parts, sites)), parts, tried, sites)


def describe(path: Path, shape: tuple[int, ...] = (), device: str = "cpu") -> Description:
    """
    What a graph is, tried with one image; of `shape` (c, h, w) where it takes any size.

    Raises:
        InputError: no such file or library.
        RefusedError: the file cannot be trusted, is no classifier of images, or does not run.
    """
    content, model, parts = _read(path)
    entry, names = parts.entry, _wanted(parts, {})
    tried = _try(model, parts, {}, shape, path)
    shapes = [
        _rows(np.broadcast_to(np.float32(0), each), entry.batch or 1, name)
        for each, name in zip(tried.outputs, names, strict=True)
    ]
    z, logits = (shapes[names.index(name)] for name in (parts.bottleneck, parts.logits))
    notes, classes = [*parts.notes], math.prod(logits.shape[1:])
    if not tried.together and entry.batch is None:
        notes.append("images are run one at a time: two in one pass give something else than each alone")
    if math.prod(z.shape[1:]) > _pooled(torch.from_numpy(z.copy()), parts).shape[1]:
        notes.append(f"the bottleneck is a map of {'x'.join(map(str, z.shape[1:]))}, averaged over its places")
    if _binary(parts, classes):
        notes.append("its one logit x stands for two classes, of logits 0 and x")
        classes = 2
    if torch.device(device).type == "cuda" and not _cuda():
        notes.append("onnxruntime has no CUDA here: the graph runs on the CPU")
    try:
        notes.extend(redrawing.notes(model, path))
    except InputError as error:
        notes.append(f"no random-init baseline: {str(error).removeprefix(f'{path}: ')}")
    sha256 = hashlib.sha256(content).hexdigest()
    width = _pooled(torch.from_numpy(z.copy()), parts).shape[1]
    raw = entry.dtype == "uint8"
    return Description(f"{path.stem}@{sha256[:8]}", sha256, entry.shape, classes, BOTTLENECK, width, raw, tuple(notes))


def inner(path: Path, shape: tuple[int, ...] = ()) -> list[Inner]:
    """
    The tensors of a graph that can be read by `--layer`, in the order in which they are computed.

    Raises:
        InputError: no such file or library.
        RefusedError: the file cannot be trusted, or is no classifier of images.
    """
    _, model, parts = _read(path)
    shapes = _try(model, parts, {}, shape, path).shapes
    held = anatomy.constants(model.graph)
    return [
        Inner(name, node.op_type, shapes.get(name))
        for node in model.graph.node
        for name in node.output
        if name and name not in held
    ]


def _read(path: Path) -> tuple[bytes, Any, Anatomy]:
    """The bytes of a file, its model with functions written out, and its anatomy."""
    model = room.model(path)
    try:
        import onnxruntime  # noqa: F401 -- the other half of the extra
        from onnx import inliner
    except ImportError as error:
        raise InputError(f"{path}: an ONNX model; to run it: pip install 'leakaudit[onnx]'") from error
    content = path.read_bytes()
    if model.functions:
        model = inliner.inline_local_functions(model)
    return content, model, anatomy.of(model, path)


def _wanted(parts: Anatomy, sites: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    """The tensors that are read, each once."""
    return tuple(dict.fromkeys((parts.bottleneck, parts.logits, *(name for ends in sites.values() for name in ends))))


def _try(
    model: Any, parts: Anatomy, sites: dict[str, tuple[str, str]], shape: tuple[int, ...], path: Path
) -> trial.Tried:
    """The graph over one image, in a process of its own."""
    entry, names = parts.entry, _wanted(parts, sites)
    known = dict(zip("chw", shape, strict=False))
    known["d"] = math.prod(shape) if shape else 0
    dims = tuple(
        size or (1 if axis == "n" else known.get(axis) or SIDE)
        for axis, size in zip(entry.axes, entry.sizes, strict=True)
    )
    request = trial.Request(entry.name, dims, 0 if entry.batch is None else None, entry.dtype, names)
    return trial.attempt(model.SerializeToString(deterministic=True), request, str(path))


def _ends(graph: Any, name: str, path: Path) -> tuple[str, str]:
    """The tensor that enters an operator and that which comes out, by the name of either."""
    held = anatomy.constants(graph)
    for node in graph.node:
        outputs = [each for each in node.output if each]
        if outputs and name in (node.name, *outputs) and outputs[0] not in held:
            entering = [each for each in node.input if each and each not in held]
            return entering[0] if entering else outputs[0], name if name in outputs else outputs[0]
    there = [room.short(node.name or node.output[0], 60) for node in graph.node if node.op_type != "Constant"]
    raise InputError(f"{path}: no operator or tensor {name!r} in the graph. {catalog.suggest(name, there[-40:])}")


def _images(x: np.ndarray, entry: Entry) -> np.ndarray:
    """Images as a graph takes them."""
    there = x.shape[1:]
    if entry.axes == "nd" and entry.sizes[1] not in (None, math.prod(there)):
        raise InputError(f"the graph takes {entry.sizes[1]} numbers an image, these have {math.prod(there)}")
    if any(size not in (None, side) for size, side in zip(entry.shape, there, strict=True)):
        told = "x".join("any" if size is None else str(size) for size in entry.shape)
        raise InputError(f"the graph takes images of {told}, these are {'x'.join(map(str, there))}")
    if entry.dtype == "uint8":
        if x.size and (x.min() < -0.5 / 255 or x.max() > 1 + 0.5 / 255):
            raise InputError("the graph takes bytes: mean 0 and deviation 1 are to be given, so that it gets 0..255")
        x = np.rint(x * 255).clip(0, 255)
    x = x.astype(entry.dtype, copy=False)
    if entry.axes in ("nhwc", "hwc"):
        return x.transpose(0, 2, 3, 1)
    return x.reshape(len(x), -1) if entry.axes == "nd" else x[:, 0] if entry.axes == "nhw" else x


def _rows(part: np.ndarray, count: int, name: str) -> np.ndarray:
    """A row for each image, of a tensor that may lack the axis of images where there is one."""
    if count == 1 and not (part.ndim > 1 and len(part) == 1):
        part = part[None]
    if len(part) != count:
        raise InputError(f"tensor {room.short(name)} has shape {list(part.shape)} for {count} images: no row for each")
    return part[:, None] if part.ndim == 1 else part


def _pooled(z: Tensor, parts: Anatomy) -> Tensor:
    """The mean over places: those of a map that enters a 1x1 Conv (n, d, h, w), of others (n, ..., d)."""
    if z.ndim < 3:  # noqa: PLR2004 -- images and numbers
        return z
    return z.flatten(2).mean(2) if parts.classifier.startswith("Conv") else z.flatten(1, -2).mean(1)


def _binary(parts: Anatomy, classes: int) -> bool:
    return parts.end == anatomy.ENDS["Sigmoid"] and classes == 1


def _cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()
