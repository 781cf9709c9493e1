"""A warning is the first thing that is read after the verdict, in every form; how images enter stands in each."""

import html
import re
from dataclasses import replace

import pytest
import synthetic

from leakaudit import audits, catalog, record
from leakaudit.render import Report
from leakaudit.report import report as make

SAID = "the model names the digit right in 9.6 % of rows (mean over classes; chance is 20.0 %): it may not be its task"
ENTERS = "3x160x160, the middle of 168x168; mean 0.5, std 0.5 (timm's configuration of test_resnet.r160_in1k)"
READ = ("html", "markdown", "terminal")


def warned(*plans: synthetic.Plan, said: str = SAID) -> Report:
    """A report on made-up audits, the first of which carries a warning."""
    made = [synthetic.audit(plan) for plan in plans]
    (first, rows), *others = made
    subject = {**first.subject, "preprocessing": ENTERS}
    return make([(replace(first, warnings=(said,), subject=subject), rows), *others], ())


def shown(form: str, report: Report, width: int = 120) -> str:
    """The report in a form, without tags, on one line."""
    text = catalog.thing("render", form).render(report, width=width)
    text = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL) if form == "html" else text
    return " ".join(html.unescape(text).replace("\u202f", " ").replace("\u2019", "'").replace("\\", "").split())


@pytest.mark.parametrize("form", READ)
def test_a_warning_stands_before_every_figure(form: str) -> None:
    """After the word of the verdict, before what an attacker names."""
    text = shown(form, warned(synthetic.VANILLA))
    place = text.index(SAID[1:])
    assert re.search("warning", text[:place], flags=re.IGNORECASE)
    assert "LEAK" in text[:place]
    named = f"{100 * synthetic.audit(synthetic.VANILLA)[0].attributes[0].figures.private_accuracy.value:.1f}"
    assert named not in text[:place]
    assert named in text[place:]
    assert text.count(SAID[1:]) == 1


@pytest.mark.parametrize("form", READ)
def test_no_warning_is_no_word_of_one(form: str) -> None:
    """The positive twin stands above."""
    assert not re.search(r"\bwarning\b", shown(form, make([synthetic.audit(synthetic.VANILLA)], ())), re.IGNORECASE)


@pytest.mark.parametrize("form", READ)
def test_of_several_models_a_warning_says_whose_it_is(form: str) -> None:
    """By name, once, however many attributes there are."""
    text = shown(form, warned(synthetic.VANILLA, synthetic.END))
    assert text.count(f"{synthetic.VANILLA.name}: {SAID}") == 1


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_how_images_enter_stands_in_the_report(form: str) -> None:
    """Size, cut, normalisation and whose they are."""
    assert ENTERS in shown(form, warned(synthetic.VANILLA))


@pytest.mark.parametrize("form", READ)
def test_a_task_that_was_not_measured_is_told_once_where_it_would_stand(form: str) -> None:
    """Before the notes, with the reason; of several models by name; where it is known there is no such word."""
    said = "not measured (5 outputs, age has 3 classes), so that nothing shows whether the images enter so"
    made, rows = synthetic.audit(synthetic.VANILLA)
    provenance = {**made.provenance, "own_task": said, "notes": ["a note on rows"]}
    blind = replace(made, utility=None, provenance=provenance)
    text = shown(form, make([(blind, rows)], ()))
    assert re.search(r"Its own task\W", text)
    assert text.count(said) == 1
    assert text.index(said) < text.index("a note on rows")
    assert shown(form, make([(blind, rows), synthetic.audit(synthetic.END)], ())).count(said) == 1
    assert "not measured" not in shown(form, make([(made, rows)], ()))


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_a_hash_says_what_it_is_of(form: str) -> None:
    """The tensors of a model, the bytes of its file, or those of a file of embeddings."""
    made, rows = synthetic.audit(synthetic.VANILLA)
    weights = replace(made, subject={**made.subject, "kind": "weights", "file_sha256": "a1" * 32})
    text = shown(form, make([(weights, rows)], ()))
    assert re.search(r"model \(its tensors\)\W", text)
    assert re.search(rf"file \(its bytes\), .*{'a1' * 32}", text)
    assert text.count("a1" * 32) == 1
    vectors = shown(form, make([(replace(made, subject={**made.subject, "kind": "file"}), rows)], ()))
    assert "embeddings (the file's bytes)" in vectors
    assert "model (its tensors)" not in vectors


@pytest.mark.parametrize("form", READ)
def test_a_warning_with_hostile_names_stays_text(form: str) -> None:
    """Class names out of a stranger's file are shown as text."""
    text = catalog.thing("render", form).render(
        warned(synthetic.VANILLA, said="seems to be <script>alert(1)</script>, \x1b[31mred, \u202egnp"), width=120
    )
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert form == "terminal" or "<script>alert" not in text
    assert "alert" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_warning_keeps_the_width_of_a_terminal(width: int) -> None:
    """And the word before it is bold where the terminal wants that."""
    terminal = catalog.thing("render", "terminal")
    text = terminal.render(warned(synthetic.VANILLA), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "\033[1m  WARNING:\033[0m The model" in terminal.style(text)


def test_a_document_holds_its_warnings_and_older_ones_are_read_without() -> None:
    """Format 1 knew of none."""
    (made,) = warned(synthetic.VANILLA).audits
    data = audits.document(made)
    assert data["warnings"] == [SAID]
    del data["warnings"]
    assert record.from_json(audits.Audit, data, "old").warnings == ()
    assert record.from_json(audits.Audit, audits.document(made), "new").warnings == (SAID,)
