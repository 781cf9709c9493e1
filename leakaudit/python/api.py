"""
`leakaudit.audit` and `leakaudit.check`: the command line's attack, from a Python program.

The same words as the flags, with the same defaults, on what SUBJECT is on the command line or on what the program holds
in memory. What a user can cause is an `InputError` or a `RefusedError` (`leakaudit.errors`); nothing ends the process,
nothing is printed unless `verbose` says so, and neither settings files nor the flags' environment variables have a say,
but for `LEAKAUDIT_DATA`.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Unpack

from leakaudit import archive, console, gate, options, progress, store
from leakaudit.errors import InputError, LeakauditError
from leakaudit.python import asking
from leakaudit.python.asking import Words
from leakaudit.python.result import InconclusiveError, LeakError, Result
from leakaudit.render import _tame, _words
from leakaudit.render._entries import entries

NAMED = (str, os.PathLike)
PLAIN = (str, bool, int, float, list, tuple, Path)
Limit = float | Mapping[str, float]
"""One limit for every private attribute, or one for each that is named."""


def audit(
    subject: Any,
    *,
    private: str | Sequence[str] | Mapping[str, Any],
    target: str | Mapping[str, Any] | None = None,
    data: Any = None,
    labels: Any = None,
    name: str | None = None,
    verbose: bool = False,
    **words: Unpack[Words],
) -> Result:
    """
    Try to read private attributes from a model or from embeddings; the verdict says what is there.

    `subject` is what SUBJECT is on the command line (a name, a path), embeddings in memory (z of shape (n, d); or a
    mapping or data frame laid out as a file of embeddings), or an `nn.Module` with the images in `data`: DATA as on the
    command line, an array or tensor (n, c, h, w), or a torch `Dataset` or `DataLoader` of (x, labels). The module is
    copied with its hooks, and the copy is run in evaluation mode and float32. Images of DATA enter as the data set says
    (its size, mean and deviation) unless `size`, `mean` and `std` do; those in memory as they are.

    Labels of rows in memory are `private={"gender": labels}` and `target={"hair": labels}`, or names of columns of
    `labels`, a mapping or a data frame. `name` is what the report calls them. `words` are the flags of `leakaudit
    attack` (`Words`). A column `id` names the image of each row of embeddings, and pairs audits of two models.

    What is left behind for a name or path lies in `store`, as on the command line; for what is in memory nothing is,
    unless `store` is said.

    Raises:
        InputError: something that the caller can correct; the message says what there is instead.
        RefusedError: a file is unsafe, truncated, foreign, or not what its hash promises.
    """
    __tracebackhide__ = True
    try:
        return _audited(_Asked(subject, private, target, data, labels, name, verbose), words, ())
    except LeakauditError as error:
        raise error.with_traceback(None) from None  # the line says it all; where inside it was found says nothing


def check(
    subject: Any,
    *,
    private: str | Sequence[str] | Mapping[str, Any],
    max_private_accuracy: Limit | None = None,
    max_excess: Limit | None = None,
    baseline: "Result | str | os.PathLike[str] | None" = None,
    max_increase: Limit | None = None,
    on_inconclusive: Literal["fail", "pass"] = "fail",
    target: str | Mapping[str, Any] | None = None,
    data: Any = None,
    labels: Any = None,
    name: str | None = None,
    verbose: bool = False,
    **words: Unpack[Words],
) -> Result:
    """
    `audit`, with gates, for tests: the result where every gate passes, else an `AssertionError` that says why.

    A limit is one number, or one for each attribute that is named: `max_private_accuracy={"gender": 0.6}`.
    `max_increase` is by how much more E may be than in `baseline`, an earlier result or audit document.

    Raises:
        LeakError: a gate failed.
        InconclusiveError: a gate could be neither passed nor failed, and `on_inconclusive` is not `pass`.
        InputError, RefusedError: as `audit`; or no gate is given, or it can decide nothing.
    """
    __tracebackhide__ = True
    limits: dict[gate.Kind, Limit | None]
    limits = {"max-private-accuracy": max_private_accuracy, "max-excess": max_excess, "max-increase": max_increase}
    try:
        asks = _asks(limits, baseline, Path(words.get("store") or options.Place.store))
        passes = console.pick("on_inconclusive", str(on_inconclusive), ("fail", "pass")) == "pass"
        found = _audited(_Asked(subject, private, target, data, labels, name, verbose), words, asks)
    except LeakauditError as error:
        raise error.with_traceback(None) from None
    found = replace(found, open_passes=passes)
    status = gate.exit_status(found.gates, open_passes=passes)
    if status:
        raise (LeakError if status == 1 else InconclusiveError)(_why(found), found)
    return found


def _asks(limits: Mapping[gate.Kind, Limit | None], baseline: Any, place: Path) -> tuple[gate.Ask, ...]:
    """
    The gates, as the command line has them.

    Raises:
        InputError: none is given, one is no number, or an increase and its baseline are not both there.
    """
    if (baseline is None) != (limits["max-increase"] is None):
        lacking = "max_increase" if baseline is not None else "baseline"
        raise InputError(f"{lacking} is missing: baseline and max_increase say together by how much E may rise")
    if not any(limit is not None for limit in limits.values()):
        raise InputError(f"a gate is missing: {', '.join(kind.replace('-', '_') for kind in limits)}")
    void = next((kind for kind, limit in limits.items() if isinstance(limit, Mapping) and not limit), None)
    if void is not None:
        raise InputError(f"{void.replace('-', '_')} names no attribute: it would judge nothing")
    past = None
    if isinstance(baseline, Result):
        if len(baseline.given) != 1:
            raise InputError(f"baseline: {len(baseline.given)} audits; one expected")
        past = gate.Past(baseline.audits[0].name, *baseline.given[0])
    elif baseline is not None:
        past = gate.Past(os.fspath(baseline), *archive.attack(os.fspath(baseline), place, "baseline"))
    return tuple(
        gate.parse(kind, text, past if kind == "max-increase" else None)
        for kind, limit in limits.items()
        for text in _typed(limit)
    )


def _typed(limit: Limit | None) -> list[str]:
    """A limit as it is typed: `T`, or `NAME=T` for each that is named."""
    if isinstance(limit, Mapping):
        return [f"{name}={each!s}" for name, each in limit.items()]
    return [] if limit is None else [str(limit)]  # numpy's own digits, also of a float32


def _why(found: Result) -> str:
    """The verdict's own sentences, and the reasons of the gates that did not pass."""
    tamed = _tame.tame(found.report)
    outcome = "failed" if any(each.outcome == "failed" for each in tamed.gates) else "open"
    judged = [each for each in tamed.gates if each.outcome == outcome]
    told = []
    for entry in entries(tamed):
        if entry.attribute.private in {each.private for each in judged}:
            before, share, after = _words.says(entry)
            told.append(f"{entry.attribute.verdict}: {_words.clause(entry)}. {before}{share}{after}")
    words = "gate failed" if outcome == "failed" else "inconclusive"
    return "\n".join([*told, *(f"{words}: {each.reason}" for each in judged)])


def _audited(asked: "_Asked", words: Mapping[str, Any], asks: tuple[gate.Ask, ...]) -> Result:
    """The audit, in the store that is said, or else for what is in memory in one that is gone afterwards."""
    from leakaudit import auditor
    from leakaudit import subject as subjects
    from leakaudit.numerics import device
    from leakaudit.python import memory

    _named(asked)
    called, beside = _called(asked, asked.named or memory.is_network(asked.subject)), _labels(asked)
    attackers, auxiliaries = asking.attack(words)
    groups = asking.groups(words)
    passing = not asked.named and words.get("store") is None
    with contextlib.ExitStack() as held:
        if passing:
            groups["store"] = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="leakaudit-")))
        terms = subjects.Terms(
            **groups | {"store": store.open_store(groups["store"]), "device": device.resolve(groups["device"])},
            private=options.Model(private=asked.privates).privates,
            target=next(iter(asked.target)) if isinstance(asked.target, Mapping) else asked.target,
            data=str(asked.data) if isinstance(asked.data, NAMED) else None,
            gates=asks,
            command=_command(asked, words),
        )
        if asked.named:
            subject = auditor.find(called, terms)
        elif memory.is_network(asked.subject):
            subject = memory.network(asked.subject, None if terms.data else asked.data, beside, called, terms)
        else:
            subject = memory.held(asked.subject, beside, called, terms)
        manner: progress.Manner = "bar" if asked.verbose else "quiet"
        work = auditor.attack_each(subject, terms, attackers, auxiliaries)
        paths = tuple(progress.watch(work, f"audit {called}", manner))
        documents = tuple(archive.read(path) for path in paths)
    return Result(documents, asks, paths=() if passing else paths)


class _Asked(NamedTuple):
    """What both functions are asked beside the flags."""

    subject: Any
    private: Any
    target: Any
    data: Any
    labels: Any
    name: str | None
    verbose: bool

    @property
    def named(self) -> bool:
        """Whether the subject is a name or a path, and not in memory."""
        return isinstance(self.subject, NAMED)

    @property
    def privates(self) -> list[str]:
        """Names of the private attributes."""
        return [self.private] if isinstance(self.private, str) else list(map(str, self.private))


def _named(asked: _Asked) -> None:
    """
    Refuse labels where a name says whose they are.

    Raises:
        InputError: `private`, `target` or `name` is none.
    """
    private, target, name = asked.private, asked.target, asked.name
    names = isinstance(private, Sequence) and all(isinstance(each, str) for each in private)
    if not names and not isinstance(private, Mapping):
        wanted = "a name, names, or {'gender': labels}"
        raise InputError(f"private: {wanted} expected, {type(private).__name__} without names found")
    if not isinstance(target, (str, Mapping, type(None))):
        raise InputError(f"target: a name, or {{'hair': labels}} expected, {type(target).__name__} found")
    if not isinstance(name, (str, type(None))):
        raise InputError(f"name: text expected, {type(name).__name__} found")


def _called(asked: _Asked, network: bool) -> str:  # noqa: FBT001 (whether images go with it)
    """
    What messages and the report call the subject.

    Raises:
        InputError: what is in memory and what is named do not go together.
    """
    name, data = asked.name, asked.data is not None and not isinstance(asked.data, NAMED)
    if asked.named:
        there = {"name": name is not None, "data": data, "labels": asked.labels is not None}
        there |= {"private": isinstance(asked.private, Mapping), "target": isinstance(asked.target, Mapping)}
        wrong = next((word for word, given in there.items() if given), "")
        if wrong == "name":
            raise InputError(f"{asked.subject}: has a name; name is for what is in memory")
        if wrong:
            raise InputError(f"{asked.subject}: {wrong} in memory goes with a subject in memory; a name expected")
        return str(os.fspath(asked.subject))
    if asked.data is not None and not network and callable(asked.subject):
        kind = getattr(asked.subject, "__name__", type(asked.subject).__name__)[:60]
        raise InputError(f"{name or kind}: an nn.Module, made, is what images go through; {kind} is none")
    if asked.data is not None and not network:
        raise InputError(f"{name or 'embeddings'}: embeddings have their own labels and rows; data says nothing here")
    return name or (type(asked.subject).__name__ if network else "embeddings")


def _labels(asked: _Asked) -> dict[str, Any]:
    """All labels in memory, by name."""
    if isinstance(asked.target, Mapping) and len(asked.target) != 1:
        raise InputError(f"target has {len(asked.target)} names; one expected, as in target={{'hair': labels}}")
    apart = [part for part in (asked.private, asked.target) if isinstance(part, Mapping)]
    from leakaudit.python import memory

    parts = [*([] if asked.labels is None else [asked.labels]), *apart]
    memory.aligned(asked.subject, *parts)
    return memory.merged("labels", *(memory.columns(part, "labels") for part in parts))


def _command(asked: _Asked, words: Mapping[str, Any]) -> str:
    """The call as it would be typed; what is in memory by its kind and shape."""
    subject = repr(os.fspath(asked.subject)) if asked.named else _kind(asked.subject)
    said = {"private": asked.privates, "target": asked.target, "data": asked.data, "name": asked.name, **words}
    said["target"] = next(iter(asked.target)) if isinstance(asked.target, Mapping) else asked.target
    shown = (
        f"{word}={repr(value) if isinstance(value, PLAIN) else _kind(value)}"
        for word, value in said.items()
        if value is not None
    )
    return f"leakaudit.audit({', '.join([subject, *shown])})"


def _kind(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"<{type(value).__name__}{f' {tuple(shape)}' if shape is not None else ''}>"
