"""What a reader of a description must be told first, in plain words."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from leakaudit.description import Attribute, Cross, Description, Label, Reach, Split
from leakaudit.protocol import GROUPS, GROUPS_PER_CELL, LARGEST_MDE

STRONG = 0.3
"""Cramer's V, without what chance adds, from which a target is said to tell the private attribute."""

SURE = 0.1
"""What its lower bound must reach."""
GAIN = 0.02
"""Share of rows named right by the target above that of the commonest class, from which rows are spoken of."""
MANY = 30
"""Classes that are whole numbers above which they are perhaps amounts."""
WHOLE = re.compile(r"[+-]?\d+")


def warned(made: Description) -> Description:
    """The description with its warnings: those of all attributes, and those of each."""
    attributes = tuple(replace(part, warnings=_said(_of_attribute(made, part))) for part in made.attributes)
    return replace(made, attributes=attributes, warnings=_said(_of_data(made)))


def _said(words: Iterable[str]) -> tuple[str, ...]:
    """Each once, as a sentence."""
    return tuple(dict.fromkeys(f"{each[:1].upper()}{each[1:]}." for each in words if each))


def _of_data(made: Description) -> Iterator[str]:
    for split in made.splits:
        if split.unreadable:
            yield _unreadable(split, split.unreadable, skips="skip_unreadable" in made.knobs)
    yield _numbered(made.target, made)
    for part in made.overlaps:
        both = f"both {part.first} and {part.second}"
        pair = {part.first, part.second} == {made.audited, made.trained}
        if part.rows and pair:
            yield f"{part.rows:,} images are in {both}: a model that was trained on them is not audited on them"
        if part.groups and pair:
            of = next(each.groups.name for each in made.splits if each.groups)
            yield f"{part.groups:,} groups ({of}) have rows in {both}: what is read of them may be remembered"
        if part.copies:
            one = f", as {part.examples[0][1]} of {part.examples[0][0]}" if part.examples else ""
            yield f"{_copies(part.copies, part.second)} of images of {part.first}{one}"
    for split in made.splits:
        if split.copies:
            yield f"{_copies(split.copies, split.split)} of {'others' if split.copies > 1 else 'another'} there"
        if split.target_missing:
            yield _missing(made.target.name, split.target_missing, split)
    for note in dict.fromkeys(note for split in made.splits for note in split.notes):
        said = [split.split for split in made.splits if note in split.notes]
        yield note if len(said) == len(made.splits) else f"{', '.join(said)}: {note}"


def _of_attribute(made: Description, part: Attribute) -> Iterator[str]:
    name = part.private.name
    yield _numbered(part.private, made)
    for cross in sorted(part.crosses, key=lambda each: (each.split != made.trained, each.split != made.audited)):
        yield _strong(cross, name, made.target.name)
    for cross, split in zip(part.crosses, made.splits, strict=True):
        if cross.split == made.audited and cross.refused:
            yield f"an audit of split {cross.split} would be refused: {cross.refused}"
        if cross.split == made.audited and cross.reach is not None:
            yield from _decides(cross, cross.reach, made, part)
        if cross.split in (made.audited, made.trained):
            yield _cells(cross, made.handful)
        if cross.missing:
            yield _missing(name, cross.missing, split)


def _unreadable(split: Split, count: int, *, skips: bool) -> str:
    names = ", ".join((*split.unreadable_examples, *(["..."] if count > len(split.unreadable_examples) else [])))
    them = "them" if count > 1 else "it"
    left = f"; skip_unreadable leaves {them} out" if skips else ""
    many = f"{count:,} of {split.rows:,} images of split {split.split} cannot be read ({names})"
    return f"{many}: train and attack stop at {them}{left}"


def _numbered(label: Label, made: Description) -> str:
    count = len(label.classes)
    if label.note or count <= MANY or "numbers" not in made.knobs or not all(map(WHOLE.fullmatch, label.classes)):
        return ""
    knob = f"the knob numbers={label.name} makes them numbers, which are cut into bins"
    return f"the {count:,} whole numbers of {label.name} are taken as classes; {knob}"


def _copies(count: int, split: str) -> str:
    return f"{count:,} images of {split} are copies" if count > 1 else f"1 image of {split} is a copy"


def _missing(name: str, rows: int, split: Split) -> str:
    return f"{name} is missing in {rows:,} of {split.rows:,} rows of split {split.split}: left out"


def _cells(cross: Cross, handful: int) -> str:
    few = f"{cross.few} of its cells hold{'s' * (cross.few == 1)} {handful} rows or fewer" if cross.few else ""
    empty = f"{cross.empty}{'' if few else ' of its cells'} {'is' if cross.empty == 1 else 'are'} empty"
    said = " and ".join(filter(None, (few, empty if cross.empty else "")))
    return f"split {cross.split}: {said}" if said else ""


def _strong(cross: Cross, name: str, target: str) -> str:
    found = cross.association
    strength = found.value if found is not None else cross.cramers_v
    if strength is None or strength < STRONG or (found is not None and found.low < SURE):
        return ""
    if cross.accuracy is None or cross.majority is None or cross.balanced_accuracy is None or cross.chance is None:
        return ""
    who = f"an attacker who knows the {target} alone names"
    if cross.accuracy - cross.majority < GAIN:
        each = f"{_percent(cross.balanced_accuracy)} % of each {name} on average (guessing: {_percent(cross.chance)} %)"
        return f"in split {cross.split} the {name} goes with the {target}: {who} {each}"
    rows = f"in split {cross.split} the {name} follows the {target} in {_percent(cross.accuracy)} % of rows"
    return f"{rows}: {who} so many (the commonest {name}: {_percent(cross.majority)} %)"


def _decides(cross: Cross, reach: Reach, made: Description, part: Attribute) -> Iterator[str]:
    many, worst = f"{cross.smallest:,} row{'s' * (cross.smallest != 1)}", reach.mde_grouped
    grouped = ""
    if worst is not None and worst > reach.mde:
        grouped = f" (below {worst:.2f} where the rows of a group are hit or missed together)"
    yield (
        f"split {cross.split} has {many} in its smallest cell ({', '.join(cross.smallest_cell)}); with these rows an E "
        f"below {reach.mde:.2f} cannot be told from 0{grouped}"
    )
    tau = max(f"{made.tolerance:.2f}", f"{made.tolerance:g}", key=len)
    enough = (
        f"about {reach.rows_of_this_mix:,} rows of this mix, or {reach.rows_balanced:,} in which the "
        f"{part.private.name} is balanced within the {made.target.name}, would do"
    )
    audit = f"an audit of split {cross.split}"
    few = f"bounds need {GROUPS} groups, and {GROUPS_PER_CELL} in each (target, private) cell"
    if reach.mde > LARGEST_MDE:
        yield f"{audit} is INCONCLUSIVE whatever the model does; {enough}{'' if reach.bounded else f', and {few}'}"
    elif not reach.bounded:
        yield f"{audit} can detect a leak but not say how large it is: {few}"
    elif not reach.absence:
        can = "can end in LEAK, but neither in WITHIN nor in NOT_FOUND," if reach.leak else "cannot conclude anything"
        yield f"{audit} {can} at tolerance {tau}; {enough}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
