"""A folder with images, weights and the terms on which these are extracted, and an engine that runs jobs in place."""

import pickle
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from test_extract import dataset, encoder

from leakaudit import network as networks
from leakaudit import store
from leakaudit.engines import Ended, Failed, Job, Note
from leakaudit.engines._working import outcome
from leakaudit.subject import Terms

LINE = ["w.safetensors", "--backbone", "simple-convnet:kernel=1,width=2", "--data", "faces.csv", "--device", "cpu"]
LINE += ["--batch-size", "7", "--mean", "0,0,0", "--std", "1,1,1"]


def furnish(folder: Path, rows: int = 24) -> None:
    """Images, their table and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, image in enumerate(dataset(rows).images.values):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{row}.bmp")
    (folder / "faces.csv").write_text("\n".join(["path,v", *(f"{row}.bmp,{row % 2}" for row in range(rows))]))
    network, _ = networks.of(encoder(dataset(4)))
    store.write_tensors(folder / "w.safetensors", {name: part.numpy() for name, part in network.state_dict().items()})


def terms(home: Path, **more: Any) -> Terms:
    """As the command line makes them of `LINE`."""
    said: dict[str, Any] = {"backbone": LINE[2], "data": "faces.csv", "mean": "0,0,0", "std": "1,1,1"}
    return Terms(**(said | {"store": home, "root": home / "data", "device": "cpu", "batch_size": 7} | more))


class InPlace:
    """An engine without processes: the last job first, each sent as if to another process; of which one may die."""

    def __init__(self, stop_after: int = 1000, lose: str = "") -> None:
        self.jobs: list[Job] = []
        self.ended = 0
        self.stop_after, self.lose = stop_after, lose
        self.closed = False

    def __call__(
        self, jobs: Sequence[Job], *, attempts: int = 3, keep: bool = True
    ) -> Generator[Note | Ended, None, dict[str, Any]]:
        """Run the jobs."""
        del attempts, keep
        self.jobs += jobs
        notes: list[Note] = []
        try:
            for job in reversed(jobs):
                if self.ended == self.stop_after:
                    raise KeyboardInterrupt
                if job.name == self.lose:
                    yield Ended(job.name, Failed(137, "its process was killed by SIGKILL, 3 times"))
                    continue
                came_to = outcome(pickle.loads(pickle.dumps(job)), notes.append)  # noqa: S301 (our own)
                yield from notes
                self.ended += not isinstance(came_to.result, Failed)
                yield Ended(job.name, came_to.result)
        finally:
            self.closed = True
        return {}


def files(home: Path) -> dict[str, bytes]:
    """All that embeddings are made of in a store."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted((home / "embeddings").rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def shards(home: Path) -> list[int]:
    """The numbers of the shards in a store."""
    return sorted(int(path.name[6:11]) for path in home.rglob("shard-*"))


def spoil(path: Path) -> None:
    """Another image under the same name."""
    image = np.asarray(Image.open(path)).copy()
    image[0, 0] += 1
    Image.fromarray(image).save(path)
