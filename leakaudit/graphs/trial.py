"""
A stranger's graph, opened and run over a few images in a process of its own, with a limit of memory and of time.

It is run over one image, and over as many as later pass at a time: no other number ever does, so what was measured
here holds there (`flow` sees to it that the images' values decide nothing of it).
What kills that process, or fails in it, is refused here: no later process meets it. The child reads the model from
stdin, its request from the command line, and answers with one line of JSON; it loads neither torch nor leakaudit's own
modules beyond this one.
"""

import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leakaudit.errors import RefusedError

MEMORY = 4 << 30
"""Bytes that one image may take, beside four times the model."""
SECONDS = 60
"""Processor time that one image may take, and the reading of the model."""
SPAN = 1 << 30
"""Bytes that one map may have, as far as shapes are known; all maps of a pass together may have four times that."""
FEW = 8
"""Images that are tried in one pass, and later passed at a time; fewer where their maps would be too large."""


@dataclass(frozen=True)
class Request:
    """What is tried."""

    input: str
    dims: tuple[int | None, ...]
    """Of the input with one image; a None anywhere: shapes are inferred, nothing is run."""
    batch: int | None
    """Place of the axis of images, where a pass may take any number of them; None: there is none."""
    dtype: str
    tensors: tuple[str, ...]
    """Names of those that are read."""


@dataclass(frozen=True)
class Tried:
    """What came of it."""

    shapes: dict[str, tuple[int | None, ...]]
    """Of every tensor whose rank could be inferred."""
    outputs: tuple[tuple[int, ...], ...]
    """Shapes that were put out; none where nothing was run."""
    together: bool
    """Whether several images in one pass give what each gives alone."""
    rows: int
    """Images that were tried in one pass, and pass at a time; 1 where each passes alone."""
    dims: tuple[int | None, ...]
    """Of the input with one image, as it was tried."""
    seconds: float
    """That the longest pass took."""


@lru_cache(maxsize=16)
def attempt(model: bytes, request: Request, where: str) -> Tried:
    """
    The shapes of a graph, and whether it can be run.

    Raises:
        RefusedError: it is no valid graph, onnxruntime does not run it, or it takes more memory or time than it may.
    """
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    memory = MEMORY + 4 * len(model)
    words = [sys.executable, "-P", "-W", "ignore", "-m", "leakaudit.graphs.trial", json.dumps(asdict(request))]
    words += [str(memory), str(SECONDS)]
    try:
        done = subprocess.run(  # noqa: S603 -- this file, by this interpreter
            words,
            input=model,
            capture_output=True,
            check=False,
            timeout=4 * SECONDS,
            env={**os.environ, "PYTHONPATH": paths},
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"{where}: not run to its end in {4 * SECONDS} s") from error
    answer = _answer(done.stdout)
    if done.returncode != 0 or answer is None:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise RefusedError(
            f"{where}: running it over one image ended its process ({how}), within {memory >> 20:,} MiB and {SECONDS} s"
        )
    if "refused" in answer:
        raise RefusedError(f"{where}: {answer['refused']}")
    shapes = {name: tuple(sides) for name, sides in answer["shapes"].items()}
    sizes = tuple(map(tuple, answer["outputs"]))
    together, rows, seconds = bool(answer["together"]), int(answer["rows"]), float(answer["seconds"])
    return Tried(shapes, sizes, together, rows, request.dims, seconds)


def outputs(count: int) -> list[str]:
    """What the outputs of an opened graph are called."""
    return [f"leakaudit:{number}" for number in range(count)]


def opened(model: Any, tensors: Sequence[str]) -> Any:
    """The same `ModelProto`, which puts out these tensors and nothing else."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for name, out in zip(tensors, outputs(len(tensors)), strict=True):
        copy.graph.node.append(onnx.NodeProto(op_type="Identity", input=[name], output=[out]))
        copy.graph.output.append(onnx.ValueInfoProto(name=out))
    return copy


def _answer(out: bytes) -> dict[str, Any] | None:
    """The last line, where it is JSON."""
    try:
        found = json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _main() -> None:
    """The child: reads, checks, infers, runs, answers."""
    request, memory, seconds = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    try:
        import resource
    except ImportError:  # no such limits on Windows
        pass
    else:
        for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
            resource.setrlimit(what, (most, most))
    try:
        answer = _try(sys.stdin.buffer.read(), request)
    except MemoryError:
        answer = {"refused": f"one image takes more than {memory >> 20:,} MiB"}
    except Exception as error:  # noqa: BLE001 -- whatever a library raises, the graph is not run
        words = " ".join(str(error).split())
        answer = {"refused": f"it cannot be run ({repr(words)[1:-1][:160]})"}
    print(json.dumps(answer))  # noqa: T201 -- the answer


def _try(content: bytes, request: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    import onnx
    import onnx.inliner
    import onnxruntime

    onnx.checker.check_model(content)
    model = onnx.ModelProto.FromString(content)
    shapes, sizes = _shapes(model, request)
    most = max(sizes, default=0)
    if most > SPAN:
        return {"refused": f"a map of one image has {most >> 20:,} MiB; at most {SPAN >> 20:,} MiB are run"}
    if model.functions:
        onnx.inliner.inline_local_functions(model)
    if None in request["dims"]:
        return {"shapes": shapes, "outputs": [], "together": False, "rows": 1, "seconds": 0}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    content, names = opened(model, request["tensors"]).SerializeToString(), outputs(len(request["tensors"]))
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    random = np.random.default_rng(0)
    top = 255 if request["dtype"] == "uint8" else 1
    images = [(random.random(request["dims"]) * top).astype(request["dtype"]) for _ in range(2)]
    times = [time.perf_counter()]
    alone = []
    for image in images:
        alone.append(session.run(names, {request["input"]: image}))
        times.append(time.perf_counter())
    together, rows = False, max(2, min(FEW, 4 * SPAN // max(sum(sizes), 1)))
    if request["batch"] is not None:
        try:
            many = [images[place % 2] for place in range(rows)]
            both = session.run(names, {request["input"]: np.concatenate(many, request["batch"])})
            times.append(time.perf_counter())
            together = all(
                len(part.shape) > 0
                and len(part) == rows
                and np.allclose(
                    part,
                    np.concatenate([each[place % 2] for place in range(rows)]),
                    rtol=1e-2,
                    atol=1e-3,
                    equal_nan=True,
                )
                for part, *each in zip(both, *alone, strict=True)
            )
        except Exception:  # noqa: BLE001 -- it takes one image at a time
            together = False
    seconds = max(after - before for before, after in itertools.pairwise(times))
    told = {"together": together, "rows": rows if together else 1, "seconds": seconds}
    return {"shapes": shapes, "outputs": [part.shape for part in alone[0]], **told}


def _shapes(model: Any, request: dict[str, Any]) -> tuple[dict[str, list[int | None]], list[int]]:
    """Shapes by name, and bytes of the maps whose shape is known."""
    import onnx

    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for value in sized.graph.input:
        if value.name == request["input"]:
            for side, size in zip(value.type.tensor_type.shape.dim, request["dims"], strict=True):
                if size is not None:
                    side.dim_value = size
    for value in sized.graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(sized, data_prop=True).graph
    shapes: dict[str, list[int | None]] = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            shapes[value.name] = [side.dim_value if side.HasField("dim_value") else None for side in kind.shape.dim]
    made = [name for node in inferred.node for name in node.output if name]
    known = [shapes[name] for name in made if name in shapes and None not in shapes[name]]
    wide = 8  # bytes of the widest number
    return shapes, [wide * math.prod(side or 0 for side in sides) for sides in known]


if __name__ == "__main__":
    _main()
