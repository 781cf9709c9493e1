"""Biased-MNIST by the real command, on a few thousand real MNIST images."""

import json

SMALL = (
    *("--set", "dataset.rho=0.99", "--set", "dataset.rows=3000"),
    *("--set", "backbone.width=4", "--set", "backbone.kernel=3", "--set", "train.batch_size=64", "--epochs", "4"),
)


def test_a_short_training_at_rho_99_leaks_the_colour(leakaudit, data_root):
    """A few epochs at rho .99 learn the colour first: it is read on the unbiased test, by balanced labels at least."""
    root = ("--root", str(data_root))
    trained = leakaudit("train", "biased-mnist/vanilla", *SMALL, *root)
    assert trained.returncode == 0, trained.stderr
    folder = trained.stdout.split()[2]
    attack = ("attack", folder, "--private", "colour", "--attacker", "linear", "--format", "json", *root)
    done = leakaudit(*attack, "--rows", "3000", "--auxiliary", "balanced", "--auxiliary", "paper")
    assert done.returncode == 0, done.stderr
    audit = json.loads(done.stdout)
    (colour,) = audit["attributes"]
    found = {finding["auxiliary"]: finding["figures"] for finding in colour["findings"]}
    assert audit["verdict"] == "LEAK"
    assert colour["rows"]["rows"] == 3000
    assert found["balanced"]["private_accuracy"]["low"] > 0.9
    assert found["paper"]["private_accuracy"]["value"] <= found["balanced"]["private_accuracy"]["high"]
    by_name = {baseline["baseline"]: baseline["figures"] for baseline in colour["baselines"]}
    assert by_name["random-init"]["excess"]["low"] > 0.9
    assert by_name["target-only"]["excess"]["value"] == 0
