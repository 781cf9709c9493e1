"""How a command that audits begins: options become the terms of the audit, and heavy libraries are loaded."""

import shlex
import sys
from typing import Annotated, Any

import typer

from leakaudit import console, options, store

Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="Checkpoint, trained recipe, or file.")]


def terms(rows: options.Rows, run: options.Passes, **more: Any) -> Any:
    """The auditor, and the terms it works on; heavy libraries are loaded from here on."""
    model, gates, network = more.pop("model", None), more.pop("gates", ()), more.pop("network")
    if model is not None:
        more |= {"private": model.privates, "target": model.target}
    console.share("--tolerance", more.get("tolerance", 0.5))
    from leakaudit import auditor, own_code, subject
    from leakaudit.numerics.gather import ranks

    if network.backbone and own_code.named(network.backbone) and ranks().first:
        console.say(own_code.warning(network.backbone))
    given = vars(network) | {"layer": tuple(network.layer or ())} | vars(rows)
    home = store.open_store(run.store) if ranks().first else run.store
    place = {"store": home, "device": more.pop("device", None) or device(run), "seed": run.seed}
    made = subject.Terms(
        **(given | place | more),
        batch_size=run.batch_size,
        amp=run.amp,
        gates=gates,
        command=shlex.join(["leakaudit", *sys.argv[1:]]),
    )
    return auditor, made


def device(run: options.Run) -> str:
    """The device that `--device` means here."""
    from leakaudit.numerics import device as devices

    return devices.resolve(run.device)
