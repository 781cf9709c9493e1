"""ChestX-ray14: the official files, a re-pack of them, and patients in two splits."""

import csv
from pathlib import Path

import numpy as np
import pytest
from drawing import draw

from leakaudit.datasets import chest_xray
from leakaudit.errors import InputError

HEAD = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
SEEN = ("No Finding", "Cardiomegaly|Emphysema", "No Finding", "Hernia", "Pleural_Thickening")


def rows() -> list[tuple[str, str, int, int, str, str, str]]:
    """Two images of each of 30 patients: file, findings, follow-up, patient, age, sex, view."""
    return [
        (f"{patient:08}_{visit:03}.png", SEEN[(patient + visit) % 5], visit, patient, str(20 + patient), sex, view)
        for patient in range(1, 31)
        for visit, view in enumerate(("PA", "AP"))
        for sex in ["MF"[patient % 2]]
    ]


def make(root: Path, head: str = HEAD, name: str = "Data_Entry_2017.csv") -> Path:
    """The official files; the images lie in two of the twelve folders. The folder."""
    home = root / "chest-xray"
    for number, (file, *_, patient, _, _, _) in enumerate(rows()):
        draw(home / f"images_{1 + number // 40:03}" / "images" / file, patient, (20, 20), "L")
    lines = [",".join(map(str, row)) + ",2682,2749,0.143,0.143," for row in rows()]
    (home / name).write_text("\n".join([head, *lines, ""]))
    lists = {"train_val_list.txt": range(1, 25), "test_list.txt": range(25, 31)}
    for text, patients in lists.items():
        (home / text).write_text("".join(f"{row[0]}\n" for row in rows() if row[3] in patients))
    return home


def repack(root: Path, change: dict[int, dict[str, str]] | None = None) -> Path:
    """The re-pack: one table, and a folder for each split and label. Its table."""
    home = root / "nih64"
    split = ["train"] * 6 + ["valid", "valid", "test", "test"]
    lines = []
    for number, (file, finding, _, patient, age, sex, view) in enumerate(rows()[:10]):
        label = "0_normal" if finding == "No Finding" else "1_abnormal"
        line = {"file": f"{split[number]}/{label}/{file}", "split": split[number], "label": label}
        line |= {"patient_id": str(patient), "sex": sex, "age": age, "view": view, "finding": finding}
        draw(home / line["file"], number, (16, 16), "RGBA")
        lines.append(line | (change or {}).get(number, {}))
    with (home / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return home / "labels.csv"


@pytest.mark.parametrize(
    ("head", "name"), [(HEAD, "Data_Entry_2017.csv"), (HEAD.replace("Gender", "Sex"), "Data_Entry_2017_v2020.csv")]
)
def test_the_official_tables_say_every_label(tmp_path: Path, head: str, name: str) -> None:
    """In the table of 2017 as in that of 2020: finding, each finding, sex, age, view and patient of each image."""
    make(tmp_path, head, name)
    table = {row[0]: row for row in rows()}
    count, groups = 0, {}
    for split in chest_xray.SPLITS:
        data = chest_xray.load(split, tmp_path)
        for place, path in enumerate(data.images.paths):
            _, finding, _, patient, age, sex, view = table[Path(path).name]
            said = {
                name: labels.classes[labels.values[place]] if labels.classes else labels.values[place]
                for name, labels in data.columns.items()
            }
            assert said.pop("finding") == ("normal" if finding == "No Finding" else "abnormal")
            assert said.pop("sex") == {"M": "male", "F": "female"}[sex]
            assert (said.pop("age"), said.pop("view")) == (float(age), view)
            assert {word for word, yes in said.items() if yes == "yes"} == set(finding.lower().split("|")) - {
                "no finding"
            }
            assert len(said) == 14
            groups.setdefault(int(data.group[place]), set()).add(patient)
            count += 1
    assert count == 60
    assert sorted(map(list, groups.values())) == [[patient] for patient in range(1, 31)]


def test_the_official_lists_part_the_patients(tmp_path: Path) -> None:
    """`test` is the list of that name; an eighth of the patients on the other is validated on, and none is in two."""
    make(tmp_path)
    parts = {split: chest_xray.load(split, tmp_path) for split in chest_xray.SPLITS}
    groups = {split: {int(Path(path).name[:8]) for path in data.images.paths} for split, data in parts.items()}
    assert groups["test"] == set(range(25, 31))
    assert groups["train"] | groups["validation"] == set(range(1, 25))
    assert not groups["train"] & groups["validation"]
    assert groups["validation"]
    assert all(data.notes == () for data in parts.values())


def test_an_image_on_neither_list_is_counted(tmp_path: Path) -> None:
    """What the lists leave out is counted in a note; one list alone, or one that is no text, is refused."""
    home = make(tmp_path)
    (home / "test_list.txt").write_text("".join(f"{row[0]}\n" for row in rows() if row[3] > 26))
    notes = chest_xray.load("test", tmp_path).notes
    assert notes == ("of 60 images, 4 in neither train_val_list.txt nor test_list.txt; left out",)
    (home / "test_list.txt").write_bytes(b"caf\xe9.png\n")
    with pytest.raises(InputError, match=r"test_list.txt: not UTF-8: byte 4 is 0xe9"):
        chest_xray.load("test", tmp_path)
    (home / "train_val_list.txt").unlink()
    with pytest.raises(InputError, match=r"test_list.txt alone: train_val_list.txt and test_list.txt are needed"):
        chest_xray.load("test", tmp_path)


def test_without_lists_patients_are_dealt(tmp_path: Path) -> None:
    """Every patient is in one split, by a hash that other patients have no say in."""
    home = make(tmp_path)
    for name in chest_xray.LISTS:
        (home / name).unlink()
    groups = [set(chest_xray.load(split, tmp_path).group.tolist()) for split in chest_xray.SPLITS]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30


@pytest.mark.parametrize(("said", "years"), [("058Y", 58), ("58", 58), ("006M", 0.5), ("412", None), ("old", None)])
def test_an_age_is_in_years_or_missing(tmp_path: Path, said: str, years: float | None) -> None:
    """Ages with a unit become years; one that no person has is missing, and counted."""
    repack(tmp_path, {0: {"age": said}})
    data = chest_xray.load("train", tmp_path)
    assert data.columns["age"].values[0] == (years if years is not None else pytest.approx(np.nan, nan_ok=True))
    assert ("of 10 images, 1 with an age that is no number up to 120; it is missing" in data.notes) == (years is None)


def test_a_sex_or_a_view_that_is_none_is_missing_and_counted(tmp_path: Path) -> None:
    """Whatever else than the published letters stands there; where all are published ones there is no note."""
    repack(tmp_path)
    assert chest_xray.load("train", tmp_path).notes == ()
    repack(tmp_path, {0: {"sex": "f"}, 1: {"sex": ""}, 2: {"view": "LL"}})
    data = chest_xray.load("train", tmp_path)
    assert data.columns["sex"].known.tolist() == [False, False, True, True, True, True]
    assert data.columns["view"].known.tolist() == [True, True, False, True, True, True]
    assert data.notes == (
        "of 10 images, 2 with a sex that is none of M, F; it is missing",
        "of 10 images, 1 with a view that is none of PA, AP; it is missing",
    )


def test_a_repack_keeps_its_own_splits_and_labels(tmp_path: Path) -> None:
    """Train, valid and test are as its table says, labels too: where they contradict the findings, a note counts it."""
    repack(tmp_path, {0: {"finding": "No Finding"}, 1: {"finding": "Mass"}, 2: {"finding": "No Finding"}})
    parts = {split: chest_xray.load(split, tmp_path) for split in chest_xray.SPLITS}
    assert {split: len(data) for split, data in parts.items()} == {"train": 6, "validation": 2, "test": 2}
    finding = parts["train"].columns["finding"]
    paths = parts["train"].images.paths
    assert [finding.classes[code] for code in finding.values] == [Path(path).parent.name[2:] for path in paths]
    assert len(set(finding.values.tolist())) == 2
    assert "of 10 images, 2 with a label that the findings contradict; the label stands" in parts["test"].notes


def test_patients_in_two_splits_are_dealt_apart_unless_allowed(tmp_path: Path) -> None:
    """Where a re-pack's splits share patients, each is given to one split, and a note says so; or they stay."""
    repack(tmp_path, {9: {"patient_id": "1"}})
    told = "of 10 images, 3 of patients who stand in more than one of the given splits: patients were dealt anew"
    splits = chest_xray.splits(tmp_path)
    parts = [chest_xray.load(split, tmp_path) for split in splits]
    groups = [set(data.group.tolist()) for data in parts]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 5
    assert all(data.notes == (f"{told}; patients=given keeps the given splits",) for data in parts)
    parts = [chest_xray.load(split, tmp_path, patients="given") for split in chest_xray.SPLITS]
    assert [len(data) for data in parts] == [6, 2, 2]
    assert all(
        data.notes == ("1 group (patient) has rows in more than one of train, validation and test",) for data in parts
    )
    repack(tmp_path)
    assert [chest_xray.load(split, tmp_path).notes for split in chest_xray.SPLITS] == [()] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "dev"}, "row 5: no split 'dev'. There are: train, valid, validation, val, test"),
        ({"label": "2_unsure"}, "row 5: no label '2_unsure'. There are: 0_normal, 1_abnormal"),
        ({"finding": "Mass|Gout"}, "row 5: 'Mass|Gout' is not made of No Finding or Atelectasis"),
    ],
)
def test_a_word_that_is_none_is_named_with_its_row(tmp_path: Path, change: dict[str, str], message: str) -> None:
    """Split, label and findings are the published words."""
    table = repack(tmp_path, {3: change})
    with pytest.raises(InputError) as error:
        chest_xray.load("test", tmp_path)
    assert str(error.value).startswith(f"{table}: {message}")
    assert len(str(error.value).splitlines()) == 1


def test_a_column_or_an_image_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A table without a column, or an image of an archive that was not unpacked, is one line."""
    home = make(tmp_path)
    gone = home / "images_001" / "images" / "00000030_001.png"
    (home / "images_002" / "images" / gone.name).unlink()
    with pytest.raises(InputError, match=rf"row 61: no such image: .*{gone.name}"):
        chest_xray.load("test", tmp_path)
    make(tmp_path, HEAD.replace("View Position", "View"))
    with pytest.raises(InputError, match=r"Data_Entry_2017.csv: no column 'View Position'. There are: file"):
        chest_xray.load("test", tmp_path)


def test_the_real_repack_shares_patients_and_is_dealt_apart(data_root: Path) -> None:
    """Of 1,000 real X-rays, 309 are of patients who stand in more than one of its splits; labels are its table's."""
    with (data_root / "nih64" / "labels.csv").open() as file:
        table = {row["file"]: row for row in csv.DictReader(file)}
    where: dict[str, set[str]] = {}
    for row in table.values():
        where.setdefault(row["patient_id"], set()).add(row["split"])
    both = sum(len(where[row["patient_id"]]) > 1 for row in table.values())
    parts = [chest_xray.load(split, data_root, size=64) for split in chest_xray.SPLITS]
    assert f"of 1000 images, {both} of patients who stand in more than one" in " ".join(parts[0].notes)
    patients = []
    for data in parts:
        said = [table["/".join(Path(path).parts[-3:])] for path in data.images.paths]
        patients.append({row["patient_id"] for row in said})
        assert data.columns["age"].values.tolist() == [float(row["age"]) for row in said]
        assert [("M", "F")[code] for code in data.columns["sex"].values] == [row["sex"] for row in said]
        assert data.images.batch(np.arange(len(data))).shape == (len(data), 3, 64, 64)
    assert sum(map(len, patients)) == len(where)
    stated = chest_xray.load("test", data_root, size=64, patients="given")
    assert len(stated) == sum(row["split"] == "test" for row in table.values())
