"""Devices are named or refused, and small work keeps to one thread."""

import pytest
import torch

from leakaudit.errors import InputError
from leakaudit.numerics import device


def test_small_arrays_get_one_thread_and_large_ones_what_there_was() -> None:
    """The count of threads is as before once the work is done, also where it fails."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with device.threads(device.SMALL):
            assert torch.get_num_threads() == 1
        with device.threads(device.SMALL + 1):
            assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError), device.threads(1):
            raise RuntimeError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "CPU", "", "mps"])
def test_what_is_no_device_is_refused(name: str) -> None:
    """A wrong name is told from a device that is not here; `cpu` is always there."""
    with pytest.raises(InputError, match="auto, cpu, cuda or cuda:N expected"):
        device.resolve(name)
    assert device.resolve("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_there_is_no_silent_fallback() -> None:
    """CUDA that is not here is refused by name; `auto` is the one that chooses."""
    with pytest.raises(InputError, match="no CUDA device here"):
        device.resolve("cuda")
    assert device.resolve("auto") == "cpu"
