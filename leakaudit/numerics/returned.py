"""What a network returns: a tensor, or several in tuples and dicts, and which of them could be logits."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from leakaudit.errors import InputError


def matrices(returned: Any, path: str = "") -> list[tuple[str, Float[Tensor, "n k"]]]:
    """What could be logits of all that a network returns, in its order, each with where it lies: `[1]`."""
    if isinstance(returned, Tensor):
        sides = [side for side in returned.shape[1:] if side != 1]
        plain = returned.ndim > 0 and len(sides) <= 1 and returned.is_floating_point()
        return [(path, returned.reshape(len(returned), -1))] if plain else []
    if isinstance(returned, dict):
        parts = [(f"[{str(key)[:40]!r}]", part) for key, part in returned.items()]
    elif isinstance(returned, (tuple, list)):
        parts = [(f"[{number}]", part) for number, part in enumerate(returned)]
    else:
        return []
    return [found for place, part in parts for found in matrices(part, path + place)]


def chosen(returned: Any, width: int = 0, path: str = "") -> tuple[str, Float[Tensor, "n k"]]:
    """
    The logits among what a network returns, and where: at `path`, or the first matrix of that width, or of any.

    Raises:
        InputError: there is none.
    """
    found = matrices(returned)
    there = [each for each in found if path and each[0] == path]
    of_width = [each for each in found if each[1].shape[1] == width]
    for each in (*there, *of_width, *found):
        return each
    raise InputError(f"{kind(returned)} is returned, and no row of logits for each image")


def kind(returned: Any) -> str:
    """What is returned, in a person's words."""
    if isinstance(returned, Tensor):
        return f"a tensor of {'x'.join(map(str, returned.shape[1:])) or 'no sides'} for each image"
    size = f" of {len(returned)}" if isinstance(returned, (tuple, list, dict)) else ""
    return f"a {type(returned).__name__}{size}"
