"""
Plain data out of what torch read: dictionaries with text keys, lists, numbers, texts, and tensors as numpy arrays.

What torch lets through may be shaped to exhaust whoever walks over it: nested without end, in a circle, shared so that
a kilobyte unfolds into a billion values, or a tensor of one number spread over a terabyte. Each has a limit.
"""

import math
from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch

from leakaudit.weights._standins import Held, NumpyArray, Table, Word

DEEP = 64
"""Dictionaries and lists within one another."""
VALUES, TENSORS = 1_000_000, 200_000
"""Of a file, counted as often as they are met."""
SPREAD, SLACK = 4, 64 << 20
"""The tensors of a file fill at most so many times its bytes, and so many more: halves become floats, views overlap."""
KEY = 1_000
"""Letters of a name."""
_DICTS = {dict, OrderedDict, Counter}
_ATOMS = {type(None), bool, int, float, str, bytes}
_LISTS = (list, tuple, set, frozenset, torch.Size)
_FLOAT32 = {torch.float16, torch.bfloat16} | {
    getattr(torch, name) for name in dir(torch) if name.startswith("float8_") and hasattr(torch, name)
}


class Plainly:
    """One file's walk: counts, limits, and the tensors met before."""

    def __init__(self, size: int, *, copy: bool) -> None:
        """`size` of the file in bytes; `copy`: the tensors lie in the file, and are read out of it."""
        self.copy = copy
        self.left = SPREAD * size + SLACK
        self.values = self.tensors = 0
        self.depth = 0
        self.widened: Counter[str] = Counter()
        self._met: dict[Any, np.ndarray] = {}
        self._arrays: dict[int, Any] = {}

    def notes(self) -> tuple[str, ...]:
        """What was read as something else."""
        counts = self.widened.items()
        return tuple(f"{count} tensor{'s' * (count > 1)} of {name} read as float32" for name, count in counts)

    def __call__(self, value: Any) -> Any:
        """
        The value as plain data.

        Raises:
            ValueError: it is none, or there is too much of it.
        """
        if type(value) in _ATOMS:
            return value
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if type(value) in {complex, bytearray, torch.dtype, torch.device}:
            return bytes(value) if type(value) is bytearray else str(value)
        if isinstance(value, (Word, type)):
            return value.name if isinstance(value, Word) else value.__name__
        self.depth += 1
        if self.depth > DEEP:
            raise ValueError(f"values nested more than {DEEP} deep, or in a circle")
        try:
            return self._collection(value)
        finally:
            self.depth -= 1

    def _collection(self, value: Any) -> Any:
        if type(value) in _DICTS or isinstance(value, Table):
            return self._table(value)
        if type(value) in _LISTS:
            self._count(len(value))
            return [part if type(part) in _ATOMS else self(part) for part in value]
        if isinstance(value, NumpyArray):
            if id(value) not in self._arrays:
                self._arrays[id(value)] = value.plain(self)
            return self._arrays[id(value)]
        if isinstance(value, Held):
            return value.plain(self)
        raise ValueError(f"a {type(value).__name__[:40]}, which is no plain data")

    def _count(self, more: int) -> None:
        self.values += more
        if self.values > VALUES:
            raise ValueError(f"more than {VALUES:,} values")

    def _table(self, value: dict) -> dict[str, Any]:
        """A dictionary by its own items, whatever attributes it was given."""
        self._count(len(value))
        table: dict[str, Any] = {}
        for key, part in (OrderedDict if type(value) is OrderedDict else dict).items(value):
            name = self._name(key)
            if name in table:
                raise ValueError(f"two keys that read {name[:40]!r}")
            table[name] = self(part)
        return table

    def _name(self, key: Any) -> str:
        name = key if type(key) is str else str(self(key))
        if len(name) > KEY:
            raise ValueError(f"a key of {len(name):,} letters")
        return name

    def _tensor(self, tensor: torch.Tensor) -> np.ndarray:
        """
        A tensor as an array of its own, contiguous; one that is met twice is one array.

        bfloat16, float16 and float8, which networks are not evaluated in, become float32 without loss.
        """
        self.tensors += 1
        if self.tensors > TENSORS:
            raise ValueError(f"more than {TENSORS:,} tensors")
        tensor = torch.Tensor.detach(tensor)
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            kind = tensor.device if tensor.device.type != "cpu" else tensor.layout
            raise ValueError(f"a tensor on {kind}; store it dense: tensor.to_dense().cpu()")
        place = (
            *(tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.dtype),
            *(tuple(tensor.shape), tensor.stride(), tensor.is_conj(), tensor.is_neg()),
        )
        if place not in self._met:
            wide = tensor.dtype in _FLOAT32
            self.left -= math.prod(tensor.shape) * (4 if wide else tensor.element_size())
            if self.left < 0:
                raise ValueError("tensors that spread a few numbers over more memory than the file can fill")
            if tensor.dtype is torch.complex32:
                tensor = tensor.to(torch.complex64)
            if wide:
                self.widened[str(tensor.dtype).removeprefix("torch.")] += 1
                array = tensor.to(torch.float32).numpy()
            else:
                array = tensor.resolve_conj().resolve_neg().numpy()
            self._met[place] = np.array(array, order="C") if self.copy and not wide else np.ascontiguousarray(array)
            if tensor.ndim == 0:
                self._met[place] = self._met[place].reshape(())
        return self._met[place]
