"""Extraction on a cluster whose nodes share no disk: one is killed, one has no data, and no row is lost."""

import threading
import time
from pathlib import Path

import pytest
from clustered import Machines, machines
from farmed import LINE, files, furnish, shards, terms
from test_extract import finish

from leakaudit import auditor, embeddings, extract, farming, store
from leakaudit.engines import ray

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]
ROWS = 40
CODE = """
import os, time
from pathlib import Path
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body, self.fc = nn.Linear(192, 6), nn.Linear(6, classes)

    def forward(self, x):
        node = os.environ.get("LEAKAUDIT_NODE")
        if node:  # slow on a node, where each pass leaves a mark
            (Path(__file__).parent / node).touch()
            time.sleep(0.2)
        return self.fc(self.body(x.flatten(1)).relu())
"""


def kill_in_the_middle(cluster: Machines, name: str, here: Path, killed: list[int]) -> None:
    """Once a shard is written and that node is at work on another; who waits for it too long gives up."""
    last = time.monotonic() + 600
    while time.monotonic() < last:
        mark, done = here / name, len(shards(here / "many"))
        if done and mark.exists() and time.time() - mark.stat().st_mtime < 0.15:
            cluster.kill(name)
            killed.append(done)
            return
        time.sleep(0.02)


def test_a_node_killed_and_one_without_data_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are those of one process; what the killed node had begun is done again, and by nodes with the data."""
    here, data = tmp_path / "here", tmp_path / "data"
    for module in (embeddings, extract):
        monkeypatch.setattr(module, "SHARD", 8)
    furnish(data, ROWS)
    here.mkdir()
    (here / "net.py").write_text(CODE)
    monkeypatch.chdir(here)
    monkeypatch.delenv("LEAKAUDIT_DATA", raising=False)
    asked = terms(here / "many", root=data, backbone="net.py:Net", size="8")
    network = _network(here)
    store.write_tensors(here / "w.safetensors", {name: part.numpy() for name, part in network.state_dict().items()})
    alone = terms(here / "one", root=data, backbone="net.py:Net", size="8")
    finish(auditor.together(auditor.find(LINE[0], alone), alone))  # type: ignore[arg-type]
    nodes = tmp_path / "nodes"
    with machines(nodes, nodes=0) as cluster:
        for number in range(3):
            home = nodes / f"node{number}" / "data"
            cluster.add(LEAKAUDIT_DATA=str(home))
            if number < 2:
                furnish(home, ROWS)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        killed: list[int] = []
        killer = threading.Thread(target=kill_in_the_middle, args=(cluster, "node1", here, killed))
        killer.start()
        steps, found = finish(
            auditor.together(auditor.find(LINE[0], asked), asked, farming.make(ray.run, LINE[0], asked))  # type: ignore[arg-type]
        )
        killer.join()
    assert 0 < killed[0] < ROWS // 8
    assert [step.done for step in steps] == [*range(8, ROWS + 1, 8)]
    assert files(here / "many") == files(here / "one")
    assert (here / "node0").exists()
    assert not (here / "node2").exists()
    assert not [path for path in nodes.rglob("*.safetensors") if path.name.startswith("shard")]
    assert len(found[0]) == ROWS


def _network(folder: Path):
    import importlib.util

    spec = importlib.util.spec_from_file_location("net", folder / "net.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Net(2)
