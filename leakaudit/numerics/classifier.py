"""
The classifier of any network, found by what it does: the layer whose output alone makes what the network returns.

A pass over four images shows which layers run; a second puts numbers of our own in the place of a layer's output. The
layer is the classifier if what is returned then depends on these numbers alone, and keeps their order in every row: so
that a softmax or a temperature after it is allowed and told, while a second head, a skip around it or a mean over
places is not. No name, no type and no width is trusted.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.errors import InputError
from leakaudit.numerics.returned import kind, matrices

IMAGES = 4
"""In a pass: the first two are given the same numbers, so that any other route from image to answer shows."""
NAMED = 5
"""Layers that a message names."""
AFTER = {
    "softmax": lambda x: x.softmax(1),
    "log_softmax": lambda x: x.log_softmax(1),
    "sigmoid": torch.sigmoid,
    "log_sigmoid": functional.logsigmoid,
}
UNFIT = (
    RuntimeError, AssertionError, ValueError, IndexError, TypeError, AttributeError, KeyError, NotImplementedError,
)  # fmt: skip
"""What a network raises that cannot take what it is given."""


class Classifier(NamedTuple):
    """The layer whose input is the bottleneck."""

    name: str
    width: int
    """Numbers in a row of its output."""
    notes: tuple[str, ...]
    """What stands between it and what the network returns, for a reader of an audit; empty: nothing."""
    path: str = ""
    """Where its matrix lies in what the network returns: `[1]`; empty: it is all that is returned."""


class _Made(NamedTuple):
    """What a layer alone makes of all that is returned."""

    path: str
    after: str
    """What stands between; empty: nothing."""
    feeds: tuple[str, ...]
    """Where other matrices lie that are made of its output."""


class _Run(NamedTuple):
    """A layer that a pass ran, with the shape of what it gave the last time."""

    name: str
    shape: tuple[int, ...]
    times: int


def find(
    network: nn.Module, shape: tuple[int, ...], where: str = "", classes: int = 0, among: tuple[str, ...] = ()
) -> str:
    """
    The name of the layer whose output is the logits of a network that takes images of `shape` (c, h, w).

    Raises:
        InputError: the network does not take such images, returns no logits, or no one layer makes them; the message
            names the layers that came nearest. Or it has several heads, of which neither `among` names one nor just one
            has `classes` numbers.
    """
    return look(network, shape, where, classes, among).name


def look(
    network: nn.Module, shape: tuple[int, ...], where: str = "", classes: int = 0, among: tuple[str, ...] = ()
) -> Classifier:
    """
    The classifier, with its width and what stands after it.

    Raises:
        InputError: as `find`.
    """
    where, heads = where or type(network).__name__, dict[str, tuple[_Run, _Made]]()
    with still(network):
        runs, returned = _runs(network, shape, where)
        offered = {path: matrix.shape[1] for path, matrix in matrices(returned)}
        if not offered:
            raise InputError(f"{where}: {kind(returned)} is returned, and no row of logits for each image")
        for run in reversed(runs):
            if len(heads) < len(offered) and math.prod(run.shape[1:]) in offered.values() and run.shape[0] == IMAGES:
                made = _made(network, run, runs, shape)
                if made is not None:
                    heads.setdefault(made.path, (run, made))
    ends = [each for each in heads.values() if not {*each[1].feeds} & {*heads}]
    if not ends:
        raise InputError(f"{where}: no one layer makes what it returns, so that it has no bottleneck; {_last(runs)}")
    told = [each for each in ends if each[0].name in among] or [
        each for each in ends if offered[each[1].path] == classes
    ]
    rivals = [path for path, width in offered.items() if path not in heads and width == classes]
    if (len(ends) > 1 and len(told) != 1) or (rivals and not told):
        named = " and ".join(f"{run.name} ({offered[made.path]} numbers, {made.path})" for run, made in reversed(ends))
        asks = " or ".join(f"--layer {run.name}:at=input" for run, _ in reversed(ends))
        what = f"{kind(returned)} is returned, made by {named}"
        raise InputError(f"{where}: {what}; which is the classifier of the target? {asks} says so")
    ((run, made),) = told if len(ends) > 1 else ends
    return Classifier(run.name, offered[made.path], _notes(run, made, returned), made.path)


def remarks(network: nn.Module, name: str, shape: tuple[int, ...], where: str = "") -> Classifier:
    """
    The layer `name` as the classifier, whatever it does; its notes say where what is returned is not its alone.

    Raises:
        InputError: the network does not take images of `shape` (c, h, w), or does not run that layer.
    """
    where = where or type(network).__name__
    with still(network):
        runs, returned = _runs(network, shape, where, every=True)
        run = next((run for run in runs if run.name == name), None)
        if run is None:
            raise InputError(f"{where}: a forward pass does not run layer {name}")
        width = math.prod(run.shape[1:])
        if not any(matrix.shape[1] == width for _, matrix in matrices(returned)):
            return Classifier(name, 0, (f"what the network returns is not what {name} gives, whose input is read",))
        made = _made(network, run, runs, shape)
        if made is None:
            return Classifier(name, width, (f"what the network returns is not made by {name} alone",))
        return Classifier(name, width, _notes(run, made, returned), made.path)


def unfit(where: str, shape: tuple[int, ...], error: BaseException) -> str:
    """That a network does not take images of a shape, and why."""
    why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
    return f"{where} does not take images of {'x'.join(map(str, shape))} ({why})"


def waves(shape: tuple[int, ...], images: int = IMAGES) -> Float[Tensor, "n c h w"]:
    """Images of waves, no two alike."""
    return torch.arange(images * math.prod(shape)).mul(0.7).sin().view(images, *shape)


@contextlib.contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, and every part as it was afterwards."""
    modes = [(part, part.training) for part in network.modules()]
    try:
        with torch.no_grad():
            network.eval()
            yield
    finally:
        for part, training in modes:
            part.training = training


def _runs(network: nn.Module, shape: tuple[int, ...], where: str, *, every: bool = False) -> tuple[list[_Run], Any]:
    """Layers with a matrix of weights and one input, or all, in the order in which their last run begins."""
    began: dict[str, int] = {}
    gave: dict[str, tuple[int, ...]] = {}
    hooks = []

    def watch(name: str, part: nn.Module) -> None:
        def begin(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            if every or sum(isinstance(value, Tensor) for value in (*inputs, *named.values())) == 1:
                began[name] = began.pop(name, 0) + 1

        def end(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                gave[name] = tuple(output.shape)

        hooks.append(part.register_forward_pre_hook(begin, with_kwargs=True))
        hooks.append(part.register_forward_hook(end))

    for name, part in network.named_modules():
        if name and (every or _weighs(part)):
            watch(name, part)
    try:
        returned = network(_images(network, shape))
    except UNFIT as error:
        raise InputError(unfit(where, shape, error)) from error
    finally:
        for hook in hooks:
            hook.remove()
    return [_Run(name, gave[name], times) for name, times in began.items() if name in gave], returned


def _images(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Waves where the network lies."""
    first = next(network.parameters(), None)
    return waves(shape).to("cpu" if first is None else first.device)


def _weighs(part: nn.Module) -> bool:
    """Whether a layer has a matrix of weights, or a kernel, of its own."""
    own = [*part.parameters(recurse=False), getattr(part, "weight", None)]
    return any(isinstance(weight, Tensor) and weight.ndim > 1 for weight in own)


def _made(network: nn.Module, run: _Run, runs: list[_Run], shape: tuple[int, ...]) -> _Made | None:
    """
    The matrix that is made of a layer's output, and what stands between; None where none is made by this layer alone.

    Layers of the same width, such as a second head, give noise meanwhile: fresh ones say nearly the same of all images.
    """
    width, left = math.prod(run.shape[1:]), run.times
    order = torch.Generator().manual_seed(0)
    drawn = torch.stack([torch.randperm(width, generator=order) for _ in range(IMAGES)])
    drawn[1] = drawn[0]
    rows = (2 * drawn + 1) / width - 1 + torch.tensor([0.1, 0.1, 0.8, -0.5]).view(-1, 1) / width

    def replaced(_: nn.Module, __: Any, output: Tensor) -> Tensor | None:
        nonlocal left
        left -= 1
        return None if left else rows.to(output).view(output.shape)

    def noise(_: nn.Module, __: Any, output: Any) -> Tensor | None:
        rival = isinstance(output, Tensor) and output.is_floating_point() and output.shape[:1] == rows.shape[:1]
        return torch.randn(output.shape, generator=order).to(output) if rival else None

    wide = [each.name for each in runs if math.prod(each.shape[1:]) == width]
    rivals = [network.get_submodule(name) for name in wide if not f"{run.name}.".startswith(f"{name}.")]
    hooks = [rival.register_forward_hook(noise) for rival in rivals if _weighs(rival)]
    hooks.append(network.get_submodule(run.name).register_forward_hook(replaced))
    try:
        returned = network(_images(network, shape))
    except UNFIT:
        return None
    finally:
        for hook in hooks:
            hook.remove()
    answers = {path: matrix.float().cpu() for path, matrix in matrices(returned)}
    for path, answer in answers.items():
        after = _function(rows, answer) if answer.shape == rows.shape else None
        if after is not None:
            return _Made(path, after, tuple(other for other, has in answers.items() if other != path and _fed(has)))
    return None


def _fed(answer: Tensor) -> bool:
    """Whether a matrix is one number of images where the numbers of a layer are, and another where these are others."""
    return torch.allclose(answer[0], answer[1], rtol=1e-5) and not torch.allclose(answer[0], answer[2], rtol=1e-5)


def _function(rows: Tensor, answer: Tensor) -> str | None:
    """What makes the answer of the rows: the name of a function; empty for nothing; None: it is not of these alone."""
    alike = torch.allclose(answer[0], answer[1], rtol=1e-5, atol=1e-8)
    if not torch.isfinite(answer).all() or not alike or answer.max() == answer.min():
        return None
    if torch.allclose(answer, rows, rtol=1e-4, atol=1e-6):
        return ""
    for name, function in AFTER.items():
        if torch.allclose(answer, function(rows), rtol=1e-4, atol=1e-7):
            return name
    factor = float((answer * rows).sum() / rows.square().sum())
    if factor > 0 and torch.allclose(answer, factor * rows, rtol=1e-3, atol=1e-6 * factor):
        return f"multiplication by {factor:.4g}"
    flat, told = (rows.view(1, -1), answer.view(1, -1)) if rows.shape[1] == 1 else (rows, answer)
    ordered = told.gather(1, flat.argsort(dim=1))
    kept = bool((ordered.diff(dim=1) >= 0).all()) and bool((ordered[:, -1] > ordered[:, 0]).all())
    return "a function that keeps their order" if kept else None


def _notes(run: _Run, made: _Made, returned: Any) -> tuple[str, ...]:
    notes, after, path = [], made.after, made.path
    if after in ("softmax", "sigmoid"):
        notes.append(f"the network returns probabilities: {after} stands after its classifier {run.name}")
    elif after:
        notes.append(f"the network returns its classifier's numbers after {after} ({run.name})")
    if path:
        notes.append(f"the network returns {kind(returned)}: what lies at {path} is taken for its logits")
    if run.times > 1:
        notes.append(f"layer {run.name} runs {run.times} times in a pass: its last is read")
    return tuple(notes)


def _last(runs: list[_Run]) -> str:
    """The layers that ran last, for the end of a message."""
    if not runs:
        return "no layer with weights runs in a pass"
    named = [f"{run.name} ({'x'.join(map(str, run.shape[1:]))})" for run in runs[: -NAMED - 1 : -1]]
    return f"the last to run are {', '.join(named)}; --layer NAME:at=input reads one of them"
