"""Small honest files of each format, as their own libraries write them: to warm the watcher, and to be mutated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

STATE = {
    "hidden.weight": torch.arange(12.0).reshape(3, 4),
    "hidden.bias": torch.ones(3, dtype=torch.float16),
    "classifier.weight": torch.eye(2, 3, dtype=torch.float64),
    "steps": torch.tensor(7),
}


def torch_zip(path: Path) -> None:
    """A training state as torch has written it since 1.6."""
    torch.save({"epoch": 3, "state_dict": STATE, "optimizer": {"state": {0: {"step": 1}}, "names": ["a", "b"]}}, path)


def torch_legacy(path: Path) -> None:
    """The same tensors as torch wrote them before."""
    torch.save({"net": STATE, "acc": 0.91}, path, _use_new_zipfile_serialization=False)


def safetensors(path: Path) -> None:
    """The same tensors without any pickle."""
    save_file(STATE, path, metadata={"format": "pt"})


def onnx(path: Path) -> None:
    """A graph of two layers, with its classifier."""
    import onnx as library
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {"w1": rng.normal(size=(16, 5)), "b1": rng.normal(size=5), "w2": rng.normal(size=(5, 2))}
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["z"]),
        helper.make_node("MatMul", ["z", "w2"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 4, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )  # fmt: skip
    library.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def npz(path: Path) -> None:
    """Embeddings of six rows."""
    np.savez_compressed(path, z=np.arange(12.0).reshape(6, 2), y=np.arange(6) % 2, v=np.array(list("ababab")))


def parquet(path: Path) -> None:
    """Embeddings of six rows, as a table."""
    import pyarrow as pa
    from pyarrow import parquet as files

    files.write_table(pa.table({"z0": np.arange(6.0), "z1": np.ones(6), "y": np.arange(6) % 2}), path)


def csv(path: Path) -> None:
    """Embeddings of six rows, as text."""
    path.write_text("z0,z1,y\n" + "".join(f"{row}.5,1,{row % 2}\n" for row in range(6)), encoding="utf-8")


def vectors(path: Path) -> None:
    """Embeddings of six rows as safetensors."""
    from safetensors.numpy import save_file as save

    save({"z": np.ones((6, 2), np.float32), "y": np.arange(6) % 2}, path)


def ledger(path: Path) -> None:
    """A ledger of two entries."""
    path.write_text(
        """
[mine]
weights = "w.safetensors"
sha256 = "8cd601b5a66818db2622ce330cd0d54ca8779c4f47599075e89d41eceee68c12"
bytes = 401208
backbone = "simple-convnet:kernel=3"
size = "8x9"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
dataset = "digits:rho=0.8"
target = "digit"
private = ["colour", "pen"]
classes = ["0", "1"]
rename = { "fc." = "classifier." }
licence = "MIT"
note = "No\\u00e9l."

[theirs]
weights = "hf://org/repository/model.safetensors@main"
""",
        encoding="utf-8",
    )


FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "zip.pth": ("read", torch_zip),
    "legacy.pth": ("read", torch_legacy),
    "w.safetensors": ("read", safetensors),
    "w.onnx": ("read", onnx),
    "z.npz": ("embeddings", npz),
    "z.parquet": ("embeddings", parquet),
    "z.csv": ("embeddings", csv),
    "z.safetensors": ("embeddings", vectors),
    "own.toml": ("ledger", ledger),
}
"""By name: the job that reads it, and what writes it."""


def files(folder: Path) -> list[Path]:
    """All of them, written to a folder."""
    for name, (_, write) in FILES.items():
        write(folder / name)
    return [folder / name for name in FILES]
