"""What a person may ask of a file that was sent to them."""

from pathlib import Path


def asked_of(path: Path, images: Path) -> list[list[str]]:
    """What a person may ask of a file that was sent to them."""
    private = ["--private", "background", "--target", "digit"]
    return [
        ["read", str(path)],
        ["command", "inspect", str(path)],
        ["command", "attack", str(path), "--backbone", "mlp", "--data", f"arrays:file={images}", *private],
        ["command", "attack", str(path), *private],
    ]
