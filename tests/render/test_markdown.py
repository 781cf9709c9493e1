"""Markdown as GitHub reads it: small, whole tables, and names that are neither markup, nor links, nor mentions."""

import html
import re
from collections.abc import Iterator

import crowds
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from leakaudit.finding import Verdict
from leakaudit.render import Report, _inert, markdown

HOSTILE = (
    "@octocat",
    "#1",
    "owner/repo#12",
    "GH-7",
    "https://evil.example/x",
    "www.evil.example",
    "a@evil.example",
    "mailto:x",
    "deadbeef1",
    ":tada:",
    "a|b|c",
    "`tick` ``two``",
    "``@x``",
    "|`@x`|",
    "*bold* _it_ __b__ ~~gone~~ $x$",
    "[a](https://evil.example)",
    "![a](x.png)",
    "<script>alert(1)</script>",
    "</details><img src=x onerror=alert(1)>",
    "\\",
    "a\\|b",
    "&commat;octocat",
    "&#64;octocat",
    "# head",
    "- item",
    "1. item",
    "x" * 10_000,
    "@x" * 5_000,
    "| " * 5_000,
    "{} {0} %s",
)
LINKED = re.compile(
    r"(?<![\w/])@\w|\w@\w|#\d|\bGH-\d|://|\bwww\.|\bmailto:|\b[0-9a-f]{7,40}\b|:[a-z+-]+:", re.IGNORECASE
)
"""What GitHub's filters would link, in text that is not code."""
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tokens(made: str) -> Iterator[Token]:
    """Every token, those inside others after them."""
    for token in PARSER.parse(made):
        yield token
        yield from token.children or ()


def plain(made: str) -> str:
    """What is read of it that is neither code nor a tag."""
    parts = [token.content for token in tokens(made) if token.type == "text"]
    blocks = [re.sub(r"<code>.*?</code>", " ", token.content) for token in tokens(made) if token.type == "html_block"]
    return " ".join([*parts, *(re.sub(r"<[^>]*>", " ", part) for part in blocks)])


def inert(made: str) -> None:
    """What holds of every report: folds are closed, tables are whole, and nothing in it links or is markup."""
    assert made.count("<details>") == made.count("</details>")
    seen = list(tokens(made))
    assert not [token for token in seen if token.type in ("link_open", "image", "html_inline", "s_open", "em_open")]
    tags = {tag for token in seen if token.type == "html_block" for tag in re.findall(r"</?\w+[^>]*>", token.content)}
    assert tags <= {"<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>"}
    found = LINKED.search(plain(made))
    assert found is None, found
    for table in re.findall(r"(?:^\|.*\n)+", made, flags=re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1, table[:400]
    drawn = made.count("\n| :--") + made.count("\n| --:")
    assert sum(token.type == "table_open" for token in seen) == drawn


@pytest.mark.parametrize("pair", list(zip(HOSTILE[::2], HOSTILE[1::2], strict=True)))
def test_hostile_names_link_nothing_and_keep_every_table(pair: tuple[str, str]) -> None:
    """As model, attribute and in a warning; the names are still there to be read."""
    model, private = (name.replace("{", "{{").replace("}", "}}") for name in pair)
    report = crowds.report([["LEAK"], ["WITHIN"]], name=f"{model} {{}}", private=private, warnings=1, gates=("failed",))
    made = markdown.render(report, width=80)
    inert(made)
    bare = re.sub(r"[\s\\`|]", "", html.unescape("".join(token.content for token in tokens(made))))
    for name in pair:
        assert re.sub(r"[\s\\`|]", "", html.unescape(name))[:40] in bare


def test_what_would_link_is_seen_to_link() -> None:
    """The twin: without the care that is taken, the same names are found out."""
    for name in ("@octocat", "#1", "GH-7", "www.evil.example", "https://evil.example/x", "deadbeef1", ":tada:"):
        assert LINKED.search(plain(f"a {name} b"))
        assert not LINKED.search(plain(f"a {_inert.text(name)} b"))
        assert LINKED.search(plain(f"a {name} b".replace("@", "&#64;").replace("#", "\\#")) + name)
    with pytest.raises(AssertionError):
        inert("[a](https://evil.example)")
    with pytest.raises(AssertionError):
        inert("| a | b |\n| :-- | :-- |\n| x|y | z |\n")


@pytest.mark.parametrize("attributes", [1, 3])
def test_twenty_audits_with_endless_names_stay_small(attributes: int) -> None:
    """Under sixty thousand bytes, the verdict first, the annex there, and what is left out said."""
    verdicts: list[list[Verdict]] = [[crowds.WORDS[(i + j) % 5] for j in range(attributes)] for i in range(20)]
    report = crowds.report(
        verdicts,
        name="語@" * 5_000 + "{}",
        private="<&|`" * 2_500 + "{}",
        warnings=2,
        gates=("failed", "open"),
        failed=2,
    )
    made = markdown.render(report, width=80)
    inert(made)
    assert len(made.encode()) <= markdown.BYTES
    assert made.startswith("## LEAK: ")
    assert "**failed**" in made
    assert "EDPB Opinion 28/2024" in made
    assert re.search("Not tested", made)
    assert made.rstrip().endswith(markdown.LEFT_OUT)
    assert {word for row in verdicts for word in row} <= set(re.findall(r"[A-Z_]{4,}", made))


def test_what_fits_is_whole(pair: Report) -> None:
    """Two audits keep every fold, and nothing says that something is missing."""
    made = markdown.render(pair, width=80)
    inert(made)
    assert markdown.LEFT_OUT not in made
    for title in ("Differences", "Attackers", "Baselines", "What else", "Controls", "What was tested", "Provenance"):
        assert f"<summary>{title}" in made
    assert made.index("## LEAK") < made.index("| model |") < made.index("<details>")


def test_three_models_are_ranked_in_their_table() -> None:
    """The rank is a column, and the ranking's sentence the first item."""
    made = markdown.render(crowds.report([["LEAK"], ["LEAK"], ["DETECTED"]]), width=80)
    inert(made)
    heads = next(line for line in made.splitlines() if line.startswith("| model |"))
    assert heads.endswith("| rank |")
    assert re.search(r"models/number-2 .*\| 2 to 3 \|$", made, flags=re.MULTILINE)
    assert "- Ranked." in made


def test_gates_stand_between_the_verdict_and_the_figures() -> None:
    """Those that failed first, each as it was typed."""
    made = markdown.render(crowds.report([["LEAK", "WITHIN"]], gates=("passed", "failed")), width=80)
    failed, passed = made.index("**failed**"), made.index("**passed**")
    assert made.index("## LEAK") < failed < passed < made.index("| model |")
    assert "Gate `--max-private-accuracy 0.2`" in made


@pytest.mark.parametrize("words", ["a", "`", "``", "a`b", "|", "``a|b`"])
def test_a_code_span_holds_any_text(words: str) -> None:
    """In a table as in a paragraph, backticks and bars and all."""
    made = f"| a |\n| :-- |\n| {_inert.code(words)} |\n"
    (span,) = [token for token in tokens(made) if token.type == "code_inline"]
    assert span.content == words


@pytest.mark.parametrize("end", [".", ",", ";", ""])
def test_a_point_after_a_name_is_no_part_of_the_name(end: str) -> None:
    """What ends the sentence stands behind the code span, where the name would be linked."""
    assert _inert.text(f"read from a@b{end}") == f"read from `a@b`{end}"


@pytest.mark.parametrize("words", ["(paragraph 55) says", "1. item", "(WP 216)", "- item", "v1.0 is out"])
def test_no_backslash_is_seen(words: str) -> None:
    """Before a letter or a number GitHub shows a backslash as it is (CommonMark 0.31, section 2.4)."""
    shown = html.unescape(re.sub("<[^>]+>", "", MarkdownIt().render(_inert.text(words)))).strip()
    assert shown == words
