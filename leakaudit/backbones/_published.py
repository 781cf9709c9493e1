"""
Published weights: out of torch's or Hugging Face's own cache, else downloaded, else refused within seconds.

Nothing is unpickled but tensors, and a file whose name ends in the start of its SHA-256, as torchvision's do, must have
it. `TORCH_HOME`, `HF_HOME`, `HF_HUB_OFFLINE` and `LEAKAUDIT_OFFLINE` are respected.
"""

import contextlib
import re
import socket
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from torch import Tensor, nn

from leakaudit import matching, opening
from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers import reaching


def file(url: str, where: str) -> Path:
    """
    The weights file at `url`, which torch keeps below `TORCH_HOME`.

    Raises:
        InputError: it is not there and cannot be downloaded; `where` begins the message.
        RefusedError: it is not the one that its name promises.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    if not path.is_file():
        _download(url, path, where)
    promised = re.search(r"-([0-9a-f]{8,})\.", path.name)
    with path.open("rb") as content:
        if promised and not file_digest(content, "sha256").hexdigest().startswith(promised[1]):
            raise RefusedError(f"{where}: {path} is damaged or another file: its SHA-256 is not {promised[1]}...")
    return path


def tensors(path: Path) -> dict[str, Tensor]:
    """
    The tensors of a weights file, and nothing else of it.

    Raises:
        RefusedError: it is damaged, or no file of tensors.
    """
    found = opening.read(path).tensors
    return {matching.DOTTED.sub(r"\1\2", name): torch.from_numpy(np.array(tensor)) for name, tensor in found.items()}


def from_hub(repository: str, names: tuple[str, ...], where: str) -> Path:
    """
    The first of the files `names` that a Hugging Face repository has, out of the cache or downloaded into it.

    Raises:
        InputError: none is in the cache and none can be downloaded; `where` begins the message.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    cache = constants.HF_HUB_CACHE
    for name in names:
        cached = try_to_load_from_cache(repository, name, cache_dir=cache)
        if isinstance(cached, str):
            return Path(cached)
    url = f"{constants.ENDPOINT}/{repository}"
    why = _unreachable(url)
    for name in () if why else names:
        try:
            with _impatient():
                return Path(hf_hub_download(repository, name, cache_dir=cache))
        except (HfHubHTTPError, OSError) as error:
            why = str(error).splitlines()[0]
    raise InputError(
        f"{where}: its weights are not in {cache}, and {url} cannot be reached ({why}). Put them there{_or_none(where)}"
    )


def _or_none(where: str) -> str:
    """What is typed for a network without its weights: `timm:resnet18:pretrained=false`."""
    return f", or take random ones: {where.partition('.')[0]}:pretrained=false"


def _unreachable(url: str) -> str:
    """Why nothing is fetched from `url`: that is forbidden, or it does not answer in time; empty where it does."""
    forbids = reaching.offline()
    return f"{forbids} is set" if forbids else reaching.ask(url).silence


def greyed(state: dict[str, Tensor], key: str, channels: int, where: str) -> dict[str, Tensor]:
    """
    Weights for colour images with the first convolution, `key`, summed over channels where images are grey.

    A grey image then gives what it gives as a colour image of three equal channels.

    Raises:
        InputError: neither one channel nor three; `where` begins the message.
    """
    if channels == state[key].shape[1]:
        return state
    if channels != 1:
        raise InputError(f"{where}: images of 1 or {state[key].shape[1]} channels, not {channels}")
    return state | {key: state[key].sum(dim=1, keepdim=True)}


def fill(network: nn.Module, state: dict[str, Tensor], classifier: str, where: str) -> None:
    """
    Load everything but the layer `classifier`, if any, which keeps its fresh weights: other classes were published.

    Raises:
        RefusedError: the weights are those of another network; `where` begins the message.
    """
    kept = f"{classifier}." if classifier else None
    body = {name: tensor for name, tensor in state.items() if kept is None or not name.startswith(kept)}
    try:
        missing, unknown = network.load_state_dict(body, strict=False)
    except RuntimeError as error:
        raise RefusedError(f"{where}: published weights do not fit ({str(error).splitlines()[-1].strip()})") from error
    missing = [name for name in missing if kept is None or not name.startswith(kept)]
    if missing or unknown:
        raise RefusedError(f"{where}: published weights do not fit: {len(missing)} missing, {len(unknown)} unknown")


def loaded(network: nn.Module, state: dict[str, Tensor], where: str) -> dict[str, np.ndarray]:
    """
    Every tensor of a network that published weights fill to the last.

    Raises:
        RefusedError: they are those of another network; `where` begins the message.
    """
    fill(network, state, "", where)
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def _download(url: str, path: Path, where: str) -> None:
    """
    Put what lies at `url` to `path`.

    Raises:
        InputError: no answer, or the transfer fails.
    """
    why = _unreachable(url)
    if not why:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _impatient():
                torch.hub.download_url_to_file(url, str(path), progress=False)
        except OSError as error:
            why = str(error)
    if why:
        raise InputError(
            f"{where}: its weights are not at {path}, and {url} cannot be reached ({why}). "
            f"Put that file there{_or_none(where)}"
        )


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """A server that falls silent in the middle of a file is given up."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(2 * reaching.PATIENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
