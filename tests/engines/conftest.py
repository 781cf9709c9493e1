"""What tests of engines may ask for."""

from collections.abc import Iterator

import pytest
from clustered import Machines, machines


@pytest.fixture(scope="session")
def three(tmp_path_factory) -> Iterator[Machines]:
    """A cluster of three nodes of one core each; a test that kills one adds it first."""
    with machines(tmp_path_factory.mktemp("cluster")) as found:
        yield found
