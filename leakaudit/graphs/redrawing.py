"""
Fresh weights for an ONNX graph: the baseline of a random initialisation where no file says how weights were drawn.

He et al., "Delving Deep into Rectifiers", ICCV 2015, equation 10: normal, of variance 2 / fan-in.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leakaudit.anatomy import constant, constants
from leakaudit.errors import InputError

RULE = (
    "the untrained encoder: a graph does not say how weights are drawn; those of MatMul, Gemm and Conv are normal, of "
    "variance 2 / fan-in (He), what is added is 0, normalisation is at its start"
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


@dataclass(frozen=True)
class Draw:
    """What a tensor is before any training."""

    mean: float
    deviation: float


def redrawn(model: Any, seed: int, path: Path) -> Any:
    """
    The same graph with fresh weights.

    Raises:
        InputError: the graph is quantised, or no operator has weights that can be told.
    """
    fresh = type(model)()
    fresh.CopyFrom(model)
    found, random = constants(fresh.graph), np.random.default_rng(seed)
    for name, draw in _draws(fresh.graph, path).items():
        tensor = found[name]
        values = draw.mean + draw.deviation * random.standard_normal(tuple(tensor.dims))
        for field in ("float_data", "int32_data", "double_data"):
            tensor.ClearField(field)
        tensor.raw_data = values.astype(np.dtype(REAL[tensor.data_type]).newbyteorder("<")).tobytes()
    return fresh


def notes(model: Any, path: Path) -> tuple[str, ...]:
    """
    What a reader must know of the fresh weights of a graph.

    Raises:
        InputError: as `redrawn`.
    """
    found, draws = constants(model.graph), _draws(model.graph, path)
    kept = [
        name
        for name, each in found.items()
        if name not in draws and each.data_type in REAL and math.prod(each.dims) > FEW
    ]
    if not kept:
        return (RULE,)
    shown = 3
    some = ", ".join(repr(name)[1:-1][:40] for name in kept[:shown]) + ", ..." * (len(kept) > shown)
    return RULE, f"of the untrained encoder {len(kept)} of {len(found)} tensors stay as in the file ({some})"


def _draws(graph: Any, path: Path) -> dict[str, Draw]:
    """How each held tensor is drawn, of those whose part in the graph is known."""
    if any(node.op_type in QUANTISED or node.op_type.endswith("Integer") for node in graph.node):
        raise InputError(f"{path}: a quantised graph; its weights cannot be drawn anew")
    found = constants(graph)
    makers = {name: node for node in graph.node for name in node.output if name}
    draws: dict[str, Draw] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            held = constant(name, makers, found)
            if held is None or held in draws or found[held].data_type not in REAL:
                continue
            sides = list(found[held].dims)
            start = _start(node, place, makers, found)
            if place in WEIGHTS.get(node.op_type, ()) and len(sides) > 1:
                draws[held] = Draw(0.0, math.sqrt(2 / max(1, _fan_in(node, place, sides, turned=held != name))))
            elif start is not None:
                draws[held] = Draw(start, 0.0)
    if not any(draw.deviation for draw in draws.values()):
        raise InputError(f"{path}: no MatMul, Gemm or Conv with weights in the file: none can be drawn anew")
    return draws


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


def _fan_in(node: Any, place: int, sides: list[int], *, turned: bool) -> int:
    """Numbers that enter one output of the operator; `turned`: the tensor enters it through a Transpose."""
    if node.op_type == "Conv":
        return math.prod(sides[1:])
    if node.op_type == "ConvTranspose":
        return sides[0] * math.prod(sides[2:])
    turned ^= any(each.name == "transB" and bool(each.i) for each in node.attribute)
    turned ^= node.op_type in ("MatMul", "FusedMatMul") and place == 0  # W x, not x W
    return sides[-1] if turned else sides[-2]
