"""What tests of tables ask for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tabled import write


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a table with 6x4 images beside it, each of one grey level, and give its path."""
    return lambda *words, **more: Path(write(tmp_path, *words, **more))
