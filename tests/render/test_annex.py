"""The evidence annex: computed where it speaks of the audit, and citing nothing as fact that was not read."""

import re
from dataclasses import replace

import crowds
import pytest
import synthetic
from reader import words

from leakaudit.finding import Memorisation
from leakaudit.render import Report, _annex
from leakaudit.report import report as make
from leakaudit.stats import Interval


def scope(report: Report) -> dict[str, _annex.Scope]:
    """The table by attack."""
    return {one.attack: one for one in _annex.annex(report).scope}


def changed(**changes: object) -> Report:
    """A report on one made-up audit with parts of its attribute changed."""
    made, rows = synthetic.audit(synthetic.VANILLA)
    part = replace(made.attributes[0], **changes)  # type: ignore[arg-type]
    return make([(replace(made, attributes=(part,)), rows)], ())


def test_attribute_inference_is_tested_with_the_rows_and_attackers_that_there_were(one: Report, pair: Report) -> None:
    """How many unseen rows, attackers, which labels and suite; of several models in one sentence."""
    said = scope(one)["Attribute inference"]
    assert said.tested == "tested"
    assert said.done.startswith(
        "Colour from the bottleneck of 1 model on 1,500 unseen rows, by 3 attackers of suite v0"
    )
    assert "with balanced, matched and paper labels" in said.done
    assert "of 2 models on 1,500 unseen rows each" in scope(pair)["Attribute inference"].done


def test_a_suite_in_part_and_a_decoder_alone_are_in_part() -> None:
    """Neither is the whole test, and each says what it is."""
    made, rows = synthetic.audit(synthetic.VANILLA)
    part = make([(replace(made, suite="1 in part"), rows)], ())
    assert scope(part)["Attribute inference"].tested == "in part"
    alone = scope(changed(findings=()))["Attribute inference"]
    assert (alone.tested, alone.done[:43]) == ("in part", "Only from images that a decoder rebuilt. No")


def test_reconstruction_is_in_part_where_it_was_run_and_else_not_tested(pair: Report) -> None:
    """By which decoder, of how many models; without it the command that does it."""
    said = scope(pair)["Reconstruction"]
    assert said.tested == "in part"
    assert "of every model by a decoder (convolutional), and the" in said.done
    none = scope(changed(reconstruction=None))["Reconstruction"]
    assert none.tested == "not tested"
    assert "leakaudit reconstruct" in none.done
    made = [synthetic.audit(synthetic.VANILLA), synthetic.audit(replace(synthetic.END, reconstruction=False))]
    assert "of 1 of 2 models" in scope(make(made, ()))["Reconstruction"].done


@pytest.mark.parametrize(
    "attack", ["Membership inference", "Exfiltration, extraction of records", "Regurgitation of training data",
               "Model inversion", "Singling out"],
)  # fmt: skip
def test_what_no_audit_does_is_never_called_tested(attack: str, pair: Report) -> None:
    """Not even where something near to it was measured."""
    part = pair.audits[0].attributes[0]
    gap = Memorisation("linear", 10, part.figures, part.figures, Interval(0.1, 0.0, 0.2))
    for report in (pair, changed(memorisation=gap)):
        assert scope(report)[attack].tested == "not tested"
    assert "no test of membership" in scope(changed(memorisation=gap))["Membership inference"].done


def test_one_line_says_what_was_not_tested(pair: Report) -> None:
    """Attacks, then attributes, then what was tested in part; many or long names are not repeated."""
    assert _annex.short(pair) == (
        "membership, extraction, regurgitation, inversion, singling out; any attribute but colour; "
        "in part: reconstruction"
    )
    many = crowds.report([["LEAK"] * 5])
    assert "; any other attribute" in _annex.short(many)


def test_every_citation_carries_version_and_what_was_read_and_the_mark(one: Report) -> None:
    """Document, version and day; what a text says is marked as taken from others, and the reader is told to check."""
    annex = _annex.annex(one)
    for source in annex.sources:
        assert _annex.MARK in source.says
        assert re.search(r"\b(19|20)\d\d\b", source.version), source.version
        assert re.search(r"secondary sources|third party's copy", source.read)
        assert "in the original" not in source.read
    assert re.search(r"November 2026", " ".join(source.read for source in annex.sources))
    assert all(_annex.MARK in one.named for one in annex.scope)
    assert "Check the original" in annex.note
    said = " ".join((annex.lede, annex.rule, annex.special, annex.note, *annex.is_not))
    assert "legal advice" in said
    assert "draws no such conclusion" in annex.special
    assert not re.search(r"\b(applies|in force) (from|since|on)\b|\bcomplian", f"{said} {annex.sources}")


def test_no_date_of_application_of_a_law_is_written_down(one: Report) -> None:
    """Years stand with versions and days of reading, and nowhere else."""
    annex = _annex.annex(one)
    said = " ".join((annex.lede, annex.rule, annex.special, annex.note, *annex.is_not))
    assert not re.search(r"\b20\d\d\b", said + " ".join(f"{source.says} {source.adds}" for source in annex.sources))


def test_the_page_names_every_attack_that_was_not_tested(one: Report) -> None:
    """Beside the verdict and under the threat model, in the annex's words and no fewer."""
    page = words("html", one)
    assert page.count(_annex.attacks(one)) >= 2
    assert "regurgitation, inversion, singling out" in _annex.attacks(one)
