"""The families that are read, in order: the first to claim a path has it.

To add one, write a module with a `FAMILY` and list it here.
"""

from worker.artifacts.families import decision, epic, gate, story
from worker.artifacts.source import Family

FAMILIES: tuple[Family, ...] = (gate.FAMILY, decision.FAMILY, epic.FAMILY, story.FAMILY)
