"""Links that lead nowhere."""

import pytest

from tests.conflicts.rules.repository import brief, findings, story

PATH = "docs/stories/1.1.story.md"


def linking(line: str) -> dict[str, str]:
    return {PATH: story("1.1", "Draft", body=f"## Notes\n\n{line}\n")}


def test_a_link_to_a_file_that_is_gone() -> None:
    (found,) = findings(linking("See [the plan](../plans/summer.md)."), "L1")
    assert brief([found]) == [("L1", "warning", [(PATH, 16)])]
    assert "there is no docs/plans/summer.md" in found.message
    assert found.fix is None


def test_a_picture_is_missed_though_pictures_are_seldom_committed() -> None:
    found = findings(linking("![It](../images/lamp.png)"), "L1")
    assert brief(found) == [("L1", "warning", [(PATH, 16)])]


def test_a_link_to_a_file_that_moved_is_mended() -> None:
    others = ["docs/archive/plans/summer.md"]
    (found,) = findings(linking("See [it](../plans/summer.md#june)."), "L1", others=others)
    assert found.severity == "warning"
    assert found.fix
    assert (found.fix.kind, found.fix.path, found.fix.line) == ("edit", PATH, 16)
    assert found.fix.original == "../plans/summer.md"
    assert found.fix.replacement == "../archive/plans/summer.md"


def test_two_files_of_the_name_are_shown_and_none_is_chosen() -> None:
    others = ["a/summer.md", "b/summer.md"]
    (found,) = findings(linking("See [it](../plans/summer.md)."), "L1", others=others)
    assert "a/summer.md, b/summer.md" in found.message
    assert found.fix is None


def test_a_common_name_is_no_trace() -> None:
    (found,) = findings(linking("See [it](../plans/README.md)."), "L1", others=["a/README.md"])
    assert found.fix is None


def test_a_document_that_moved_takes_its_links_astray() -> None:
    others = ["plans/README.md", "other/README.md"]
    (found,) = findings(linking("See [it](../plans/README.md)."), "L1", others=others)
    assert found.fix
    assert found.fix.replacement == "../../plans/README.md"


@pytest.mark.parametrize(
    "line",
    [
        "See [it](../plans/winter.md).",
        "See [it](../plans/).",
        "See [it](../plans).",
        "See [it](/docs/plans/winter.md).",
        "See [it](../plans/winter%2Emd).",
        "See [it](https://example.org/plans/summer.md).",
        "See [it](mailto:ann@lamps.org).",
        "See [it](ann@lamps.org).",
        "See [it](lamps.org).",
        "See [it](//lamps.org/plans/summer.md).",
        "See [it](ftp:plans/summer.md).",
        "See [it](../plans/example.md).",
        "See [it](../plans/{name}.md).",
        "See [it](path/to/file.md).",
        "See [it](../../../../issues/12).",
        "See [it](guide/start).",
        "Some `[code](gone.md)`.",
        "See [it](../../dist/app.js).",
        "```\nSee [it](../plans/summer.md).\n```",
    ],
)
def test_links_that_lead_somewhere_or_are_none(line: str) -> None:
    others = ["docs/plans/winter.md", "docs/guide/start.html"]
    assert findings(linking(line), "L1", "L3", others=others) == []


def test_a_path_from_the_root_is_a_habit_and_one_line_for_all() -> None:
    files = {
        f"docs/stories/1.{n}.story.md": story(
            f"1.{n}", body="## Notes\n\nSee [it](docs/plans/winter.md).\n"
        )
        for n in (1, 2, 3)
    }
    (found,) = findings(files, "L1", others=["docs/plans/winter.md"])
    assert found.severity == "info"
    assert found.message.startswith("3 places")


@pytest.mark.parametrize(
    "target", ["docs/plans/winter.md", "plans/winter.md#snow", "winter.md", "Winter.md, part 2"]
)
def test_a_note_of_a_source_may_name_a_file_from_anywhere(target: str) -> None:
    files = linking(f"It snows. [Source: {target}]")
    assert findings(files, "L1", others=["docs/plans/winter.md"]) == []


def test_a_note_of_a_source_that_is_gone() -> None:
    files = linking("It snows. [Source: src/weather/snow.py:12-30]")
    assert [f.severity for f in findings(files, "L1")] == ["info"]


@pytest.mark.parametrize("target", ["/Users/ann/plan.md", "C:\\work\\plan.md", "file:///etc/x.md"])
def test_a_link_to_somebodys_own_disk(target: str) -> None:
    found = findings(linking(f"See [it]({target})."), "L1", "L3")
    assert brief(found) == [("L3", "warning", [(PATH, 16)])]


def test_an_anchor_that_no_heading_has() -> None:
    files = linking("See [it](1.2.story.md#thawing).")
    files["docs/stories/1.2.story.md"] = story("1.2", body="## Snow & Ice\n\nCold.\n")
    assert brief(findings(files, "L2")) == [("L2", "info", [(PATH, 16)])]
    files[PATH] = files[PATH].replace("#thawing", "#snow-and-ice")
    assert findings(files, "L2")[0].expected == "the anchor of a heading"
    files[PATH] = files[PATH].replace("#snow-and-ice", "#snow-ice")
    assert findings(files, "L2")[0].expected == "#snow--ice"


@pytest.mark.parametrize(
    "target", ["1.2.story.md#snow--ice", "#notes", "#Notes", "../other.md#x", "1.2.story.md#L12"]
)
def test_anchors_that_are_there_or_cannot_be_known(target: str) -> None:
    files = linking(f"See [it]({target}).")
    files["docs/stories/1.2.story.md"] = story("1.2", body="## Snow & Ice\n\nCold.\n")
    assert findings(files, "L2") == []
