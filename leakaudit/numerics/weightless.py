"""
Networks without numbers: what is built inside this mode has names and shapes, costs no memory and draws nothing.

As `torch.device("meta")`, https://docs.pytorch.org/docs/stable/meta.html, but for the functions that count
(`arange`, `linspace`), by which some networks compute their widths.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FILLING = (
    torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.empty_strided, torch.eye,
)  # fmt: skip


class Weightless(TorchFunctionMode):
    """Inside it, tensors that would be filled hold no numbers."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Make it on the meta device where it is made to be filled."""
        del types
        kwargs = kwargs or {}
        if func in FILLING and kwargs.get("device") is None:
            kwargs = kwargs | {"device": "meta"}
        return func(*args, **kwargs)
