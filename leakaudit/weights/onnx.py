"""
Weights in an ONNX graph: protobuf that is read as data, and a graph that is checked before anything runs it.

Fields of `ModelProto` and what they mean: ONNX, `onnx/onnx.proto` (https://onnx.ai/onnx/repo-docs/IR.html).
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from leakaudit.anatomy import constants, short
from leakaudit.errors import InputError, RefusedError
from leakaudit.weights import Contents

LIMIT = (1 << 31) - 1
"""Bytes of a protobuf message, at most (2 GiB); larger models keep their numbers in files beside them."""
DEPTH = 16
"""Graphs within graphs, at most: the bodies of `If` and `Loop`."""
NODES = 100_000
"""Operators, at most, when every function that a model defines is written out."""
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Operators of ONNX, and those that onnxruntime adds: it has them built in, and loads no library for them."""
REFUSED = ("EPContext", "PyOp")
"""Operators that open another file or call out."""
TEXT, VARINT = 2, 0
FIELDS = {
    1: VARINT, 2: TEXT, 3: TEXT, 4: TEXT, 5: VARINT, 6: TEXT, 7: TEXT, 8: TEXT, 14: TEXT, 20: TEXT, 25: TEXT, 26: TEXT,
}  # fmt: skip
"""Fields of `ModelProto` and how each is written."""
WORDS = (2, 3, 4)
"""Of these the producer's name and version, and the domain: printable text."""
GRAPH, VERSION, VERSIONS, PRODUCER = 7, 1, 64, 2


def recognises(head: bytes, path: Path) -> bool:  # noqa: ARG001 -- by content alone
    """Whether the first bytes are fields of a model, one after another, up to its graph."""
    at, seen = 0, set()
    while at < len(head):
        tag, at = _varint(head, at)
        field, wire = tag >> 3, tag & 7
        if FIELDS.get(field) != wire:
            return False
        value, at = _varint(head, at)
        if field == VERSION and not 0 < value < VERSIONS:
            return False
        if field == GRAPH:
            return VERSION in seen
        word = head[at : at + value]
        if field in WORDS and not (word.isascii() and word.decode().isprintable()):
            return False
        seen.add(field)
        at += value if wire == TEXT else 0
    return {VERSION, PRODUCER} <= seen  # the graph follows a long text


def read(path: Path) -> Contents:
    """
    The tensors that the graph holds, by name: initializers, and what operators `Constant` give.

    Raises:
        InputError: there is no such file, or no library that reads it.
        RefusedError: it is truncated, no ONNX model, or one that cannot be trusted.
    """
    graph = model(path).graph
    library = _library(path)
    tree: dict[str, np.ndarray] = {}
    for name, tensor in constants(graph).items():
        if tensor.data_type != library.TensorProto.STRING:
            tree[name] = _values(tensor, name, path)
    if not tree:
        raise RefusedError(f"{path}: an ONNX graph that holds no tensor of numbers")
    return Contents("ONNX", tree)


def model(path: Path, content: bytes | None = None) -> Any:
    """
    The `ModelProto` of a file, or of its bytes, with nothing in it that reaches out of it.

    Raises:
        InputError: there is no such file, or no library that reads it.
        RefusedError: it is truncated, no ONNX model, or one that cannot be trusted; the message says which part.
    """
    library = _library(path)
    if content is None:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        if path.stat().st_size > LIMIT:
            raise RefusedError(f"{path}: {path.stat().st_size:,} bytes; an ONNX file has at most {LIMIT:,}")
        content = path.read_bytes()
    found = library.ModelProto()
    try:
        found.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, whose module differs by version
        raise RefusedError(f"{path}: truncated, or not an ONNX model ({short(error)})") from error
    if not found.graph.node or not found.graph.output:
        raise RefusedError(f"{path}: truncated, or not an ONNX model: it has no graph with operators and outputs")
    if found.training_info:
        raise RefusedError(f"{path}: holds a training graph; export the model for inference")
    _check_text(found, path)
    _check_operators(found, path)
    for tensor in _tensors(found, path):
        _check_tensor(library, tensor, path)
    return found


def _library(path: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise InputError(f"{path}: an ONNX model; to read it: pip install 'leakaudit[onnx]'") from error
    return onnx


def _varint(head: bytes, at: int) -> tuple[int, int]:
    """A number of base 128, least digits first, and where it ends."""
    value = shift = 0
    while at < len(head) and shift < 64:  # noqa: PLR2004 -- bits of the largest number
        byte = head[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:  # noqa: PLR2004 -- the last digit has no top bit
            break
    return value, at


def _graphs(graph: Any, path: Path, depth: int = 0) -> Iterator[Any]:
    """A graph, and those in its operators' attributes."""
    if depth > DEPTH:
        raise RefusedError(f"{path}: graphs within graphs, more than {DEPTH} deep")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner, path, depth + 1)


def _bodies(found: Any, path: Path) -> Iterator[Any]:
    """Every graph of a model, and every function that it defines."""
    yield from _graphs(found.graph, path)
    for function in found.functions:
        yield from _graphs(function, path)


def _tensors(found: Any, path: Path) -> Iterator[Any]:
    """Every tensor of a model: initializers, and attributes of its operators."""
    for body in _bodies(found, path):
        yield from getattr(body, "initializer", ())
        for sparse in getattr(body, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in body.node:
            for attribute in node.attribute:
                yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
                for sparse in (
                    *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
                    *attribute.sparse_tensors,
                ):
                    yield from (sparse.values, sparse.indices)


def _check_text(found: Any, path: Path) -> None:
    """Refuse names that are no UTF-8, which protobuf hands over as bytes."""
    for body in _bodies(found, path):
        names = [body.name, getattr(body, "domain", "")]
        for node in body.node:
            names += [node.name, node.op_type, node.domain, *node.input, *node.output]
            names += [attribute.name for attribute in node.attribute]
        for value in (*body.input, *body.output):
            names.append(getattr(value, "name", value))
        names += [tensor.name for tensor in getattr(body, "initializer", ())]
        if not all(isinstance(name, str) for name in names):
            raise RefusedError(f"{path}: truncated, or not an ONNX model: a name in it is no text")


def _check_operators(found: Any, path: Path) -> None:
    """Refuse operators of unknown libraries, and functions that call themselves or grow without end."""
    own = {(each.domain, each.name): each for each in found.functions}
    for body in _bodies(found, path):
        for node in body.node:
            if (node.domain, node.op_type) in own:
                continue
            if node.domain not in DOMAINS or node.op_type in REFUSED:
                name = short(f"{node.domain}:{node.op_type}")
                raise RefusedError(f"{path}: operator {name} is none of ONNX: it would need a library of its own")
    counts: dict[tuple[str, str], int] = {}

    def count(body: Any, above: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for graph in _graphs(body, path):
            for node in graph.node:
                key = (node.domain, node.op_type)
                if key in above or (key in own and len(above) >= DEPTH):
                    raise RefusedError(f"{path}: function {short(key[1])} calls itself, or more than {DEPTH} deep")
                if key in own and key not in counts:
                    counts[key] = count(own[key], (*above, key))
                total += counts.get(key, 1)
        return total

    if count(found.graph, ()) > NODES:
        raise RefusedError(f"{path}: more than {NODES:,} operators once its functions are written out")


def _check_tensor(library: Any, tensor: Any, path: Path) -> None:
    """Refuse numbers that lie in another file, and shapes that the numbers do not fill."""
    name = short(tensor.name)
    if tensor.data_location == library.TensorProto.EXTERNAL or tensor.external_data:
        raise RefusedError(f"{path}: tensor {name} lies in another file; export the model into one file")
    if any(side < 0 for side in tensor.dims):
        raise RefusedError(f"{path}: tensor {name} has a negative side")
    if tensor.data_type == library.TensorProto.STRING:
        return
    numbers = math.prod(tensor.dims)
    there = len(tensor.raw_data) * 8 + 64 * sum(
        len(getattr(tensor, field))
        for field in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
    )
    if numbers > there:  # no kind of number has less than a bit, and none of a list more than 64
        raise RefusedError(f"{path}: tensor {name} declares {numbers:,} numbers, and holds fewer")


def _values(tensor: Any, name: str, path: Path) -> np.ndarray:
    from onnx import numpy_helper

    try:
        values = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise RefusedError(f"{path}: tensor {short(name)} cannot be read ({short(error)})") from error
    return np.array(values if values.dtype.kind in "biufc" else values.astype(np.float32))
