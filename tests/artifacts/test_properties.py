"""Whatever the bytes: no exception, a storable record, and always the same one."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.artifacts.documents import DOCUMENTS
from tests.artifacts.specification import PLACES, SPECIFICATIONS
from tests.artifacts.storable import assert_storable

PATHS = [
    "docs/stories/1.1.story.md",
    "docs/stories/1-1-x.md",
    "docs/epics/epic-1.md",
    "docs/epics.md",
    "docs/adr/0001-x.md",
    "docs/qa/gates/1.1.yml",
    "docs/sprint-artifacts/sprint-status.yaml",
    "docs/prd.md",
    "docs/architecture/stack.md",
    "docs/qa/assessments/1.1-risk.md",
    "docs/milestones/m1.md",
    "docs/handoffs/1.1.md",
    "docs/retrospectives/epic-1-retro.md",
    "keps/sig-node/1-x/kep.yaml",
    "peps/pep-0001.rst",
    "EIPS/eip-1.md",
    "text/0001-x.md",
    "proposals/0001-x.md",
    ".kiro/specs/x/tasks.md",
    "openspec/changes/x/tasks.md",
    "specs/001-x/tasks.md",
    ".planning/ROADMAP.md",
]
FRAGMENTS = [
    line
    for path in sorted((*Path(DOCUMENTS).iterdir(), *SPECIFICATIONS.iterdir()))
    for line in path.read_bytes().splitlines(keepends=True)
]
ODD = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b'"\\ud800\\0"',
    b"---\n",
    b"```\n",
    b"<!--",
    b"-->",
    b"\r",
    b"&a [*a]",
    b"Story 1.1-1.9",
    b"(AC: 1-3, 5)",
    b"# ",
    b"**: **",
    b"|",
    "âø✅é\u2028\x85".encode(),
    b"## File List\n",
    b"- `src/a.ts` (NEW)\n",
    b"| File | Status |\n|---|---|\n",
    b"\xe2\x94\x9c\xe2\x94\x80\xe2\x94\x80 a.ts # NEW\n",
    b"## Change Log\n- 2025-01-01: x\n",
    b"<!-- conflict-ok: S1 x -->\n",
    b"development_status:\n  epic-1: done\n",
    b"status: done\n",
]
documents = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(ODD), st.binary(max_size=20)),
    max_size=40,
).map(b"".join)


@settings(deadline=None, max_examples=600)
@given(path=st.sampled_from(PATHS), data=documents)
def test_any_bytes_give_a_storable_record(path: str, data: bytes) -> None:
    assert_storable(path, data)


@given(name=st.sampled_from(sorted(PLACES)), kept=st.integers(0, 40), rest=documents)
@settings(deadline=None, max_examples=300)
def test_a_document_that_goes_astray_gives_a_storable_record(
    name: str, kept: int, rest: bytes
) -> None:
    lines = (SPECIFICATIONS / name).read_bytes().splitlines(keepends=True)
    assert_storable(PLACES[name], b"".join(lines[:kept]) + rest)
