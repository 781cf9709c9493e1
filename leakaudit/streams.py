"""What is written to and never replaced: a device, a pipe, and the streams that a program was started with."""

from pathlib import Path

DEVICES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
"""Where the names of devices and streams are."""


def streams(path: Path) -> bool:
    """Whether a file that is renamed onto `path` would take the place of a device, a pipe or a stream."""
    if path.is_dir() or not path.exists():
        return False
    return not path.is_file() or path.absolute().parent in DEVICES
