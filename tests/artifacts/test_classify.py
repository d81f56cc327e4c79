"""Which paths are read at all, and by which family."""

import time

import pytest

from worker.artifacts import classify, parse


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("docs/stories/1.1.story.md", "story"),
        ("docs/stories/1.1.sign-in.story.md", "story"),
        ("docs/stories/1.2.validation-ui.story.md", "story"),
        ("docs/stories/1.1-sign-in.md", "story"),
        ("Docs/Stories/1.1-Sign-In.MD", "story"),
        ("notes/anywhere/1.1.story.md", "story"),
        ("_bmad-output/implementation-artifacts/1-1-sign-in.md", "story"),
        ("docs/sprint-artifacts/2-10-sign-in.md", "story"),
        ("docs/sprint-artifacts/stories/2-10-sign-in.md", "story"),
        ("docs/story-1.14-sign-in.md", "story"),
        ("docs/stories/epic-2/2.1.md", "story"),
        ("docs/epics/epic-2/story-2.1.md", "story"),
        ("docs/epics/02-ledger/2.1.sums.md", "story"),
        ("docs/epics/epic-2.md", "epic"),
        ("docs/epics/2-ledger.md", "epic"),
        ("docs/prd/epic-2-ledger.md", "epic"),
        ("docs/stories/epic-2-ledger.md", "epic"),
        ("docs/epics.md", "epic"),
        ("docs/adr/0001-x.md", "adr"),
        ("doc/architecture/decisions/0001-x.md", "adr"),
        ("docs/decisions/use-x.md", "adr"),
        ("docs/adr-0007-x.md", "adr"),
        ("docs/qa/gates/1.1-sign-in.yml", "gate"),
        ("docs/sprint-artifacts/sprint-status.yaml", "sprint-status"),
        ("_bmad-output/implementation-artifacts/Sprint-Status.yml", "sprint-status"),
        ("docs/qa/gates/1.1-sign-in.yaml", "gate"),
    ],
)
def test_documents(path: str, kind: str) -> None:
    family = classify(path)
    assert family is not None
    assert family.kind == kind


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        ".md",
        "README.md",
        "docs/adr/README.md",
        "docs/adr/template.md",
        "docs/stories/index.md",
        "docs/stories/1.1.story.txt",
        "docs/stories/1.1.story.md.bak",
        "docs/sprint-artifacts/sprint-plan.yaml",
        "docs/sprint-artifacts/tech-spec-epic-1.md",
        "docs/stories.md",
        "docs/history-1.1.md",
        "docs/epicurean.md",
        "docs/adriatic.md",
        "checklists/story-dod-checklist.md",
        ".github/workflows/gates.yml",
        "docs/qa/gates/notes.md",
        "node_modules/pkg/docs/adr/0001-x.md",
        "docs/stories/caf\udce9.story.md",
        "docs/stories/nul\0.story.md",
        "src/main.py",
    ],
)
def test_everything_else(path: str) -> None:
    assert classify(path) is None
    assert parse(path, "b", b"# Story 1.1: X\n\n## Story\n\n## Acceptance Criteria\n") is None


def test_ten_thousand_paths_take_no_time() -> None:
    paths = [
        f"{folder}/{number}-{name}"
        for number in range(500)
        for folder in ("docs/stories", "src/components/deep/er", "docs/guides", "docs/adr")
        for name in ("one.md", "two.py", "three.yml", "four.story.md", "five.tsx")
    ]
    assert len(paths) == 10_000
    assert min(_seconds(paths) for _ in range(5)) < 0.05


def _seconds(paths: list[str]) -> float:
    start = time.process_time()
    for path in paths:
        classify(path)
    return time.process_time() - start
