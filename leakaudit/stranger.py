"""A stranger's network: what a weights file, and what is said of it, make together."""

from pathlib import Path

from leakaudit import catalog, opening, store
from leakaudit.dataset import Dataset
from leakaudit.encoder import Encoder
from leakaudit.errors import RefusedError


def of_file(path: Path, backbone: str, dataset: Dataset) -> Encoder:
    """
    The encoder of a weights file; input size and normalisation are the data set's, classes the classifier's rows.

    Raises:
        InputError: no format reads such a file, or there is no such file, backbone or knob.
        RefusedError: it is truncated, unsafe, or has no tensor for the backbone's classifier.
    """
    call = catalog.parse(backbone, "--backbone")
    module = catalog.thing("backbones", call.name, "--backbone")
    knobs = catalog.check(module.build, call.knobs, f"--backbone {call.name}")
    layer: str = getattr(module, "BOTTLENECK", "") or module.layer(dataset.images.shape, **knobs)
    weights = opening.read(path)
    head = weights.tensors.get(f"{layer}.weight")
    if head is None or head.ndim == 0:
        some = ", ".join(sorted(weights.tensors)[:3])
        raise RefusedError(f"{path}: no tensor {layer}.weight, the classifier of {call.name}; it has {some}, ...")
    return Encoder(
        name=f"{path.stem}@{store.digest_tensors(weights.tensors)[:8]}",
        kind="weights",
        backbone=call,
        classes=len(head),
        shape=dataset.images.shape,
        mean=dataset.mean,
        std=dataset.std,
        weights=weights.tensors,
        layer=layer,
        notes=weights.notes,
    )
