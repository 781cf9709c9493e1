"""A view is the image moved a little: by no more than an eighth, edges repeated, every image by its own lot."""

import torch
from torch.nn import functional

from leakaudit.numerics import views

HEIGHT, WIDTH = 8, 24
DOWN, RIGHT = 1, 3


def example(count: int = 300) -> torch.Tensor:
    """Images wider than high, no two pixels alike."""
    return torch.randn(count, 2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def test_each_view_is_a_shift_and_every_shift_occurs() -> None:
    """One of all shifts there can be fits each, and over enough images all are drawn, about alike often."""
    x = example()
    made = views.shifted(x, torch.Generator().manual_seed(1))
    assert made.shape == x.shape
    padded = functional.pad(x, (RIGHT, RIGHT, DOWN, DOWN), mode="replicate")
    found: dict[tuple[int, int], int] = {}
    for top in range(2 * DOWN + 1):
        for left in range(2 * RIGHT + 1):
            part = padded[:, :, top : top + HEIGHT, left : left + WIDTH]
            found[top, left] = int((part == made).flatten(1).all(1).sum())
    assert sum(found.values()) == len(x)
    assert min(found.values()) >= 4  # of 300 images and 21 shifts: 14 expected of each
    assert max(found.values()) <= 30


def test_two_views_of_an_image_differ_and_a_seed_draws_the_same_again() -> None:
    """Views come from the generator alone."""
    x = example(50)
    generator = torch.Generator().manual_seed(2)
    one, two = views.shifted(x, generator), views.shifted(x, generator)
    assert int((one == two).flatten(1).all(1).sum()) < 15
    assert torch.equal(one, views.shifted(x, torch.Generator().manual_seed(2)))


def test_an_image_of_a_few_pixels_moves_by_one() -> None:
    """An eighth of three is none; a view is never always the image itself."""
    x = torch.arange(9.0).view(1, 1, 3, 3).expand(40, 1, 3, 3)
    made = views.shifted(x, torch.Generator().manual_seed(3))
    assert int((made == x).flatten(1).all(1).sum()) < 20
    assert {float(part[0, 1, 1]) for part in made} == set(range(9))
