"""A batch shared out is put together in its own order, and ranks drop units of their own."""

import torch
from ranked import together
from torch import Tensor, nn

from leakaudit.numerics.gather import Ranks, ranks
from leakaudit.numerics.sharing import OwnChance, Sharing, draws, reached, spread
from leakaudit.numerics.taps import Tapped
from leakaudit.numerics.views import shifted

ROWS, VIEWS = 7, 3


def test_views_stand_in_the_batchs_order() -> None:
    """All rows in one view, then all in the next, whatever lies on which rank; moved as one process moves them."""

    def whole() -> dict[str, Tensor]:
        here = ranks()
        images = torch.arange(ROWS * 16 * 16.0).reshape(ROWS, 1, 16, 16)
        chance = torch.Generator().manual_seed(0)
        if here.world == 1:
            return {"x": torch.cat([shifted(images, chance) for _ in range(VIEWS)])}
        share = Sharing(here, ROWS, VIEWS, OwnChance(0, "cpu"))
        mine = images[share.rows.start : share.rows.stop]
        return {"x": share.whole(torch.cat([shifted(mine, chance, ROWS, share.rows) for _ in range(VIEWS)]))}

    one = whole()
    for made in together(whole, 3):
        torch.testing.assert_close(made, one, rtol=0, atol=0)


def test_ranks_drop_units_of_their_own_and_share_all_other_chance() -> None:
    """Rows of two ranks are not masked alike; what is drawn outside a pass is the same, and not moved by it."""

    def masks() -> dict[str, Tensor]:
        here = ranks()
        tapped = Tapped(nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 2)), "2")
        torch.manual_seed(0)
        before = torch.rand(4)
        if here.world > 1:
            tapped.share(Sharing(here, 4, 1, OwnChance(here.rank, "cpu")))
        passes = [tapped(torch.ones(4 // here.world, 64)).z for _ in range(2)] if here.world > 1 else []
        return {"chance": torch.cat([before, torch.rand(4)]), **{f"pass {at}": z for at, z in enumerate(passes)}}

    first, second = together(masks)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert torch.equal(first["chance"], masks()["chance"])
    rows = torch.cat([first["pass 0"], first["pass 1"]])
    assert len({tuple(row.tolist()) for row in rows}) == 8


def test_a_network_that_draws_is_told_from_one_that_does_not() -> None:
    """Dropout draws; batch norm does not, and keeps its statistics."""
    x = torch.randn(4, 3, 8, 8)
    plain = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Flatten()).eval()
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    states = torch.get_rng_state()
    assert not draws(plain, x)
    assert not plain.training
    torch.testing.assert_close(plain.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), states)
    assert draws(nn.Sequential(plain, nn.Dropout(0.1)), x)


def test_what_no_answer_depends_on_is_not_waited_for() -> None:
    """A layer beside the way to z and logits gets no gradient, and so is not averaged."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.head, self.idle = nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(4, 4)
            self.frozen = nn.Linear(4, 4).requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            self.idle(x)
            logits: Tensor = self.head(self.used(self.frozen(x)))
            return logits

    odd = Odd()
    found = reached(Tapped(odd, "head"), torch.randn(2, 4))
    assert {id(each) for each in found} == {id(each) for part in (odd.used, odd.head) for each in part.parameters()}


def test_rows_are_spread_in_order() -> None:
    """Each rank's range in parts; where rows are fewer than ranks each has all of them."""
    made = [spread(Ranks(rank, 3), 8, 2, "cpu") for rank in range(3)]
    assert [torch.cat(parts).tolist() for parts, _ in made] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert {counts for _, counts in made} == {(3, 3, 2)}
    parts, counts = spread(Ranks(1, 3), 2, 2, "cpu")
    assert (torch.cat(parts).tolist(), counts) == ([0, 1], ())
