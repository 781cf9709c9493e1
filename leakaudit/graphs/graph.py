"""
A stranger's ONNX graph: opened, described, its layers listed, and made a network.

It is first tried in a process of its own (`trial`), over one image.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leakaudit import anatomy, catalog
from leakaudit.anatomy import Anatomy
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.graphs import flow, redrawing, session, trial
from leakaudit.graphs.session import BOTTLENECK, Graph
from leakaudit.layer import Layer
from leakaudit.weights import onnx as room


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
    """Name of the layer whose input is the bottleneck; empty: it has none that can be told, layers are to be named."""
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


def load(
    path: Path,
    shape: tuple[int, ...] = (),
    layers: tuple[Layer, ...] = (),
    seed: int | None = None,
    classes: int | None = None,
) -> Graph:
    """
    The graph of a file, for images of `shape` (c, h, w); with a seed, its weights are drawn anew.

    Of several outputs that could be logits that is taken which `layers` name, or the only one of `classes` numbers.

    Raises:
        InputError: no such file, library or layer; no logits or bottleneck that can be told, or no weights to be drawn
            anew.
        RefusedError: the file cannot be trusted, or does not run.
    """
    content, model, parts = _read(path, tuple(each.name for each in layers), classes)
    if not parts.bottleneck and not layers:
        raise InputError(f"{path}: {parts.lost}")
    sites = {each.name: _ends(model.graph, each.name, path) for each in layers if each.name != BOTTLENECK}
    if seed is not None:
        model = redrawing.redrawn(model, seed, path)
        content = model.SerializeToString(deterministic=True)
    tried = _try(model, parts, sites, shape, path)  # with fresh weights too: a size may be made of them
    return Graph(model, hashlib.sha256(content).digest(), parts, tried, sites)


def of(encoder: Encoder) -> Graph:
    """
    The network of an encoder whose code is a graph.

    Raises:
        InputError: as `load`; or images of bytes would be normalised.
        RefusedError: as `load`.
    """
    assert encoder.code is not None
    seed = encoder.seed if encoder.kind == "random-init" else None
    made = load(encoder.code, tuple(encoder.shape), encoder.layers, seed, encoder.classes or None)
    if made.parts.entry.dtype == "uint8" and (any(encoder.mean) or any(part != 1 for part in encoder.std)):
        raise InputError(f"{encoder.name}: the graph takes bytes; --mean 0 and --std 1 are all that it can be given")
    return made


def describe(
    path: Path,
    shape: tuple[int, ...] = (),
    device: str = "cpu",
    layers: tuple[Layer, ...] = (),
    classes: int | None = None,
) -> Description:
    """
    What a graph is, tried with one image; of `shape` (c, h, w) where it takes any size.

    Without a shape a graph that takes any size is not run: classes and width are 0 then. Which of several outputs is
    taken, `load` says.

    Raises:
        InputError: no such file or library, or no logits that can be told.
        RefusedError: the file cannot be trusted, is no classifier of images, or does not run.
    """
    content, model, parts = _read(path, tuple(each.name for each in layers), classes)
    tried = _try(model, parts, {}, shape, path)
    notes, classes, width = [*parts.notes], 0, 0
    if tried.outputs:
        classes, width, said = _measured(parts, tried)
        notes += said
    if torch.device(device).type == "cuda" and not _cuda():
        notes.append("onnxruntime has no CUDA here: the graph runs on the CPU")
    try:
        notes.extend(redrawing.notes(model, path))
    except InputError as error:
        notes.append(f"no random-init baseline: {str(error).removeprefix(f'{path}: ')}")
    sha256 = hashlib.sha256(content).hexdigest()
    return Description(
        f"{path.stem}@{sha256[:8]}", sha256, parts.entry.shape, classes, BOTTLENECK if parts.bottleneck else "", width,
        parts.entry.dtype == "uint8", tuple(notes),
    )  # fmt: skip


def _measured(parts: Anatomy, tried: trial.Tried) -> tuple[int, int, list[str]]:
    """Classes, width of the bottleneck, and what a trial showed."""
    names, notes = session.wanted(parts, {}), []
    z, logits = (
        session.rows(np.zeros(tried.outputs[names.index(name)], np.float32), parts.entry.batch or 1, name)
        for name in (parts.bottleneck or parts.logits, parts.logits)
    )
    if not tried.together and parts.entry.batch is None:
        notes.append("images are run one at a time: two in one pass give something else than each alone")
    classes = math.prod(logits.shape[1:])
    width = session.pooled(torch.from_numpy(z), parts).shape[1] if parts.bottleneck else 0
    if parts.bottleneck and math.prod(z.shape[1:]) > width:
        notes.append(f"the bottleneck is a map of {'x'.join(map(str, z.shape[1:]))}, averaged over its places")
    if session.binary(parts, classes):
        notes.append("its one logit x stands for two classes, of logits 0 and x")
    return 2 if session.binary(parts, classes) else classes, width, notes


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


def _read(path: Path, named: tuple[str, ...] = (), classes: int | None = None) -> tuple[bytes, Any, Anatomy]:
    """The bytes of a file, its model with functions written out, and its anatomy."""
    content = path.read_bytes() if path.is_file() else None
    model = room.model(path, content)
    assert content is not None
    try:
        import onnxruntime  # noqa: F401 -- the other half of the extra
        from onnx import inliner
    except ImportError as error:
        raise InputError(f"{path}: an ONNX model; to run it: pip install 'leakaudit[onnx]'") from error
    if model.functions:
        trial.attempt(content, trial.Request("", (None,), None, "float32", ()), str(path))
        model = inliner.inline_local_functions(model)
    flow.check(model, path)
    return content, model, anatomy.of(model, path, named, classes)


def _try(
    model: Any, parts: Anatomy, sites: dict[str, tuple[str, str]], shape: tuple[int, ...], path: Path
) -> trial.Tried:
    """The graph over one image, in a process of its own."""
    entry, names = parts.entry, session.wanted(parts, sites)
    known: dict[str, int | None] = dict(zip("chw", shape, strict=False))
    known["d"] = math.prod(shape) if shape else None
    dims = tuple(
        size or (1 if axis == "n" else known.get(axis)) for axis, size in zip(entry.axes, entry.sizes, strict=True)
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
    there = [
        anatomy.short(node.name or "".join(node.output[:1]), 60) for node in graph.node if node.op_type != "Constant"
    ]
    raise InputError(f"{path}: no operator or tensor {name!r} in the graph. {catalog.suggest(name, there[-40:])}")


def _cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()
