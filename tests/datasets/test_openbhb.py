"""OpenBHB: measures of regions out of wide rows, with age, sex, site and participant."""

from pathlib import Path

import numpy as np
import pytest

from leakaudit.datasets import openbhb, splits
from leakaudit.errors import InputError

COUNTS = {"train": 40, "internal_test": 6, "external_test": 4}
REGIONS = 284 + 476 + 1036
VBM_ROI, DESIKAN, DESTRIEUX = 3_657_776, 3_658_060, 3_658_536
"""Where the measures of regions begin in a row of 3,659,572 numbers."""


def measures(name: str) -> np.ndarray:
    """The 1,796 measures of regions of each scan of a file; the last never varies."""
    made = np.random.default_rng(len(name)).normal(3, 2, (COUNTS[name], REGIONS)).astype(np.float32)
    made[:, -1] = 7
    return made


def who(name: str) -> list[tuple[int, float, str, int]]:
    """Participant, age, sex and site of each row of a file."""
    first = 1000 * len(name)
    return [
        (first + row, 10 + row / 4, ("female", "male")[row % 2], row % 3 + len(name)) for row in range(COUNTS[name])
    ]


def make(root: Path, *, split: bool = True) -> None:
    """Fifty scans, of which the measures of regions alone are there."""
    (root / "openbhb").mkdir(parents=True, exist_ok=True)
    for name in COUNTS:
        np.save(root / "openbhb" / f"{name}.npy", measures(name))
        head = "participant_id\tstudy\tsex\tage\tsite" + "\tsplit" * split
        lines = [
            "\t".join(map(str, (person, person % 2, sex, age, site, *[name] * split)))
            for person, age, sex, site in who(name)
        ]
        (root / "openbhb" / f"{name}.tsv").write_text("\n".join([head, *lines]) + "\n")


@pytest.mark.parametrize("split", [True, False])
def test_labels_are_those_of_the_tables(tmp_path: Path, *, split: bool) -> None:
    """Row by row; the external test has no site, and a participant is a group."""
    make(tmp_path, split=split)
    assert splits(openbhb, tmp_path, {}) == openbhb.SPLITS
    for name, wanted in (("test", who("internal_test")), ("external", who("external_test"))):
        data = openbhb.load(name, tmp_path)
        age, sex, site = (data.column(label) for label in ("age", "sex", "site"))
        assert age.classes == ()
        assert age.values.tolist() == [each[1] for each in wanted]
        assert [sex.classes[code] for code in sex.values] == [each[2] for each in wanted]
        said = [site.classes[code] if code >= 0 else None for code in site.values]
        assert said == [str(each[3]) if name == "test" else None for each in wanted]
        assert len(set(np.asarray(data.group))) == len(data)
        assert data.groups == "participant_id"


def test_an_age_that_is_no_number_is_missing_and_counted(tmp_path: Path) -> None:
    """A word and nothing alike; the ages of the others stand, and where all are numbers there is no note."""
    make(tmp_path, split=False)
    assert openbhb.load("test", tmp_path).notes == ()
    path = tmp_path / "openbhb" / "internal_test.tsv"
    path.write_text(path.read_text().replace("\t10.0\t", "\tyoung\t").replace("\t10.25\t", "\t\t"))
    data = openbhb.load("test", tmp_path)
    assert data.column("age").known.tolist() == [False, False, True, True, True, True]
    assert data.notes == ("of 50 scans, 2 have an age that is no number; it is missing",)


def test_a_tenth_of_the_training_people_is_validation(tmp_path: Path) -> None:
    """Every training row once, and some of them held out."""
    make(tmp_path)
    train, held = (openbhb.load(name, tmp_path) for name in ("train", "validation"))
    assert len(train) + len(held) == 40
    assert 1 <= len(held) <= 12
    ages = sorted([*train.column("age").values.tolist(), *held.column("age").values.tolist()])
    assert ages == [each[1] for each in who("train")]


@pytest.mark.parametrize(
    ("features", "first", "count"), [("vbm_roi", 0, 284), ("desikan", 284, 476), ("destrieux", 760, 1036)]
)
def test_the_measures_asked_for_are_read(tmp_path: Path, features: str, first: int, count: int) -> None:
    """Of rows that hold the regions alone, and of files that hold one kind alone: the same vectors."""
    make(tmp_path)
    data = openbhb.load("test", tmp_path, features=features)
    assert data.images.shape == (count, 1, 1)
    wanted = measures("internal_test")[:, first : first + count]
    assert np.array_equal(data.images.batch(np.arange(6))[:, :, 0, 0], wanted)
    for name in COUNTS:
        np.save(tmp_path / "openbhb" / f"{name}.npy", measures(name)[:, first : first + count])
    alone = openbhb.load("test", tmp_path, features=features)
    assert np.array_equal(alone.images.batch(np.arange(6))[:, :, 0, 0], wanted)
    assert (alone.mean, alone.std) == (data.mean, data.std)


def test_of_whole_rows_the_slice_is_read(tmp_path: Path) -> None:
    """Rows of 3,659,572 numbers, in files with holes: what is read stands in the last 1,796 of each."""
    make(tmp_path)
    for name, count in COUNTS.items():
        path = tmp_path / "openbhb" / f"{name}.npy"
        whole = np.lib.format.open_memmap(path, "w+", np.float32, (count, 3_659_572))
        whole[:, VBM_ROI:] = measures(name)
        whole.flush()
        del whole
    for features, first in (("vbm_roi", VBM_ROI), ("desikan", DESIKAN), ("destrieux", DESTRIEUX)):
        data = openbhb.load("test", tmp_path, features=features)
        start, count = first - VBM_ROI, data.images.shape[0]
        wanted = measures("internal_test")[:, start : start + count]
        assert np.array_equal(data.images.batch(np.arange(6))[:, :, 0, 0], wanted)


def test_measures_are_standardised_by_the_training_rows(tmp_path: Path) -> None:
    """Mean and deviation are those of `train` in every split; what never varies is left as it is."""
    make(tmp_path)
    train, test = (openbhb.load(name, tmp_path, features="destrieux") for name in ("train", "test"))
    inside = train.images.batch(np.arange(len(train)))[:, :, 0, 0].astype(np.float64)
    np.testing.assert_allclose(train.mean, inside.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(train.std[:-1], inside.std(axis=0)[:-1], rtol=1e-9)
    assert train.std[-1] == 1
    assert (train.mean, train.std) == (test.mean, test.std)


def test_one_file_of_both_tests_is_read_by_its_column(tmp_path: Path) -> None:
    """As the challenge's own download has it: `test`, whose column `split` says internal or external."""
    make(tmp_path)
    apart = {name: openbhb.load(name, tmp_path) for name in ("test", "external")}
    folder = tmp_path / "openbhb"
    lines = [(folder / f"{name}.tsv").read_text().splitlines() for name in ("internal_test", "external_test")]
    (folder / "test.tsv").write_text("\n".join([*lines[0], *lines[1][1:]]))
    np.save(folder / "test.npy", np.concatenate([measures("internal_test"), measures("external_test")]))
    for name in ("internal_test", "external_test"):
        (folder / f"{name}.npy").unlink()
    for name, data in apart.items():
        joined = openbhb.load(name, tmp_path)
        assert joined.ids.tolist() == data.ids.tolist()
        assert joined.images.contents(np.arange(4)).tolist() == data.images.contents(np.arange(4)).tolist()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.tsv", None, r"train\.tsv: no such file"),
        ("train.tsv", "participant_id\tage\n1\t20\n", r"train\.tsv: no column 'sex'"),
        ("train.tsv", "participant_id\tage\tsex\tsite\n1\t20\tmale\t1\n", r"train\.npy has 40 rows, train\.tsv 1"),
        ("train.npy", b"no array", r"openbhb: train\.npy: no array, or damaged"),
        (
            "train.npy",
            np.zeros((40, 9), np.float32),
            r"train\.npy of float32 \[40, 9\] holds no vbm_roi: rows of 3659572",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, name: str, text: str | bytes | np.ndarray | None, message: str
) -> None:
    """The file is named, and what was expected."""
    make(tmp_path)
    path = tmp_path / "openbhb" / name
    if text is None:
        path.unlink()
    elif isinstance(text, np.ndarray):
        np.save(path, text)
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as error:
        openbhb.load("test", tmp_path)
    assert len(str(error.value).splitlines()) == 1
