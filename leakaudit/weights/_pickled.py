"""
The one place that lets torch read a stranger's pickle: `torch.load(weights_only=True)`, watched.

The names it may ask for and the storages it declares were looked at before (`_asked`); while torch reads, no other
name is allowed than torch's own and the stand-ins, and memory has a ceiling.
"""

import os
import pickletools
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from leakaudit.errors import RefusedError, spelt
from leakaudit.weights import Contents
from leakaudit.weights._limits import ceiling
from leakaudit.weights._plain import Plainly
from leakaudit.weights._standins import standins


def read(path: Path, kind: str, *, mapped: bool) -> Contents:
    """
    What torch reads out of a file, as plain data.

    Raises:
        RefusedError: torch refuses it, it takes more memory than such a file can need, or is no plain data.
    """
    met: Counter[str] = Counter()
    size = path.stat().st_size
    plainly = Plainly(size, copy=mapped)
    try:
        with ceiling(size):
            tree = plainly(_load(path, met, mapped=mapped))
    except MemoryError as error:
        raise RefusedError(f"{path}: takes more memory than a file of {size:,} bytes can need") from error
    except RefusedError:
        raise
    except Exception as error:
        # whatever a stranger's bytes make torch raise, the file is not read
        raise RefusedError(f"{path}: truncated, damaged or unsafe ({_reason(error)})") from error
    notes = (f"{count} {name} read as plain data" for name, count in met.items())
    return Contents(kind, tree, (*notes, *plainly.notes()))


def _load(path: Path, met: Counter[str], *, mapped: bool) -> Any:
    """What torch reads, while it allows no other names than its own and the stand-ins."""
    import torch

    named: list[Any] = [(standin, name) for name, standin in standins(met).items()]
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(named):
            warnings.simplefilter("ignore")
            if mapped and not os.fspath(path).endswith(".safetensors") and os.fspath(path).isprintable():
                return torch.load(os.fspath(path), map_location="cpu", weights_only=True, mmap=True)
            with path.open("rb") as file:
                return torch.load(file, map_location="cpu", weights_only=True)
    finally:
        torch.serialization.add_safe_globals(before)


def _reason(error: Exception) -> str:
    """What torch says, in one line and without its advice to trust the file."""
    said = str(error).rpartition("WeightsUnpickler error:")[2]
    if operand := re.search(r"Unsupported operand (\d+)", said):
        name = next((known.name for known in pickletools.opcodes if ord(known.code) == int(operand[1])), operand[1])
        return f"opcode {name}, which torch's reader leaves out; save it by torch.save with its own pickle_protocol=2"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return spelt(lines[0] if lines else type(error).__name__)
