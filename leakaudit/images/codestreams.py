"""
What a compressed image says of its size, before anything is decompressed by it.

ITU-T T.81 (JPEG) B.2.2 and T.87 (JPEG-LS) C.2.2, the frame header; T.800 (JPEG 2000) A.5.1, the SIZ marker.
"""

FRAMES = frozenset({*range(0xC0, 0xD0), 0xDE, 0xF7} - {0xC4, 0xC8, 0xCC})
"""Markers of JPEG and JPEG-LS that open a frame."""
SIZ = b"\xff\x4f\xff\x51"
"""The first two markers of a JPEG 2000 code stream."""


def extent(stream: bytes) -> tuple[int, int, int] | None:
    """Height, width and samples a pixel of a JPEG, JPEG-LS or JPEG 2000 code stream; None where it does not say."""
    start = stream.find(SIZ, 0, 1 << 12)
    if start >= 0:
        right, bottom, left, top = (_number(stream, start + place, 4) for place in (8, 12, 16, 20))
        return bottom - top, right - left, _number(stream, start + 40, 2)
    place = 2
    while stream[:2] == b"\xff\xd8" and place + 10 <= len(stream) and stream[place] == 0xFF:  # noqa: PLR2004 - a marker
        marker = stream[place + 1]
        if marker in FRAMES:
            return _number(stream, place + 5, 2), _number(stream, place + 7, 2), stream[place + 9]
        place += 1 if marker == 0xFF else 2 + _number(stream, place + 2, 2)  # noqa: PLR2004 - a byte that fills
    return None


def _number(stream: bytes, place: int, count: int) -> int:
    return int.from_bytes(stream[place : place + count], "big")
