"""What a layer gives becomes a vector by the rule that is stated, whichever way its channels lie."""

import pytest
import torch

from leakaudit.errors import InputError
from leakaudit.numerics import pooling


def made(x: torch.Tensor, pool: str, sides: tuple[int, ...] = (8, 8)) -> tuple[torch.Tensor, str]:
    """Vectors and the words of the rule."""
    how = pooling.rule(tuple(x.shape), pool, sides, "here")
    found = pooling.pooled(x, how)
    assert found.shape == (len(x), how.width)
    return found, how.words


def test_a_vector_stays() -> None:
    """Whatever is asked; a number for each image is a vector of one."""
    x = torch.randn(3, 5)
    for pool in ("mean", "max", "flatten"):
        found, words = made(x, pool)
        assert torch.equal(found, x)
        assert words == "vector of 5"
    assert made(x[:, 0], "mean")[0].shape == (3, 1)


def test_a_map_is_pooled_over_its_places() -> None:
    """The mean or the largest of each channel, or all numbers in order."""
    x = torch.randn(3, 5, 4, 4)
    found, words = made(x, "mean")
    torch.testing.assert_close(found, x.flatten(2).mean(2))
    assert words == "map 5x4x4, mean over its 16 places"
    assert torch.equal(made(x, "max")[0], x.flatten(2).max(2).values)
    assert made(x[:, :, :1, :1], "mean")[1] == "map 5x1x1, its one place"
    found, words = made(x.contiguous(memory_format=torch.channels_last), "flatten")
    assert torch.equal(found, x.flatten(1))
    assert words == "map 5x4x4, all of its 80 numbers"


def test_tokens_are_pooled_over_tokens() -> None:
    """The class token is one of them."""
    x = torch.randn(3, 7, 5)
    found, words = made(x, "mean")
    torch.testing.assert_close(found, x.mean(1))
    assert words == "7 tokens of 5, mean over the tokens"
    assert torch.equal(made(x, "max")[0], x.max(1).values)
    assert torch.equal(made(x, "flatten")[0], x.flatten(1))


@pytest.mark.parametrize(
    ("inner", "sides", "last"),
    [
        ((5, 4, 4), (8, 8), False),
        ((4, 4, 5), (8, 8), True),
        ((4, 4, 4), (8, 8), False),
        ((5, 1, 1), (8, 8), False),
        ((1, 1, 5), (8, 8), True),
        ((64, 7, 14), (112, 224), False),
        ((7, 14, 64), (112, 224), True),
        ((14, 7, 14), (112, 224), False),
        ((64, 4, 3), (28, 22), False),
        ((4, 3, 64), (28, 22), True),
    ],
)
def test_channels_lie_where_the_sides_do_not(inner: tuple[int, ...], sides: tuple[int, ...], *, last: bool) -> None:
    """The two sides whose ratio is that of the image are places; where both pairs are as near, channels come first."""
    x = torch.randn(2, *inner)
    found, words = made(x, "mean", sides)
    torch.testing.assert_close(found, x.mean((1, 2) if last else (2, 3)))
    assert ("channels last" in words) is last


def test_a_vector_lies_in_memory_of_its_own() -> None:
    """What a later layer writes over in place is not what was read."""
    for shape, pool in (((2, 5), "mean"), ((2, 5, 4, 4), "flatten"), ((2, 5, 1, 1), "max")):
        x = torch.randn(shape)
        found, _ = made(x, pool)
        before = found.clone()
        x.zero_()
        assert torch.equal(found, before)


def test_what_has_no_rule_or_is_too_long_is_refused() -> None:
    """Five axes only as they are, and no row of more than 65,536 numbers, with what to ask for instead."""
    assert made(torch.randn(2, 3, 2, 2, 2), "flatten")[0].shape == (2, 24)
    with pytest.raises(InputError, match=r"here: a tensor 3x2x2x2 for each image has no places .* pool=flatten"):
        made(torch.randn(2, 3, 2, 2, 2), "mean")
    assert pooling.rule((2, 256, 16, 16), "flatten", (64, 64), "here").width == pooling.MOST
    with pytest.raises(InputError, match=r"65,792 numbers .*\(257x16x16\), at most 65,536; take pool=mean"):
        pooling.rule((2, 257, 16, 16), "flatten", (64, 64), "here")


def test_the_first_tensor_of_several_is_read() -> None:
    """Out of tuples, lists and dicts, in their order; where there is none, none."""
    x, y = torch.zeros(1), torch.ones(1)
    for value in (x, (x, y), [None, (x,), y], {"a": None, "b": [x], "c": y}):
        assert pooling.first(value) is x
    assert pooling.first((None, "x", {})) is None
