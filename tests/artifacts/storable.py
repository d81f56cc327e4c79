"""What every record has to be, whatever the document was."""

import json

from worker.artifacts import parse


def assert_storable(path: str, data: bytes) -> None:
    """If `data` at `path` is a document: always the same one, fit for any store, lines in it."""
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
