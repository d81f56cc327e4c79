"""Runs a command that nobody vouches for: isolated, limited, and ended as a whole."""

from worker.gates.sandbox.egress import Egress
from worker.gates.sandbox.limits import Limits, Over, Ran
from worker.gates.sandbox.mounts import HOME, TREE
from worker.gates.sandbox.sandbox import Sandbox

__all__ = ["HOME", "TREE", "Egress", "Limits", "Over", "Ran", "Sandbox"]
