"""Bytes of unknown origin."""

import pytest

from tests.artifacts.documents import codes, record
from worker.artifacts import Artifact, parse

PATH = "docs/stories/1.1.story.md"
STORY = "# Story 1.1: Sign in\n\n**Status:** Done\n\n## Acceptance Criteria\n\n1. Ünïcode\n"


def read(data: bytes) -> Artifact:
    found = parse(PATH, "b", data)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "data",
    [
        STORY.replace("\n", "\r\n").encode(),
        STORY.replace("\n", "\r").encode(),
        STORY.encode("utf-8-sig"),
        STORY.encode("utf-16"),
        STORY.replace("\n", "\r\n").encode("utf-8-sig"),
    ],
)
def test_other_encodings_of_the_same_text_give_the_same_record(data: bytes) -> None:
    assert read(data) == read(STORY.encode())


def test_bytes_that_are_not_utf_8_are_replaced_and_flagged() -> None:
    story = read(STORY.encode("latin-1"))
    assert story.acceptance_criteria[0].text == "\ufffdn\ufffdcode"
    assert [(w.code, w.line) for w in story.warnings] == [("encoding", 7)]


def test_nul_is_removed_and_flagged() -> None:
    story = read(STORY.replace("Sign", "Si\0gn").encode())
    assert story.title == "Sign in"
    assert [(w.code, w.line) for w in story.warnings] == [("nul", 1)]


def test_mojibake_is_flagged() -> None:
    wrong = "doesn\u2019t".encode().decode("cp1252")
    story = record(PATH, STORY + wrong)
    assert [(w.code, w.line) for w in story.warnings] == [("mojibake", 8)]


@pytest.mark.parametrize("escape", ["\\0", "\\ud800", "\\x00", "\\uDFFF"])
def test_escapes_in_yaml_cannot_smuggle_what_cannot_be_stored(escape: str) -> None:
    gate = record("docs/qa/gates/1.1.yml", f'gate: PASS\nreviewer: "a{escape}b"\n')
    written = gate.model_dump_json()
    assert "\\u0000" not in written
    assert written.encode().decode() == written


def test_a_long_line_is_cut_and_flagged() -> None:
    story = record(PATH, STORY + "x" * 20_001 + "\n")
    assert [(w.code, w.line) for w in story.warnings] == [("long_line", 8)]


def test_a_document_over_the_limit_is_a_record_that_says_so() -> None:
    story = read(STORY.encode().ljust(2_000_001))
    assert (story.id, story.subtype, story.acceptance_criteria) == ("1.1", "unread", ())
    assert codes(story) == ["too_large"]
    assert codes(read(STORY.encode().ljust(2_000_000))) == ["long_line"]


def test_a_document_whose_content_is_missing_is_a_record_that_says_so() -> None:
    story = parse(PATH, "b", None)
    assert story is not None
    assert (story.id, story.subtype, codes(story)) == ("1.1", "unread", ["missing"])


def test_the_record_is_camel_case() -> None:
    written = read(STORY.encode()).model_dump(mode="json")
    assert {"blobSha", "acceptanceCriteria", "supersededBy"} <= written.keys()
    assert Artifact.model_validate(written) == read(STORY.encode())
