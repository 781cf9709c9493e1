"""The size that a compressed image says it has is the one it has."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leakaudit.images.codestreams import extent

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"\xff\xc0\x00\x11\x08\x00\x01\x00\x01"}),
        ("JPEG", {"exif": bytes(5000)}),
        ("JPEG2000", {"no_jp2": True}),
        ("JPEG2000", {"no_jp2": False, "offset": (0, 0)}),
    ],
)
def test_height_width_and_samples_are_read_from_the_header(mode: str, kind: str, how: dict[str, Any]) -> None:
    """Of JPEG, whatever stands before its frame, and of JPEG 2000, bare or in its file format."""
    buffer = io.BytesIO()
    PICTURE.convert(mode).save(buffer, kind, **how)
    assert extent(buffer.getvalue()) == (40, 70, len(mode))


def test_what_says_nothing_has_no_size() -> None:
    """Noise, nothing, and a JPEG that ends before its frame."""
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG")
    frame = buffer.getvalue().index(b"\xff\xc0")
    noise = np.random.default_rng(0).bytes(500)
    for stream in (b"", noise, b"\xff\xd8" + noise, buffer.getvalue()[:frame], b"\xff\xd8" + b"\xff" * 50):
        assert extent(stream) is None


def test_a_table_before_the_frame_is_not_the_frame() -> None:
    """Huffman tables bear a marker among those of frames, and may stand before it."""
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG")
    stream = buffer.getvalue()
    frame = stream.index(b"\xff\xc0")
    assert extent(stream[:frame] + b"\xff\xc4\x00\x13" + bytes(17) + stream[frame:]) == (40, 70, 3)
