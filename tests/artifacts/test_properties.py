"""Whatever the bytes: no exception, a storable record, and always the same one."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.artifacts.documents import DOCUMENTS
from worker.artifacts import parse

PATHS = [
    "docs/stories/1.1.story.md",
    "docs/stories/1-1-x.md",
    "docs/epics/epic-1.md",
    "docs/epics.md",
    "docs/adr/0001-x.md",
    "docs/qa/gates/1.1.yml",
]
FRAGMENTS = [
    line
    for path in sorted(Path(DOCUMENTS).iterdir())
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
]
documents = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(ODD), st.binary(max_size=20)),
    max_size=40,
).map(b"".join)


@pytest.mark.parametrize("path", PATHS)
@given(data=documents)
def test_any_bytes_give_a_storable_record(path: str, data: bytes) -> None:
    found = parse(path, "b10b", data)
    if found is None:
        return
    written = found.model_dump_json()
    assert parse(path, "b10b", data) == found
    assert json.loads(written) == found.model_dump(mode="json")
    assert not _unstorable(json.loads(written))
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert (
        all(1 <= line <= lines for line in _lines(json.loads(written))) or data[:2] == b"\xff\xfe"
    )


def _unstorable(value: object) -> bool:
    return any(
        "\0" in text or any("\ud800" <= c <= "\udfff" for c in text) for text in _texts(value)
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    return [text for child in children for text in _texts(child)]


def _lines(value: object) -> list[int]:
    if isinstance(value, dict):
        own = [value["line"]] if "line" in value else []
        return own + [line for child in value.values() for line in _lines(child)]
    return [line for child in value for line in _lines(child)] if isinstance(value, list) else []
