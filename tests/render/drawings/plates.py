"""Reports of many made-up models, and what a figure of them is made of."""

import functools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import synthetic
from made_up import interval
from PIL import ImageFont

from leakaudit.audits import Audit, worst
from leakaudit.render import Report
from leakaudit.render._drawings import apart
from leakaudit.render._drawings.drawing import Drawing

SPACE = "{http://www.w3.org/2000/svg}"
METHODS = ("vanilla", "end", "fairkl", "adv-erase", "lnl", "rubi", "rebias", "groupdro", "mixup", "learned-mixin")
READ = (0.9, 0.45, 0.62, 0.05, 0.86, 0.7, 0.55, 0.3, 0.8, 0.2)
"""Chance that the strongest attacker of each method knows the answer."""
DONE = (0.93, 0.96, 0.91, 0.9, 0.93, 0.94, 0.95, 0.85, 0.97, 0.88)
"""How often each method's model is right about its own task."""
SMALL = replace(synthetic.VANILLA, rows=600, reconstruction=False, pictures=False)
EVIL = '<script>alert("x")</script>"><img src=x onerror=y>\u202etxt' + "W" * 10_000
"""A name that nobody means well with."""


def report(audits: Sequence[Audit]) -> Report:
    """A report without comparisons."""
    return Report(tuple(audits), (), (), worst(tuple(part for audit in audits for part in audit.attributes)).verdict)


@functools.cache
def models(count: int, attributes: int = 1) -> Report:
    """Any number of models; every further ten leak a little less and do their task a little worse."""
    made = []
    for i in range(count):
        name = METHODS[i % 10] + "-high" * (i // 10)
        plan = replace(
            SMALL, name=f"digits/{name}", strength=READ[i % 10] * (1 - 0.02 * i), seed=i, model=f"{i % 16:x}"
        )
        plans = [plan, replace(plan, private="style", classes=("thin", "bold"), strength=0.3)][:attributes]
        audit, _ = synthetic.audit(*plans)
        made.append(with_task(audit, DONE[i % 10] - 0.003 * i))
    return report(made)


def with_task(audit: Audit, share: float) -> Audit:
    """The audit of a model that is right about its own task in this share of rows."""
    assert audit.utility is not None
    return replace(audit, utility=replace(audit.utility, accuracy=interval(share, 600)))


@functools.cache
def sweep(methods: tuple[str, ...], rhos: tuple[float, ...], seeds: int = 1) -> Report:
    """Models of several methods, each trained with several values of rho and several seeds."""
    made = []
    for m, method in enumerate(methods):
        for r, rho in enumerate(rhos):
            for seed in range(seeds):
                strength = min(0.98, READ[m % 10] + 0.12 * r + 0.02 * seed)
                name = f"mnist/{method.partition(':')[0]}@{m}{r}{seed}00000"
                audit, _ = synthetic.audit(replace(SMALL, name=name, strength=strength, seed=9 * m + 3 * r + seed))
                about = {"method": method, "trained_on": f"biased-mnist:test_rho=0.1,rho={rho},side=28", "seed": seed}
                made.append(replace(with_task(audit, 0.97 - 0.05 * r), subject={**audit.subject, **about}))
    return report(made)


@functools.cache
def hostile() -> Report:
    """Two models over two values of rho in which every name is a hostile one."""
    made = []
    for i, rho in enumerate((0.5, 0.9)):
        plan = replace(SMALL, name=f"{EVIL}{i}", private=EVIL, target=f"{EVIL}?", targets=(EVIL, "1", "2\ufffe"))
        audit, _ = synthetic.audit(plan)
        about = {"method": EVIL, "trained_on": f"digits:rho={rho}", "overrides": {"dataset.rho": rho}}
        made.append(replace(audit, subject={**audit.subject, **about}))
    return report(made)


def parsed(drawing: Drawing) -> ET.Element:
    """The figure as a file of its own; fails where that is no XML."""
    return ET.fromstring(apart.svg(drawing))  # noqa: S314 (made here)


def words(root: ET.Element) -> list[str]:
    """Every text that is drawn."""
    return ["".join(each.itertext()) for each in root.iter(f"{SPACE}text")]


@functools.cache
def font(name: str) -> ImageFont.FreeTypeFont:
    """One of the two fonts that figures are written with."""
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), 120)


def extents(root: ET.Element) -> Iterator[tuple[str, float, float]]:
    """What is drawn, with the least and the largest x and y of it in turn: texts as wide as they are set."""
    for each in root.iter():
        kind = each.tag.removeprefix(SPACE)
        at = {key: float(value) for key, value in each.attrib.items() if re.fullmatch(r"-?\d+(\.\d+)?", value)}
        if kind == "text":
            said = "".join(each.itertext())
            long = font(apart.FILES["font-weight" in each.attrib]).getlength(said) / 10
            left = at["x"] - {"start": 0, "middle": long / 2, "end": long}[each.get("text-anchor", "start")]
            yield f"x {said}", left, left + long
            yield f"y {said}", at["y"] - 11, at["y"] + 3
        elif kind == "line":
            yield f"x {each.attrib}", *sorted((at["x1"], at["x2"]))
            yield f"y {each.attrib}", *sorted((at["y1"], at["y2"]))
        elif kind == "circle":
            yield f"x {each.attrib}", at["cx"] - at["r"], at["cx"] + at["r"]
            yield f"y {each.attrib}", at["cy"] - at["r"], at["cy"] + at["r"]
        elif kind == "rect" and each.get("fill") != apart.PAPER:
            yield f"x {each.attrib}", at["x"], at["x"] + at["width"]
            yield f"y {each.attrib}", at["y"], at["y"] + at["height"]


def beyond(drawing: Drawing, slack: float = 1.0) -> list[str]:
    """What lies outside the figure's own frame, its margin apart."""
    found = re.search(r'width="([\d.]+)" height="([\d.]+)"', str(drawing.svg))
    assert found is not None
    edge = {"x": float(found[1]), "y": float(found[2])}
    return [
        f"{what}: {low:.1f} to {high:.1f} of {edge[what[0]]}"
        for what, low, high in extents(parsed(drawing))
        if low < -slack or high > edge[what[0]] + slack
    ]
