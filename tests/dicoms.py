"""DICOM files that tests make."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="pip install 'leakaudit[dicom]'")

WHO = "Doe^Jane"
"""Whom every file names, and no message may."""


def write(
    path: Path, pixels: np.ndarray | None, syntax: str = "1.2.840.10008.1.2.1", squeeze: str = "", **header: Any
) -> Path:
    """
    A file of these values, grey by its number of axes unless the header says otherwise, in a transfer syntax.

    Without `pixels` it has none. With `squeeze`, a transfer syntax, they are compressed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = syntax
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = "1.2.3.4"
    file.PatientName = WHO
    if pixels is not None:
        file.Rows, file.Columns, *colours = pixels.shape
        file.SamplesPerPixel = colours[0] if colours else 1
        file.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
        if colours:
            file.PlanarConfiguration = 0
        file.BitsAllocated = file.BitsStored = 8 * pixels.dtype.itemsize
        file.PixelRepresentation = int(pixels.dtype.kind == "i")
        big = pydicom.uid.UID(syntax) == pydicom.uid.ExplicitVRBigEndian
        data = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
        file.add_new("PixelData", "OB" if pixels.dtype.itemsize == 1 else "OW", data + b"\0" * (len(data) % 2))
    for name, value in header.items():
        setattr(file, name, value)
    if pixels is not None:
        file.HighBit = file.BitsStored - 1
    if squeeze:
        file.compress(squeeze, generate_instance_uid=False)
    pydicom.dcmwrite(path, file, enforce_file_format=True)
    return path


def table(values: np.ndarray, first: int, bits: int, kind: str = "OW", order: str = "<") -> Any:
    """A sequence of one look-up table: 16-bit words in one block (OW), in this order of bytes, or numbers (US)."""
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(values), first, bits])
    item.add_new("LUTData", kind, values.astype(f"{order}u2").tobytes() if kind == "OW" else values.tolist())
    return [item]
