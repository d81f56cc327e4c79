"""Finding a repository's own checks, without running anything of it."""

from collections.abc import Callable
from pathlib import Path

from worker.gates.detection import compiled, make, node, own, python
from worker.gates.detection.found import Detection, Found, Hollow, Malformed, Missing
from worker.gates.files import Files
from worker.gates.model import GateType

__all__ = ["Detection", "Found", "Hollow", "Malformed", "Missing", "detect"]

_Finder = Callable[[Files, GateType], Detection]
_FINDERS: tuple[_Finder, ...] = (
    node.find,
    python.find,
    compiled.find_go,
    compiled.find_cargo,
    make.find,
    node.find_nested,
    python.find_nested,
)


def detect(tree: Path, gate: GateType) -> Detection:
    """The command for `gate` of the repository in `tree`. Never fails, whatever is in there.

    The project's own configuration decides alone. Otherwise the first command that can fail is
    taken, and only where there is none the first that cannot.
    """
    files = Files(tree)
    told = own.find(files, gate)
    if told is not None:
        return told
    hollow: Hollow | None = None
    reasons = list[str]()
    for find in _FINDERS:
        detection = find(files, gate)
        if isinstance(detection, Found):
            return detection
        if isinstance(detection, Hollow):
            hollow = hollow or detection
        elif isinstance(detection, Missing | Malformed) and detection.reason:
            reasons.append(detection.reason)
    return hollow or Missing("; ".join(reasons))
