"""
What a viewer shows of a DICOM file's stored values, in 8 bits.

NEMA PS3.3: C.11.1 modality LUT and rescale, C.11.2 VOI LUT and window, C.7.6.3.1.2 photometric interpretation,
C.7.5.1.1.2 pixel padding, C.7.6.3.1.5 palettes.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Num, UInt8

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
PALETTE = "PALETTE COLOR"
_ROWS = 256
"""Looked up at a time: indices of a whole X-ray would be its largest copy."""


def grey(file: "FileDataset", pixels: Num[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """
    Grey values, black to white.

    Values go through the modality LUT or rescale, and then through the first VOI LUT or the first window; without one
    (a window without width is none) those that are present span black to white. MONOCHROME1 is inverted. Padding has no
    say and is black.
    """
    levels, places = _levels(pixels)
    here = np.zeros(len(levels), dtype=bool)
    for top in range(0, len(places), _ROWS):
        here[places[top : top + _ROWS]] = True
    here &= np.isfinite(levels)
    real = here & ~_padding(file, levels)
    if not real.any():
        real = here
    light = _light(file, _rescaled(file, levels[real]))
    shades = np.zeros(len(levels), dtype=np.uint8)
    shades[real] = np.rint(255 * (1 - light if file.PhotometricInterpretation == "MONOCHROME1" else light))
    shown = np.empty(places.shape, dtype=np.uint8)
    for top in range(0, len(places), _ROWS):
        shown[top : top + _ROWS] = shades[places[top : top + _ROWS]]
    return shown


def coloured(file: "FileDataset", pixels: Num[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of as many bits as are stored."""
    if pixels.dtype == np.uint8 and file.BitsStored == 8:  # noqa: PLR2004 - as it is shown
        return pixels
    return np.asarray(np.rint(pixels * (255.0 / (2 ** int(file.BitsStored) - 1))), dtype=np.uint8)


def painted(file: "FileDataset", pixels: Num[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The colours of a palette."""
    if "RedPaletteColorLookupTableData" not in file:
        from pydicom.pixels.processing import apply_color_lut

        colours = apply_color_lut(pixels, file)[..., :3]
        return np.asarray(colours if colours.dtype == np.uint8 else colours >> 8, dtype=np.uint8)
    channels = []
    for name in ("Red", "Green", "Blue"):
        words = (f"{name}PaletteColorLookupTable{part}" for part in ("Descriptor", "Data"))
        channels.append(np.rint(255 * _looked_up(file, pixels, *(file[word].value for word in words))))
    return np.stack(channels, axis=-1).astype(np.uint8)


def _levels(pixels: Num[np.ndarray, "h w"]) -> tuple[Num[np.ndarray, " levels"], Num[np.ndarray, "h w"]]:
    """All values that there may be, and the place among them of each pixel's."""
    pixels = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:  # noqa: PLR2004 - bytes
        code = np.dtype(f"u{pixels.dtype.itemsize}")
        return np.arange(256**code.itemsize, dtype=code).view(pixels.dtype), pixels.view(code)
    levels, places = np.unique(pixels, return_inverse=True)
    return levels, places.reshape(pixels.shape)


def _padding(file: "FileDataset", levels: Num[np.ndarray, " levels"]) -> Bool[np.ndarray, " levels"]:
    """Which values fill the frame around the image."""
    first, last = file.get("PixelPaddingValue"), file.get("PixelPaddingRangeLimit")
    if first is None or levels.dtype.kind not in "iu":
        return np.zeros(len(levels), dtype=bool)
    one, other = (np.array(each).astype(levels.dtype) for each in (first, first if last is None else last))
    return np.asarray((levels >= min(one, other)) & (levels <= max(one, other)))


def _rescaled(file: "FileDataset", values: Num[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Values of the modality: Hounsfield units, optical density."""
    tables = file.get("ModalityLUTSequence")
    if tables:
        top = float(2 ** int(tables[0].LUTDescriptor[2]) - 1)
        return np.asarray(_looked_up(file, values, tables[0].LUTDescriptor, tables[0].LUTData) * top)
    slope, intercept = (file.get(f"Rescale{name}") for name in ("Slope", "Intercept"))
    slope, intercept = float(1 if slope is None else slope), float(0 if intercept is None else intercept)
    return np.asarray(values.astype(np.float64) * slope + intercept)


def _light(file: "FileDataset", values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """The first VOI LUT, else the first window, else the full range: 0 to 1."""
    tables = file.get("VOILUTSequence")
    if tables:
        return _looked_up(file, values, tables[0].LUTDescriptor, tables[0].LUTData)
    centre, width = (_first(file.get(f"Window{name}")) for name in ("Center", "Width"))
    shape = str(file.get("VOILUTFunction") or "LINEAR").upper()
    if shape not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise ValueError("no function of a window")
    if centre is None or width is None or width < (1 if shape == "LINEAR" else 1e-12):
        low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
        return (values - low) / (high - low) if high > low else np.zeros(len(values))
    if shape == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if shape == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if not width:
        return (values > centre).astype(np.float64)
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _looked_up(
    file: "FileDataset", values: Num[np.ndarray, "*n"], descriptor: Any, data: Any
) -> Float64[np.ndarray, "*n"]:
    """What a table of a file makes of values, 0 to 1: its ends hold beyond them."""
    count, first, bits = descriptor
    count, top = count or 1 << 16, 2**bits - 1
    if isinstance(data, bytes) and len(data) < 2 * count:
        table, top = np.frombuffer(data, dtype=np.uint8), 255
    elif isinstance(data, bytes):
        table = np.frombuffer(
            data[: 2 * count], dtype="<u2" if file.file_meta.TransferSyntaxUID.is_little_endian else ">u2"
        )
    else:
        table = np.atleast_1d(np.asarray(data))
    places = np.clip(values.astype(np.int64) - int(first), 0, min(count, len(table)) - 1)
    return np.asarray(np.minimum(table[places] / top, 1.0))


def _first(value: Any) -> float | None:
    """The first of several numbers, or the one; None where there is none."""
    if value is None or value == "":
        return None
    several = [value] if isinstance(value, int | float | str) else list(value)
    return float(several[0]) if several else None
