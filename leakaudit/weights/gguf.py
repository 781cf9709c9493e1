"""A GGUF file (llama.cpp): refused, since its tensors are packed for a runtime of their own."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError

MAGIC = (b"GGUF", b"ggml", b"lmgg", b"tjgg")


def recognises(head: bytes, path: Path) -> bool:  # noqa: ARG001 # as the others are called
    """Whether it begins as one, or as one of its predecessors."""
    return head.startswith(MAGIC)


def read(path: Path) -> Never:
    """
    What to read instead is said.

    Raises:
        RefusedError: always.
    """
    raise RefusedError(
        f"{path}: a GGUF file, its tensors packed for llama.cpp. Audit the safetensors file that it was made from"
    )
