"""
What the values of an image may decide in a graph: what comes out, never how much work or memory it is.

Names that depend on those values are followed through all operators, those of inner graphs with them; `Shape`, `Size`
and `SequenceLength` end it. A graph passes where nothing that such a name reaches decides a shape, a count or a branch:
then one image takes what any other of its size takes, and what a trial measured holds. Operators that nobody listed do
not pass. Inputs by operator: https://onnx.ai/onnx/operators and onnxruntime's `docs/ContribOperators.md`.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leakaudit.anatomy import constants, short
from leakaudit.errors import RefusedError

RANDOM = {
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    "BiasDropout", "BitmaskDropout", "BitmaskBiasDropout",
}  # fmt: skip
"""Operators that draw; `Dropout` does where it is told to."""
ENDING = {"Shape", "Size", "SequenceLength"}
"""What these put out depends on shapes alone."""
ALL = tuple(range(16))
SIZED = {
    "AffineGrid": (1,), "Attention": (6,), "BlackmanWindow": ALL, "CenterCropPad": (1,), "Col2Im": (1, 2),
    "Compress": (1,),
    "ConstantOfShape": ALL, "CropAndResize": (3,), "DFT": (1, 2), "Expand": (1,), "HammingWindow": ALL,
    "HannWindow": ALL, "MaxRoiPool": (1,), "MaxUnpool": (2,), "MelWeightMatrix": ALL,
    "MultiHeadAttention": (8, 9), "NonMaxSuppression": ALL,
    "NonZero": ALL, "OneHot": (1,), "Pad": (1, 3), "Range": ALL, "ReduceL1": (1,), "ReduceL2": (1,),
    "ReduceLogSum": (1,), "ReduceLogSumExp": (1,), "ReduceMax": (1,), "ReduceMean": (1,), "ReduceMin": (1,),
    "ReduceProd": (1,), "ReduceSum": (1,), "ReduceSumSquare": (1,), "Reshape": (1,), "Resize": (1, 2, 3),
    "RoiAlign": (1, 2), "STFT": (1, 3), "SequenceAt": (1,), "SequenceErase": (1,), "SequenceInsert": (2,),
    "Slice": (1, 2, 3, 4), "Split": (1,), "SplitToSequence": (1,), "Squeeze": (1,), "Tile": (1, 2), "TopK": (1,),
    "Unique": ALL, "Unsqueeze": (1,), "Upsample": (1,),
}  # fmt: skip
"""Inputs that decide a shape, or how often something is done, by operator: none of them may depend on the image."""
EVEN = frozenset(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BitCast BitShift
    BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Concat ConcatFromSequence Constant Conv
    ConvInteger ConvTranspose Cos Cosh CumProd CumSum DeformConv DepthToSpace DequantizeLinear Det Div Dropout
    DynamicQuantizeLinear Einsum Elu Equal Erf Exp EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm
    GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid
    HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual
    Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod
    Mul Neg Not Or PRelu Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN Reciprocal Relu
    ReverseSequence RotaryEmbedding Round Scatter ScatterElements ScatterND Selu SequenceConstruct Shrink Sigmoid Sign
    Sin Sinh Softmax Softplus Softsign SpaceToDepth Sqrt Sub Sum SwiGLU Swish Tan Tanh ThresholdedRelu Transpose Trilu
    Where Xor
    ArrayFeatureExtractor Binarizer Imputer LabelEncoder LinearClassifier LinearRegressor Normalizer OneHotEncoder
    SVMClassifier SVMRegressor Scaler ZipMap
    BiasAdd BiasGelu BiasSoftmax BiasSplitGelu DynamicQuantizeMatMul FastGelu FusedConv FusedGemm FusedMatMul GroupNorm
    Inverse MatMulIntegerToFloat MatMulNBits NhwcConv NhwcFusedConv NhwcMaxPool QAttention QGemm
    QLinearAdd QLinearAveragePool QLinearConcat QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean
    QLinearSigmoid QLinearSoftmax QLinearWhere QuickGelu SimplifiedLayerNormalization SkipGroupNorm
    SkipLayerNormalization SkipSimplifiedLayerNormalization
    """.split()  # noqa: SIM905 -- as a list of literals it is five screens long
)
"""Operators whose shapes and work come from the shapes of what enters and from attributes: any input may depend."""
BOOL = 9
"""Its code among the kinds of numbers."""
Place = str | tuple[int, str]
"""A name; or an operator, by its number, between the names that enter and those that come out."""


def check(model: Any, path: Path) -> None:
    """
    Refuse a graph whose work or memory the values of an image decide, or that draws random numbers.

    Functions are to be written out before.

    Raises:
        RefusedError: the message names the operator.
    """
    if model.functions:
        name = short(model.functions[0].name, 60)
        raise RefusedError(f"{path}: function {name} cannot be written out; export the model without functions")
    reached, false = _reached(model.graph), _false(model.graph)
    for node in _nodes(model.graph):
        why = _wrong(node, reached, false)
        if why:
            named = f"{short(node.op_type, 40)} {short(node.name or next(iter(node.output), ''), 60)}"
            raise RefusedError(f"{path}: operator {named}: {why}")


def _wrong(node: Any, reached: set[Place], false: set[str]) -> str:
    """What is wrong with an operator; empty: nothing."""
    kind, inputs = node.op_type, list(node.input)
    trains = kind == "Dropout" and any(inputs[2:]) and inputs[2] not in false
    if kind in RANDOM or trains:
        return "it draws random numbers: what comes out is no function of the image; export the model for inference"
    bodies = _bodies(node)
    if kind == "If":
        at: tuple[str, ...] = tuple(inputs[:1])
    elif kind == "Loop":
        at = (*inputs[:2], *(body.output[0].name for body in bodies if body.output))
    elif kind == "Scan":
        at = ()
    elif bodies:
        return "it holds a graph, which is run of If, Loop and Scan alone"
    elif kind in SIZED:
        at = tuple(inputs[place] for place in SIZED[kind] if place < len(inputs))
    elif kind in EVEN or kind in ENDING or not any(name in reached for name in inputs):
        return ""
    else:
        return "it is not known to take the same memory and time for every image; export the model without it"
    does = "whether or how often it runs its graph" if bodies else "the size of what it puts out"
    if any(name in reached for name in at if name):
        return f"{does} depends on the values of the image, so no trial can bound its memory and time"
    return ""


def _reached(graph: Any) -> set[Place]:
    """The names, of inner graphs as well, that depend on the values of what enters the graph."""
    held = {tensor.name for tensor in graph.initializer}
    onward: defaultdict[Place, list[Place]] = defaultdict(list)
    for number, node in enumerate(_nodes(graph)):
        bodies = _bodies(node)
        if bodies:
            for body in bodies:
                for before, after in _through(node, body, (number, "body")):
                    onward[before].append(after)
        elif node.op_type not in ENDING:
            through = (number, "")
            for name in node.input:
                onward[name].append(through)
            onward[through].extend(node.output)
    open_: list[Place] = [value.name for value in graph.input if value.name not in held]
    found: set[Place] = set()
    while open_:
        place = open_.pop()
        if place not in found and place != "":
            found.add(place)
            open_.extend(onward.get(place, ()))
    return found


def _through(node: Any, body: Any, hub: Place) -> Iterator[tuple[Place, Place]]:
    """Pairs of places of which the second takes its values from the first, for an operator that holds a graph."""
    outer, inner = list(node.input), [value.name for value in body.input]
    ends, out = [value.name for value in body.output], list(node.output)
    if (
        node.op_type == "Loop"
    ):  # count, condition and carried; inside also a condition, then carried and what is stacked
        yield from zip(outer, inner, strict=False)
        yield from zip(outer[2:], out, strict=False)
        yield from zip(ends, inner[1:], strict=False)
        yield from zip(ends[1:], out, strict=False)
        return
    if len(outer) == len(inner):
        yield from zip(outer, inner, strict=True)
    else:  # If, and Scan as it first was
        yield from ((before, hub) for before in outer)
        yield from ((hub, after) for after in (*inner, *out))
    yield from zip(ends, out, strict=False)
    if node.op_type == "Scan":
        stacked = min((each.i for each in node.attribute if each.name == "num_scan_inputs"), default=0)
        carried = inner[: max(0, len(inner) - stacked)]
        yield from zip(ends, carried, strict=False)
        yield from zip(outer, out[: len(carried)], strict=False)


def _nodes(graph: Any) -> Iterator[Any]:
    """Every operator, those of inner graphs as well."""
    for node in graph.node:
        yield node
        for body in _bodies(node):
            yield from _nodes(body)


def _bodies(node: Any) -> list[Any]:
    return [
        body
        for attribute in node.attribute
        for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs)
    ]


def _false(graph: Any) -> set[str]:
    """The names of held tensors that are one False."""
    return {
        name
        for name, tensor in constants(graph).items()
        if tensor.data_type == BOOL and math.prod(tensor.dims) == 1 and not any((*tensor.int32_data, *tensor.raw_data))
    }
