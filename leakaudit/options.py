"""The options that commands share: each declared once, in a group that a command takes as one argument."""

import dataclasses
import typing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from leakaudit import store
from leakaudit.errors import InputError
from leakaudit.flags import LARGEST, flag, within
from leakaudit.progress import Manner

if typing.TYPE_CHECKING:
    from leakaudit.gate import Ask


class Form(StrEnum):
    """The forms of a report."""

    TERMINAL = "terminal"
    HTML = "html"
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"
    JUNIT = "junit"


class Page(StrEnum):
    """The forms of a description."""

    TERMINAL = "terminal"
    HTML = "html"
    JSON = "json"
    MARKDOWN = "markdown"


class Projection(StrEnum):
    """The planes of the bottleneck plot."""

    PCA = "pca"
    LDA = "lda"
    TSNE = "tsne"


class Plain(StrEnum):
    """The forms of what is no report."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


class Policy(StrEnum):
    """What an open gate does to the exit status."""

    FAIL = "fail"
    PASS = "pass"  # noqa: S105 (no password)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """What is attacked, for which attribute."""

    private: Annotated[
        list[str] | None, flag("Attribute to read; may be repeated.", "--private", panel="Subject", metavar="NAME")
    ] = None
    target: Annotated[
        str | None,
        flag("What the model is for; what that tells is no leak.", "--target", panel="Subject", metavar="NAME"),
    ] = None

    @property
    def privates(self) -> tuple[str, ...]:
        """The private attributes, at least one."""
        if not self.private:
            raise InputError("--private NAME is missing: which attribute must not be readable?")
        return tuple(dict.fromkeys(self.private))


Root = Annotated[
    Path, flag("Where named data sets lie.", "--root", panel="Data", metavar="DIR", variable="LEAKAUDIT_DATA")
]
Group = Annotated[str | None, flag("Column that says whose row it is.", "--group", panel="Data", metavar="COLUMN")]
Seed = Annotated[int, flag("Seed of all chance.", "--seed", panel="Run", metavar="N")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """What it is audited on."""

    data: Annotated[
        str | None,
        flag("Data set, or CSV or parquet table of images.", "--data", panel="Data", metavar="DATA", variable=""),
    ] = None
    root: Root = Path(".leakaudit/data")
    split: Annotated[
        str | None, flag("Split to audit; extract takes several: train,test.", "--split", panel="Data", metavar="S")
    ] = None
    rows: Annotated[int | None, flag("At most this many rows.", "--rows", panel="Data", metavar="N")] = None
    group: Group = None
    skip_unreadable: Annotated[
        bool, flag("Leave out images that cannot be read, and say how many.", "--skip-unreadable", panel="Data")
    ] = False

    def __post_init__(self) -> None:
        """Refuse no rows."""
        if self.rows is not None:
            within("--rows", self.rows, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """What a stranger's file does not say of its network."""

    backbone: Annotated[
        str | None,
        flag(
            "The network that weights fill, or FILE.py:FUNCTION (your own code, which is run).",
            "--backbone", panel="Subject", metavar="NAME[:KNOBS]",
        ),
    ] = None  # fmt: skip
    layer: Annotated[
        list[str] | None,
        flag(
            "Layer whose output is read, not the classifier's input; may be repeated.",
            "--layer", panel="Subject", metavar="NAME[:KNOBS]",
        ),
    ] = None  # fmt: skip
    size: Annotated[
        str | None, flag("Images as they enter: 224, 224x160.", "--size", panel="Subject", metavar="N[xM]")
    ] = None
    mean: Annotated[
        str | None, flag("Of each channel, in 0..1: 0.485,0.456,0.406.", "--mean", panel="Subject", metavar="M,...")
    ] = None
    std: Annotated[
        str | None, flag("Of each channel, in 0..1: 0.229,0.224,0.225.", "--std", panel="Subject", metavar="S,...")
    ] = None
    partial: Annotated[
        bool, flag("Layers without weights in the file stay fresh, and are named.", "--partial", panel="Subject")
    ] = False
    ledger: Annotated[
        Path | None, flag("A checkpoints.toml of your own.", "--ledger", panel="Subject", metavar="FILE")
    ] = None
    trust_on_first_use: Annotated[
        bool, flag("Fetch what has no hash yet, and record its hash.", "--trust-on-first-use", panel="Subject")
    ] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where it all lies."""

    store: Annotated[
        Path, flag("Where checkpoints, embeddings and audits lie.", "--store", panel="Run", metavar="DIR")
    ] = Path(".leakaudit")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watched(Place):
    """Where it runs, and how it is watched."""

    device: Annotated[str, flag("auto, cpu, cuda or cuda:N.", "--device", panel="Run", metavar="D")] = "auto"
    quiet: Annotated[bool, flag("No progress.", "-q", "--quiet", panel="Run")] = False
    verbose: Annotated[bool, flag("One line per step.", "-v", "--verbose", panel="Run")] = False

    @property
    def manner(self) -> Manner:
        """How progress is shown."""
        return "quiet" if self.quiet else "lines" if self.verbose else "bar"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(Watched):
    """Where and how it runs."""

    batch_size: Annotated[int, flag("Images in one pass, at most.", "--batch-size", panel="Run", metavar="N")] = 512
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse what no run can be."""
        within("--batch-size", self.batch_size, 1)
        within("--seed", self.seed, 0, LARGEST)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Passes(Run):
    """How images pass through a network."""

    amp: Annotated[bool, flag("Mixed precision (bfloat16).", "--amp", panel="Run")] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Again:
    """What is attacked once more, beside what decides."""

    seeds: Annotated[int, flag("Attack seeds; the first decides.", "--seeds", metavar="N")] = 1
    memorisation: Annotated[bool, flag("Attack rows of the training, too.", "--memorisation")] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a text looks like and where it goes."""

    format: Annotated[Form, flag("Form of the report.", "--format", panel="Output")] = Form.TERMINAL
    output: Annotated[
        Path | None, flag("Write the report there, not to stdout.", "--output", panel="Output", metavar="FILE")
    ] = None

    def __post_init__(self) -> None:
        """Refuse a place that cannot be written before anything is computed."""
        if self.output is not None:
            store.check_place(self.output)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output(Sheet):
    """What the report looks like and where it goes."""

    with_images: Annotated[
        bool,
        flag(
            "Show thumbnails of rebuilt images, which may be personal data (reconstruct: store them, too; json holds "
            "what is stored).", "--with-images", panel="Output",
        ),
    ] = False  # fmt: skip
    figures: Annotated[
        Path | None, flag("Write every figure there, as SVG and PNG.", "--figures", panel="Output", metavar="DIR")
    ] = None

    def __post_init__(self) -> None:
        """Refuse places that cannot be written, and figures that cannot be drawn, before anything is computed."""
        super().__post_init__()
        if self.figures is not None:
            from leakaudit.render._drawings.apart import check

            check(self.figures)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer(Sheet):
    """What the answer to a question looks like and where it goes."""

    format: Annotated[Plain, flag("Form of the answer.", "--format", panel="Output")] = Plain.TERMINAL  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Described(Sheet):
    """What a description looks like and where it goes."""

    format: Annotated[Page, flag("Form of the description.", "--format", panel="Output")] = Page.TERMINAL  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gates:
    """What decides the exit status."""

    max_private_accuracy: Annotated[
        list[str] | None,
        flag("Fail where more is read than T.", "--max-private-accuracy", panel="Gates", metavar="[NAME=]T"),
    ] = None
    max_excess: Annotated[
        list[str] | None, flag("Fail where E is above this.", "--max-excess", panel="Gates", metavar="[NAME=]E")
    ] = None
    baseline: Annotated[
        str | None, flag("Audit that --max-increase compares with.", "--baseline", panel="Gates", metavar="AUDIT")
    ] = None
    max_increase: Annotated[
        list[str] | None, flag("Fail where E rose by more than D.", "--max-increase", panel="Gates", metavar="[NAME=]D")
    ] = None
    on_inconclusive: Annotated[Policy, flag("What an open gate does.", "--on-inconclusive", panel="Gates")] = (
        Policy.FAIL
    )

    def __post_init__(self) -> None:
        """Refuse an increase over nothing, and a baseline of which nothing is asked."""
        if self.max_increase and not self.baseline:
            raise InputError("--max-increase: --baseline AUDIT is missing: by how much more than which audit?")
        if self.baseline and not self.max_increase:
            raise InputError(f"--baseline {self.baseline}: --max-increase [NAME=]D is missing: by how much at most?")

    def asks_in(self, place: Path) -> "tuple[Ask, ...]":
        """The gates that were asked for, with the baseline as it is now: the command may write over it."""
        from leakaudit import archive, gate

        if not self.baseline:
            return self.asks
        past = gate.Past(self.baseline, *archive.attack(self.baseline, place, "--baseline"))
        return (*self.asks, *(gate.parse("max-increase", text, past) for text in self.max_increase or []))

    @property
    def asks(self) -> "tuple[Ask, ...]":
        """The gates that were asked for, those against a baseline apart."""
        from leakaudit import gate

        accuracy = [gate.parse("max-private-accuracy", text) for text in self.max_private_accuracy or []]
        return (*accuracy, *(gate.parse("max-excess", text) for text in self.max_excess or []))


Tolerance = Annotated[float, flag("Excess advantage that is tolerated.", "--tolerance", panel="Gates", metavar="E")]
