"""
What a Python program holds in memory, as the subject of an audit: embeddings, or a network with images.

    embeddings   z (n, d); or a mapping or a data frame that is laid out as a file of embeddings is (`foreign`)
    images       (n, c, h, w), as torch's networks take them; (n, h, w), which enter with a channel axis of 1; or
                 vectors (n, d), which enter as they are; floating point enters unchanged, uint8 as
                 `torchvision.transforms.ToTensor` brings it to 0..1
    labels       anything one-dimensional: lists, arrays, tensors, columns of a data frame

A torch `Dataset` or `DataLoader` gives (images, labels) in its own order, and is read once. Nothing that is handed over
is changed, and none of it is written anywhere but to the store.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from leakaudit import embeddings, foreign, sheets, store, stranger, subject
from leakaudit.dataset import Dataset, identify
from leakaudit.errors import InputError, spelt
from leakaudit.images.tensors import Order, Tensors
from leakaudit.preprocessing import Size
from leakaudit.subject import Subject, Terms

ORDERS: dict[int, Order] = {2: "d", 3: "hw", 4: "chw"}
CHANNELS = 4
"""Numbers up to which the last axis of images is one of channels, where the second has more."""
BATCH = 256
"""Items that are taken from a torch `Dataset` at a time."""
HALF = 4
"""Bytes of a float from which on numpy knows every kind that torch has."""
Arrays = dict[str, np.ndarray]


def is_network(given: Any) -> bool:
    """Whether it is an `nn.Module`; torch is looked for only where somebody has loaded it."""
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.nn.Module)


def columns(given: Any, where: str) -> Arrays:
    """
    The arrays of a mapping, or of a data frame; those of columns `z0 z1 ...` are put side by side.

    Raises:
        InputError: it is neither; or a column is of no one kind.
    """
    if isinstance(given, Mapping):
        return {str(name): array(values, f"{where}: {name}") for name, values in given.items()}
    import pyarrow as pa

    try:
        pandas = type(given).__module__.partition(".")[0] == "pandas"
        table = pa.Table.from_pandas(given, preserve_index=False) if pandas else pa.table(given)
    except (pa.ArrowException, TypeError, ValueError) as error:
        kind, said = type(given).__name__, " ".join(str(error).split())[:200]
        raise InputError(f"{where}: a mapping or a data frame expected, {kind} found ({said})") from error
    return sheets.columns(table, Path(where))


def array(values: Any, where: str) -> np.ndarray:
    """
    Any array, tensor, list or column as a numpy array: missing text is empty, a missing number NaN or -1.

    Raises:
        InputError: the values are of no one kind.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        half = values.is_floating_point() and values.element_size() < HALF
        values = values.float().numpy() if half else values.numpy()
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{where}: a masked array; what stands for the masked? .filled(...) says it")
    if isinstance(values, np.ndarray) and values.dtype.kind in "biufUS":
        return values
    import pyarrow as pa

    try:
        shaped = None if hasattr(values, "__arrow_array__") else np.asarray(values)
        if shaped is not None and shaped.ndim and shaped.dtype.kind in "biufUS" and _plain(values, shaped):
            return shaped
        found = pa.chunked_array([pa.array(values, from_pandas=True)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{where}: text, truth values or numbers expected, of one kind ({said})") from error
    if pa.types.is_struct(found.type) or pa.types.is_map(found.type):
        raise InputError(f"{where}: text, truth values or numbers expected, of one kind ({found.type} found)")
    return sheets.columns(pa.table({"column": found}), Path(where))["column"]


def _plain(values: Any, shaped: np.ndarray) -> bool:
    """Whether an array is what a list says: of text and numbers together numpy makes text."""
    return (
        shaped.dtype.kind not in "US"
        or not isinstance(values, (list, tuple))
        or all(isinstance(each, (str, bytes)) for each in values)
    )


def merged(where: str, *parts: Arrays) -> Arrays:
    """
    Columns from several places.

    Raises:
        InputError: two have one name.
    """
    whole: Arrays = {}
    for part in parts:
        twice = next((name for name in part if name in whole), None)
        if twice is not None:
            raise InputError(f"{where}: the label {twice[:60]!r} is given twice")
        whole |= part
    return whole


def aligned(*given: Any) -> None:
    """
    Refuse columns whose pandas indices say that their rows are others, or in another order; rows are matched by place.

    Raises:
        InputError: two of as many rows are indexed differently.
    """
    import sys

    pandas = sys.modules.get("pandas")
    kinds = () if pandas is None else (pandas.DataFrame, pandas.Series)
    found: list[tuple[str, Any]] = []
    for part in given:
        named = part.items() if isinstance(part, Mapping) else [("", part)]
        found += [(str(name), each.index) for name, each in named if isinstance(each, kinds)]
    for name, index in found[1:]:
        if len(index) == len(found[0][1]) and not index.equals(found[0][1]):
            first = spelt(found[0][0]) if found[0][0] else "the rows"
            what = spelt(name) if name else "the labels"
            how = "reset_index(drop=True) where the order is one, reindex(...) where it is not"
            raise InputError(f"{what} and {first} have different pandas indices: {how}")


def held(given: Any, labels: Arrays, name: str, terms: Terms) -> Subject:
    """
    Embeddings in memory, with labels of their rows beside those that they bring along.

    Raises:
        InputError: they are not laid out as embeddings are, or cannot be attacked; something is said of images.
    """
    if terms.backbone:
        raise InputError(f"{name}: embeddings have no network; backbone = {terms.backbone!r} says nothing here")
    frame = isinstance(given, Mapping) or hasattr(given, "column_names") or hasattr(given, "columns")
    arrays = columns(given, name) if frame else {"z": array(given, f"{name}: z")}
    found = embeddings.of(foreign.held(merged(name, arrays, labels), name), name, "embeddings")
    return subject.of_embeddings(found.check(), name, terms)


def network(given: Any, data: Any, labels: Arrays, name: str, terms: Terms) -> Subject:
    """
    A network in memory, on DATA (named in `terms`) or on images in memory.

    Raises:
        InputError: there are no images, they or their labels are not of a shape that says what they are; or a flag
            speaks of a weights file.
    """
    if terms.backbone or terms.partial:
        word = "backbone" if terms.backbone else "partial"
        raise InputError(f"{name}: a network in memory is its own backbone and whole; {word} is for weights files")
    if hasattr(given, "_c") and hasattr(given, "graph"):
        raise InputError(f"{name}: TorchScript cannot be looked into; the nn.Module that it was made of expected")
    if data is None and terms.data is None:
        raise InputError(f"{name}: data is missing: the images that the network is audited on")
    if data is None and labels:
        first = next(iter(labels))
        raise InputError(f"{name}: {terms.data} has its own labels; name one of them, where {first[:60]!r} is an array")
    if data is not None and (terms.split or terms.skip_unreadable):
        word = "split" if terms.split else "skip_unreadable"
        raise InputError(f"{name}: images in memory are all audited; {word} says nothing here")
    images, vectors = (None, False) if data is None else _images(data, labels, name, terms)
    load = partial(subject.images, terms) if images is None else partial(_same, images)
    found = stranger.of_module(_of_vectors(given, name) if vectors else given, name, terms, load)
    return Subject(encoder=found.encoder, dataset=found.dataset, about=found.about)


def _of_vectors(given: Any, name: str) -> Any:
    """A copy of a network that takes vectors (n, d), for images that are (n, d, 1, 1)."""
    from leakaudit import own_code

    made = own_code.copied(given, name)
    made.register_forward_pre_hook(_flat, prepend=True)
    return made


def _flat(network: Any, entering: tuple[Any, ...]) -> tuple[Any, ...]:
    """What enters a network, in one axis."""
    del network
    return (entering[0].flatten(1), *entering[1:])


def _same(images: Dataset, size: Size | None) -> Dataset:
    """Images in memory are of the size that they are of; what is resized, the device resizes."""
    del size
    return images


def _images(data: Any, labels: Arrays, name: str, terms: Terms) -> tuple[Dataset, bool]:
    """Images and labels as a data set, and whether they are vectors."""
    where = f"{name}: data"
    given = data if isinstance(data, np.ndarray) or hasattr(data, "detach") else None
    x, brought = (array(given, where), {}) if given is not None else _collected(data, labels, terms.target, where)
    if x.ndim not in ORDERS or (x.ndim == len("nchw") and x.shape[3] <= CHANNELS < x.shape[1]):
        shape = f"{where} has shape {list(x.shape)}"
        raise InputError(f"{shape}: images (n, c, h, w) or (n, h, w), or vectors (n, d), expected")
    if x.dtype.kind != "f" and x.dtype != np.uint8:
        raise InputError(f"{where} is {x.dtype}: images are uint8 in 0..255, or floats as they enter the network")
    beside = merged(name, brought, labels)
    for label, values in beside.items():
        if values.ndim != 1 or len(values) != len(x):
            wanted = f"{len(x)} of them, one for each image, expected"
            raise InputError(f"{name}: the labels {label[:60]!r} have shape {list(values.shape)}: {wanted}")
    content = store.digest_tensors({"x": x})
    ids = beside.pop("id", None)
    made = Dataset(
        name="images in memory",
        split="given",
        images=Tensors((x,), ORDERS[x.ndim], where),
        columns={label: foreign.labels(values, f"{name}: {label[:60]}") for label, values in beside.items()},
        ids=identify(content, np.arange(len(x))) if ids is None else identify("id", ids.tolist()),
        mean=(0.0,) * (x.shape[1] if x.ndim != len("nhw") else 1),
        std=(1.0,) * (x.shape[1] if x.ndim != len("nhw") else 1),
        stamp=content,
    )
    return made if terms.rows is None else made.sample(terms.rows, terms.seed), ORDERS[x.ndim] == "d"


def _collected(data: Any, labels: Arrays, target: str | None, where: str) -> tuple[Shaped[np.ndarray, "n ..."], Arrays]:
    """
    All that a torch `Dataset` or `DataLoader` gives, in its order.

    Raises:
        InputError: it is neither; labels have no name; or the order is drawn and other labels are given apart.
    """
    import torch
    from torch.utils.data import DataLoader
    from torch.utils.data import Dataset as Items

    if not isinstance(data, (DataLoader, Items)):
        said = "DATA's name, an array (n, c, h, w), or a torch Dataset or DataLoader"
        raise InputError(f"{where}: {said} expected, {type(data).__name__} found")
    if labels and not _in_order(data):
        apart = f"{next(iter(labels))[:60]!r} would go to other images"
        raise InputError(f"{where}: the DataLoader shuffles or picks; {apart}: shuffle=False and no sampler expected")
    loader = data if isinstance(data, DataLoader) else DataLoader(data, BATCH)
    images: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {}
    with torch.random.fork_rng(devices=[]):  # a loader draws a seed for its workers
        for batch in loader:
            x, named = _parts(batch, target, where)
            images.append(array(x, where))
            for label, values in named.items():
                found.setdefault(label, []).append(array(values, f"{where}: {label}"))
    if not images:
        raise InputError(f"{where}: holds no images")
    sizes = {each.shape[1:] for each in images}
    if len(sizes) > 1:
        one, other = (list(size) for size in sorted(sizes)[:2])
        raise InputError(f"{where}: images of one shape expected, {one} and {other} found")
    return np.concatenate(images), {label: np.concatenate(parts) for label, parts in found.items()}


def _in_order(data: Any) -> bool:
    """Whether every row is given once, as it stands in the data set."""
    from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler

    if not isinstance(data, DataLoader) or isinstance(data.dataset, IterableDataset):
        return True
    batches = data.batch_sampler
    if batches is not None and type(batches) is not BatchSampler:
        return False
    return type(data.sampler if batches is None else batches.sampler) is SequentialSampler


def _parts(batch: Any, target: str | None, where: str) -> tuple[Any, Mapping[str, Any]]:
    """Images and labels by name of one batch."""
    if hasattr(batch, "detach"):
        return batch, {}
    if isinstance(batch, (tuple, list)) and len(batch) == len("x") and hasattr(batch[0], "detach"):
        return batch[0], {}
    if isinstance(batch, (tuple, list)) and len(batch) == len("xy"):
        x, y = batch
        if isinstance(y, Mapping):
            return x, y
        if target is not None and getattr(y, "ndim", 0) == 1:
            return x, {target: y}
    named = "labels by name, as (x, {'digit': y, 'colour': v}), or (x, y) where target names y"
    raise InputError(f"{where}: items (x, labels) expected, {named}")
