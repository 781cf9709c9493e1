"""A real cluster of Ray on this machine: nodes that share nothing but their clock, and that can be killed hard."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SAID = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",
}
HASTE = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
    "prestart_worker_first_driver": False,
    "enable_worker_prestart": False,
}
"""So that a killed node is missed within seconds, and no process is started that no job needs."""
STORE = 80 << 20
"""Bytes of a node's object store: the least that Ray takes is 75 MiB."""


class Machines:
    """The nodes of a cluster; the first is the one that the test itself is connected to, and stays."""

    def __init__(self, folder: Path, cpus: int) -> None:
        from ray.cluster_utils import Cluster

        self._folder, self._cpus = folder, cpus
        self._cluster = Cluster()
        self.nodes: dict[str, Any] = {}
        """By what each is called: `node0`, `node1`, ..."""

    @property
    def address(self) -> str:
        """Where the cluster is, for `RAY_ADDRESS` and `ray.run(address=...)`."""
        return str(self._cluster.address)

    def home(self, name: str) -> Path:
        """A node's own folder: the cache and the home of whatever runs there."""
        return self._folder / name

    def add(self, *, cpus: int = 0, wait: bool = True, **more: str) -> str:
        """One more node, with more cores than the others or more in its environment; its name."""
        name = f"node{len(list(self._folder.glob('node*')))}"
        home = self.home(name)
        home.mkdir(parents=True)
        path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
        homes = {"LEAKAUDIT_HOME": str(home / "cache"), "XDG_CACHE_HOME": str(home / ".cache"), "HOME": str(home)}
        given = {"PYTHONPATH": path, "LEAKAUDIT_NODE": name, **homes, **more}
        config = {"_system_config": HASTE} if not self.nodes else {}
        self.nodes[name] = self._cluster.add_node(
            wait=wait,
            num_cpus=cpus or self._cpus,
            object_store_memory=STORE,
            include_dashboard=False,
            env_vars=given,
            **config,
        )
        return name

    def kill(self, name: str) -> None:
        """As if its plug were pulled: SIGKILL to all its processes."""
        self._cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def shutdown(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


@contextmanager
def machines(folder: Path, nodes: int = 3, cpus: int = 1) -> Iterator[Machines]:
    """A cluster of so many nodes, each with its own folders; the test is skipped where Ray is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SAID.items():
            patch.setenv(name, value)
        ray = pytest.importorskip("ray")
        pytest.importorskip("ray.cluster_utils")
        found = Machines(folder, cpus)
        try:
            for _ in range(nodes):
                found.add()
            patch.setenv("RAY_ADDRESS", found.address)
            yield found
        finally:
            ray.shutdown()
            found.shutdown()
