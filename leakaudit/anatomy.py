"""
Where things are in an ONNX graph: how an image enters it, which operator classifies, and what goes in there.

The bottleneck is the input of the last MatMul, Gemm or 1x1 Conv with constant weights on the way to the output;
operators: https://onnx.ai/onnx/operators.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakaudit.errors import InputError, RefusedError

CLASSIFIERS = ("MatMul", "Gemm", "Conv", "QLinearMatMul", "MatMulInteger", "QGemm", "FusedMatMul", "FusedGemm")
ENDS = {"Softmax": "softmax", "LogSoftmax": "logarithm of softmax", "Sigmoid": "sigmoid"}
"""What makes probabilities of logits."""
BESIDE_ENDS = (*ENDS, "Identity", "Cast", "Squeeze", "Reshape", "Flatten")
"""They, and what may follow them."""
PASSED = (
    *ENDS, "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Cast", "Add", "Sub", "Mul", "Div", "Dropout",
    "Transpose", "GlobalAveragePool", "AveragePool", "ReduceMean", "Relu", "QuantizeLinear", "DequantizeLinear",
    "Concat", "Gather", "Slice",
)  # fmt: skip
"""Operators that may stand between the classifier and the output."""
SUMS = ("Add", "Sub", "Concat")
"""Operators through which more than one path may carry information to the output."""
HANDED_ON = ("Identity", "Cast", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "DequantizeLinear")
"""Operators after which a constant is still one."""
STEPS = 64
"""Of those, at most, one after another: where a stranger's graph has more, it is no constant."""
KINDS = {1: "float32", 10: "float16", 11: "float64", 2: "uint8"}
"""Numbers that images may be, by their code in ONNX."""
LABELS = (6, 7, 8, 9)
"""Whole numbers, text and truth, by their code: no logits."""
CHANNELS = (1, 3)


@dataclass(frozen=True)
class Entry:
    """The input of a graph."""

    name: str
    axes: str
    """`nchw`, `nhwc`, `nhw`, `chw`, `hwc`, or `nd`: the images flattened."""
    sizes: tuple[int | None, ...]
    """Of each axis; None: any."""
    dtype: str
    """`float32`, `float16`, `float64` or `uint8`."""

    @property
    def batch(self) -> int | None:
        """Images that a pass takes; None: any number."""
        return self.sizes[0] if self.axes[0] == "n" else 1

    @property
    def shape(self) -> tuple[int | None, int | None, int | None]:
        """Channels, height and width; None: any, or not told."""
        if self.axes == "nd":
            return None, None, None
        size = dict(zip(self.axes, self.sizes, strict=True))
        return size.get("c", 1), size["h"], size["w"]


@dataclass(frozen=True)
class Anatomy:
    """The parts of a graph that an audit reads."""

    entry: Entry
    bottleneck: str
    """Name of the tensor; empty: it cannot be told, for what `lost` says."""
    logits: str
    """Name of the tensor."""
    classifier: str
    """The operator, in a person's words: `Gemm /fc/Gemm`."""
    end: str
    """What the graph does to the logits: `softmax`, `sigmoid`; empty: nothing."""
    notes: tuple[str, ...]
    lost: str = ""


def of(model: Any, path: Path, named: Collection[str] = (), classes: int | None = None) -> Anatomy:
    """
    The anatomy of a `ModelProto`; of several outputs that could be logits the `named` one, or that of `classes`.

    Raises:
        InputError: several outputs could be the logits, and nobody says which.
        RefusedError: it has several inputs, an input that is no image, or no output that could be logits.
    """
    graph = model.graph
    notes: list[str] = []
    entry = _entry(graph, path, notes)
    makers = {name: node for node in graph.node for name in node.output if name}
    output = _output(graph, makers, _Said(frozenset(named), classes, entry.batch), path, notes)
    found = constants(graph)
    logits, end = _before_the_end(output, makers)
    if end:
        notes.append(f"the graph ends in {end}; logits are what enters it, the tensor {short(logits)}")
    node, data, lost = _classifier(logits, makers, found)
    if node is None:
        return Anatomy(entry, "", logits, "", end, tuple(notes), lost)
    named = f"{node.op_type} {short(node.name or node.output[0])}"
    notes.insert(0, f"ONNX graph: the bottleneck is the input of its last {named}, the tensor {short(data)}")
    if node.op_type in ("QLinearMatMul", "MatMulInteger", "QGemm"):
        notes.append("the graph is quantised: its bottleneck is whole numbers")
    return Anatomy(entry, data, logits, named, end, tuple(notes))


def constants(graph: Any) -> dict[str, Any]:
    """Tensors that the file holds, by name: initializers, and what operators `Constant` give."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and not node.domain and node.output:
            found.update((node.output[0], attribute.t) for attribute in node.attribute if attribute.HasField("t"))
    return found


def constant(name: str, makers: dict[str, Any], found: dict[str, Any]) -> str | None:
    """The name of the held tensor that a tensor is, turned or cast at most; None: it depends on the image."""
    for _ in range(STEPS):
        if name in found:
            return name
        node = makers.get(name)
        if node is None or node.op_type not in HANDED_ON or not node.input:
            return None
        name = node.input[0]
    return None


def short(text: object, most: int = 120) -> str:
    """A stranger's text, on one line, escaped and cut."""
    words = repr(str(text))[1:-1]
    return words if len(words) <= most else words[: most - 3] + "..."


def _sizes(value: Any) -> tuple[int | None, ...] | None:
    """The sides of a tensor; None: their number is not known."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None
        for side in value.type.tensor_type.shape.dim
    )


def _entry(graph: Any, path: Path, notes: list[str]) -> Entry:
    held = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in held]
    if len(inputs) != 1:
        names = ", ".join(short(value.name, 40) for value in inputs[:8])
        raise RefusedError(f"{path}: the graph has {len(inputs)} inputs ({names}); an audit gives it one, images")
    value = inputs[0]
    sizes, kind = _sizes(value), KINDS.get(value.type.tensor_type.elem_type)
    if kind is None:
        raise RefusedError(f"{path}: input {short(value.name)} is not of {', '.join(KINDS.values())}: no images")
    axes = None if sizes is None else _axes(sizes, graph)
    if sizes is None or axes is None:
        told = "of unknown rank" if sizes is None else f"of {len(sizes)} axes"
        raise RefusedError(f"{path}: input {short(value.name)} is {told}: no images (n, channels, height, width)")
    if axes in ("nhwc", "hwc"):
        notes.append("the graph takes channels last; images are turned for it")
    if axes == "nd":
        notes.append(f"the graph takes images as rows of {sizes[1] or 'any number of'} numbers, channel by channel")
    if kind == "uint8":
        notes.append("the graph takes bytes: images enter as 0..255, by no other normalisation")
    elif kind != "float32":
        notes.append(f"the graph takes {kind}: images are cast")
    entry = Entry(value.name, axes, sizes, kind)
    if entry.batch is not None:
        notes.append(f"the graph takes {entry.batch} image{'s' * (entry.batch > 1)} at a time, and is run so")
    return entry


def _axes(sizes: tuple[int | None, ...], graph: Any) -> str | None:
    """What the axes of the input are; None: not those of images."""
    if len(sizes) == 4:  # noqa: PLR2004 -- n, channels, height, width
        return "nhwc" if sizes[3] in CHANNELS and sizes[1] not in CHANNELS else "nchw"
    if len(sizes) == 3:  # noqa: PLR2004 -- one image, or several grey ones
        whole = _sizes(graph.output[0])
        if sizes[2] in CHANNELS and sizes[0] not in CHANNELS and sizes[0] is not None:
            return "hwc"
        single = sizes[0] == 1 or (sizes[0] in CHANNELS and (whole is None or len(whole) == 1))
        return "chw" if single else "nhw"
    return "nd" if len(sizes) == 2 else None  # noqa: PLR2004 -- n and numbers


@dataclass(frozen=True)
class _Said:
    """What is known of the logits beside the graph."""

    named: frozenset[str]
    """Operators or tensors that the user reads."""
    classes: int | None
    batch: int | None


def _output(graph: Any, makers: dict[str, Any], said: _Said, path: Path, notes: list[str]) -> str:
    """The name of the tensor that is taken for the answer."""
    outputs = list(graph.output)
    if len(outputs) == 1:
        return str(outputs[0].name)
    count = f"{path}: {len(outputs)} outputs"
    wide = [value for value in outputs if _could_be_logits(value, said.batch)]
    if not any(_sizes(value) for value in wide):
        names = ", ".join(short(value.name, 40) for value in outputs[:8])
        raise RefusedError(f"{count} ({names}), none of them known to be (n, classes)")
    named = [value for value in wide if {value.name, getattr(makers.get(value.name), "name", "")} & said.named]
    sized = [value for value in wide if said.classes and (_sizes(value) or ())[1:] == (said.classes,)]
    for some, why in ((named, "which --layer names"), (wide, "the only one that could be logits"),
                      (sized, f"the only one of {said.classes} numbers")):  # fmt: skip
        answers = _answers(some, makers)
        if len(answers) == 1:
            notes.append(f"of {len(outputs)} outputs {short(answers[0])} is taken, {why}")
            return answers[0]
    told = ", ".join(f"{short(value.name, 40)} {_told(_sizes(value))}" for value in wide[:8])
    raise InputError(f"{count}, of which {len(wide)} could be the logits ({told}); name one of them by --layer")


def _could_be_logits(value: Any, batch: int | None) -> bool:
    """Whether an output may be a row of numbers for each image, as far as the file says what it is."""
    sizes, kind = _sizes(value), value.type
    if (kind.WhichOneof("value") not in (None, "tensor_type")) or kind.tensor_type.elem_type in LABELS:
        return False
    return sizes is None or (len(sizes) == 2 and sizes[0] in (None, batch or 1))  # noqa: PLR2004 -- n and classes


def _answers(outputs: list[Any], makers: dict[str, Any]) -> list[str]:
    """Names of outputs, one for each tensor of logits: of logits and their softmax the softmax, which says its kind."""
    found: dict[str, str] = {}
    for value in outputs:
        logits, end = _before_the_end(value.name, makers)
        if end or logits not in found:
            found[logits] = str(value.name)
    return list(found.values())


def _told(sizes: tuple[int | None, ...] | None) -> str:
    """Sides in a person's words."""
    return "of unknown shape" if sizes is None else "(" + ", ".join(str(size or "n") for size in sizes) + ")"


def _before_the_end(output: str, makers: dict[str, Any]) -> tuple[str, str]:
    """The tensor before what makes probabilities, and what that is; reshapes and casts may follow it."""
    name = output
    for _ in range(STEPS):
        node = makers.get(name)
        if node is None or node.op_type not in BESIDE_ENDS or not node.input:
            break
        if node.op_type in ENDS:
            return str(node.input[0]), ENDS[node.op_type]
        name = node.input[0]
    return output, ""


def _classifier(output: str, makers: dict[str, Any], found: dict[str, Any]) -> tuple[Any, str, str]:
    """The one operator with constant weights behind the output, the tensor that enters it; or why there is none."""
    open_, seen = deque([output]), set()
    ends: list[tuple[Any, str]] = []
    strange: list[str] = []
    while open_:
        name = open_.popleft()
        node = makers.get(name)
        if name in seen or constant(name, makers, found) is not None:
            continue
        seen.add(name)
        data = None if node is None else _data(node, makers, found)
        if node is not None and data is not None:
            ends.append((node, data))
        elif node is not None and node.op_type in PASSED:
            inputs = [each for each in node.input if each]
            open_.extend(inputs if node.op_type in (*SUMS, "Mul", "Div") else inputs[:1])
        else:
            strange.append("the input" if node is None else node.op_type)
    sums = any(makers[name].op_type in SUMS for name in seen if name in makers)
    if len(ends) == 1 and not (strange and sums):
        return *ends[0], ""
    met = ", ".join([*(f"{node.op_type} {short(node.name, 40)}" for node, _ in ends), *map(short, strange)][:6])
    lost = (
        f"no single MatMul, Gemm or 1x1 Conv with constant weights leads to output {short(output, 40)} "
        f"(met {met or 'nothing'}); name the tensor to be read by --layer, or export the model up to its logits"
    )
    return None, "", lost


def _data(node: Any, makers: dict[str, Any], found: dict[str, Any]) -> str | None:
    """The tensor that enters a classifier; None: the operator is none."""
    if node.op_type not in CLASSIFIERS or len(node.input) < 2:  # noqa: PLR2004 -- data and weights
        return None
    second = 3 if node.op_type in ("QLinearMatMul", "QGemm") else 1
    if second >= len(node.input):
        return None
    held = [constant(node.input[place], makers, found) is not None for place in (0, second)]
    if node.op_type == "Conv":
        weights = constant(node.input[1], makers, found)
        if weights is None or any(side != 1 for side in found[weights].dims[2:]):
            return None
    if held == [False, True]:
        return str(node.input[0])
    return str(node.input[second]) if held == [True, False] and node.op_type == "MatMul" else None
