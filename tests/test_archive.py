"""The archive finds an audit by what a person calls it, and says which file stands in the way."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from leakaudit import archive, audits, outcomes
from leakaudit.errors import InputError, RefusedError

sys.path.insert(0, str(Path(__file__).parent / "render"))

import synthetic


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A store with the audits of two subjects, one of them a file without a recipe."""
    audits = tmp_path / "audits"
    audits.mkdir()
    for stem, subject in (
        ("end-attack-1", {"name": "end@1", "recipe": "digits/end"}),
        ("z-attack-2", {"name": "z.npz"}),
    ):
        (audits / f"{stem}.json").write_text(json.dumps({"format": 1, "subject": subject}))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("digits/end", "end-attack-1"),
        ("end@1", "end-attack-1"),
        ("end-attack-1", "end-attack-1"),
        ("z.npz", "z-attack-2"),
    ],
)
def test_an_audit_has_several_names(home: Path, name: str, stem: str) -> None:
    """Its recipe's, its subject's and its document's."""
    assert [path.stem for path in archive.find(name, home)] == [stem]


def test_of_several_attacks_of_one_subject_one_is_asked_for_unless_all_are_meant(home: Path) -> None:
    """Which of them a report speaks of is not guessed; what is only verified may be all of them."""
    again = {"format": 1, "subject": {"name": "end@1", "recipe": "digits/end"}}
    (home / "audits" / "end-attack-3.json").write_text(json.dumps(again))
    with pytest.raises(InputError, match="2 audits; name them: end-attack-1, end-attack-3"):
        archive.gather(["digits/end"], home)
    assert [path.stem for path in archive.gather(["digits/end"], home, every=True)] == ["end-attack-1", "end-attack-3"]


def test_a_folder_is_no_document_unless_an_audit_is_called_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies there and is no file is said to be none; a subject may share its name with a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits" / "end").mkdir(parents=True)
    with pytest.raises(InputError, match="digits: no file, and no audit of that name"):
        archive.find("digits", home)
    assert [path.stem for path in archive.find("digits/end", home)] == ["end-attack-1"]


def test_what_there_is_has_a_name_also_without_a_recipe(home: Path) -> None:
    """A stranger's embeddings are told by their file's name."""
    with pytest.raises(InputError, match=r"There are: digits/end, z\.npz\."):
        archive.find("nothing", home)


@pytest.mark.parametrize("subject", [3, None, "digits/end"])
def test_a_document_that_is_no_audit_is_refused(home: Path, subject: object) -> None:
    """The message names the file, which the user did not."""
    (home / "audits" / "odd.json").write_text(json.dumps({"format": 1, "subject": subject}))
    with pytest.raises(RefusedError, match=r"odd\.json: not an audit"):
        archive.find("digits/end", home)


def test_rows_beside_an_audit_are_passed_over_and_others_are_not(home: Path) -> None:
    """A shell's `*` names an audit's own outcomes too; without the audit they are a name like any other."""
    audits = home / "audits"
    rows = audits / "end-attack-1.rows.safetensors"
    rows.write_bytes(b"")
    named = [str(path) for path in sorted(audits.glob("end-*"))]
    assert len(named) == 2
    assert archive.gather(named, home) == [audits / "end-attack-1.json"]
    assert archive.gather([str(rows)], home) == [rows]


def test_outcomes_of_another_audit_of_the_same_data_are_refused(tmp_path: Path) -> None:
    """An older audit does not record what its rows hash to: E is counted from them, and has to be that of the audit."""
    one, other = (synthetic.audit(replace(synthetic.END, seed=seed, reconstruction=False)) for seed in (1, 2))
    path = tmp_path / "one.json"
    audits.save(one[0], path)
    outcomes.save(one[1], outcomes.path_of(path))
    assert archive.read(path)[1] is not None
    outcomes.save(other[1], outcomes.path_of(path))
    with pytest.raises(RefusedError, match="not the per-row outcomes of this audit: E of colour is"):
        archive.read(path)
