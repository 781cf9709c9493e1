"""Thumbnails on the command line: stored only on request, shown only on request, and never unsaid."""

import base64
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from leakaudit import audits

sys.path.insert(0, str(Path(__file__).parent / "render"))

import synthetic

WITH = replace(synthetic.VANILLA, deep=False, paper=False, rows=400)
SAID = "Thumbnails of rebuilt images are stored of digits/vanilla and not shown here"


@pytest.fixture
def pictured(tmp_path: Path) -> Path:
    """An audit that holds thumbnails."""
    made, _ = synthetic.audit(WITH)
    audits.save(made, tmp_path / "pictured.json")
    audits.save(synthetic.audit(replace(WITH, pictures=False))[0], tmp_path / "plain.json")
    return tmp_path / "pictured.json"


@pytest.mark.usefixtures("pictured")
def test_a_report_shows_thumbnails_only_with_the_option(leakaudit_here) -> None:
    """Without it the page says that there are some; with it they stand there; of none nothing is said."""
    closed = leakaudit_here("report", "pictured.json", "--format", "html")
    assert SAID in closed.stdout
    assert "data:image" not in closed.stdout
    open_ = leakaudit_here("report", "pictured.json", "--format", "html", "--with-images")
    assert "and not shown here" not in open_.stdout
    assert open_.stdout.count("data:image/png;base64,") == 3
    assert SAID in leakaudit_here("report", "pictured.json", "--format", "markdown").stdout
    assert "Thumbnails" not in leakaudit_here("report", "plain.json", "--format", "markdown").stdout


def test_json_is_what_was_stored_and_says_what_it_holds(leakaudit_here, pictured: Path) -> None:
    """Byte for byte, with the option or without; a line on stderr warns of thumbnails, and only of those."""
    for more in ((), ("--with-images",)):
        found = leakaudit_here("report", "pictured.json", "--format", "json", *more)
        assert found.stdout == pictured.read_text()
        assert "the JSON holds thumbnails of rebuilt images as they were stored" in found.stderr
    assert "thumbnails" not in leakaudit_here("report", "plain.json", "--format", "json").stderr


@pytest.mark.usefixtures("pictured")
def test_figures_hold_thumbnails_only_with_the_option(leakaudit_here, tmp_path: Path) -> None:
    """A grid is written as SVG and PNG where it may be shown; else a line says how."""
    closed = leakaudit_here("report", "pictured.json", "--figures", "closed")
    assert SAID.partition(" of digits")[0] in closed.stderr
    assert not list((tmp_path / "closed").glob("rebuilt*"))
    assert (tmp_path / "closed" / "directions-colour.svg").exists()
    leakaudit_here("report", "pictured.json", "--figures", "open", "--with-images")
    svg = (tmp_path / "open" / "rebuilt-colour.svg").read_text()
    assert svg.count("data:image/png;base64,") == 3
    assert (tmp_path / "open" / "rebuilt-colour.png").read_bytes().startswith(b"\x89PNG")


def test_a_hostile_audit_with_a_right_hash_breaks_no_form(leakaudit_here, tmp_path: Path) -> None:
    """What is no base64 is refused as no audit; what is, and no picture, ends in one line on the page."""
    made, _ = synthetic.audit(WITH)
    (part,) = made.attributes
    assert part.reconstruction is not None
    assert part.reconstruction.pictures is not None
    for evil, status in (
        ('"/><script>alert(1)</script>', 4),
        (base64.b64encode(b"<svg onload=alert(1)>").decode(), 0),
    ):
        pictures = replace(part.reconstruction.pictures, rows=(("truth", evil),))
        rebuilt = replace(part.reconstruction, pictures=pictures)
        audits.save(replace(made, attributes=(replace(part, reconstruction=rebuilt),)), tmp_path / "evil.json")
        found = leakaudit_here("report", "evil.json", "--format", "html", "--with-images", "--figures", "drawn")
        assert found.returncode == status
        assert ("is no PNG of the stated size: not shown" in found.stdout) == (status == 0)
        assert evil not in found.stdout
        assert not list((tmp_path / "drawn").glob("rebuilt*"))


def test_the_options_are_told_apart_in_help(leakaudit_here) -> None:
    """Attack, report and reconstruct take --with-images, attack alone --projection; an unknown plane is refused."""
    for command in ("attack", "report", "reconstruct"):
        said = leakaudit_here(command, "--help", COLUMNS="200").stdout
        assert "--with-images" in said
        assert ("--projection" in said) == (command == "attack")
    refused = leakaudit_here("attack", "z.npz", "--private", "v", "--projection", "umap")
    assert refused.returncode == 2
    assert "'umap' is not one of 'pca', 'lda', 'tsne'" in refused.stderr
    assert "--with-images" not in leakaudit_here("inspect", "--help").stdout
