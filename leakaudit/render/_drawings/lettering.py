"""
Words in a figure: how wide they are, how they are cut, and where they stand without touching anything.

Widths are those of DejaVu Sans, which is wider than what most systems set in its place: words that do not touch here
touch nowhere.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

from leakaudit.render._drawings import svg

ADVANCE = {
    False: "3241468464967828404050843237323464646464646464646464343484848454996969707864587876303066568775796179"
    "706462746999696269403440845050626455646236646428285828986462646442534064608260605364346484",
    True: "3546538470998831464653843842383770707070707070707070404084848459997877748469698384383878649984867486"
    "787369827899787373463746845050687260726844727235356735997269727250604872669365665972377284",
}
"""Hundredths of an em of the letters from space to tilde, two digits each; none more than 99."""
BROADEST = {"W": 1.11, "%": 1.01, "@": 1.01, "M": 1.0}
"""Em of the letters that two digits cannot say."""
EM = 12
"""Pixels."""
USUAL, FULL = 0.7, 1.02
"""Em of a letter that is not ASCII, and of one as wide as it is high."""
TAIL, LETTERS = 0.4, 200
"""Share of the room that the end of cut words takes, and letters that are looked at."""
WIDE_FROM = 0x1100
"""Where scripts begin whose letters are as wide as they are high."""
Box = tuple[float, float, float, float]
SPOTS = (
    (1, -9, "s"),
    (-1, -9, "e"),
    (1, 19, "s"),
    (-1, 19, "e"),
    (1, 4, "s"),
    (-1, 4, "e"),
    (0, 26, "m"),
    (0, -16, "m"),
)
"""Where a label is tried: side, pixels down from the point to the foot of the letters, and what of it stands there."""
ENDS = {"s": "start", "m": "middle", "e": "end"}
LEVEL = 4
"""Pixels from the middle of letters to their foot."""


def wide(words: str, *, strong: bool = False, size: float = EM) -> float:
    """How many pixels the words take at most."""
    return size * sum(_advances(words, strong=strong))


def cut(words: str, room: float, *, strong: bool = False) -> str:
    """The words; of those that do not fit the beginning and the end, which is where names of one family differ."""
    if wide(words[:LETTERS], strong=strong) <= room and len(words) <= LETTERS:
        return words
    left = room - wide("\N{HORIZONTAL ELLIPSIS}", strong=strong)
    tail = _fits(words[::-1][:LETTERS], TAIL * left, strong=strong)
    head = _fits(words[:LETTERS], left - wide(words[len(words) - tail :], strong=strong), strong=strong)
    return f"{words[:head].rstrip()}\N{HORIZONTAL ELLIPSIS}{words[len(words) - tail :].lstrip()}"


def _fits(words: str, room: float, *, strong: bool) -> int:
    """How many of the first letters fit."""
    ends = itertools.accumulate(EM * advance for advance in _advances(words, strong=strong))
    return sum(end <= room for end in ends)


def _advances(words: str, *, strong: bool) -> Iterator[float]:
    """Em of each letter."""
    table = ADVANCE[strong]
    for letter in words:
        place = 2 * (ord(letter) - 32)
        if strong and letter in BROADEST:
            yield BROADEST[letter]
        elif 0 <= place < len(table) - 1:
            yield int(table[place : place + 2]) / 100
        else:
            yield FULL if ord(letter) >= WIDE_FROM and letter not in "\u202f\u2212\u2032" else USUAL


def fine(words: str) -> str:
    """Figures as a printer sets them: a true minus, and a narrow space before %."""
    return re.sub(r"(?<=\d) %", "\u202f%", re.sub(r"(?<![\w.:/-])-(?=\d)", "\N{MINUS SIGN}", words))


def spread(wanted: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """
    Places at least `step` apart, each as near as may be to where it is wanted, in the same order.

    Neighbours that would touch share a block around their mean. Where `low` to `high` is too short for all of them they
    stand closer, evenly.
    """
    if not wanted:
        return []
    step = min(step, (high - low) / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[list[int]] = []
    for i in order:
        blocks.append([i])
        while len(blocks) > 1 and _start(blocks[-2], wanted, step, low, high) + step * len(blocks[-2]) > _start(
            blocks[-1], wanted, step, low, high
        ):
            last = blocks.pop()
            blocks[-1] += last
    places = [0.0] * len(wanted)
    for block in blocks:
        start = _start(block, wanted, step, low, high)
        for k, i in enumerate(block):
            places[i] = start + step * k
    return places


def _start(block: Sequence[int], wanted: Sequence[float], step: float, low: float, high: float) -> float:
    middle = sum(wanted[i] for i in block) / len(block) - step * (len(block) - 1) / 2
    return max(low, min(high - step * (len(block) - 1), middle))


class Room:
    """The room in a figure that nothing has taken yet."""

    def __init__(self, left: float, top: float, right: float, bottom: float) -> None:
        """Words stay between these."""
        self.edge = (left, top, right, bottom)
        self.taken: list[Box] = []
        self.lines: list[Box] = []

    def take(self, x: float, y: float, half: float) -> None:
        """A mark stands here, which no words may touch."""
        self.taken.append((x - half, y - half, x + half, y + half))

    def cross(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A level or upright line runs here, which words rather do not touch."""
        self.lines.append((min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2) + 1, max(y1, y2) + 1))

    def label(self, x: float, y: float, words: str, *, strong: bool = False, gap: float = 10, far: int = 1) -> str:
        """
        The words beside a point, where they touch no mark and no other words, and the fewest lines; else nothing.

        Where `far` is more than one, places farther off are tried, and a thin line leads from the point to the words.
        """
        long, best, least = wide(words, strong=strong), None, float("inf")
        for ring, (side, down, anchor) in itertools.product(range(far), SPOTS):
            at = x + side * (gap + 12 * ring)
            foot = y + down + 15 * ring * (0 if down == LEVEL else 1 if down > LEVEL else -1)
            left = at - {"s": 0, "m": long / 2, "e": long}[anchor]
            box = (left, foot - 11, left + long, foot + 3)
            if not self._inside(box) or any(_touch(box, other) for other in self.taken):
                continue
            cost = 1.5 * ring + sum(_touch(box, other) for other in self.lines)
            if cost < least:
                best, least = (ring, at, foot, anchor, box), cost
        if best is None:
            return ""
        ring, at, foot, anchor, box = best
        self.taken.append(box)
        lead = svg.line(x, y, at, foot - 4, ink=0.35) if ring else ""
        return lead + svg.text(at, foot, words, anchor=ENDS[anchor], strong=strong)

    def _inside(self, box: Box) -> bool:
        left, top, right, bottom = self.edge
        return box[0] >= left and box[1] >= top and box[2] <= right and box[3] <= bottom


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
