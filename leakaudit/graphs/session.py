"""
An ONNX graph as a network: onnxruntime runs it, and what is inside is seen by hooks, like any other's.

Nothing of a stranger's code runs: a graph is data, its operators are those of onnxruntime.
"""

import math
import threading
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from leakaudit import anatomy
from leakaudit.anatomy import Anatomy, Entry
from leakaudit.errors import InputError, RefusedError
from leakaudit.graphs import trial

BOTTLENECK = "bottleneck"
"""Name of the layer whose input is the bottleneck."""
PATIENCE, LEAST = 20, 60.0
"""A pass may take so many times what it took in the trial, and so many seconds in any case."""


class Site(nn.Module):
    """A place in the graph: a hook before it sees what enters an operator, a hook after it what comes out."""

    def forward(self, _: Tensor, after: Tensor) -> Tensor:
        """What comes out."""
        return after


class Graph(nn.Module):
    """A session of onnxruntime over the graph; its state is the sha256 of what it runs."""

    def __init__(
        self, model: Any, sha256: bytes, parts: Anatomy, tried: trial.Tried, sites: dict[str, tuple[str, str]]
    ) -> None:
        """Run `model`, of that digest, `opened` to put out what `wanted` names."""
        super().__init__()
        self.parts, self.sites = parts, sites
        self.rows = parts.entry.batch or tried.rows
        self.dims, self.seconds = tried.dims, max(LEAST, PATIENCE * tried.seconds)
        self._content: bytes = trial.opened(model, wanted(parts, sites)).SerializeToString(deterministic=True)
        self._sessions: dict[str, Any] = {}
        self.register_buffer("sha256", torch.frombuffer(bytearray(sha256), dtype=torch.uint8))
        self.layer = BOTTLENECK if parts.bottleneck else ""
        for name in filter(None, (self.layer, *sites)):
            self._modules[name] = Site()  # add_module refuses dots, which names of tensors have

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits; each `Site` is called with what enters its operator and what comes out."""
        if torch.is_autocast_enabled(x.device.type):
            raise InputError("an ONNX graph runs in the precision it was exported in: leave out --amp")
        images = _images(x.detach().cpu().contiguous().numpy(), self.parts.entry)
        starts = range(0, len(images), self.rows)
        blocks = [self._run(images[first : first + self.rows], x.device) for first in starts]
        names = wanted(self.parts, self.sites)
        found = {
            name: torch.from_numpy(np.concatenate([block[place] for block in blocks])).to(x.device).float()
            for place, name in enumerate(names)
        }
        for name, (before, after) in self.sites.items():
            self._site(name)(found[before], found[after])
        logits = found[self.parts.logits].flatten(1)
        if binary(self.parts, logits.shape[1]):
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        if self.layer:
            logits = self._site(self.layer)(pooled(found[self.parts.bottleneck], self.parts), logits)
        return logits

    def _site(self, name: str) -> nn.Module:
        site = self._modules[name]
        assert site is not None
        return site

    def _run(self, block: np.ndarray, device: torch.device) -> list[np.ndarray]:
        """What the tensors are for some images, one row each."""
        entry, there = self.parts.entry, len(block)
        block = np.concatenate([block, np.repeat(block[-1:], self.rows - there, 0)])  # as many as were tried
        fed = {entry.name: np.ascontiguousarray(block if entry.axes[0] == "n" else block[0])}
        tried = self.dims[1:] if entry.axes[0] == "n" else self.dims
        if block.shape[1:] != tried:
            raise InputError(f"the graph was tried with images of {list(tried)}, these are {list(block.shape[1:])}")
        names = wanted(self.parts, self.sites)
        options = _options()
        timer = threading.Timer(self.seconds, setattr, (options, "terminate", True))
        timer.daemon = True
        session = self._session(device)
        timer.start()
        try:
            made = session.run(trial.outputs(len(names)), fed, options)
        except Exception as error:  # onnxruntime's own, of many kinds
            if options.terminate:
                raise RefusedError(
                    f"onnxruntime had not run the graph on {len(block)} images after {self.seconds:.0f} s, "
                    f"{PATIENCE} times what the trial took or more; it was ended"
                ) from error
            raise InputError(
                f"onnxruntime cannot run the graph on {len(block)} images ({anatomy.short(error)})"
            ) from error
        finally:
            timer.cancel()
        return [rows(np.asarray(part), len(block), name)[:there] for part, name in zip(made, names, strict=True)]

    def _session(self, device: torch.device) -> Any:
        if device.type not in self._sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
            options.log_severity_level = 4  # what it has to say is in what it raises
            both = ["CUDAExecutionProvider"] * (device.type == "cuda") + ["CPUExecutionProvider"]
            there = [name for name in both if name in onnxruntime.get_available_providers()]
            self._sessions[device.type] = onnxruntime.InferenceSession(
                self._content,
                options,
                providers=there,
                enable_fallback=0,  # which would print on stdout
            )
        return self._sessions[device.type]


def wanted(parts: Anatomy, sites: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    """The tensors that are read, each once."""
    inner = (name for ends in sites.values() for name in ends)
    return tuple(dict.fromkeys(filter(None, (parts.bottleneck, parts.logits, *inner))))


def _options() -> Any:
    """Of one run, which can be ended by them."""
    import onnxruntime

    return onnxruntime.RunOptions()


def _images(x: np.ndarray, entry: Entry) -> np.ndarray:
    """Images as a graph takes them."""
    there = x.shape[1:]
    if entry.axes == "nd" and entry.sizes[1] not in (None, math.prod(there)):
        raise InputError(f"the graph takes {entry.sizes[1]} numbers an image, these have {math.prod(there)}")
    if any(size not in (None, side) for size, side in zip(entry.shape, there, strict=True)):
        told = "x".join("any" if size is None else str(size) for size in entry.shape)
        raise InputError(f"the graph takes images of {told}, these are {'x'.join(map(str, there))}")
    if entry.dtype == "uint8":
        if x.size and np.abs(x).max() > 1 + 1 / 255:
            raise InputError("the graph takes bytes: images in 0..1 expected, from which 0..255 is made")
        x = np.rint(x * 255).clip(0, 255)
    x = x.astype(entry.dtype, copy=False)
    if entry.axes in ("nhwc", "hwc"):
        return x.transpose(0, 2, 3, 1)
    return x.reshape(len(x), -1) if entry.axes == "nd" else x[:, 0] if entry.axes == "nhw" else x


def rows(part: np.ndarray, count: int, name: str) -> np.ndarray:
    """A row for each image, of a tensor that may lack the axis of images where there is one."""
    if count == 1 and not (part.ndim > 1 and len(part) == 1):
        part = part[None]
    if len(part) != count:
        raise InputError(f"tensor {anatomy.short(name)} is {list(part.shape)} for {count} images: no row for each")
    return part[:, None] if part.ndim == 1 else part


def pooled(z: Tensor, parts: Anatomy) -> Tensor:
    """The mean over places: those of a map that enters a 1x1 Conv (n, d, h, w), of others (n, ..., d)."""
    if z.ndim < 3:  # noqa: PLR2004 -- images and numbers
        return z
    return z.flatten(2).mean(2) if parts.classifier.startswith("Conv") else z.flatten(1, -2).mean(1)


def binary(parts: Anatomy, classes: int) -> bool:
    """Whether the graph ends in the sigmoid of one number."""
    return parts.end == anatomy.ENDS["Sigmoid"] and classes == 1
