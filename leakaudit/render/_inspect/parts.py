"""What the forms of a dossier share: sentences, and tables that are folded where they are long."""

from collections import Counter
from collections.abc import Sequence

from leakaudit.dossier import Anatomy, Dossier, Fit, Kin, Layer, Unmatched

TENSORS, LAYERS, ROWS = 16, 40, 20
"""The most rows of tensors, of layers and of what does not match."""

Rows = list[tuple[str, ...]]


def head(made: Dossier) -> str:
    """What it is, in one line."""
    return f"{made.file_format}, {made.size:,} bytes" if made.size else made.file_format


def facts(made: Dossier) -> Rows:
    """What is known of the file, each by its name."""
    rows: Rows = [("sha256", made.sha256)] * bool(made.sha256)
    rows += [("taken off", ", ".join(made.taken_off))] * bool(made.taken_off)
    rows += [("beside", "; ".join(made.beside))] * bool(made.beside)
    rows += list(made.facts)
    if made.tensors:
        kinds = Counter(each.dtype for each in made.tensors)
        said = ", ".join(kinds) if len(kinds) == 1 else ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        rows.append(("tensors", f"{len(made.tensors):,} with {made.parameters:,} numbers, {said}"))
    elif made.parameters:
        rows.append(("numbers", f"{made.parameters:,}"))
    rows += [("built of", made.layout)] * bool(made.layout)
    return rows


def kin(made: Dossier) -> Rows:
    """Known networks with such tensors, and for what images, where those are not of three channels."""
    return [(each.backbone, f"{_likeness(each)}{_channels(each.channels)}") for each in made.kin]


def _likeness(each: Kin) -> str:
    if each.headless:
        return "all tensors of the file agree; it has no classifier"
    return "all tensors agree" if each.exact else f"{each.share:.0%} of the tensors agree"


def _channels(count: int) -> str:
    images = "grey images (1 channel)" if count == 1 else f"images of {count} channels"
    return "" if count == 3 else f", for {images}"  # noqa: PLR2004 (as most images have)


def alike(made: Dossier) -> str:
    """What the file does not tell of the networks that it fits, and how one without a classifier is filled."""
    whole = [each for each in made.kin if each.exact or each.headless]
    said = []
    if whole and whole[0].headless:
        said.append(
            f"Without a classifier it fills a network with --partial: --backbone {whole[0].backbone} --partial. The "
            "classifier is then fresh, and what it says of the target is chance; the bottleneck is the file's."
        )
    if len(whole) > 1:
        said.append(
            f"{len(whole)} networks have these tensors: the file does not tell which library it was trained with, and "
            "so not how its images were prepared; --size, --mean and --std say that."
        )
    return " ".join(said)


def unlike(made: Dossier) -> str:
    """That no known network has such tensors, where that was looked for."""
    if made.what != "weights" or made.fit is not None or any(each.exact or each.headless for each in made.kin):
        return ""
    if not any(len(each.shape) > 1 for each in made.tensors):
        return "No matrix of weights is among its tensors: this is no network."
    far = f" ({made.sought})" * bool(made.sought)
    return (
        f"No known network was found that has these tensors{far}. If it is one of a "
        "library, name that: --backbone timm:NAME. Else write the network as a function in a file of yours, and name "
        "it: --backbone FILE.py:FUNCTION (its code is run)."
    )


def tensors(made: Dossier) -> tuple[Rows, int]:
    """Names, shapes and types of the first and the last tensors, and how many are left out between them."""
    rows: Rows = [(each.name, size(each.shape), each.dtype) for each in made.tensors]
    left = len(rows) - TENSORS
    if left <= 1:
        return rows, 0
    first = TENSORS // 2
    return [*rows[:first], (f"... {left:,} more", "", ""), *rows[len(rows) - first :]], left


def fit(found: Fit) -> str:
    """How much of the network is filled."""
    return f"{found.filled:,} of {found.wanted:,} tensors of {found.backbone} are filled"


def unmatched(found: Fit) -> tuple[Rows, int]:
    """What does not match, and how many are left out."""
    rows = [_row(each) for each in found.unmatched[:ROWS]]
    return rows, max(0, len(found.unmatched) - ROWS)


def layers(found: Anatomy) -> tuple[list[Layer], int]:
    """The layers that are shown, and how many lie deeper: as deep as there is room for, and the classifier always."""
    depths = sorted({each.depth for each in found.layers}, reverse=True)
    for depth in depths:
        shown = [each for each in found.layers if each.depth <= depth or each.bottleneck]
        if len(shown) <= LAYERS:
            return shown, len(found.layers) - len(shown)
    shown = [each for each in found.layers if each.depth == 0 or each.bottleneck]
    most = LAYERS // 2
    cut = [*shown[:most], *shown[len(shown) - most :]] if len(shown) > LAYERS else shown
    return cut, len(found.layers) - len(cut)


def entrance(found: Anatomy) -> str:
    """For what image the shapes are, and what the bottleneck is."""
    image = size(found.shape) if all(found.shape) else f"{size(found.shape)} (? as large as it comes)"
    marked = next((each.name for each in found.layers if each.bottleneck), "")
    where = f"the input of {found.classifier}" if found.classifier else f"what {marked} puts out" if marked else ""
    told = f"the bottleneck is {where}, {found.width:,} numbers, before {found.classes:,} logits" if where else ""
    return f"Layers, for an image of {image}; {told or 'no bottleneck is found: name a layer with --layer'}"


def size(shape: Sequence[int]) -> str:
    """`64x112x112`; `?` for a size that is not known, `-` for one number or nothing."""
    return "x".join(str(side or "?") for side in shape) or "-"


def _row(each: Unmatched) -> tuple[str, ...]:
    return each.what, each.name, f"{each.found} for {each.wanted}" if each.wanted else ""
