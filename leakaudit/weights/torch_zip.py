"""Weights that torch.save wrote since torch 1.6: a zip archive of a pickle and the numbers of each storage."""

from pathlib import Path

from leakaudit.errors import RefusedError
from leakaudit.weights import Contents, _asked, _members, _opcodes, _pickled


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is an archive of one folder's `data.pkl`, and of no code."""
    return _members.kind(head, path) == "torch_zip"


def read(path: Path) -> Contents:
    """
    What its `data.pkl` holds, with the numbers out of the other members.

    Raises:
        InputError: there is no such file.
        RefusedError: a member is cut short or shared, or it asks for anything but tensors and plain data.
    """
    places = _members.checked(path)
    start, size = places["data.pkl"]
    if size > _asked.PICKLE:
        raise RefusedError(f"{path}: a pickle of {size:,} bytes beside the tensors, more than {_asked.PICKLE:,}")
    with path.open("rb") as file:
        file.seek(start)
        found = _asked.told(file.read(size), path, _opcodes.STEPS)
    for key, wanted in _asked.storages(found, path).items():
        there = places.get(f"data/{key}", (0, 0))[1]
        if wanted > there:
            raise RefusedError(f"{path}: truncated, or damaged: {there:,} bytes of a tensor's {wanted:,} are there")
    return _pickled.read(path, "torch zip", mapped=True)
