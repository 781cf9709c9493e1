"""
Every figure that a report names: its label, its unit, and which direction is better, once for all forms.

A `Difference` is one of `COMPARED`; the four figures of the first screen are `HEADLINE`. `private` and `target` in a
label stand for the names of the attribute and of the task.
"""

import re
from typing import Literal, NamedTuple

Unit = Literal["%", "points", "E", "bits"]
"""How a figure is written: a share as percent or, where two are subtracted, as percentage points; E; bits."""


class Measure(NamedTuple):
    """One figure."""

    figure: str
    """Its name in documents and tables for machines."""
    label: str
    """With its unit, where it has one, as the head of a row."""
    unit: Unit
    less_is_better: bool
    better: str
    """What is said of the model that is better in it."""
    meaning: str
    """In one clause."""
    brief: str
    """The label where there is little room."""


MEASURES = (
    Measure("private_accuracy", "{private} named right, %", "%", True, "leaks less",
            "mean share of each class of the attribute that the attacker names right, whatever the target",
            "{private} right, %"),
    Measure("excess", "excess advantage E", "E", True, "leaks less",
            "what is read beyond what the target tells: 0 nothing, 1 everything", "E"),
    Measure("bits", "usable bits", "bits", True, "leaks less",
            "what the attacker's probabilities save in naming the attribute", "bits"),
    Measure("share_of_raw", "share of what the raw input gives, %", "%", True, "leaks less",
            "E as a share of E from the raw input", "of raw input, %"),
    Measure("above_random", "E above a random encoder", "E", True, "leaks less",
            "E less that of an untrained encoder", "E above random"),
    Measure("target_accuracy", "{target} named right, %", "%", False, "is better",
            "share of rows in which the model does its own task", "{target} right, %"),
    Measure("worst_group", "{target} named right in the worst group, %", "%", False, "is better",
            "the model's own task in the group of target and attribute where it does worst", "worst group, %"),
    Measure("equalised_odds", "equalised-odds gap, percentage points", "points", True, "treats classes more alike",
            "the largest difference between two classes of the attribute in what the model takes for one target class",
            "odds gap, points"),
    Measure("upper", "smallest tolerance that could be passed, UCB*", "E", True, "leaks less",
            "the largest upper bound of any attacker", "UCB*"),
    Measure("mde", "smallest detectable E", "E", True, "",
            "what these rows would show in four of five cases", "detectable E"),
)  # fmt: skip
"""All of them."""
BY_NAME = {measure.figure: measure for measure in MEASURES}
HEADLINE = ("private_accuracy", "excess", "share_of_raw", "above_random")
"""The four figures of the first screen."""
COMPARED = ("private_accuracy", "excess", "bits", "target_accuracy", "worst_group", "equalised_odds")
"""What a comparison of two models may hold, in the order in which it is shown."""


def label(figure: str, *, private: str, target: str, brief: bool = False) -> str:
    """The label of a figure with the names in place; a figure that is not known is called by its own name."""
    found = BY_NAME.get(figure)
    if found is None:
        return figure.replace("_", " ")
    names = {"{private}": private, "{target}": target or "target"}
    return re.sub(r"\{private\}|\{target\}", lambda part: names[part[0]], found.brief if brief else found.label)


def unit(figure: str) -> Unit:
    """The unit of a figure; of one that is not known that of E, whose digits lose least."""
    found = BY_NAME.get(figure)
    return found.unit if found else "E"


def better(figure: str, difference: float) -> int | None:
    """Which of two models is better, 0 the first or 1 the second, by second less first; None where that is not said."""
    found = BY_NAME.get(figure)
    if found is None or difference == 0:
        return None
    return int((difference < 0) == found.less_is_better)


def says(figure: str) -> str:
    """What is said of the model that is better in a figure."""
    found = BY_NAME.get(figure)
    return found.better if found else "is better"
