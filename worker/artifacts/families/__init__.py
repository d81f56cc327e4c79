"""The families that are read, in order: the first to claim a path has it.

To add one, write a module with a `FAMILY` and list it here.
"""

from worker.artifacts.families import (
    architecture,
    decision,
    eip,
    epic,
    gate,
    gsd,
    handoff,
    kep,
    kiro,
    milestone,
    openspec,
    pep,
    prd,
    qa,
    retrospective,
    rust_rfc,
    speckit,
    sprint_status,
    story,
    swift_proposal,
)
from worker.artifacts.source import Family

FAMILIES: tuple[Family, ...] = (
    sprint_status.FAMILY,
    gate.FAMILY,
    kep.FAMILY,
    pep.FAMILY,
    eip.FAMILY,
    kiro.FAMILY,
    openspec.FAMILY,
    gsd.FAMILY,
    speckit.FAMILY,
    decision.FAMILY,
    rust_rfc.FAMILY,
    swift_proposal.FAMILY,
    retrospective.FAMILY,
    epic.FAMILY,
    story.FAMILY,
    handoff.FAMILY,
    milestone.FAMILY,
    qa.FAMILY,
    prd.FAMILY,
    architecture.FAMILY,
)
