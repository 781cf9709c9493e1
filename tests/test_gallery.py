"""Thumbnails that an audit stores are few and small, whatever was rebuilt."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from leakaudit import gallery
from leakaudit.gallery import Gallery, Reading
from leakaudit.labels import Column, Labelled
from leakaudit.render import _thumbnails
from leakaudit.scoring import Answers


@pytest.mark.parametrize(("attributes", "each"), [(1, 10), (4, 10), (8, 5), (20, 2), (50, 2)])
def test_many_attributes_share_the_thumbnails(attributes: int, each: int) -> None:
    """Each has fewer, and beyond as many as there are thumbnails the last attributes have none."""
    found = gallery.columns(attributes)
    assert len(found) == attributes
    assert found[0] == max(found) == each
    assert sum(found) <= gallery.THUMBNAILS
    assert sorted(found, reverse=True) == found


def test_thumbnails_are_small_and_pass_what_a_report_asks_of_them() -> None:
    """Of images of 64 pixels strips of 48 are stored, the same bytes twice, each a PNG of the stated size."""
    rng = np.random.default_rng(0)
    images = rng.random((12, 3, 64, 40), dtype=np.float32)
    y, v = np.arange(12) % 3, np.arange(12) % 2
    shown = Gallery(images, images, images, images, np.zeros(12, np.int64), converged=True, notes=())
    answers = Answers(y, v, 3, 2, None, doubled=False, seed=0)
    reading = Reading(answers, np.arange(12), {}, {}, (), converged=True, p=1.0)
    labels = Labelled(np.arange(12), Column(y, ("a", "b", "c"), ""), Column(v, ("plain", "red"), ""), 0)
    made = gallery.pictures(shown, reading, labels, 0, 5)
    assert made == gallery.pictures(shown, reading, labels, 0, 5)
    assert (made.height, made.width, len(made.labels)) == (48, 40, 5)
    assert _thumbnails.genuine(made)
    (_, first), *_ = made.rows
    assert Image.open(io.BytesIO(base64.b64decode(first))).size == (200, 48)
    assert {label.split(" / ")[0] for label in made.labels} == {"a", "b", "c"}
