"""Proposals and specifications kept beside these tests, and where they lie in a repository."""

from pathlib import Path

from tests.artifacts.documents import record
from worker.artifacts import Artifact

SPECIFICATIONS = Path(__file__).parent / "specifications"
GOLDEN = Path(__file__).parent / "golden"
PLACES = {
    "quiet-mode-kep.yaml": "keps/sig-cranes/4021-quiet-mode/kep.yaml",
    "calm-imports-pep.rst": "peps/pep-9121.rst",
    "tide-fees-eip.md": "EIPS/eip-9301.md",
    "lazy-anchors-rfc.md": "text/4512-lazy-anchors.md",
    "soft-errors-swift.md": "proposals/9044-soft-errors.md",
    "log4brains-adr.md": "docs/adr/20230109-moor-with-ropes.md",
    "packed-adr.md": "docs/adr/0031-one-ledger.md",
    "speckit-spec.md": "specs/007-berth-reservations/spec.md",
    "speckit-plan.md": "specs/007-berth-reservations/plan.md",
    "speckit-tasks.md": "specs/007-berth-reservations/tasks.md",
    "speckit-data-model.md": "specs/007-berth-reservations/data-model.md",
    "speckit-constitution.md": ".specify/memory/constitution.md",
    "kiro-requirements.md": ".kiro/specs/berth-booking/requirements.md",
    "kiro-design.md": ".kiro/specs/berth-booking/design.md",
    "kiro-tasks.md": ".kiro/specs/berth-booking/tasks.md",
    "kiro-steering.md": ".kiro/steering/product.md",
    "openspec-spec.md": "openspec/specs/berth-booking/spec.md",
    "openspec-proposal.md": "openspec/changes/add-waiting-lists/proposal.md",
    "openspec-tasks.md": "openspec/changes/add-waiting-lists/tasks.md",
    "openspec-delta.md": "openspec/changes/add-waiting-lists/specs/berth-booking/spec.md",
    "gsd-roadmap.md": ".planning/ROADMAP.md",
    "gsd-requirements.md": ".planning/REQUIREMENTS.md",
    "gsd-state.md": ".planning/STATE.md",
    "gsd-plan.md": ".planning/phases/02-booking/02-01-PLAN.md",
}


def text_of(name: str) -> str:
    return (SPECIFICATIONS / name).read_text(encoding="utf-8")


def specified(name: str, path: str | None = None) -> Artifact:
    """The artifact of a stored document at its usual place, or at `path`."""
    return record(path or PLACES[name], text_of(name))
