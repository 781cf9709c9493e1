"""A bare pickle (scikit-learn, joblib, detectron2): refused, since reading it would run what it asks for."""

import mmap
from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError
from leakaudit.weights import _asked, _opcodes

PROTOCOLS = range(2, 6)
"""Of pickles that say which they are in their first two bytes; older ones begin with what they hold."""
OLD = 1 << 20
"""Bytes of a pickle that does not say what it is, at most: it is followed to its end."""
PICKLES = 100
"""Pickles in one file, one after another, that are followed."""
ARRAYS = "Write its arrays to safetensors where it was made: safetensors.numpy.save_file(arrays, 'weights.safetensors')"


def recognises(head: bytes, path: Path) -> bool:
    """Whether it says that it is a pickle, or is small and one from its first byte to its last opcode."""
    if len(head) > 1 and head[0] == 0x80 and head[1] in PROTOCOLS:  # noqa: PLR2004 # PROTO
        return not _opcodes.is_torch(head)
    if path.stat().st_size > OLD:
        return False
    try:
        return _opcodes.walk(path.read_bytes()).end > 1
    except _opcodes.DamagedError:
        return False


def read(path: Path) -> Never:
    """
    What it asks for is listed, and it is not read.

    Raises:
        RefusedError: always.
    """
    names: dict[str, None] = {}
    damage = ""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place, most, steps = 0, PICKLES, _opcodes.STEPS
        while place < len(data) and most and not damage:
            try:
                found = _opcodes.walk(data, place, steps)
                names |= found.names
                place, most, steps = found.end, most - 1, steps - found.steps
            except _opcodes.DamagedError as error:
                names |= dict.fromkeys(error.names)
                damage = f", truncated or damaged ({error})"
    unsafe = [name for name in names if name not in _asked.ALLOWED]
    why = _asked.refusal(unsafe) if unsafe else f"holds no tensors of torch. {ARRAYS}"
    raise RefusedError(f"{path}: a bare pickle, not torch.save's{damage}: {why}")
