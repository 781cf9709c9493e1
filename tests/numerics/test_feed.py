"""Images reach the device normalised, in the order asked for, whether they sit there or stream."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from leakaudit.dataset import Batch, Dataset, Pixels, Selected
from leakaudit.errors import InputError
from leakaudit.numerics import feed as feeding
from leakaudit.numerics.feed import Feed
from leakaudit.numerics.views import shifted


def dataset(rows: int = 50) -> Dataset:
    """Random images with an unequal mean and deviation for each channel."""
    values = np.random.default_rng(0).integers(0, 256, (rows, 3, 4, 4), dtype=np.uint8)
    return Dataset(
        "toy", "train", Pixels(values), {}, np.arange(rows, dtype=np.uint64), (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    )


@pytest.mark.parametrize("resident", [0, 1 << 30])
def test_resident_and_streamed_images_are_the_same(resident: int) -> None:
    """Each part holds (x / 255 - mean) / std of its rows, in its order."""
    data = dataset()
    feed = Feed(data, "cpu", resident)
    assert (feed.held is None) == (resident == 0)
    parts = [torch.tensor(rows) for rows in ([3, 1], [49], [7, 7, 0], [2])]
    found = list(feed.batches(parts))
    assert len(found) == len(parts)
    for x, part in zip(found, parts, strict=True):
        raw = torch.from_numpy(data.images.batch(part.numpy())).float() / 255
        expected = (raw - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
        assert torch.allclose(x, expected, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_stream_of_any_length_ends(count: int) -> None:
    """No part is lost or made up by reading ahead."""
    feed = Feed(dataset(), "cpu", 0)
    assert [len(x) for x in feed.batches([torch.arange(k + 1) for k in range(count)])] == list(range(1, count + 1))


class Broken:
    """Images of which one does not decode."""

    shape = (3, 4, 4)

    def __len__(self) -> int:
        return 9

    def batch(self, rows: np.ndarray) -> Batch:
        """Row 5 is broken."""
        if 5 in rows:
            raise InputError("row 5 does not decode")
        return np.zeros((len(rows), 3, 4, 4), dtype=np.uint8)

    def contents(self, rows: np.ndarray) -> np.ndarray:
        """Nothing alike."""
        return rows.astype(np.uint64)


def test_an_image_that_does_not_decode_is_told_by_the_reading_thread() -> None:
    """The error surfaces where the images are used, not in the thread that met it."""
    data = Dataset("toy", "train", Broken(), {}, np.arange(9, dtype=np.uint64), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(InputError, match="row 5"):
        list(Feed(data, "cpu", 0).batches(torch.arange(9).split(2)))


def test_all_rows_in_order() -> None:
    """`in_order` visits each row once."""
    assert torch.cat(Feed(dataset(), "cpu").in_order(8)).tolist() == list(range(50))


def test_a_view_is_its_image_moved() -> None:
    """Every view is one of the nine shifts by at most a pixel of an 8x8 image, edges repeated; views differ."""
    x = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    views = shifted(x, torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    moves = torch.stack([padded[:, :, i : i + 8, j : j + 8] for i in range(3) for j in range(3)])
    same = (moves == views).flatten(2).all(2)
    assert same.sum(0).ge(1).all()
    assert same.any(1).sum() == 9
    assert torch.equal(views, shifted(x, torch.Generator().manual_seed(1)))


def test_on_a_cpu_less_sits_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the limit is that of the process's memory, not of a device's."""
    data = dataset()
    size = 50 * 3 * 4 * 4
    monkeypatch.setattr(feeding, "AT_HOME", size)
    assert Feed(data, "cpu").held is not None
    monkeypatch.setattr(feeding, "AT_HOME", size - 1)
    assert Feed(data, "cpu").held is None


@pytest.mark.parametrize("resident", [0, 1 << 30])
@pytest.mark.parametrize("block", [1, 100, 1 << 26])
def test_channels_may_lie_last(resident: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images whose channels lie last in memory, as files are decoded, are the same images."""
    monkeypatch.setattr(feeding, "BLOCK", block)

    class Turned(Pixels):
        def batch(self, rows: np.ndarray) -> Batch:
            return np.ascontiguousarray(self.values[rows].transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)

    data = dataset()
    turned = replace(data, images=Turned(data.images.values))
    parts = [torch.tensor([3, 1, 3]), torch.arange(50)]
    for mine, other in zip(
        Feed(turned, "cpu", resident).batches(parts), Feed(data, "cpu", resident).batches(parts), strict=True
    ):
        assert mine.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(mine, other, atol=1e-6)


class Counted(Pixels):
    """Images of which it is noted how many are asked for at a time."""

    asked: ClassVar[list[int]] = []

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """As they lie."""
        self.asked.append(len(rows))
        return super().batch(rows)


def test_what_is_larger_before_it_is_resized_is_read_in_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block is that of what is read, not of what is left of it."""
    monkeypatch.setattr("leakaudit.numerics.feed.BLOCK", 2 * 3 * 32 * 32)
    large = Selected(Counted(np.zeros((9, 3, 32, 32), np.uint8)), np.arange(9), 4)
    Feed(replace(dataset(9), images=large), "cpu")
    assert max(Counted.asked) == 2
