"""
DICOM files as 8-bit RGB, and what their headers say of a patient and an exposure.

Files are parsed and their pixels decompressed by pydicom and pylibjpeg (extra `dicom`); `shades.py` makes the values
visible. Headers name patients: no message repeats more of one than its transfer syntax and its numbers of pixels.
"""

import re
import threading
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from leakaudit.errors import InputError
from leakaudit.images.codestreams import extent
from leakaudit.images.shades import COLOUR, GREY, PALETTE, coloured, grey, painted

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

Made = TypeVar("Made")

SUFFIXES = (".dcm", ".dicom", ".ima")
LARGEST = 100_000_000
"""Values (rows times columns times samples a pixel) of an image that is still decoded."""
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_RUN_LENGTHS = "1.2.840.10008.1.2.5"
_INSTALL = "needs pip install 'leakaudit[dicom]'"
_AGE = re.compile(r"(\d{1,3})([DWMY]?)")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0, "": 1.0}
_SAID = ("PatientSex", "PatientAge", "PatientID", "StudyInstanceUID", "ViewPosition", "Modality")
_LOUD = r"(pydicom|pylibjpeg|libjpeg|openjpeg)(\.|$)"
_LOCK = threading.Lock()


class DamagedError(ValueError):
    """What is wrong with a file, in words that repeat nothing of its header."""


@dataclass(frozen=True)
class Header:
    """What a file says of the patient and the exposure; an empty word is missing."""

    sex: str
    """M, F or O."""
    age: float
    """In years; NaN is missing."""
    patient: str = field(repr=False)
    study: str = field(repr=False)
    view: str
    """PA, AP, LL."""
    modality: str
    """CR, DX, CT."""


def known(path: str | Path) -> bool:
    """Whether a file is to be read as DICOM: by its suffix or, where it has none or a number, by its mark."""
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES or (suffix and not suffix[1:].isdigit()):
        return suffix in SUFFIXES
    with Path(path).open("rb") as file:
        return _marked(file.read(132))


def decode(path: str | Path, size: int | None) -> UInt8[np.ndarray, "h w 3"]:
    """
    One file as RGB: of its own size, or with both sides divided by the largest whole number that leaves `size` of each.

    Raises:
        OSError: it is missing.
        DamagedError: it is truncated, no DICOM file, without pixels, of several frames, or its pixels do not decode.
        InputError: pydicom, or what decompresses these pixels, is not installed.
    """
    file = _read(path)
    height, width = _sides(file)
    pixels = _pixels(file)
    if pixels.shape[:2] != (height, width):
        raise DamagedError(f"its header says {height}x{width} pixels, its image has {'x'.join(map(str, pixels.shape))}")
    make = {**dict.fromkeys(GREY, grey), **dict.fromkeys(COLOUR, coloured), PALETTE: painted}
    kind = _guarded(lambda: str(file.PhotometricInterpretation), "it does not say what its values mean")
    if kind not in make:
        raise DamagedError("its values are neither grey nor RGB, YBR_FULL or PALETTE COLOR")
    image = Image.fromarray(_guarded(lambda: make[kind](file, pixels), "its window or look-up table is damaged"))
    factor = _factor(height, width, size)
    return np.asarray((image.reduce(factor) if factor > 1 else image).convert("RGB"))


def measure(path: str | Path, size: int | None) -> tuple[int, int]:
    """Height and width of what `decode` gives, read from the file's header alone; raises as it does."""
    height, width = _sides(_read(path, stop_before_pixels=True))
    factor = _factor(height, width, size)
    return -(-height // factor), -(-width // factor)


def header(path: str | Path) -> Header:
    """
    What a file says of the patient and the exposure; its pixels are not read, and an unchanged file is read once.

    Ages without a unit are years.

    Raises:
        OSError: it is missing.
        DamagedError: it is truncated or no DICOM file.
        InputError: pydicom is not installed.
    """
    state = Path(path).stat()
    return _header(str(path), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1 << 17)
def _header(path: str, _changed: int, _bytes: int) -> Header:
    file = _read(path, stop_before_pixels=True, specific_tags=list(_SAID))
    words = _guarded(lambda: {name: str(file.get(name) or "").strip() for name in _SAID}, "its header is damaged")
    sex, age = words["PatientSex"].upper(), _AGE.fullmatch(words["PatientAge"].upper())
    return Header(
        sex=sex if sex in ("M", "F", "O") else "",
        age=int(age[1]) * _YEARS[age[2]] if age else float("nan"),
        patient=words["PatientID"],
        study=words["StudyInstanceUID"],
        view=words["ViewPosition"].upper(),
        modality=words["Modality"].upper(),
    )


def _read(path: str | Path, **how: object) -> "FileDataset":
    """A file as pydicom parses it."""
    try:
        import pydicom
    except ImportError as error:
        raise InputError(f"{path}: a DICOM file {_INSTALL}") from error
    _hush()
    with Path(path).open("rb") as opened:
        start = opened.read(1024)
        if not _marked(start):
            raise DamagedError("no DICOM file: no DICM at byte 128")
        if _DEFLATED in start:
            opened.seek(144 + int.from_bytes(start[140:144], "little"))
            _inflatable(opened.read())
    return _guarded(lambda: pydicom.dcmread(path, **how), "its header is damaged")  # type: ignore[arg-type]


def _sides(file: "FileDataset") -> tuple[int, int]:
    """Rows and columns of the one image in a file."""
    names = ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames")
    said = _guarded(lambda: [int(file.get(name) or 0) for name in names], "its numbers of rows or frames are damaged")
    height, width, samples, frames = said
    if not height or not width:
        raise DamagedError("a DICOM file without an image")
    if frames > 1:
        raise DamagedError(f"{frames} frames: one image per file expected")
    if height * width * max(1, samples) > LARGEST:
        raise DamagedError(f"{height}x{width} pixels are more than is ever decoded")
    return height, width


def _pixels(file: "FileDataset") -> np.ndarray:
    """The values as they are stored, YBR as RGB."""
    from pydicom.encaps import get_frame
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    if not any(name in file for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise DamagedError("a DICOM file without pixels")
    syntax = _guarded(lambda: file.file_meta.TransferSyntaxUID, "it does not say how its pixels are stored")
    stored = syntax.name if not syntax.is_private and syntax.name != str(syntax) else "an unknown transfer syntax"
    decoder = _guarded(lambda: get_decoder(syntax), f"its pixels are stored as nothing here decodes: {stored}")
    if not decoder.is_available:
        raise InputError(f"a DICOM file whose pixels are stored as {stored} {_INSTALL}")
    damaged = f"its pixels are damaged or cut off ({stored})"
    if syntax.is_compressed and syntax != _RUN_LENGTHS:
        found = extent(_guarded(lambda: get_frame(file.PixelData, 0, number_of_frames=1), damaged))
        if found != (*_sides(file), file.get("SamplesPerPixel")):
            raise DamagedError(damaged if found is None else f"its pixels are not those of its header ({stored})")
    return _guarded(lambda: pixel_array(file), damaged)


def _factor(height: int, width: int, size: int | None) -> int:
    """By what the sides may be divided so that both keep `size`."""
    return 1 if size is None else max(1, min(height, width) // size)


def _marked(start: bytes) -> bool:
    """Whether a file that starts so bears the mark of DICOM."""
    return start[128:132] == b"DICM"


def _inflatable(deflated: bytes) -> None:
    """Refuse data of more bytes than is ever decoded before pydicom inflates them whole."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    _guarded(lambda: inflater.decompress(deflated, 2 * LARGEST), "its deflated data are damaged")
    if inflater.unconsumed_tail:
        raise DamagedError("it inflates to more than is ever decoded")


def _guarded(work: Callable[[], Made], fault: str) -> Made:
    """What pydicom gives; whatever it raises has one reason, the file, and may repeat a header."""
    try:
        return work()
    except (DamagedError, InputError):
        raise
    except Exception:  # noqa: BLE001 - pydicom and its plugins raise every kind there is
        raised = DamagedError(fault)
    raise raised


def _hush() -> None:
    """
    Silence pydicom's warnings, which repeat values of headers, for as long as this process has its filters.

    `warnings.catch_warnings` is no means for the threads of a pool.
    """
    item = ("ignore", None, Warning, re.compile(_LOUD), 0)
    with _LOCK:
        if item not in warnings.filters:
            warnings.filterwarnings("ignore", module=_LOUD)
