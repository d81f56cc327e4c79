"""`switchyard conflicts`: a check for anybody's pipeline, without any server."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Alone
from tests.conflicts.places import Checkout, story_text, write

STORY = "docs/stories/1.1.story.md"
ALLOW = "<!-- conflict-ok: S1 the guide comes later -->\n"
LINK = "\n## Notes\n\nSee [the plan](../plans/never-was.md).\n"


def place(tmp_path: Path, **documents: str) -> Path:
    """A repository; each document is the story of that number."""
    files = {f"docs/stories/1.{n.removeprefix('s')}.story.md": t for n, t in documents.items()}
    return Checkout(tmp_path / "r", files).path


def test_a_new_error_makes_the_exit_code_1(alone: Alone, tmp_path: Path) -> None:
    ran = alone("conflicts", place(tmp_path, s1=story_text("1.1")))
    assert (ran.code, ran.err) == (1, "")
    first, *lines = ran.out.splitlines()
    assert first.startswith(f"{STORY}:5: error S1 ")
    assert f"  {STORY}:5 | Done" in lines
    assert any(line.startswith(f"  {STORY}:16 | ") and "Write the guide" in line for line in lines)
    assert lines[-1].startswith("1 error, 0 warnings, ")


def test_documents_that_agree_end_with_0(alone: Alone, tmp_path: Path) -> None:
    ran = alone("conflicts", place(tmp_path, s1=story_text("1.1", done=True)))
    assert (ran.code, ran.out, ran.err) == (0, "0 errors, 0 warnings, 0 remarks\n", "")


@pytest.mark.parametrize(
    ("fail_on", "code"), [(None, 0), ("error", 0), ("warning", 1), ("never", 0)]
)
def test_what_fails_can_be_chosen(
    alone: Alone, tmp_path: Path, fail_on: str | None, code: int
) -> None:
    folder = place(tmp_path, s1=story_text("1.1", done=True, more=LINK))
    ran = alone("conflicts", folder, *(["--fail-on", fail_on] if fail_on else []))
    assert ran.code == code
    assert " warning L1 " in ran.out


def test_errors_never_fail_where_that_is_asked_for(alone: Alone, tmp_path: Path) -> None:
    assert alone("conflicts", place(tmp_path, s1=story_text("1.1")), "--fail-on=never").code == 0


def test_an_allowed_conflict_is_counted_and_not_shown(alone: Alone, tmp_path: Path) -> None:
    ran = alone("conflicts", place(tmp_path, s1=story_text("1.1", more=ALLOW)))
    assert (ran.code, ran.out) == (0, "0 errors, 0 warnings, 0 remarks, 1 allowed by documents\n")


def test_remarks_are_shown_when_asked_for(alone: Alone, tmp_path: Path) -> None:
    folder = place(tmp_path, s1=story_text("1.1", done=True, more=ALLOW))
    quiet, full = alone("conflicts", folder), alone("conflicts", folder, "--remarks")
    assert quiet.out == "0 errors, 0 warnings, 1 remark (shown with --remarks)\n"
    assert f"{STORY}:18: info U1 unused-suppression" in full.out
    assert (quiet.code, full.code) == (0, 0)


def test_a_baseline_accepts_what_is_there_and_nothing_new(alone: Alone, tmp_path: Path) -> None:
    folder = place(tmp_path, s1=story_text("1.1"))
    updated = alone("conflicts", folder, "--update-baseline")
    assert (updated.code, updated.err) == (0, "")
    assert updated.out.startswith("1 finding accepted in ")
    again = alone("conflicts", folder)
    assert (again.code, again.out) == (
        0, "0 errors, 0 warnings, 0 remarks, 1 accepted in the baseline\n"
    )  # fmt: skip
    write(folder, {STORY: "\n\n" + story_text("1.1"),
                   "docs/stories/1.2.story.md": story_text("1.2")})  # fmt: skip
    more = alone("conflicts", folder)
    assert more.code == 1
    assert more.out.startswith("docs/stories/1.2.story.md:5: error S1 ")
    assert "1 error, " in more.out
    assert STORY not in more.out


def test_what_was_mended_is_told_until_the_baseline_is_updated(
    alone: Alone, tmp_path: Path
) -> None:
    folder, file = place(tmp_path, s1=story_text("1.1")), tmp_path / "accepted.json"
    alone("conflicts", folder, "--baseline", file, "--update-baseline")
    write(folder, {STORY: story_text("1.1", done=True)})
    told = alone("conflicts", folder, "--baseline", file).out
    assert told == "0 errors, 0 warnings, 0 remarks, 1 of the baseline no longer found\n"
    alone("conflicts", folder, "--baseline", file, "--update-baseline")
    assert json.loads(file.read_text()) == {"version": 1, "findings": []}
    assert not (folder / ".switchyard-baseline.json").exists()


def test_a_baseline_that_is_named_has_to_be_there(alone: Alone, tmp_path: Path) -> None:
    ran = alone("conflicts", place(tmp_path), "--baseline", tmp_path / "none.json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "write it with --update-baseline" in ran.err


def test_json_has_every_finding_and_what_became_of_it(alone: Alone, tmp_path: Path) -> None:
    folder = place(tmp_path, s1=story_text("1.1"), s2=story_text("1.2", more=ALLOW))
    new = json.loads(alone("conflicts", folder, "--format", "json").out)
    assert new["new"] == {"error": 1, "warning": 0, "info": 0}
    about = [(f["evidence"][0]["path"], f["suppressed"], f["known"]) for f in new["findings"]]
    allowed = ("docs/stories/1.2.story.md", "the guide comes later", False)
    assert about == [(STORY, None, False), allowed]
    alone("conflicts", folder, "--update-baseline")
    known = json.loads(alone("conflicts", folder, "--format", "json").out)
    assert (known["new"]["error"], [f["known"] for f in known["findings"]]) == (0, [True, False])


def test_sarif_goes_to_a_file(alone: Alone, tmp_path: Path) -> None:
    folder, file = place(tmp_path, s1=story_text("1.1")), tmp_path / "out.sarif"
    ran = alone("conflicts", folder, "--format", "sarif", "--output", file)
    assert (ran.code, ran.out) == (1, "")
    (result,) = json.loads(file.read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("S1", "error")


@pytest.mark.parametrize("commit", [[], ["--commit", "HEAD"]])
def test_sarif_tells_where_a_link_has_to_be_mended(
    alone: Alone, tmp_path: Path, commit: list[str]
) -> None:
    more = "\n## Notes\n\nSee [it](../how-to.md), it helps.\n"
    files = {STORY: story_text("1.1", done=True, more=more), "guides/how-to.md": "# How\n"}
    folder = Checkout(tmp_path / "r", files).path
    log = json.loads(alone("conflicts", folder, "--format", "sarif", *commit).out)
    (fix,) = [f for r in log["runs"][0]["results"] for f in r.get("fixes", [])]
    (replacement,) = fix["artifactChanges"][0]["replacements"]
    region = replacement["deletedRegion"]
    line = files[STORY].splitlines()[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "../how-to.md"
    assert replacement["insertedContent"]["text"] == "../../guides/how-to.md"


def test_a_commit_is_checked_as_it_was(alone: Alone, tmp_path: Path) -> None:
    folder = place(tmp_path, s1=story_text("1.1"))
    write(folder, {STORY: story_text("1.1", done=True)})
    assert alone("conflicts", folder, "--commit", "HEAD").code == 1
    assert alone("conflicts", folder).code == 0


def test_only_findings_in_the_folder_that_is_given_count(alone: Alone, tmp_path: Path) -> None:
    files = {STORY: story_text("1.1"), "other/readme.md": "x"}
    folder = Checkout(tmp_path / "r", files).path
    assert alone("conflicts", folder / "other").code == 0
    assert alone("conflicts", folder / "docs").code == 1


def test_a_terminal_is_never_given_what_it_would_obey(alone: Alone, tmp_path: Path) -> None:
    text = story_text("1.1").replace("Write the guide", "Write \033[2J\033]0;owned\a the guide")
    ran = alone("conflicts", place(tmp_path, s1=text))
    assert "owned" in ran.out
    assert "\033" not in ran.out
    assert "\a" not in ran.out


@pytest.mark.parametrize(
    "arguments", [["--format", "xml"], ["--fail-on", "info"], ["one", "two"], ["--output"]]
)
def test_wrong_usage_ends_with_2(alone: Alone, arguments: list[str]) -> None:
    ran = alone("conflicts", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: switchyard")


def test_a_file_that_cannot_be_written_is_told(alone: Alone, tmp_path: Path) -> None:
    ran = alone("conflicts", place(tmp_path), "--output", tmp_path / "no" / "where.txt")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "where.txt cannot be written" in ran.err
