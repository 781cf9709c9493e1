"""DICOM files: every way of storing pixels, every way of being broken, and what a header says."""

import copy
import os
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicoms import WHO, pydicom, write

from leakaudit.errors import InputError
from leakaudit.images import decoding, dicom, files

GREY = np.random.default_rng(0).integers(0, 4096, (40, 48)).astype(np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 48, 3), dtype=np.uint8)
SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
LOSSLESS = {"RLE": "1.2.840.10008.1.2.5", "JPEG 2000": "1.2.840.10008.1.2.4.90"}


def refusal(path: Path, size: int | None = None) -> str:
    """What is said of a file that does not decode: one line, without the name of the patient."""
    with pytest.raises(decoding.BROKEN) as error:
        decoding.decode(path, size)
    text = decoding.why(error.value)
    assert len(text) <= 200
    assert len(str(error.value).splitlines()) == 1
    chain: BaseException | None = error.value
    while chain is not None:
        assert not any(name in str(chain) for name in WHO.split("^"))
        chain = chain.__cause__ or chain.__context__
    return text


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("pixels", [GREY, COLOUR, GREY.astype(np.int16) - 2000], ids=["grey", "RGB", "signed"])
def test_every_way_to_store_values_gives_the_same_image(tmp_path: Path, syntax: str, pixels: np.ndarray) -> None:
    """Implicit, explicit, big-endian and deflated files of one image are one image; RGB is as it is stored."""
    plain = decoding.decode(write(tmp_path / "a.dcm", pixels), None)
    other = decoding.decode(write(tmp_path / "b.dcm", pixels, SYNTAXES[syntax]), None)
    assert np.array_equal(plain, other)
    assert plain.shape == (40, 48, 3)
    assert np.array_equal(plain, pixels) == (pixels is COLOUR)


@pytest.mark.parametrize("way", LOSSLESS)
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "RGB"])
def test_compressed_without_loss_is_the_same_image(tmp_path: Path, way: str, pixels: np.ndarray) -> None:
    """RLE and JPEG 2000 give back what was compressed."""
    squeezed = write(tmp_path / "a.dcm", pixels, squeeze=LOSSLESS[way])
    plain = write(tmp_path / "b.dcm", pixels)
    assert squeezed.read_bytes()[:400].count(LOSSLESS[way].encode()) == 1
    assert np.array_equal(decoding.decode(squeezed, None), decoding.decode(plain, None))


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    """Luminance and colour differences, full or halved, are turned into RGB."""
    ybr = pydicom.pixels.convert_color_space(COLOUR, "RGB", "YBR_FULL")
    full = decoding.decode(write(tmp_path / "a.dcm", ybr, PhotometricInterpretation="YBR_FULL"), None)
    assert np.abs(full.astype(int) - COLOUR).max() <= 3
    ybr[:, 1::2, 1:] = ybr[:, ::2, 1:]
    pairs = np.concatenate([ybr[:, ::2, :1], ybr[:, 1::2, :1], ybr[:, ::2, 1:]], axis=-1)
    path = write(tmp_path / "b.dcm", ybr, PhotometricInterpretation="YBR_FULL_422", PixelData=pairs.tobytes())
    halved = decoding.decode(path, None)
    assert np.array_equal(halved, pydicom.pixels.convert_color_space(ybr, "YBR_FULL", "RGB"))


def test_colours_of_16_bits_keep_their_upper_8(tmp_path: Path) -> None:
    """RGB of 16 bits is divided by 257, its planes stored one after another or not."""
    deep = COLOUR.astype(np.uint16) * 257
    assert np.array_equal(decoding.decode(write(tmp_path / "a.dcm", deep), None), COLOUR)
    planes = COLOUR.transpose(2, 0, 1).tobytes()
    path = write(tmp_path / "b.dcm", COLOUR, PlanarConfiguration=1, PixelData=planes)
    assert np.array_equal(decoding.decode(path, None), COLOUR)


@pytest.mark.parametrize("name", ["x", "x.dcm", "x.DICOM", "x.IMA", "1.2.840.113619.2"])
def test_a_file_is_known_by_suffix_or_mark(tmp_path: Path, name: str) -> None:
    """Scanners name files by number, or not at all: then the mark at byte 128 tells."""
    path = write(tmp_path / name, GREY)
    assert decoding.decode(path, None).shape == (40, 48, 3)
    assert decoding.measure(path, None) == (40, 48)
    other = tmp_path / "none"
    other.write_bytes(b"\0" * 200)
    assert not dicom.known(other)


@pytest.mark.parametrize(
    ("size", "shape"), [(None, (50, 70)), (50, (50, 70)), (24, (25, 35)), (12, (13, 18)), (1, (1, 2))]
)
def test_where_less_is_needed_sides_are_divided(tmp_path: Path, size: int | None, shape: tuple[int, int]) -> None:
    """By the largest whole number that leaves `size` of both, as means of squares; `measure` knows it beforehand."""
    pixels = np.repeat(np.repeat(np.arange(25 * 35).reshape(25, 35), 2, 0), 2, 1).astype(np.uint16)
    path = write(tmp_path / "x.dcm", pixels)
    image = decoding.decode(path, size)
    assert decoding.measure(path, size) == image.shape[:2] == shape
    if size == 24:
        assert np.array_equal(image, decoding.decode(path, None)[::2, ::2])


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"NumberOfFrames": 7}, "7 frames: one image per file expected"),
        ({"Rows": 60000, "Columns": 60000}, "60000x60000 pixels are more than is ever decoded"),
        ({"Rows": None}, "a DICOM file without an image"),
        ({"Rows": 41}, "its pixels are damaged or cut off (Explicit VR Little Endian)"),
        ({"PhotometricInterpretation": "HSV"}, "its values are neither grey nor RGB, YBR_FULL or PALETTE COLOR"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "its window or look-up table is damaged"),
        ({"BitsAllocated": None}, "its pixels are damaged or cut off (Explicit VR Little Endian)"),
        ({"WindowCenter": 1, "WindowWidth": 9, "VOILUTFunction": "WAVY"}, "its window or look-up table is damaged"),
    ],
)
def test_a_header_that_describes_no_image_is_refused(tmp_path: Path, header: dict[str, Any], words: str) -> None:
    """One clear phrase, which names no patient."""
    assert refusal(write(tmp_path / "x.dcm", GREY, **header)) == words


def test_a_file_without_pixels_is_refused(tmp_path: Path) -> None:
    """Whether it has an image's header, or is a report."""
    header = {"Rows": 4, "Columns": 4, "PhotometricInterpretation": "MONOCHROME2"}
    assert refusal(write(tmp_path / "a.dcm", None, **header)) == "a DICOM file without pixels"
    assert refusal(write(tmp_path / "b.dcm", None)) == "a DICOM file without an image"


def test_what_is_no_dicom_file_is_refused(tmp_path: Path) -> None:
    """Text with the suffix, an empty file, and a missing one."""
    (tmp_path / "x.dcm").write_text("patient Jane Doe " * 20)
    (tmp_path / "y.dcm").write_bytes(b"")
    assert {refusal(tmp_path / name) for name in ("x.dcm", "y.dcm")} == {"no DICOM file: no DICM at byte 128"}
    assert refusal(tmp_path / "z.dcm") == "No such file or directory"
    assert refusal(tmp_path / "z") == "No such file or directory"


@pytest.mark.parametrize("squeeze", ["", *LOSSLESS.values()])
def test_a_file_that_ends_anywhere_is_refused_in_one_line(tmp_path: Path, squeeze: str) -> None:
    """Cut in the preamble, the header or the pixels, it is refused, and never another kind of error."""
    whole = write(tmp_path / "x.dcm", GREY, squeeze=squeeze)
    content = whole.read_bytes()
    assert decoding.decode(whole, None).any()
    for cut in np.linspace(0, len(content) - 40, 40).astype(int):
        whole.write_bytes(content[:cut])
        assert refusal(whole)


def test_flipped_bytes_are_an_image_or_one_line(tmp_path: Path) -> None:
    """Whatever stands in a file, it decodes or is refused."""
    path = write(tmp_path / "x.dcm", GREY, squeeze=LOSSLESS["JPEG 2000"], WindowCenter=1, WindowWidth=9)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        broken = bytearray(content)
        for place in random.integers(132, len(content), 4):
            broken[place] = random.integers(256)
        path.write_bytes(broken)
        try:
            decoding.decode(path, None)
        except decoding.BROKEN:
            refused += bool(refusal(path))
    assert 0 < refused < 150


@pytest.mark.parametrize("side", [64, 60000])
def test_pixels_of_another_size_than_the_header_says_are_refused_unopened(tmp_path: Path, side: int) -> None:
    """A code stream that claims more than its header is never given to a decoder that would believe it."""
    path = write(tmp_path / "x.dcm", GREY, squeeze=LOSSLESS["JPEG 2000"])
    content = path.read_bytes()
    stated, claimed = (np.array(sides, dtype=">u4").tobytes() for sides in ((48, 40), (side, side)))
    assert stated in content
    path.write_bytes(content.replace(stated, claimed))
    assert refusal(path) == "its pixels are not those of its header (JPEG 2000 Image Compression (Lossless Only))"


def test_what_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deflated file is inflated up to a limit before pydicom inflates it whole."""
    path = write(tmp_path / "x.dcm", GREY, SYNTAXES["deflated"])
    assert decoding.decode(path, None).any()
    start = path.read_bytes()
    start = start[: 144 + int.from_bytes(start[140:144], "little")]
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    path.write_bytes(start + squeezer.compress(bytes(1 << 20)) + squeezer.flush())
    monkeypatch.setattr(dicom, "LARGEST", 1 << 18)
    assert refusal(path) == "it inflates to more than is ever decoded"


def test_pixels_that_nothing_decodes_are_named_by_how_they_are_stored(tmp_path: Path) -> None:
    """A film is no image, and what only another library decodes says what to install."""
    path = write(tmp_path / "x.dcm", GREY, squeeze=LOSSLESS["RLE"])
    content = path.read_bytes()
    film, private = b"1.2.840.10008.1.2.4.100", b"1.2.3.4.5.6.7.8.9.10.11"
    for uid, words in ((film, "MPEG2 Main Profile / Main Level"), (private, "an unknown transfer syntax")):
        path.write_bytes(content.replace(LOSSLESS["RLE"].encode() + b"\0", uid[:20].ljust(20, b"\0")))
        file = pydicom.dcmread(write(tmp_path / "y.dcm", GREY))
        file.file_meta.TransferSyntaxUID = uid.decode()
        file.PixelData = pydicom.encaps.encapsulate([b"1234"])
        file["PixelData"].is_undefined_length = True
        pydicom.dcmwrite(path, file, enforce_file_format=True, implicit_vr=False, little_endian=True)
        assert refusal(path) == f"its pixels are stored as nothing here decodes: {words}"


def test_warnings_and_errors_of_pydicom_do_not_name_patients(tmp_path: Path) -> None:
    """A header that pydicom warns of, and repeats, is read in silence; by itself pydicom does warn."""
    path = write(tmp_path / "x.dcm", GREY)
    content = path.read_bytes().replace(b"1.2.3.4\0", b"1.a.Doe\0")
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="Doe"):
        assert copy.copy(pydicom.dcmread(path).SOPInstanceUID)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoding.decode(path, None)
        dicom.header(path)
    assert [str(each.message) for each in caught] == []


def test_threads_read_in_silence_and_name_the_row(tmp_path: Path) -> None:
    """A pool decodes files that pydicom would warn of, of any size; a broken one among them is named with its row."""
    paths = [str(write(tmp_path / f"{n}.dcm", GREY[: 20 + n], Modality="CR")) for n in range(24)]
    for path in map(Path, paths):
        path.write_bytes(path.read_bytes().replace(b"1.2.3.4\0", b"1.a.Doe\0"))
    source = files.Files.open(paths, range(2, 26), "labels.csv", 16)
    whole = source.batch(np.arange(24))
    assert whole.shape == (24, 3, 16, 16)
    assert (whole.std(axis=(1, 2, 3)) > 0).all()
    Path(paths[5]).write_bytes(Path(paths[5]).read_bytes()[:-100])
    with pytest.raises(InputError) as error:
        source.batch(np.arange(24))
    damage = "its pixels are damaged or cut off (Explicit VR Little Endian)"
    assert str(error.value) == f"labels.csv: row 7: {paths[5]} does not decode: {damage}"
    assert files.unreadable(paths).tolist() == [number == 5 for number in range(24)]


@pytest.mark.parametrize(
    ("said", "years"),
    [("056Y", 56), ("018M", 1.5), ("026W", 0.498), ("073D", 0.2), ("62", 62), ("", None), ("XX", None)],
)
def test_ages_are_years(tmp_path: Path, said: str, years: float | None) -> None:
    """Days, weeks, months and years; without a unit years; else missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write(tmp_path / "x.dcm", None, PatientAge=said)
    assert dicom.header(path).age == pytest.approx(np.nan if years is None else years, abs=1e-3, nan_ok=True)


def test_a_header_says_who_and_how(tmp_path: Path) -> None:
    """Sex, patient, study, view and modality, missing where they are; a changed file is read again."""
    said = {"PatientSex": "F", "PatientID": "p1", "StudyInstanceUID": "1.2", "ViewPosition": "PA", "Modality": "DX"}
    path = write(tmp_path / "x.dcm", GREY, **said)
    found = dicom.header(path)
    assert (found.sex, found.patient, found.study, found.view, found.modality) == ("F", "p1", "1.2", "PA", "DX")
    assert dicom.header(path) is found
    assert "p1" not in repr(found)
    write(path, GREY, PatientSex="unknown")
    os.utime(path, ns=(1, 1))
    found = dicom.header(path)
    assert (found.sex, found.patient, found.study, found.view, found.modality) == ("", "", "", "", "")


def test_without_pydicom_every_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That pydicom is missing is no fault of a file: nothing is skipped, and one line says what to do."""
    path = write(tmp_path / "x.dcm", GREY)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for read in (dicom.header, lambda path: decoding.decode(path, None), lambda path: files.unreadable([str(path)])):
        with pytest.raises(InputError, match=r"pip install 'leakaudit\[dicom\]'$"):
            read(path)
