"""Whatever a picture is stored as, it becomes one clear RGB, or is refused in a few words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leakaudit.images import decoding

NOISE = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
PICTURE, OTHER = Image.fromarray(NOISE), Image.fromarray(255 - NOISE)
TWO: dict[str, Any] = {"save_all": True, "append_images": [OTHER]}


def stored(folder: Path, image: Image.Image, name: str, **more: Any) -> Path:
    """A picture in a file of that name."""
    image.save(folder / name, **more)
    return folder / name


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm", "a.gif"])
def test_what_loses_nothing_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    """Every pixel, whatever the file is; its size is that of its header."""
    path = stored(tmp_path, PICTURE, name)
    assert np.array_equal(decoding.decode(path, None), NOISE)
    assert decoding.measure(path, None) == (6, 4)


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "a.jpg"), ("P", "a.png"), ("L", "a.png"), ("1", "a.png")])
def test_other_colours_become_those_that_pillow_says(tmp_path: Path, mode: str, name: str) -> None:
    """CMYK, palette, grey and black-and-white: three equal channels where there is no colour."""
    path = stored(tmp_path, PICTURE.convert(mode), name)
    found = decoding.decode(path, None)
    with Image.open(path) as image:
        assert image.mode == mode
        assert np.array_equal(found, np.asarray(image.convert("RGB")))
    assert found.std() > 0
    assert (mode not in "L1") or bool((found[..., 0] == found[..., 2]).all())


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("alpha", [0, 51, 255])
def test_what_shines_through_stands_before_black(tmp_path: Path, mode: str, alpha: int) -> None:
    """A pixel of opacity a is a times its colour; what is hidden stays so."""
    colour = (200, 100, 50, alpha) if mode == "RGBA" else (200, alpha)
    found = decoding.decode(stored(tmp_path, Image.new(mode, (4, 6), colour), "a.png"), None)
    wanted = np.array(colour[:-1]) * alpha / 255
    assert np.abs(found - wanted.round()).max() <= 1


def test_a_colour_or_a_palette_may_be_the_transparent_one(tmp_path: Path) -> None:
    """Named by a PNG or a GIF: black, while the other colours stay."""
    half = NOISE.copy()
    half[:3] = (1, 2, 3)
    key = stored(tmp_path, Image.fromarray(half), "key.png", transparency=(1, 2, 3))
    assert not decoding.decode(key, None)[:3].any()
    assert np.array_equal(decoding.decode(key, None)[3:], half[3:])
    clear = stored(tmp_path, PICTURE.convert("P"), "palette.png", transparency=bytes(256))
    assert not decoding.decode(clear, None).any()


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.tif", "a.png"])
def test_several_frames_are_refused(tmp_path: Path, name: str) -> None:
    """Animated GIF, WebP and PNG, and TIFF of several pages: no row says which; one frame is a picture."""
    path = stored(tmp_path, PICTURE, name, **TWO)
    for work in (decoding.decode, decoding.measure):
        with pytest.raises(ValueError, match="several frames"):
            work(path, None)
    assert decoding.decode(stored(tmp_path, PICTURE, f"one-{name}"), None).shape == NOISE.shape


def test_of_a_cameras_pictures_the_first_is_the_photograph(tmp_path: Path) -> None:
    """MPO: what follows is a preview or another eye."""
    path = stored(tmp_path, PICTURE, "a.jpg", format="MPO", **TWO)
    alone = stored(tmp_path, PICTURE, "b.jpg", format="JPEG")
    assert np.array_equal(decoding.decode(path, None), decoding.decode(alone, None))
    assert decoding.measure(path, None) == (6, 4)


def test_orientation_is_not_followed(tmp_path: Path) -> None:
    """A camera held sideways gives what torchvision gives: the pixels as they are stored."""
    tags = Image.Exif()
    tags[0x0112] = 6
    turned = decoding.decode(stored(tmp_path, PICTURE, "a.png", exif=tags), None)
    assert np.array_equal(turned, NOISE)


@pytest.mark.parametrize("kind", ["grey", "float"])
def test_deep_grey_is_refused(tmp_path: Path, kind: str) -> None:
    """Which of 65,536 greys are meant is not known; 8 bits are taken."""
    deep = np.full((6, 4), 40_000, np.uint16 if kind == "grey" else np.float32)
    path = stored(tmp_path, Image.fromarray(deep), "a.tif")
    with pytest.raises(ValueError, match="more than 8 bits"):
        decoding.decode(path, None)
    assert decoding.decode(stored(tmp_path, Image.fromarray(deep.astype(np.uint8)), "b.tif"), None).shape == (6, 4, 3)


@pytest.mark.parametrize(("side", "within"), [(9_000, True), (13_000, True), (14_000, False), (30_000, False)])
def test_the_largest_image_is_pillows_own(tmp_path: Path, side: int, *, within: bool) -> None:
    """Up to the limit no warning leaks, of which Pillow has one; above it the header is enough to refuse."""
    assert Image.MAX_IMAGE_PIXELS is not None
    assert decoding.LARGEST == 2 * Image.MAX_IMAGE_PIXELS
    path = tmp_path / "a.pbm"
    path.write_bytes(f"P4\n{side} {side}\n".encode() + bytes(64))
    if within:
        assert decoding.measure(path, None) == (side, side)
    else:
        for work in (decoding.decode, decoding.measure):
            with pytest.raises(ValueError, match=r"larger than the 178,956,970 pixels"):
                work(path, None)


@pytest.mark.parametrize("size", [None, 8])
def test_a_jpeg_that_says_it_is_larger_is_refused_from_its_header(tmp_path: Path, size: int | None) -> None:
    """Even where a small part of it is asked for; cut in the middle, it is damaged whatever is asked for."""
    whole = stored(tmp_path, PICTURE.resize((64, 64)), "a.jpg").read_bytes()
    at = whole.index(b"\xff\xc0") + 5
    (tmp_path / "huge.jpg").write_bytes(whole[:at] + (30_000).to_bytes(2, "big") * 2 + whole[at + 4 :])
    with pytest.raises(ValueError, match="larger than"):
        decoding.decode(tmp_path / "huge.jpg", size)
    middle = (whole.index(b"\xff\xda") + len(whole)) // 2
    (tmp_path / "cut.jpg").write_bytes(whole[:middle])
    with pytest.raises(decoding.BROKEN):
        decoding.decode(tmp_path / "cut.jpg", size)
    assert decoding.decode(tmp_path / "a.jpg", size).shape in ((64, 64, 3), (8, 8, 3))


def test_what_is_damaged_is_told_from_what_is_none(tmp_path: Path) -> None:
    """In a few words without the path, which the message names anyway."""
    good = stored(tmp_path, PICTURE, "good.png")
    whole = good.read_bytes()
    (tmp_path / "text.jpg").write_text("no")
    (tmp_path / "cut.png").write_bytes(whole[:-30])
    (tmp_path / "bent.png").write_bytes(whole[:40] + bytes(8) + whole[48:])
    words = {}
    for name in ("text.jpg", "cut.png", "bent.png", "gone.png", "."):
        with pytest.raises(decoding.BROKEN) as error:
            decoding.decode(tmp_path / name, None)
        words[name] = decoding.why(error.value)
        assert str(tmp_path) not in words[name]
        assert len(words[name].splitlines()) == 1
    assert words["text.jpg"] == "not an image"
    assert words["gone.png"] == "No such file or directory"
    assert words["."] == "Is a directory"
    assert "truncated" in words["cut.png"]
    assert decoding.decode(good, None).shape == NOISE.shape
