"""How the images of a data set enter an encoder: what fits, what is made to fit and said, and what is refused."""

from leakaudit.dataset import Dataset
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.preprocessing import covering


def check(encoder: Encoder, dataset: Dataset) -> tuple[str, ...]:
    """
    What is done to the images on their way in, beside size and normalisation that the encoder states.

    Images are of the encoder's size, or of any where it cuts out the middle of resized ones. Grey images enter a
    network for colour as three channels alike; colours are not made grey, for which there are many ways.

    Raises:
        InputError: the images do not fit, or there are none.
    """
    (channels, *sides), (has, *found) = encoder.shape, dataset.images.shape
    grey = has == 1 and channels == 3  # noqa: PLR2004 (red, green and blue)
    if (has != channels and not grey) or (encoder.resize is None and found != sides):
        wanted, there = ("x".join(map(str, shape)) for shape in (encoder.shape, dataset.images.shape))
        hint = "; make them grey first" if channels == 1 and has != 1 else ""
        raise InputError(
            f"{encoder.name} takes images of {wanted}, {dataset.name} has {there} (channels x h x w){hint}"
        )
    if len(dataset) == 0:
        raise InputError(f"{dataset.name}: no rows in split {dataset.split}")
    notes = [f"the images are grey: their one channel enters the network {channels} times"] * grey
    if encoder.resize is not None:
        if any(large < small for large, small in zip(encoder.resize, sides, strict=True)):
            spelled = "x".join(map(str, encoder.resize))
            raise InputError(f"{encoder.name}: no middle of {'x'.join(map(str, sides))} in images resized to {spelled}")
        to = covering((found[0], found[1]), encoder.resize) if encoder.ratio else encoder.resize
        if tuple(found) != to:
            sizes = ("x".join(map(str, size)) for size in (found, to, sides))
            notes.append("images of {} are resized to {}, and their middle {} is read".format(*sizes))
    return tuple(notes)
