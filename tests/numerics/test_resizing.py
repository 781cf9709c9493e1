"""Images are brought to the size of a network as Pillow does it, whatever lies between."""

import numpy as np
import pytest
import torch
from PIL import Image

from leakaudit.numerics.resizing import fit

RNG = np.random.default_rng(0)


def images(height: int, width: int) -> torch.Tensor:
    """Two images of random colours."""
    return torch.from_numpy(RNG.integers(0, 256, (2, 3, height, width), dtype=np.uint8))


@pytest.mark.parametrize("size", [(5, 9), (30, 24), (30, 9), (16, 40)])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_bytes_are_resized_as_by_pillow(size: tuple[int, int], form: torch.memory_format) -> None:
    """Made larger or smaller, or one side of each: within one level of Pillow's bilinear filter of 8 bits."""
    x = images(16, 20)
    found = fit(x.contiguous(memory_format=form), (3, *size))
    assert (tuple(found.shape), found.dtype) == ((2, 3, *size), torch.uint8)
    for image, own in zip(found, x, strict=True):
        picture = Image.fromarray(own.permute(1, 2, 0).contiguous().numpy())
        wanted = np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))
        assert np.abs(image.permute(1, 2, 0).numpy().astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("size", [(20, 24), (16, 21)])
def test_where_no_side_shrinks_averaging_changes_nothing(size: tuple[int, int]) -> None:
    """The kernel without areas gives to the bit what that with areas gives."""
    x = images(16, 20)
    areas = torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
    assert torch.equal(fit(x, (3, *size)), areas)


def test_numbers_are_resized_without_rounding() -> None:
    """A half of two levels stays between them; images of the right size are the same object."""
    x = torch.tensor([[0.0, 1.0]]).view(1, 1, 1, 2)
    assert fit(x, (1, 1, 1)).item() == pytest.approx(0.5)
    assert fit(x, (1, 1, 2)) is x


def test_no_images_have_the_size_asked_for() -> None:
    """None of another size become none of this one."""
    assert fit(images(4, 4)[:0], (3, 7, 7)).shape == (0, 3, 7, 7)
