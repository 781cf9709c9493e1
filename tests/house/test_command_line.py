"""The command line: every wrong input ends in one line that says what to do, with the exit status of the house."""

import re

import numpy as np
import pytest
from safetensors.numpy import save_file


@pytest.fixture
def embeddings(tmp_path):
    """A stranger's embeddings: 120 rows of 6 numbers, a readable attribute, a target, and unusable columns."""
    random = np.random.default_rng(0)
    v, y = np.tile([0, 1], 60), np.repeat([0, 1], 60)
    z = random.normal(size=(120, 6)).astype(np.float32)
    z[:, 0] += 3 * v
    broken = z.copy()
    broken[7, 2] = np.nan
    columns = {
        "sex": v,
        "age": y,
        "same": np.zeros(120, dtype=np.int64),
        "absent": np.full(120, -1),
        "word": np.array(["a", "b"])[v],
    }
    np.savez(tmp_path / "z.npz", z=z, **columns)
    np.savez(tmp_path / "nan.npz", z=broken, **columns)
    np.savez(tmp_path / "empty.npz", z=z[:0], sex=v[:0])
    np.savez(tmp_path / "noz.npz", x=z, sex=v)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "z.npz").read_bytes()[:500])
    (tmp_path / "not.safetensors").write_bytes(b"no tensors here")
    (tmp_path / "bad.toml").write_text("[dataset\n")
    (tmp_path / "faces.csv").write_text("path,sex\na.png,f\n")
    save_file({"w": z}, tmp_path / "weights.safetensors")
    return tmp_path


WRONG = [
    ("attack nothing --private sex", 2, "no subject 'nothing'"),
    ("attack missing.npz --private sex", 2, "missing.npz: no such file"),
    ("attack z.npz", 2, "--private NAME is missing"),
    ("attack z.npz --private sexe", 2, "Did you mean 'sex'? There are: "),
    ("attack z.npz --private sex --target agee", 2, "Did you mean 'age'?"),
    ("attack z.npz --private sex --group nobody", 2, "no label 'nobody'"),
    ("attack z.npz --private same", 2, "same"),
    ("attack z.npz --private absent", 2, "absent"),
    ("attack z.npz --private sex --target sex", 2, "sex"),
    ("attack z.npz --private sex --attacker linearr", 2, "no attacker 'linearr'. Did you mean 'linear'?"),
    ("attack z.npz --private sex --attacker linear:strenths=3", 2, "no knob 'strenths'"),
    ("attack z.npz --private sex --attacker mlp:width=-1", 2, "width = -1: a number above 0 expected"),
    ("attack z.npz --private sex --attacker linear:penalties=0", 2, "penalties = 0: a number above 0 expected"),
    ("attack z.npz --private sex --auxiliary balancd", 2, "Did you mean 'balanced'?"),
    ("attack z.npz --private sex --suite strong", 2, "no suite 'strong'"),
    ("attack z.npz --private sex --memorisation", 2, "a checkpoint expected"),
    ("attack z.npz --private sex --tolerance 0", 2, "--tolerance"),
    ("attack z.npz --private sex --max-private-accuracy 0.5", 2, "guessing already names 50.0 %"),
    ("attack z.npz --private sex --max-private-accuracy age=0.9", 2, "'age' is not attacked"),
    ("attack z.npz --private sex --device cuda:99", 2, "no CUDA device"),
    ("attack z.npz --private sex --device gpu", 2, "auto, cpu, cuda or cuda:N expected"),
    ("attack z.npz --private sex --format pdf", 2, "pdf"),
    ("attack z.npz --private sex --nonsense", 2, "No such option"),
    ("attack z.npz --private sex --rows 0", 2, "--rows 0: at least 1 expected"),
    ("attack z.npz --private sex --rows -1", 2, "--rows -1: at least 1 expected"),
    ("attack z.npz --private sex --batch-size 0", 2, "--batch-size 0: at least 1 expected"),
    ("attack z.npz --private sex --seed -1", 2, "--seed -1: at least 0 expected"),
    ("attack z.npz --private sex --seed 99999999999999999999", 2, "at most 2147483647 expected"),
    ("attack z.npz --private sex --output .", 2, "cannot write .: it is a folder"),
    ("attack z.npz --private sex --output z.npz/report.html", 2, "z.npz is not a folder"),
    ("demo --output .", 2, "cannot write .: it is a folder"),
    ("attack z.npz --private sex --data digits", 2, "embeddings have their own labels and rows; --data digits"),
    ("attack z.npz --private sex --split train", 2, "embeddings have their own labels and rows; --split train"),
    ("attack nan.npz --private sex", 2, "z is not finite (NaN or infinity) in 1 of 120 rows, first in row 7"),
    ("attack empty.npz --private sex", 2, "empty.npz"),
    ("attack noz.npz --private sex", 2, "noz.npz"),
    ("attack cut.npz --private sex", 4, "cut.npz"),
    ("attack not.safetensors --private sex", 4, "not.safetensors"),
    ("attack digits/vanilla --private colour", 2, "not trained yet. First: leakaudit train digits/vanilla"),
    ("reconstruct z.npz --private sex", 2, "embeddings alone hold no images"),
    ("reconstruct z.npz --private sex --decoder convolution", 2, "Did you mean 'convolutional'?"),
    ("train digits/vanila", 2, "Did you mean 'digits/vanilla'?"),
    ("train missing.toml", 2, "missing.toml: no such recipe file"),
    ("train bad.toml", 2, "bad.toml: not TOML"),
    ("train digits/end --set method.gama=1", 2, "no knob 'gama'"),
    ("train digits/end --set method.alpha=high", 2, "a number expected"),
    ("train digits/end --set dataset.name=digit", 2, "Did you mean 'digits'?"),
    ("train digits/end --set backbone.name=simple", 2, "no backbone 'simple'"),
    ("train digits/end --set method.name=ende", 2, "Did you mean 'end'?"),
    ("train digits/end --set dataset.private=color", 2, "Did you mean 'colour'?"),
    ("train digits/end --set nothing", 2, "TABLE.KNOB=VALUE expected"),
    ("train digits/end --epochs 0", 2, "at least 1 expected"),
    ("train digits/end --set train.optimizer.name=Adm", 2, "Adam"),
    ("train digits/end --set method.alpha=nan", 2, "[method] alpha = nan: a finite number"),
    ("train digits/end --set train.optimizer.lr=inf", 2, "[train] optimizer lr = inf: a finite number"),
    ("train digits/end --set train.clip=-1", 2, "clip = -1.0: more than 0 expected"),
    ("train digits/end --set dataset.seed=-1", 2, "digits: seed = -1: at least 0 expected"),
    ("train digits/end --seed -1", 2, "--seed -1: at least 0 expected"),
    ("extract z.npz", 2, "these are embeddings already"),
    ("report nothing.json", 2, "nothing.json"),
    ("report bad.toml", 4, "bad.toml"),
    (f"report {'n' * 300}", 2, "nnn: File name too long"),
    (f"attack {'n' * 300} --private sex", 2, "nnn: File name too long"),
    (f"train {'n' * 300}", 2, "nnn: File name too long"),
    (
        "attack weights.safetensors --private sex",
        2,
        "no array z, so no embeddings; which network",
    ),
    ("attack faces.csv --private sex", 2, "path, sex found; a table of images is --data of a model"),
    ("list recipe", 2, "no room 'recipe'. Did you mean 'recipes'?"),
    ("schema audits", 2, "no schema 'audits'"),
    ("atack z.npz", 2, "No such command"),
]


@pytest.mark.parametrize(("line", "status", "words"), WRONG, ids=[line[:80] for line, _, _ in WRONG])
def test_wrong_input_is_one_line(leakaudit_here, embeddings, line, status, words):
    """One line on stderr, nothing on stdout, no traceback, nothing half-written."""
    done = leakaudit_here(*line.split(), cwd=embeddings)
    lines = [text for text in done.stderr.splitlines() if text]
    assert done.returncode == status, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"leakaudit: exit {status}: ")
    assert words in lines[0]
    assert not done.stdout
    store = embeddings / ".leakaudit"
    left = [path for path in store.rglob("*") if path.is_file() and path.name != ".gitignore"]
    assert not left, left


@pytest.mark.parametrize(
    "line", ["atack z.npz", "attack cut.npz --private sex", "train digits/end --set method.gama=1"]
)
def test_a_process_of_its_own_ends_as_the_command_does_here(leakaudit, leakaudit_here, embeddings, line):
    """Words of the parser, of a damaged file and of a recipe: both streams and the exit status are the same."""
    here, there = (run(*line.split(), cwd=embeddings) for run in (leakaudit_here, leakaudit))
    assert (here.returncode, here.stdout, here.stderr) == (there.returncode, there.stdout, there.stderr)
    assert here.returncode in {2, 4}


def test_the_right_line_is_answered(leakaudit, embeddings):
    """The positive twin: the same file, asked rightly, ends in a verdict with exit 0."""
    done = leakaudit("attack", "z.npz", "--private", "sex", "--target", "age", cwd=embeddings)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\b(LEAK|DETECTED|INCONCLUSIVE|WITHIN|NOT_FOUND)\b", done.stdout)
    assert done.stderr.splitlines()[-1] == "leakaudit: exit 0: measured; no gate asked"


@pytest.mark.parametrize("room", [None, "attackers", "recipes"])
def test_list_names_what_there_is(leakaudit_here, room):
    """`list` prints every thing of a room with its first line."""
    done = leakaudit_here("list", *([room] if room else []))
    assert done.returncode == 0
    for name in {None: ["digits", "end"], "attackers": ["linear", "mlp"], "recipes": ["digits/end"]}[room]:
        assert re.search(rf"^  {name}\b", done.stdout, re.MULTILINE)


def test_settings_come_from_flag_then_environment_then_file(leakaudit_here, tmp_path):
    """The file is the weakest, the flag the strongest; a setting that no flag has is refused."""
    (tmp_path / "leakaudit.toml").write_text('device = "gpu-of-the-file"\n')
    line = ("train", "digits/vanilla")
    assert "gpu-of-the-file" in leakaudit_here(*line).stderr
    assert "gpu-of-the-variable" in leakaudit_here(*line, LEAKAUDIT_DEVICE="gpu-of-the-variable").stderr
    flag = (*line, "--device", "gpu-of-the-flag")
    assert "gpu-of-the-flag" in leakaudit_here(*flag, LEAKAUDIT_DEVICE="gpu-of-the-variable").stderr
    (tmp_path / "leakaudit.toml").write_text("tolerence = 0.1\n")
    done = leakaudit_here("list")
    assert done.returncode == 2
    assert "Did you mean 'tolerance'?" in done.stderr


def test_a_setting_has_the_name_of_its_flag_and_one_value_does_for_a_list(leakaudit_here, tmp_path, embeddings):
    """`set` is `--set`; arguments are no settings; a table of settings that is none is refused."""
    settings = tmp_path / "leakaudit.toml"
    settings.write_text('private = "sexe"\n')
    assert "no label 'sexe'" in leakaudit_here("attack", "z.npz", cwd=embeddings).stderr
    settings.write_text('set = "method.gama=1"\n')
    assert "no knob 'gama'" in leakaudit_here("train", "digits/end").stderr
    settings.write_text('subject = "z.npz"\n')
    assert "no setting 'subject'" in leakaudit_here("list").stderr
    settings.unlink()
    assert "epochs = 0" in leakaudit_here("train", "digits/end", LEAKAUDIT_EPOCHS="0").stderr
    assert (
        "no attacker 'lineal'"
        in leakaudit_here("attack", "z.npz", "--private", "sex", LEAKAUDIT_ATTACKER="lineal").stderr
    )
    (tmp_path / "pyproject.toml").write_text("[tool]\nleakaudit = 3\n")
    done = leakaudit_here("list")
    assert done.returncode == 2
    assert done.stderr == "leakaudit: exit 2: pyproject.toml: a table [tool.leakaudit] expected, leakaudit = 3 found\n"


def test_pyproject_settings_may_name_an_attribute(leakaudit_here, tmp_path, embeddings):
    """`[tool.leakaudit]` holds gates per attribute, as a table."""
    (tmp_path / "pyproject.toml").write_text("[tool.leakaudit]\nmax-private-accuracy = { sex = 0.75 }\n")
    done = leakaudit_here("attack", "z.npz", "--private", "sex", "--target", "age", cwd=embeddings)
    assert done.returncode == 1, done.stderr
    assert "gate failed: sex is read at" in done.stderr.splitlines()[-1]
