"""What stories say about files."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story

PATH = "docs/stories/1.1.story.md"


def listing(*lines: str, number: str = "1.1", status: str = "Done", heading: str = "") -> str:
    rows = "\n".join(lines)
    return story(number, status, body=f"{heading}## File List\n\n{rows}\n").replace(
        "Mint a token", f"Part {number}"
    )


def test_a_done_story_lists_a_file_that_never_was() -> None:
    files = {PATH: listing("- `src/lamp/mint.py` (NEW)", "- `src/lamp/show.py`")}
    found = findings(files, "F1", others=["src/lamp/show.py"], history=["src/lamp/show.py"])
    assert brief(found) == [("F1", "warning", [(PATH, 16)])]
    assert found[0].actual == "never there"


def test_a_file_that_was_there_once_is_only_told() -> None:
    files = {PATH: listing("- `src/lamp/mint.py` (NEW)")}
    (found,) = findings(files, "F1", history=["src/lamp/mint.py"])
    assert (found.severity, found.actual) == ("info", "absent")


def test_a_file_that_moved_is_only_told() -> None:
    files = {PATH: listing("- `src/lamp/mint.py` (NEW)")}
    (found,) = findings(files, "F1", others=["lib/mint.py"], history=["src/lamp/mint.py"])
    assert "moved to lib/mint.py" in found.message


def test_without_its_history_nothing_is_known_of_an_absent_file() -> None:
    assert findings({PATH: listing("- `src/lamp/mint.py` (NEW)")}, "F1", history=None) == []


def test_a_file_that_git_is_told_to_leave_out_is_not_missed() -> None:
    files = {PATH: listing("- `src/lamp/mint.py` (NEW)")}
    assert findings(files, "F1", history=[], ignores="src/lamp/") == []


def test_without_the_rules_for_ignoring_an_absent_file_is_only_told() -> None:
    files = {PATH: listing("- `src/lamp/mint.py` (NEW)")}
    assert [f.severity for f in findings(files, "F1", history=[], ignores=None)] == ["info"]


@pytest.mark.parametrize(
    "line",
    [
        "- `src/lamp/show.py`",
        "- `lamp/show.py` - given from a folder below the root",
        "- `src/lamp/old.py` (DELETED)",
        "- `docs/images/lamp.png`",
        "- `src/db/lamp.sqlite`",
        "- `migrations/0XX_lamp.sql`",
        "- `src/lamp/*.py`",
        "- `src/your-lamp/mint.py` (NEW)",
        "- `path/to/mint.py` (NEW)",
        "- `show.py`",
    ],
)
def test_claims_that_are_true_or_say_nothing(line: str) -> None:
    found = findings({PATH: listing(line)}, "F1", others=["src/lamp/show.py"], history=[])
    assert found == []


def test_only_done_stories_claim_their_files() -> None:
    files = {PATH: listing("- `src/lamp/mint.py` (NEW)", status="In Progress")}
    assert findings(files, "F1", history=[]) == []


def test_a_list_of_what_is_to_be_created_is_a_plan() -> None:
    heading = "## Files to Create/Modify\n\n#"
    files = {PATH: listing("- `src/lamp/mint.py`", heading=heading)}
    assert findings(files, "F1", history=[]) == []


def test_two_stories_create_one_file() -> None:
    other = "docs/stories/1.2.story.md"
    line = "- `src/lamp/mint.py` (NEW)"
    files = {PATH: listing(line), other: listing(line, number="1.2")}
    assert brief(findings(files, "C1")) == [("C1", "warning", [(PATH, 16), (other, 16)])]


@pytest.mark.parametrize(
    "line",
    [
        "- `src/lamp/mint.py` (MODIFIED)",
        "- `src/lamp/mint.py` (added a second minter)",
        "- `src/lamp/mint.py`",
        "- `lib/lamp/mint.py` (NEW)",
    ],
)
def test_one_story_creates_a_file_and_another_works_on_it(line: str) -> None:
    files = {
        PATH: listing("- `src/lamp/mint.py` (NEW)"),
        "docs/stories/1.2.story.md": listing(line, number="1.2"),
    }
    assert findings(files, "C1") == []


@pytest.mark.parametrize(
    "path", ["docs/stories/1.9.release.story.md", "docs/failed/stories/1.2.story.md"]
)
def test_a_release_and_what_was_given_up_create_nothing_anew(path: str) -> None:
    line = "- `src/lamp/mint.py` (NEW)"
    files = {PATH: listing(line), path: listing(line, number=path.split("/")[-1][:3])}
    assert findings(files, "C1") == []


@pytest.mark.parametrize("name", ["__init__.py", "index.ts", "schema.prisma", "package.json"])
def test_files_that_everybody_touches_are_nobodys(name: str) -> None:
    line = f"- `src/lamp/{name}` (NEW)"
    files = {PATH: listing(line), "docs/stories/1.2.story.md": listing(line, number="1.2")}
    assert findings(files, "C1") == []


def test_a_copy_of_a_story_creates_nothing_anew() -> None:
    files = {
        PATH: listing("- `src/lamp/mint.py` (NEW)"),
        "archive/stories/1.1.story.md": listing("- `src/lamp/mint.py` (NEW)"),
    }
    assert findings(files, "C1") == []
