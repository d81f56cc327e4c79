"""File lists: bullets, tables, blocks; what was done to each file, and what is no claim."""

import pytest

from tests.artifacts.documents import record

HEAD = "# Story 1.1: X\n\n## Dev Agent Record\n\n### File List\n\n"


def claims(body: str, head: str = HEAD) -> list[tuple[str, str | None]]:
    story = record("docs/stories/1.1.story.md", head + body)
    return [(claim.path, claim.op) for claim in story.files]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("- `src/a.ts` - adds a parser", [("src/a.ts", None)]),
        ("- `src/a.ts` (NEW)", [("src/a.ts", "created")]),
        ("- `src/a.ts` (new - 12 tests)", [("src/a.ts", "created")]),
        ("- `src/a.ts` - NEW: the parser", [("src/a.ts", "created")]),
        ("- `src/a.ts` \u2014 modified to parse", [("src/a.ts", "modified")]),
        ("- `src/a.ts` - Updated exports", [("src/a.ts", "modified")]),
        ("- `src/a.ts` - Removed a route", [("src/a.ts", None)]),
        ("- `src/a.ts` - Added exports", [("src/a.ts", None)]),
        ("- `src/a.ts` - Deleted", [("src/a.ts", "deleted")]),
        ("- `src/a.ts` - REMOVED as unused", [("src/a.ts", "deleted")]),
        ("- **NEW** `src/a.ts`", [("src/a.ts", "created")]),
        ("- Created: `src/a.ts`", [("src/a.ts", "created")]),
        ("- [NEW] src/a.ts", [("src/a.ts", "created")]),
        ("- ✅ `src/a.ts`", [("src/a.ts", None)]),
        ("- [x] `src/a.ts`", [("src/a.ts", None)]),
        ("1. src/a.ts (MODIFIED - speed)", [("src/a.ts", "modified")]),
        ("- src/a.ts: the parser", [("src/a.ts", None)]),
        ("- `src/a.ts`, `src/b.ts` and `src/c.ts` - new", [("src/a.ts", "created"),
            ("src/b.ts", "created"), ("src/c.ts", "created")]),
        ("- `src/a.ts:12-30`", [("src/a.ts", None)]),
        ("- `./src/a.ts`", [("src/a.ts", None)]),
        ("- `src\\a.ts`", [("src/a.ts", None)]),
        ("- `app/(group)/[id]/page.tsx`", [("app/(group)/[id]/page.tsx", None)]),
        ("- `src/parser/`", [("src/parser", None)]),
        ("- `.env.example`", [(".env.example", None)]),
        ("- Makefile", [("Makefile", None)]),
        ("- [`src/a.ts`](../../src/a.ts)", [("src/a.ts", None)]),
        ("- `old/a.ts` -> `new/a.ts`", [("old/a.ts", "deleted"), ("new/a.ts", "created")]),
        ("**Modified:** `src/a.ts`, `src/b.ts`", [("src/a.ts", "modified"),
            ("src/b.ts", "modified")]),
    ],
)  # fmt: skip
def test_a_line(line: str, expected: list[tuple[str, str | None]]) -> None:
    assert sorted(claims(line + "\n")) == sorted(expected)


@pytest.mark.parametrize(
    "line",
    [
        "- Ran `pnpm test src/a.ts`",
        "- `GET /api/things`",
        "- `@scope/package`",
        "- `1.2.3`",
        "- `emitter.emitEvent` - added",
        "- `src/**/*.ts`",
        "- `src/{a,b}.ts`",
        "- `src/0XX_migration.sql`",
        "- `<name>/a.ts`",
        "- `https://example.com/a.ts`",
        "- `/home/ada/project/src/a.ts`",
        "- `C:\\work\\a.ts`",
        "- `src/a.ts` (no changes needed)",
        "- `src/a.ts` - unchanged",
        "- TBD",
        "- UI/UX polish",
        "see src/a.ts for more",
        "(To be filled in)",
    ],
)
def test_what_is_no_claim(line: str) -> None:
    assert claims(line + "\n") == []


def test_labels_say_what_was_done() -> None:
    body = (
        "**New Files Created:**\n\n- `src/a.ts` - parser\n\n**Modified Files:**\n\n- `src/b.ts`\n\n"
        "**Tests:**\n\n- `src/a.test.ts`\n\n**Reference only:**\n\n- `src/c.ts`\n\n"
        "Deleted:\n\n- `src/d.ts`\n\n#### Created / Modified\n\n- `src/e.ts`\n"
    )
    assert claims(body) == [
        ("src/a.ts", "created"),
        ("src/b.ts", "modified"),
        ("src/a.test.ts", None),
        ("src/d.ts", "deleted"),
        ("src/e.ts", None),
    ]


def test_a_label_that_is_a_folder_stands_before_its_files() -> None:
    body = "**packages/core:**\n\n- `src/a.ts`\n- `packages/web/src/b.ts`\n"
    assert claims(body) == [("packages/core/src/a.ts", None), ("packages/web/src/b.ts", None)]


def test_tables() -> None:
    body = (
        "| File | Status | Notes |\n|---|:-:|---|\n| `src/a.ts` | NEW | x |\n"
        "| src/b.ts | Modified (review) | `src/no.ts` |\n| `src/c.ts` | Unchanged | |\n\n"
        "**Deleted Files:**\n\n| File | Change |\n|---|---|\n| `src/d.ts` | Added nothing |\n"
    )
    assert claims(body) == [
        ("src/a.ts", "created"),
        ("src/b.ts", "modified"),
        ("src/d.ts", "deleted"),
    ]


def test_blocks() -> None:
    tree = (
        "```\nsrc/\n├── parser/\n│   ├── a.ts      # NEW\n│   └── b.ts      # existing\n"
        "└── index.ts      # UPDATED\n```\n"
    )
    assert claims(tree) == [("src/parser/a.ts", "created"), ("src/index.ts", "modified")]
    flat = "```text\nA  src/a.ts\nM  src/b.ts\nsrc/c.ts\n```\n"
    assert claims(flat) == [("src/a.ts", "created"), ("src/b.ts", "modified"), ("src/c.ts", None)]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("## File List", None),
        ("## Files Created", "created"),
        ("### New Files", "created"),
        ("## Files Modified/Created", None),
        ("## Deleted files", "deleted"),
    ],
)
def test_headings_that_announce_claims(heading: str, expected: str | None) -> None:
    assert claims("- `src/a.ts`\n", f"# Story 1.1: X\n\n{heading}\n\n") == [("src/a.ts", expected)]


@pytest.mark.parametrize(
    "heading",
    ["## Files to Create", "## Files Modified During Review", "## Source Tree", "## Files"],
)
def test_plans_and_reviews_claim_nothing(heading: str) -> None:
    assert claims("- `src/a.ts`\n", f"# Story 1.1: X\n\n{heading}\n\n") == []


def test_a_path_is_claimed_once_with_what_was_said_of_it() -> None:
    body = "- `src/a.ts`\n- `src/a.ts` (NEW)\n"
    story = record("docs/stories/1.1.story.md", HEAD + body)
    assert [(c.path, c.op, c.line) for c in story.files] == [("src/a.ts", "created", 8)]
