"""`leakaudit extract`: every image through the encoder once, in this process, those of torchrun, or jobs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import typer

from leakaudit import console, flags, options, progress, scale, start


@flags.spread
def extract(
    subject: start.Subject,
    *,
    network: options.Network,
    rows: options.Rows,
    run: options.Passes,
    engine: scale.Chosen = None,
) -> None:
    """Cache the bottleneck and the logits of every row; print the folder."""
    from leakaudit import auditor, crew, farming

    with crew.mustered(farming.device(run.device) if engine else run.device) as (device, ours):
        for split in (rows.split or "").split(","):
            asked = partial(
                start.terms, replace(rows, split=split.strip() or None), run, network=network, device=device
            )
            if not ours.first:
                ours.follow(partial(_ready, subject, asked))
                continue
            with ours.leading() as ranked:
                _, terms = asked()
                jobs = engine and farming.make(scale.run(engine), subject, replace(terms, device=run.device))
                work = auditor.together(auditor.find(subject, terms), terms, jobs or ranked)
                for made in progress.watch(work, f"extract {subject}", run.manner):
                    typer.echo(auditor.folder(made, terms))
    if ours.first:
        console.say("exit 0: extracted")


def _ready(subject: str, asked: Callable[[], Any]) -> Any:
    """What this process has found by itself, to pass its share."""
    auditor, terms = asked()
    return auditor.helped(auditor.find(subject, terms), terms)
