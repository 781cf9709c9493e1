"""Real DICOM files, whole, odd and damaged: each is shown as pydicom shows it, or refused in one line."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicoms import pydicom

from leakaudit.images import decoding, dicom

DAMAGED = ("embedded-sequence-delimiter", "JPEG-lossy", "truncated", "badVR", "JPEGProcess10_12", "JPEGProcess6_8")


@pytest.fixture(scope="module")
def real(data_root: Path) -> list[tuple[Path, dict[str, Any]]]:
    """All files, and what is known of each."""
    folder = data_root / "dicom"
    return [(folder / each["file"], each) for each in json.loads((folder / "MANIFEST.json").read_text())]


def decodable(known: dict[str, Any]) -> bool:
    """Whether pydicom made one image of it."""
    return known.get("pixels", "").startswith("(") and known["frames"] in ("", "1")


def shown(path: Path) -> np.ndarray:
    """0 to 255, by pydicom alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = pydicom.dcmread(path)
        pixels = file.pixel_array
        if file.PhotometricInterpretation == "PALETTE COLOR":
            colours = pydicom.pixels.apply_color_lut(pixels, file)[..., :3].astype(float)
            return colours / (255 if colours.max() < 256 else 65535) * 255
        if pixels.ndim == 3:
            return pixels / (2.0**file.BitsStored - 1) * 255
        values = pydicom.pixels.apply_modality_lut(pixels, file).astype(float)
        far = np.append(values.ravel(), [-1e12, 1e12])
        looked = pydicom.pixels.apply_voi_lut(far, file)
        looked = (looked[:-2] - looked[-2]) / (looked[-1] - looked[-2]) if "WindowWidth" in file else looked[:-2]
    if "WindowWidth" not in file:
        padding = file.get("PixelPaddingValue")
        kept = looked if padding is None else looked[pixels.ravel() != padding]
        looked = (looked.clip(kept.min()) - kept.min()) / (kept.max() - kept.min())
    looked = looked.reshape(pixels.shape) * 255
    return 255 - looked if file.PhotometricInterpretation == "MONOCHROME1" else looked


def test_every_real_file_is_shown_or_refused_in_one_line(real: list[tuple[Path, dict[str, Any]]]) -> None:
    """No other error, no warning, no name of a patient; what pydicom reads is read, and what it does not is refused."""
    outcome: dict[str, list[str]] = {"shown": [], "refused": [], "no DICOM": []}
    for path, known in real:
        if not dicom.known(path):
            assert known["read"] != "OK"
            outcome["no DICOM"].append(known["file"])
            continue
        try:
            image = decoding.decode(path, None)
        except decoding.BROKEN as error:
            text = decoding.why(error)
            assert len(text) <= 200
            assert "\n" not in text
            assert not known.get("name") or known["name"] not in text
            several = known.get("frames") not in (None, "", "1", "1A")
            assert several == ("frames: one" in text)
            assert several or known["read"] != "OK" or known["pixels"].startswith(("FAIL", "none"))
            outcome["refused"].append(known["file"])
            continue
        assert image.shape == (int(known["rows"]), int(known["cols"]), 3)
        assert decoding.measure(path, None) == image.shape[:2]
        outcome["shown"].append(known["file"])
    assert sum(map(len, outcome.values())) == len(real)
    readable = [each["file"] for _, each in real if decodable(each)]
    assert outcome["shown"] == readable
    for part in DAMAGED:
        assert any(part in name for name in outcome["refused"])


def test_what_is_shown_is_what_pydicom_shows(real: list[tuple[Path, dict[str, Any]]]) -> None:
    """Windows, rescale, palettes, MONOCHROME1 and YBR: within rounding of pydicom's own functions, file by file."""
    compared = 0
    for path, known in real:
        if not decodable(known):
            continue
        expected = shown(path)
        expected = expected if expected.ndim == 3 else expected[:, :, None]
        worst = np.abs(decoding.decode(path, None) - expected).max()
        assert worst <= 0.5 + 1e-6, (known["file"], worst)
        compared += 1
    assert compared > 80


def test_real_headers_say_what_is_known_of_them(real: list[tuple[Path, dict[str, Any]]]) -> None:
    """Sex, age, view and modality of every file that pydicom reads, as they were found."""
    for path, known in real:
        if known["read"] != "OK":
            continue
        found = dicom.header(path)
        assert (found.sex, found.view, found.modality) == tuple(known[name] for name in ("sex", "view", "modality"))
        assert np.isnan(found.age) or found.age == int(known["age"].rstrip("Y"))
        assert np.isnan(found.age) == (not known["age"])


def test_a_real_x_ray_and_its_negative_are_one_image(real: list[tuple[Path, dict[str, Any]]]) -> None:
    """One X-ray is there twice, with one header that says MONOCHROME1: it is shown as the negative of the other."""
    paths = [path for path, _ in real if path.parent.name == "cxr"]
    one, other = (decoding.decode(path, 448).astype(int) for path in sorted(paths))
    assert one.shape == (512, 512, 3)
    assert np.abs(one + other - 255).max() <= 1
