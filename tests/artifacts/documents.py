"""Reading the documents of these tests."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from worker.artifacts import Artifact, parse
from worker.artifacts.model import Reference

DOCUMENTS = Path(__file__).parent / "documents"
FOLDERS = {
    "1.2.session-tokens.story.md": "docs/stories",
    "2-3-export-ledger.md": "docs/implementation-artifacts",
    "epic-2-ledger.md": "docs/prd",
    "0012-keep-money-in-cents.md": "docs/adr",
    "0003-pick-a-queue.md": "docs/decisions",
    "2.3-export-ledger.yml": "docs/qa/gates",
    "sprint-status.yaml": "docs/sprint-artifacts",
}


def record(path: str, text: str) -> Artifact:
    """The artifact that `text` becomes at `path`; fails when it becomes none."""
    found = parse(path, "b10b", text.encode())
    assert found is not None
    return found


def stored(name: str) -> Artifact:
    """The artifact of a document kept beside these tests, at its usual place in a repository."""
    return record(f"{FOLDERS[name]}/{name}", (DOCUMENTS / name).read_text(encoding="utf-8"))


def all_stored() -> Iterator[Artifact]:
    return (stored(name) for name in FOLDERS)


def codes(artifact: Artifact) -> list[str]:
    """The codes of its warnings, in order."""
    return [warning.code for warning in artifact.warnings]


def targets(references: Iterable[Reference]) -> tuple[str, ...]:
    return tuple(reference.target for reference in references)
