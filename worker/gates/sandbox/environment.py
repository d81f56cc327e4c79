"""The variables of a command: a few constants, and what the caller gives. Nothing is inherited."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.gates.sandbox import proxy
from worker.gates.sandbox.mounts import HOME, TEMPORARY

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_CONSTANT = {"LANG": "C.UTF-8", "TERM": "dumb", "CI": "true"}


def isolated(tools: Sequence[Path], given: Mapping[str, str], *, network: bool) -> dict[str, str]:
    """For a command in the sandbox; programs in the `bin` of `tools` are found first."""
    return {
        **_CONSTANT,
        "PATH": path(tools, bare=False),
        "HOME": str(HOME),
        "TMPDIR": TEMPORARY,
        **(proxy.variables() if network else {}),
        **given,
    }


def bare(tools: Sequence[Path], given: Mapping[str, str], room: Path) -> dict[str, str]:
    """For a command that is not isolated."""
    return {
        **_CONSTANT,
        "PATH": path(tools, bare=True),
        "HOME": str(room / "home"),
        "TMPDIR": str(room / "tmp"),
        **given,
    }


def path(tools: Sequence[Path], *, bare: bool) -> str:
    """The directories where programs are looked for."""
    system = os.environ.get("PATH", SYSTEM_PATH) if bare else SYSTEM_PATH
    return ":".join((*(str(tool / "bin") for tool in tools), system))
