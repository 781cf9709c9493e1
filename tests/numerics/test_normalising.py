"""Images enter a network at its size, less the mean and over the deviation of each channel, however they lie."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2 as transforms

from leakaudit.numerics import normalising
from leakaudit.numerics.normalising import Normalise

MEAN, STD = (0.1, 0.5, 0.7), (0.5, 0.2, 2.0)


def bytes_(count: int, height: int = 6, width: int = 5) -> torch.Tensor:
    """Random images, channels first in memory."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, 3, height, width), dtype=np.uint8))


def plain(x: torch.Tensor) -> torch.Tensor:
    """By the formula, in float64."""
    mean, std = (torch.tensor(part, dtype=torch.float64).view(3, 1, 1) for part in (MEAN, STD))
    return ((x.double() / (255 if x.dtype == torch.uint8 else 1) - mean) / std).float()


@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("cached", [1, 200, 1 << 20])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_bytes_are_normalised_by_the_formula(
    count: int, cached: int, form: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In either order in memory, which they keep, and however many are visited at a time."""
    monkeypatch.setattr(normalising, "CACHED", cached)
    x = bytes_(count)
    found = Normalise(MEAN, STD, (3, 6, 5))(x.contiguous(memory_format=form))
    assert not count or found.is_contiguous(memory_format=form)
    torch.testing.assert_close(found, plain(x), atol=1e-5, rtol=1e-5)


def test_numbers_are_not_divided_by_255() -> None:
    """Float32 is normalised as it is."""
    x = torch.rand(4, 3, 6, 5)
    torch.testing.assert_close(Normalise(MEAN, STD, (3, 6, 5))(x), plain(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [4, 9])
def test_bytes_are_resized_first(side: int) -> None:
    """The same numbers whether channels lie first or last, and those of images brought to size before."""
    x = bytes_(3, 8, 7)
    enter = Normalise(MEAN, STD, (3, side, side))
    first, last = enter(x), enter(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(first, last, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(first, plain(normalising.fit(x, (3, side, side))), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("side", "whole", "cut"), [(20, 16, 13), (16, 16, 11), (9, 16, 14), (40, 17, 12)])
def test_the_middle_is_that_of_torchvisions_transforms(
    side: int, whole: int, cut: int, form: torch.memory_format
) -> None:
    """Resize and CenterCrop give the same image to a step of 8 bits, whichever way odd margins fall."""
    x = bytes_(3, side, side).contiguous(memory_format=form)
    enter = Normalise((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (3, cut, cut), resize=(whole, whole))
    theirs = transforms.Compose([transforms.Resize(whole), transforms.CenterCrop(cut)])
    wanted = torch.stack([theirs(image) for image in x]).float() / 255
    torch.testing.assert_close(enter(x), wanted, atol=1 / 255 + 1e-6, rtol=0)
    assert (enter(x) - wanted).abs().mean() < 0.1 / 255


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_grey_enters_as_three_channels_alike(dtype: torch.dtype) -> None:
    """Each normalised by its own mean and deviation, at the network's size."""
    x = bytes_(3, 8, 7)[:, :1]
    x = x if dtype == torch.uint8 else x.float() / 255
    enter = Normalise(MEAN, STD, (3, 6, 5), resize=(8, 7))
    torch.testing.assert_close(enter(x), enter(x.repeat(1, 3, 1, 1)), atol=1e-5, rtol=1e-5)
    assert not torch.equal(enter(x)[:, 0], enter(x)[:, 1])
