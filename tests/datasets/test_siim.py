"""SIIM-FISABIO-RSNA: findings by study, sex and age from headers, and splits by patient."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicoms import write

from leakaudit.datasets import siim
from leakaudit.errors import InputError

STUDIES = 60
HEAD = "id,Negative for Pneumonia,Typical Appearance,Indeterminate Appearance,Atypical Appearance"
MARKS = {"negative": "1,0,0,0", "typical": "0,1,0,0", "indeterminate": "0,0,1,0", "atypical": "0,0,0,1"}


def finding(number: int) -> str:
    """Of a study: three of eight are negative and typical each, the rest of the others."""
    return ("negative", "typical", "negative", "typical", "indeterminate", "negative", "typical", "atypical")[
        number % 8
    ]


def expose(path: Path, seed: int, **header: Any) -> Path:
    """A small X-ray of 12 bits in 16."""
    pixels = np.random.default_rng(seed).integers(0, 4096, (20, 24)).astype(np.uint16)
    return write(path, pixels, BitsStored=12, PhotometricInterpretation="MONOCHROME1", **header)


def patient(number: int) -> int:
    """Every patient has two studies."""
    return number // 2


def make(root: Path) -> Path:
    """Sixty studies of thirty patients; every tenth study has two images. The folder."""
    home = root / "siim"
    for number in range(STUDIES):
        said = {"PatientID": f"p{patient(number)}", "PatientSex": "MF"[patient(number) % 2], "PatientAge": "056Y"}
        for image in range(1 + (number % 10 == 0)):
            expose(home / "train" / f"s{number}" / f"e{image}" / f"i{image}.dcm", 10 * number + image, **said)
    lines = [f"s{number}_study,{MARKS[finding(number)]}" for number in range(STUDIES)]
    (home / siim.TABLE).write_text("\n".join([HEAD, *lines, ""]))
    return home


@pytest.mark.parametrize("classes", ["two", "four"])
def test_labels_are_of_the_study_and_of_the_header(tmp_path: Path, classes: str) -> None:
    """Each image has its study's finding, its patient's sex and age, and the papers' two classes keep the rest out."""
    make(tmp_path)
    parts = [siim.load(split, tmp_path, classes=classes) for split in siim.SPLITS]
    kept = siim.FINDINGS[:2] if classes == "two" else siim.FINDINGS
    seen = 0
    groups: dict[int, set[int]] = {}
    for data in parts:
        assert data.images.shape == (3, 448, 448)
        labels = data.columns["finding"]
        assert labels.classes == kept
        for place, path in enumerate(data.images.paths):
            number = int(Path(path).parts[-3][1:])
            assert labels.classes[labels.values[place]] == finding(number)
            assert data.columns["sex"].values[place] == patient(number) % 2
            assert data.columns["age"].values[place] == 56
            groups.setdefault(int(data.group[place]), set()).add(patient(number))
        seen += len(data)
    images = [number for number in range(STUDIES) for _ in range(1 + (number % 10 == 0))]
    out = sum(finding(number) not in kept for number in images)
    assert seen == len(images) - out
    assert sorted(map(list, groups.values())) == [[each] for each in range(30)]
    told = (f"{out} images of other findings were left out; classes=four keeps them",)
    assert parts[0].notes == (told if classes == "two" else ())
    assert out > 0 or classes == "four"


def test_a_patient_is_in_one_split(tmp_path: Path) -> None:
    """85, 5 and 10 % of patients, by a hash: both studies of one stand on one side."""
    make(tmp_path)
    groups = [set(siim.load(split, tmp_path, classes="four").group.tolist()) for split in siim.SPLITS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30
    assert len(groups[0]) > 3 * (len(groups[1]) + len(groups[2]))


def test_what_headers_do_not_say_is_missing_and_counted(tmp_path: Path) -> None:
    """Without sex the label is missing, without a patient the study stands for one; counted among the kept findings."""
    home = make(tmp_path)
    expose(home / "train" / "s1" / "e0" / "i0.dcm", 1, PatientID="", PatientSex="O", PatientAge="")
    (home / "train" / "s2" / "e0" / "i0.dcm").write_bytes(b"no image")
    expose(home / "train" / "s4" / "e0" / "i0.dcm", 4, PatientID="", PatientSex="", PatientAge="")
    assert finding(4) == "indeterminate"
    for text in ("says neither male nor female", "names no patient; their study stands for one"):
        assert f"3 images have a header that {text}" in siim.load("train", tmp_path, classes="four").notes
    parts = [siim.load(split, tmp_path) for split in siim.SPLITS]
    assert {
        "2 images have a header that says neither male nor female",
        "2 images have a header that names no patient; their study stands for one",
    } < set(parts[0].notes)
    missing = {
        Path(path).parts[-3]: np.isnan(data.columns["age"].values[place])
        for data in parts
        for place, path in enumerate(data.images.paths)
        if data.columns["sex"].values[place] == -1
    }
    assert missing == {"s1": True, "s2": True}
    broken = next(data for data in parts if any("/s2/" in path for path in data.images.paths))
    with pytest.raises(InputError, match=r"s2/e0/i0.dcm does not decode: no DICOM file"):
        broken.images.batch(np.arange(len(broken)))
    rest = siim.load(broken.split, tmp_path, skip_unreadable=True)
    assert len(rest) == len(broken) - 1
    assert f"1 of {len(broken)} images could not be read and were left out" in rest.notes


def test_studies_on_one_side_only_are_counted(tmp_path: Path) -> None:
    """Images of a study that the table does not name are left out, and so are studies without an image."""
    home = make(tmp_path)
    expose(home / "train" / "elsewhere" / "e0" / "i0.dcm", 1)
    (home / "train" / "s3" / "e0" / "i0.dcm").unlink()
    notes = siim.load("train", tmp_path).notes
    assert f"1 images of studies that {siim.TABLE} does not name were left out" in notes
    assert f"1 studies of {siim.TABLE} have no image and were left out" in notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("s3_study,0,1,0,0", "s3_study,0,1,0,1", "row 5: one 1 expected among Negative for Pneumonia, Typical"),
        ("s3_study,0,1,0,0", "s3_study,0,0,0,0", "row 5: one 1 expected among Negative for Pneumonia, Typical"),
        ("s3_study", "s2_study", "1 of 60 studies stand in it twice"),
        ("Typical Appearance,", "Typical,", "no column 'Typical Appearance'"),
    ],
)
def test_a_table_that_does_not_say_one_finding_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """One finding a study, each study once, all four columns."""
    table = make(tmp_path) / siim.TABLE
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as error:
        siim.load("test", tmp_path)
    assert str(error.value).startswith(f"{table}: {message}")
    assert len(str(error.value).splitlines()) == 1


def test_a_table_without_images_says_where_they_go(tmp_path: Path) -> None:
    """The study-level table alone is no data set."""
    home = tmp_path / "siim"
    home.mkdir()
    (home / siim.TABLE).write_text(f"{HEAD}\ns0_study,1,0,0,0\n")
    with pytest.raises(InputError, match=r"siim: no image of a study of .* put train_study_level.csv and the folder"):
        siim.load("test", tmp_path)


def test_without_pydicom_the_command_says_what_to_install(
    tmp_path: Path, leakaudit_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DICOM file that nothing can read is not the file's fault: exit 2 and one line; with pydicom it is read."""
    make(tmp_path)
    line = ("datasets", "describe", "siim", "--root", str(tmp_path), "--target", "finding", "--private", "sex")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pydicom", None)
        end = leakaudit_here(*line)
    assert end.returncode == 2
    assert end.stderr.strip().endswith("a DICOM file needs pip install 'leakaudit[dicom]'")
    assert len(end.stderr.strip().splitlines()) == 1
    assert len(siim.load("train", tmp_path))
