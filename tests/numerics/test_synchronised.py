"""Batch norm over ranks is batch norm over all of their rows: answers, gradients and running statistics."""

import pytest
import torch
from ranked import together
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from leakaudit.errors import InputError
from leakaudit.numerics.gather import gather, ranks
from leakaudit.numerics.synchronised import normalises, share, synchronise

KINDS = {
    "vectors": (lambda: nn.BatchNorm1d(5), (9, 5)),
    "sequences": (lambda: nn.BatchNorm1d(5, affine=False), (9, 5, 4)),
    "maps": (lambda: nn.BatchNorm2d(5), (9, 5, 4, 4)),
    "volumes": (lambda: nn.BatchNorm3d(5, momentum=None), (9, 5, 2, 3, 4)),
    "not remembered": (lambda: nn.BatchNorm2d(5, track_running_stats=False), (9, 5, 4, 4)),
    "activated": (lambda: BatchNormAct2d(5), (9, 5, 4, 4)),
}


def passed(*, shared: bool = True) -> dict[str, Tensor]:
    """Two passes of each kind and the gradients of a loss on all answers."""
    here, found = ranks(), {}
    for kind, (make, shape) in KINDS.items():
        torch.manual_seed(0)
        layer = nn.Sequential(make().double())
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
        keys = list(layer.state_dict())
        if here.world > 1:
            synchronise(layer, "test")
            share(layer, shared)
            assert list(layer.state_dict()) == keys
        for _ in range(2):
            whole = 3 * torch.randn(shape, dtype=torch.float64) + 1
            x = whole[here.part(9).start : here.part(9).stop].requires_grad_()
            out = gather(layer(x))
            weights = torch.randn(shape, dtype=torch.float64)
            (out * weights).sum().backward()
        assert x.grad is not None
        slopes = [gather(x.grad)] + [gather(each.grad[None]).mean(0) for each in layer.parameters()]
        slopes[0] = slopes[0] / here.world  # each rank's loss is the whole one
        found |= {f"{kind} {at}": slope for at, slope in enumerate(slopes)} | {f"{kind} out": out}
        found |= {f"{kind} {name}": tensor for name, tensor in layer.state_dict().items()}
        found[f"{kind} tried"] = layer.eval()(whole)
    return found


def test_ranks_normalise_as_one_process() -> None:
    """All kinds, with rows shared out unevenly, and a negative twin: each by itself they do not."""
    one = passed()
    for made in together(passed):
        torch.testing.assert_close(made, one)
    apart = together(lambda: passed(shared=False))[0]
    assert (apart["maps out"] - one["maps out"]).abs().max() > 1e-2


def test_halves_are_normalised_in_float32() -> None:
    """As torch's own does in mixed precision: statistics stay float32, and what comes out is bfloat16."""
    x = (torch.randn(16, 3, 9, 9, generator=torch.Generator().manual_seed(0)) + 3).bfloat16()
    plain, layer = nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3))
    synchronise(layer, "test")
    share(layer, True)
    torch.testing.assert_close(layer(x), plain(x))
    torch.testing.assert_close(layer[0].state_dict(), plain.state_dict())


def test_what_is_more_than_batch_norm_is_refused() -> None:
    """A kind of its own stays in one process; one that is synchronised is no longer each rank's own."""

    class Own(nn.BatchNorm2d):
        pass

    with pytest.raises(InputError, match=r"sync_batch_norm = true: layer 1 is a Own"):
        synchronise(nn.Sequential(nn.ReLU(), Own(3)), "test")
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    assert normalises(network)
    synchronise(network, "test")
    assert not normalises(network)
    assert not normalises(nn.Sequential(nn.LayerNorm(3), nn.GroupNorm(1, 3)))
