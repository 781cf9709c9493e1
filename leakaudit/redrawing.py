"""
Fresh weights for an ONNX graph: the baseline of a random initialisation where no file says how weights were drawn.

He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10: normal, of variance 2 / fan-in.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from leakaudit.anatomy import constant, constants
from leakaudit.errors import InputError

RULE = (
    "an ONNX graph does not say how its weights are drawn: those of MatMul, Gemm and Conv are normal of variance "
    "2 / fan-in (He), what is added is 0, normalisation is at its start"
)
"""What a reader of an audit must know of such a baseline."""
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm")
STARTS = {
    "BatchNormalization": {1: 1.0, 2: 0.0, 3: 0.0, 4: 1.0},
    "InstanceNormalization": {1: 1.0, 2: 0.0},
    "LayerNormalization": {1: 1.0, 2: 0.0},
    "GroupNormalization": {1: 1.0, 2: 0.0},
    "SkipLayerNormalization": {2: 1.0, 3: 0.0, 4: 0.0},
    "Gemm": {2: 0.0},
    "Conv": {2: 0.0},
    "ConvTranspose": {2: 0.0},
    "PRelu": {1: 0.25},
}
"""By operator and place of its input: scale, shift, running mean and variance, bias, slope."""
WEIGHTS = {
    "MatMul": (0, 1),
    "Gemm": (1,),
    "Conv": (1,),
    "ConvTranspose": (1,),
    "FusedMatMul": (0, 1),
    "FusedGemm": (1,),
}
REAL = {1: np.float32, 10: np.float16, 11: np.float64}
"""Numbers that can be drawn, by their code in ONNX."""
FEW = 1
"""Numbers of a tensor that is a setting, not something learnt: a scale, an epsilon."""


def redrawn(model: Any, seed: int, path: Path) -> tuple[Any, tuple[str, ...]]:
    """
    The same graph with fresh weights, and what a reader must know of them.

    Raises:
        InputError: the graph is quantised, or no operator has weights that can be told.
    """
    library = type(model)
    fresh = library()
    fresh.CopyFrom(model)
    graph = fresh.graph
    if any(node.op_type in QUANTISED or node.op_type.endswith("Integer") for node in graph.node):
        raise InputError(f"{path}: a quantised graph; its weights cannot be drawn anew")
    found = constants(graph)
    makers = {name: node for node in graph.node for name in node.output if name}
    random = np.random.default_rng(seed)
    done: set[str] = set()
    drawn = 0
    for node in graph.node:
        for place, name in enumerate(node.input):
            held = constant(name, makers, found)
            if held is None or held in done or found[held].data_type not in REAL:
                continue
            tensor = found[held]
            start = _start(node, place, makers, found)
            if place in WEIGHTS.get(node.op_type, ()) and len(tensor.dims) > 1:
                deviation = math.sqrt(2 / max(1, _fan_in(node, place, list(tensor.dims), held == name)))
                values = random.standard_normal(tuple(tensor.dims), dtype=np.float64) * deviation
                drawn += 1
            elif start is not None:
                values = np.full(tuple(tensor.dims), start)
            else:
                continue
            _fill(tensor, values)
            done.add(held)
    if not drawn:
        raise InputError(f"{path}: no MatMul, Gemm or Conv with weights in the file: none can be drawn anew")
    kept = [
        name for name, each in found.items()
        if name not in done and each.data_type in REAL and math.prod(each.dims) > FEW
    ]  # fmt: skip
    return fresh, (RULE, *_kept(kept, len(found)))


def _kept(kept: list[str], total: int) -> tuple[str, ...]:
    if not kept:
        return ()
    some = ", ".join(repr(name)[1:-1][:40] for name in kept[:3])
    return (f"{len(kept)} of {total} tensors stay as the file has them ({some}{', ...' * (len(kept) > 3)})",)  # noqa: PLR2004


def _start(node: Any, place: int, makers: dict[str, Any], found: dict[str, Any]) -> float | None:
    """What a tensor of this place is before any training; None: not told."""
    if node.op_type in STARTS:
        return STARTS[node.op_type].get(place)
    if node.op_type != "Add":
        return None
    other = node.input[1 - place] if len(node.input) > 1 else ""
    maker = makers.get(other)
    product = maker is not None and maker.op_type in WEIGHTS and constant(other, makers, found) is None
    return 0.0 if product else None


def _fan_in(node: Any, place: int, sides: list[int], as_held: bool) -> int:  # noqa: FBT001 -- one word
    """Numbers that enter one output of the operator."""
    if node.op_type == "Conv":
        return math.prod(sides[1:])
    if node.op_type == "ConvTranspose":
        return sides[0] * math.prod(sides[2:])
    turned = any(each.name == "transB" and each.i for each in node.attribute)
    turned ^= not as_held  # through a Transpose
    turned ^= node.op_type in ("MatMul", "FusedMatMul") and place == 0  # W x, not x W
    return sides[-1] if turned else sides[-2]


def _fill(tensor: Any, values: np.ndarray) -> None:
    for field in ("float_data", "int32_data", "double_data"):
        tensor.ClearField(field)
    tensor.raw_data = values.astype(REAL[tensor.data_type]).astype(tensor_order(tensor)).tobytes()


def tensor_order(tensor: Any) -> np.dtype:
    """The kind of number as ONNX writes it: least byte first."""
    return np.dtype(REAL[tensor.data_type]).newbyteorder("<")
