"""What several processes hold comes together on each, and gradients go back to whoever made it."""

import pytest
import torch
from ranked import together
from torch import Tensor

from leakaudit.numerics.gather import Ranks, agreed, align, gather, ranks, summed, told

WEIGHTS = torch.arange(1.0, 11.0).reshape(5, 2)


def test_parts_cover_all_rows_once() -> None:
    """Ranges in order of rank, of lengths that differ by one at most; also of fewer rows than ranks."""
    for count in range(12):
        parts = [Ranks(rank, 5).part(count) for rank in range(5)]
        assert [row for part in parts for row in part] == list(range(count))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_alone_nothing_is_sent() -> None:
    """One process gathers its own tensor, and what is told is what was said."""
    x = torch.ones(3, requires_grad=True)
    assert gather(x) is x
    assert summed(x) is x
    assert agreed(x) is x
    assert told(b"words", "cpu") == b"words"
    assert ranks() == Ranks(0, 1)


def all_of_it() -> dict[str, Tensor]:
    """Everything that ranks can do together; ranks 0, 1 and 2 hold three rows, none and two."""
    here = ranks()
    counts = (3, 0, 2)
    start, mine = sum(counts[: here.rank]), counts[here.rank]
    found: dict[str, Tensor] = {}
    for name, known in (("asked", None), ("known", counts)):
        x = WEIGHTS[start : start + mine].clone().requires_grad_()
        whole = gather(x, known)
        (whole.square().sum() * (here.rank + 1)).backward()
        assert x.grad is not None
        found |= {f"{name} rows": whole, f"{name} slopes": x.grad}
    y = torch.full((2, 3), float(here.rank + 1), requires_grad=True)
    total = summed(y)
    (total * (here.rank + 1)).sum().backward()
    assert y.grad is not None
    tensors = [torch.full((2, 2), here.rank), torch.full((), here.rank + 0.5), torch.full((3,), here.rank)]
    align(tensors)
    said = told(bytes(range(200)) if here.first else None, "cpu")
    empty = told(b"" if here.first else None, "cpu")
    return found | {
        "total": total,
        "slope of total": y.grad,
        "agreed": agreed(torch.full((2,), here.rank == 0)),
        "said": torch.frombuffer(bytearray(said), dtype=torch.uint8),
        "nothing": torch.tensor(len(empty)),
        **{f"aligned {at}": tensor for at, tensor in enumerate(tensors)},
    }


def test_rows_come_together_and_slopes_go_back() -> None:
    """Losses of ranks 1, 2 and 3 times the squares: slopes are 6 times 2 x, on the rank that held x, none lost."""
    made = together(all_of_it, 3)
    for rank, (first, last) in enumerate([(0, 3), (3, 3), (3, 5)]):
        for name in ("asked", "known"):
            torch.testing.assert_close(made[rank][f"{name} rows"], WEIGHTS)
            torch.testing.assert_close(made[rank][f"{name} slopes"], 12 * WEIGHTS[first:last])
        assert (made[rank]["total"] == 6).all()
        assert (made[rank]["slope of total"] == 6).all()
        assert made[rank]["agreed"].all()
        assert made[rank]["said"].tolist() == list(range(200))
        assert made[rank]["nothing"] == 0
        assert [float(made[rank][f"aligned {at}"].sum()) for at in range(3)] == [0, 0.5, 0]


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no two CUDA devices here")
def test_nccl_does_the_same(tmp_path) -> None:
    """Rows, slopes and sums over two GPUs are those of the CPU."""
    from torch.multiprocessing import start_processes

    start_processes(_on_gpu, (str(tmp_path / "meeting"),), nprocs=2, start_method="spawn")


def _on_gpu(rank: int, place: str) -> None:
    from torch import distributed

    torch.cuda.set_device(rank)
    distributed.init_process_group("nccl", init_method=f"file://{place}", rank=rank, world_size=2)
    x = WEIGHTS[3 * rank : 3 + 2 * rank].cuda().requires_grad_()
    whole = gather(x)
    (whole.square().sum() * (rank + 1)).backward()
    assert x.grad is not None
    torch.testing.assert_close(whole.cpu(), WEIGHTS)
    torch.testing.assert_close(x.grad, 6 * x.detach())
    assert told(b"words" if rank == 0 else None, f"cuda:{rank}") == b"words"
    assert float(summed(torch.ones(2, device="cuda")).sum()) == 4
    distributed.destroy_process_group()
