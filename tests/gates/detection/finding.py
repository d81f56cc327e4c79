"""Short ways to say what is found in a tree."""

import json
import shlex
from pathlib import Path

from worker.gates.detection import Detection, Found, Hollow, Missing, detect
from worker.gates.model import Command, GateType


def command(tree: Path, gate: GateType) -> Command:
    """The command for `gate`; fails when there is none to run."""
    found = detect(tree, gate)
    assert isinstance(found, Found), found
    return found.command


def line(tree: Path, gate: GateType) -> str:
    """The command for `gate` as one line."""
    return shlex.join(command(tree, gate).argv)


def hollow(tree: Path, gate: GateType) -> Hollow:
    """The command for `gate` that cannot fail; fails when it is anything else."""
    found = detect(tree, gate)
    assert isinstance(found, Hollow), found
    return found


def missing(tree: Path, gate: GateType) -> str:
    """Why there is nothing to run; fails when there is."""
    found: Detection = detect(tree, gate)
    assert isinstance(found, Missing), found
    return found.reason


def package(**scripts: str) -> str:
    """A package.json with these scripts; `__` in a name stands for a colon, `_` for a hyphen."""
    names = {n.replace("__", ":").replace("_", "-"): script for n, script in scripts.items()}
    return json.dumps({"name": "ledger", "scripts": names})
