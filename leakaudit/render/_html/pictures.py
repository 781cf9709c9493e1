"""Images rebuilt from the bottleneck, and what is read from them."""

from typing import Any

from leakaudit.render import Report, _entries, _figures, _thumbnails
from leakaudit.render._drawings import rebuilt as drawing
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.render._html.view import Section

FEW = 4
"""Models of which each is spoken of."""


def rebuilt(report: Report) -> Section | None:
    """Images rebuilt from the bottleneck, and what is read from them."""
    tables: list[dict[str, Any]] = []
    drawings = drawing.draw(report)
    for private, group in _entries.questions(report):
        made = [entry for entry in group if entry.attribute.reconstruction is not None]
        if made:
            drawn = [one for one in drawings if one.private == private]
            stored = bool(_thumbnails.held(made))
            tables.append({"private": private, "rows": [_reconstruction(entry) for entry in made], "drawn": drawn,
                           "stored": stored})  # fmt: skip
    if not tables:
        return None
    words = [
        f"{_figures.percent(part.reconstruction.private.private_accuracy.value)} % of {name}'s images"
        for entry in _entries.entries(report)
        if (part := entry.attribute).reconstruction and (name := entry.label)
    ]
    shares = [
        part.reconstruction.private.private_accuracy.value
        for entry in _entries.entries(report)
        if (part := entry.attribute).reconstruction
    ]
    lede = f"From images rebuilt out of the embedding alone, an attacker names the {tables[0]['private']}"
    body = {
        "tables": tables,
        "unshown": list(filter(None, (_thumbnails.withheld(report), *_thumbnails.unshown(report)))),
    }
    if len(tables) > 1:
        return Section("rebuilt", "Reconstruction", "What is read from images rebuilt out of the embedding.", body)
    if len(words) > FEW:
        words = [
            f"{_figures.percent(min(shares))} to {_figures.percent(max(shares))} % of the images of {len(words)} models"
        ]
    return Section("rebuilt", "Reconstruction", f"{lede} in {_figures.joined(words)}.", body)


def _reconstruction(entry: Entry) -> dict[str, Any]:
    made = entry.attribute.reconstruction
    assert made is not None

    def read(of: Any) -> tuple[str, str]:
        return f"{_figures.percent(of.private_accuracy.value)} %", _figures.bounds(of.private_accuracy, of="%")

    return {
        "entry": entry, "key": strips.key(entry.place), "made": made,
        "psnr": _figures.figure(made.psnr.value, "dB"), "psnr_bounds": _figures.bounds(made.psnr, of="dB"),
        "ssim": _figures.three(made.ssim.value), "ssim_bounds": _figures.bounds(made.ssim, of="SSIM"),
        "beside": [
            ("mean image", *(_pair(made.mean_image))), ("class mean", *(_pair(made.class_mean))),
        ],
        "read": read(made.private), "truth": read(made.truth), "class_mean": read(made.class_mean_private),
    }  # fmt: skip


def _pair(values: tuple[float, ...]) -> tuple[str, str]:
    return (_figures.figure(values[0], "dB"), _figures.three(values[1])) if len(values) == 2 else ("", "")  # noqa: PLR2004
