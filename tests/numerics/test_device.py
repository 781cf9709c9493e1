"""Devices are named or refused, small work keeps to one thread, and what a step frees is kept for the next."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

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


ALONE = """
import resource
import numpy as np
from leakaudit.numerics import device

def least():
    counts = []
    for _ in range(8):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        np.ones(48 << 17)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(counts)

before = least()
with device.hoarding("cpu"):
    within = least()
print(before, within, least())
"""
"""Pages in one of eight tries each time: where a block lies settles after some."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no glibc here")
def test_memory_that_a_step_frees_is_there_for_the_next() -> None:
    """48 MiB, more than glibc keeps by itself, are new each time, but not within `hoarding`; and afterwards again."""
    told = {name: value for name, value in os.environ.items() if name not in (*device.TOLD, "GLIBC_TUNABLES")}
    done = subprocess.run([sys.executable, "-c", ALONE], env=told, capture_output=True, text=True, check=True)
    before, within, after = map(int, done.stdout.split())
    huge = (48 << 20) >> 21  # pages of 2 MiB, of which there are the fewest
    assert before >= huge
    assert within < huge
    assert after >= huge


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", ""])
def test_memory_is_kept_as_the_environment_says_or_where_it_says_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user has set is neither changed nor set back to what is usual; without a mallopt (musl) nothing fails."""
    calls: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *words: calls.append(words))
    monkeypatch.setattr(device.ctypes, "CDLL", lambda _: library)
    for each in (*device.TOLD, "GLIBC_TUNABLES"):
        monkeypatch.delenv(each, raising=False)
    if name:
        monkeypatch.setenv(name, "glibc.malloc.trim_threshold=4096")
    with device.hoarding("cuda:0"):
        assert not calls
    with pytest.raises(RuntimeError), device.hoarding("cpu"):
        raise RuntimeError
    assert calls == ([] if name else [device.MAPPED, device.TRIMMED, *device.USUAL])
    library = SimpleNamespace()
    with device.hoarding("cpu"):
        pass


def test_bfloat16_is_computed_on_cuda_and_where_a_processor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that does not say so has none."""
    assert device.halves("cuda:0")
    for found, expected in (({}, False), ({"avx512_bf16": True}, True), ({"avx512_bf16": False}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert device.halves("cpu") is expected
