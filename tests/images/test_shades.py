"""What is shown of stored values, by the formulas of the standard and by pydicom's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicoms import pydicom, table, write

from leakaudit.images import dicom

TWELVE = np.linspace(0, 4095, 30 * 40).astype(np.uint16).reshape(30, 40)
HOUNSFIELD = np.linspace(-1024, 3071, 30 * 40).astype(np.int16).reshape(30, 40)


def shown(path: Path, pixels: np.ndarray, **header: Any) -> np.ndarray:
    """The one channel of grey that a file of these values becomes."""
    image = dicom.decode(write(path / "x.dcm", pixels, **header), None)
    assert (image == image[:, :, :1]).all()
    return image[:, :, 0]


def spread(values: np.ndarray) -> np.ndarray:
    """From the least to the greatest, 0 to 255."""
    values = values.astype(np.float64)
    return np.rint(255 * (values - values.min()) / (values.max() - values.min())).astype(np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [
        TWELVE,
        HOUNSFIELD,
        (TWELVE // 16).astype(np.uint8),
        (TWELVE * 16).astype(np.uint16),
        np.arange(-100, 100, dtype=np.int8).reshape(10, 20),
        TWELVE.astype(np.uint32) * 1_000_000,
    ],
    ids=["12", "signed 16", "8", "16", "signed 8", "32"],
)
def test_without_a_window_what_is_present_spans_black_to_white(tmp_path: Path, pixels: np.ndarray) -> None:
    """Whatever the bits and the sign, the least value is black, the greatest white, and all else lies between."""
    assert np.array_equal(shown(tmp_path, pixels), spread(pixels))


def test_of_12_bits_in_16_only_12_count(tmp_path: Path) -> None:
    """Signed values of 12 stored bits keep their sign."""
    pixels = np.linspace(-2048, 2047, 600).astype(np.int16).reshape(20, 30)
    assert np.array_equal(shown(tmp_path, pixels & 0xFFF, BitsStored=12, PixelRepresentation=1), spread(pixels))


def test_monochrome1_is_the_negative_of_monochrome2(tmp_path: Path) -> None:
    """In one the least value is white, in the other black, with a window and without."""
    for window in ({}, {"WindowCenter": 2000, "WindowWidth": 1500}):
        positive, negative = (
            shown(tmp_path, TWELVE, PhotometricInterpretation=f"MONOCHROME{kind}", **window) for kind in (2, 1)
        )
        assert (positive[0, 0], negative[0, 0], positive[-1, -1], negative[-1, -1]) == (0, 255, 255, 0)
        assert np.abs(positive.astype(int) + negative - 255).max() <= 1


def test_a_linear_window_is_that_of_the_standard(tmp_path: Path) -> None:
    """C.11.2.1.2.1 on rescaled values: black up to c - w/2, white above c + w/2 - 1, a line between; first of two."""
    header = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": [300, 9], "WindowWidth": [401, 9]}
    found = shown(tmp_path, TWELVE, **header)
    x = 2.0 * TWELVE - 100
    light = np.where(x <= 299.5 - 200, 0, np.where(x > 299.5 + 200, 1, (x - 299.5) / 400 + 0.5))
    assert np.array_equal(found, np.rint(255 * light).astype(np.uint8))
    assert 0 < (found > 0).mean() < 1


@pytest.mark.parametrize("shape", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("width", [1, 2, 700.5])
def test_every_window_is_that_of_pydicom(tmp_path: Path, shape: str, width: float) -> None:
    """The three functions of a window agree with pydicom's, spread over the range that it has."""
    header = {"WindowCenter": 40.0, "WindowWidth": width, "VOILUTFunction": shape}
    found = shown(tmp_path, HOUNSFIELD, RescaleSlope=1, RescaleIntercept=-24, **header)
    file = pydicom.dcmread(tmp_path / "x.dcm")
    values = np.append(HOUNSFIELD.ravel() - 24.0, [-1e9, 1e9])
    theirs = pydicom.pixels.apply_windowing(values, file)
    light = (theirs[:-2] - theirs[-2]) / (theirs[-1] - theirs[-2])
    assert np.abs(found.ravel() - 255 * light).max() <= 0.5 + 1e-6


def test_a_window_without_width_is_none(tmp_path: Path) -> None:
    """A width of 0, or no centre, leaves the full range."""
    for header in ({"WindowCenter": 40, "WindowWidth": 0}, {"WindowWidth": 100}, {"WindowCenter": None}):
        assert np.array_equal(shown(tmp_path, TWELVE, **header), spread(TWELVE))


@pytest.mark.parametrize("kind", ["OW", "US"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_a_voi_table_comes_before_a_window(tmp_path: Path, kind: str, syntax: str) -> None:
    """The first VOI LUT is what is shown, its ends hold beyond it, and a window beside it has no say."""
    curve = (np.linspace(0, 1, 2000) ** 2 * 4095).astype(np.uint16)
    order = ">" if syntax.endswith("2.2") else "<"
    header = {"VOILUTSequence": table(curve, 1000, 12, kind, order), "WindowCenter": 1, "WindowWidth": 2}
    found = shown(tmp_path, TWELVE, syntax=syntax, **header)
    expected = curve[np.clip(TWELVE.astype(int) - 1000, 0, 1999)] / 4095
    assert np.array_equal(found, np.rint(255 * expected).astype(np.uint8))


def test_a_table_of_8_bits_takes_values_of_12(tmp_path: Path) -> None:
    """What goes into a table may have more bits than what comes out: the upper half is not the lower one again."""
    curve = np.arange(4096) // 16
    found = shown(tmp_path, TWELVE, VOILUTSequence=table(curve, 0, 8))
    assert np.array_equal(found, TWELVE // 16)


def test_a_modality_table_comes_before_a_window(tmp_path: Path) -> None:
    """The window is of what the modality's table gives, here the negative of what is stored."""
    header = {"ModalityLUTSequence": table(4095 - np.arange(4096), 0, 16), "WindowCenter": 1000, "WindowWidth": 801}
    found = shown(tmp_path, TWELVE, **header)
    light = np.clip((4095.0 - TWELVE - 999.5) / 800 + 0.5, 0, 1)
    assert np.array_equal(found, np.rint(255 * light).astype(np.uint8))
    file = pydicom.dcmread(tmp_path / "x.dcm")
    assert np.array_equal(pydicom.pixels.apply_modality_lut(TWELVE, file), 4095 - TWELVE)


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_has_no_say_and_is_black(tmp_path: Path, kind: str) -> None:
    """A frame of a value far below the image does not dim it, whether one value pads or a range of them."""
    pixels = HOUNSFIELD.clip(0, 1000)
    pixels[:5], pixels[-5:] = -2000, -1990
    inside = spread(pixels[5:-5])
    inside = inside if kind == "MONOCHROME2" else 255 - inside
    header = {"PhotometricInterpretation": kind, "PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1990}
    found = shown(tmp_path, pixels, **header)
    assert np.abs(found[5:-5].astype(int) - inside).max() <= 1
    assert (found[:5] == 0).all()
    assert (found[-5:] == 0).all()
    dimmed = shown(tmp_path, pixels, PhotometricInterpretation=kind)
    assert np.abs(dimmed[5:-5].astype(int) - inside).max() > 100


def test_an_image_of_one_value_is_black(tmp_path: Path) -> None:
    """Nothing to span, and padding everywhere, are no division by zero."""
    flat = np.full((4, 6), 7, dtype=np.uint16)
    assert not shown(tmp_path, flat).any()
    assert not shown(tmp_path, flat, PixelPaddingValue=7).any()


def test_floats_are_shown_and_what_is_no_number_is_black(tmp_path: Path) -> None:
    """Float pixel data span black to white as whole numbers do."""
    pixels = np.linspace(-3, 5, 24, dtype=np.float32).reshape(4, 6)
    pixels[0, 0] = np.nan
    header = {"Rows": 4, "Columns": 6, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    path = write(tmp_path / "x.dcm", None, **header, BitsAllocated=32, FloatPixelData=pixels.tobytes())
    found = dicom.decode(path, None)[:, :, 0]
    assert found[0, 0] == 0
    assert (found[0, 1], found[-1, -1]) == (0, 255)
    assert np.array_equal(found.ravel()[1:], spread(pixels.ravel()[1:]))


@pytest.mark.parametrize(("bits", "words"), [(8, 2), (8, 1), (16, 2)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_palette_colours_what_is_stored(tmp_path: Path, bits: int, words: int, kind: type) -> None:
    """Each value is the place of a colour, from the first that the table names on; tables hold bytes or words."""
    pixels = np.arange(600).reshape(20, 30).clip(0, 255 if kind == np.uint8 else 599).astype(kind)
    count = 500
    colours = np.random.default_rng(0).integers(0, 1 << bits, (3, count))
    header: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, values in zip(("Red", "Green", "Blue"), colours, strict=True):
        header[f"{name}PaletteColorLookupTableDescriptor"] = [count, 10, bits]
        header[f"{name}PaletteColorLookupTableData"] = values.astype(f"<u{words}").tobytes()
    found = dicom.decode(write(tmp_path / "x.dcm", pixels, **header), None)
    places = np.clip(pixels.astype(int) - 10, 0, count - 1)
    expected = np.rint(255 * colours[:, places] / ((1 << bits) - 1)).astype(np.uint8)
    assert np.array_equal(found, expected.transpose(1, 2, 0))


def test_a_palette_in_segments_keeps_its_upper_8_bits(tmp_path: Path) -> None:
    """Palettes may be stored in segments: here one of 300 single colours of 16 bits, as pydicom reads them."""
    pixels = np.arange(300, dtype=np.uint16).reshape(15, 20)
    colours = np.random.default_rng(0).integers(0, 1 << 16, (3, 300))
    header: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, values in zip(("Red", "Green", "Blue"), colours, strict=True):
        header[f"{name}PaletteColorLookupTableDescriptor"] = [300, 0, 16]
        words = np.concatenate([[0, 300], values]).astype("<u2")
        header[f"Segmented{name}PaletteColorLookupTableData"] = words.tobytes()
    found = dicom.decode(write(tmp_path / "x.dcm", pixels, **header), None)
    assert np.array_equal(found, (colours[:, pixels] >> 8).transpose(1, 2, 0))
