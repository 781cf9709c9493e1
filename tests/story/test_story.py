"""The whole story by the real command: train, extract, attack, reconstruct, report; interrupt, and go on."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
QUICK = ("--epochs", "6", "--set", "backbone.width=4")
LINEAR = ("--private", "colour", "--attacker", "linear")


@pytest.fixture(scope="module")
def studio(tmp_path_factory, environment, inside):
    """
    A folder in which a vanilla and an EnD model were trained for six epochs, and a way to run commands there.

    Training and the first attack are processes of their own; what comes after them is run in the tests' own.
    """
    folder = tmp_path_factory.mktemp("studio")

    def process(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "leakaudit", *words],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return inside(*words, cwd=folder)

    done = process("train", "digits/vanilla", "digits/end", *QUICK)
    assert done.returncode == 0, done.stderr
    run.folder, run.trained, run.process = folder, done, process
    return run


@pytest.fixture(scope="module")
def audited(studio):
    """The same, with one attack on each model and one reconstruction of the first."""
    attacks = [
        run("attack", f"digits/{name}", *LINEAR, "--format", "json")
        for run, name in ((studio.process, "vanilla"), (studio, "end"))
    ]
    rebuilt = studio("reconstruct", "digits/vanilla", "--private", "colour", "--format", "json", "--with-images")
    for done in (*attacks, rebuilt):
        assert done.returncode == 0, done.stderr
    return [json.loads(done.stdout) for done in (*attacks, rebuilt)]


def test_train_prints_the_line_to_type_next(studio):
    """Each line on stdout is an attack on a checkpoint folder that is there."""
    lines = studio.trained.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        found = re.fullmatch(r"leakaudit attack (\S+) --private colour", line)
        assert found
        assert (studio.folder / found[1] / "checkpoint.json").is_file()


def test_an_erased_bottleneck_is_read_by_what_is_not_linear(audited):
    """After LEACE a hyperplane reads nothing of the colour from a trained encoder's z, and a quadric still most."""
    baselines = audited[0]["attributes"][0]["baselines"]
    leace = next(each for each in baselines if each["baseline"] == "leace")
    excess = {each["attacker"]: each["figures"]["excess"]["value"] for each in leace["readings"]}
    assert abs(excess["linear"]) < 0.1
    assert excess["quadratic"] > 0.5
    assert leace["attacker"] == "quadratic"


def test_training_twice_does_no_work_twice(studio):
    """What is trained already is not trained again, and the same line is printed."""
    again = studio("train", "digits/vanilla", "digits/end", *QUICK)
    assert again.returncode == 0
    assert again.stdout == studio.trained.stdout


def test_extract_prints_the_folder_and_keeps_it(studio):
    """The folder of each split holds shards, labels and a manifest; a second run writes nothing."""
    first = studio("extract", "digits/vanilla", "--split", "train,test")
    folder, other = (studio.folder / line for line in first.stdout.splitlines())
    assert (other / "manifest.json").is_file()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {"manifest.json", "labels.parquet", "shard-00000.safetensors"} <= set(before)
    assert studio("extract", "digits/vanilla", "--split", "train,test").stdout == first.stdout
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_document_on_stdout_is_the_one_in_the_store(studio, audited):
    """`--format json` prints the audit document byte for byte."""
    texts = {path.read_text() for path in (studio.folder / ".leakaudit" / "audits").glob("*.json")}
    assert {json.dumps(audit, indent=2, ensure_ascii=False) + "\n" for audit in audited} == texts


def test_a_barely_trained_model_leaks(audited):
    """Six epochs on colours that agree with the digit leave the colour readable; rows of training are not attacked."""
    vanilla = audited[0]
    colour = vanilla["attributes"][0]
    assert vanilla["verdict"] == "LEAK"
    assert colour["excess"]["low"] > 0.5 if "excess" in colour else colour["figures"]["excess"]["low"] > 0.5
    assert vanilla["subject"]["recipe"] == "digits/vanilla"
    assert {baseline["baseline"] for baseline in colour["baselines"]} == {
        "majority", "target-only", "model-output", "random-init", "raw-input", "leace",
    }  # fmt: skip


def test_an_audit_is_not_compared_with_itself(studio, audited):
    """The same document twice is refused: side by side with itself it says nothing."""
    assert audited
    done = studio("report", "digits/end", "digits/end")
    assert done.returncode == 2
    assert "named twice" in done.stderr


@pytest.mark.parametrize("form", ["terminal", "html", "markdown", "json"])
def test_two_audits_stand_side_by_side(studio, audited, form):
    """`report A B` compares by name in every form, paired on the same rows, and merges the reconstruction."""
    assert audited
    done = studio("report", "digits/vanilla", "digits/end", "--format", form)
    assert done.returncode == 0, done.stderr
    assert "digits/vanilla" in done.stdout
    assert "digits/end" in done.stdout
    if form == "json":
        report = json.loads(done.stdout)
        assert report["comparisons"][0]["paired"]
        assert report["audits"][0]["attributes"][0]["reconstruction"] is not None


def test_a_gate_fails_on_a_leak(studio, audited):
    """The report gates as the attack does, and the last line says why."""
    assert audited
    done = studio("report", "digits/vanilla", "--max-private-accuracy", "0.2")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("leakaudit: exit 1: gate failed: colour is read at ")


def test_a_changed_document_is_refused(studio, audited, tmp_path):
    """An audit that was edited after it was written does not pass for one."""
    changed = dict(audited[0], verdict="NOT_FOUND")
    (tmp_path / "audit.json").write_text(json.dumps(changed))
    done = studio("report", str(tmp_path / "audit.json"))
    assert done.returncode == 4
    assert "changed since it was written" in done.stderr


@pytest.mark.slow
def test_interrupted_training_goes_on(studio, inside, environment, tmp_path):
    """Ctrl-C ends with 130 and keeps the finished epochs; --resume ends with the weights of an undisturbed run."""
    words = [sys.executable, "-m", "leakaudit", "train", "digits/vanilla", *QUICK, "-v"]
    run = {"cwd": tmp_path, "env": environment | {"PYTHONPATH": str(REPOSITORY)}, "text": True}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, **run)
    for line in process.stderr:
        if " 2/6" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = list(process.stderr)
    assert process.wait(timeout=60) == 130
    process.stdout.close()
    process.stderr.close()
    assert rest[-1].startswith("leakaudit: exit 130: interrupted")
    refused = inside(*words[3:], cwd=tmp_path)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    resumed = inside(*words[3:], "--resume", cwd=tmp_path)
    assert resumed.returncode == 0
    assert " 1/6" not in resumed.stderr
    ours, theirs = (
        json.loads(next(folder.rglob("checkpoint.json")).read_text())["tensors"]
        for folder in (tmp_path / ".leakaudit", studio.folder / ".leakaudit" / "checkpoints" / "digits" / "vanilla")
    )
    assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("delay", [1.0, 3.0])
def test_interrupted_attacks_leave_nothing_half_written(studio, environment, delay):
    """Ctrl-C at any moment of an attack ends with 130 in one line, and no audit that is not whole."""
    words = [sys.executable, "-m", "leakaudit", "attack", "digits/end", *LINEAR, "--seed", "7"]
    process = subprocess.Popen(
        words,
        cwd=studio.folder,
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode in {130, -signal.SIGINT}  # the second, while Python itself is starting
    assert not out
    assert not list(studio.folder.rglob("*.part"))
    if process.returncode == 130:
        assert err.splitlines()[-1].startswith("leakaudit: exit 130")


@pytest.mark.slow
def test_rows_of_training_are_attacked_where_that_is_asked(studio):
    """`--memorisation` extracts what was trained on and prints a gap beside the verdict; without it there is none."""
    asked = studio("attack", "digits/vanilla", *LINEAR, "--memorisation")
    assert asked.returncode == 0, asked.stderr
    said = " ".join(asked.stdout.split())
    found = re.search(r"Memorisation E (\S+) .* on (\d+) rows that it was trained on, .* no part of the verdict", said)
    assert found, said
    assert 0 < float(found[1]) <= 1
    assert 40 <= int(found[2]) <= 790
