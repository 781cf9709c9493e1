"""`leakaudit extract`: every image through the encoder once."""

from dataclasses import replace

import typer

from leakaudit import console, flags, options, progress, start


@flags.spread
def extract(subject: start.Subject, *, network: options.Network, rows: options.Rows, run: options.Passes) -> None:
    """Cache the bottleneck and the logits of every row; print the folder."""
    for split in (rows.split or "").split(","):
        auditor, terms = start.terms(replace(rows, split=split.strip() or None), run, network=network)
        work = auditor.together(auditor.find(subject, terms), terms)
        for made in progress.watch(work, f"extract {subject}", run.manner):
            typer.echo(auditor.folder(made, terms))
    console.say("exit 0: extracted")
