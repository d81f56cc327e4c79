"""Requests for comments in the manner of Rust: a list of fields over Markdown, no status."""

import re

from worker.artifacts import header
from worker.artifacts.families import proposals, records
from worker.artifacts.markdown import Document, scan
from worker.artifacts.model import Artifact, Dates
from worker.artifacts.source import Family, Folder, Source

_FOLDERS = frozenset({"text", "rfcs", "rfc", "active-rfcs"})
_NAME = re.compile(r"(\d{4,5})-.{1,200}\.md")
_CREATED = "start date"
_REQUEST = re.compile(r"[-*]\s{0,4}RFC PR\b", re.IGNORECASE)
_HEAD = 20
_KEYS = header.KEYS | {_CREATED, "rfc pr", "feature name"}
_PULL_REQUEST = re.compile(r"(?:#|/pull/)(\d{1,6})")
_NO_NAME = re.compile(r"\W*(?:n/?a|none)?\W*", re.IGNORECASE)


def claims(folder: Folder, name: str) -> bool:
    return folder.nearest in _FOLDERS and _NAME.fullmatch(name) is not None


def identify(stem: str) -> str:
    return proposals.spelled("rfc", stem.partition("-")[0])


def read(source: Source) -> Artifact | None:
    """The request, or None without its start date and its pull request; 0000 is a draft."""
    document = scan(source.text, _KEYS)
    if not document.fields.keys() & {_CREATED, "rfc pr"}:
        return None
    in_document, line = _pull_request(document, identify(source.stem))
    return records.record(
        source,
        document,
        id=identify(source.stem),
        kind="proposal",
        subtype="rust",
        title=_title(source, document),
        identity=records.identity(source, identify(source.stem), in_document, line),
        owner=header.owner(document),
        dates=Dates(created=proposals.date(header.value(document, _CREATED))),
    )


def _pull_request(document: Document, in_file: str) -> tuple[str | None, int]:
    """The number of the pull request; of several the file's own, if it is there."""
    for line, text in enumerate(document.lines[:_HEAD], 1):
        found = [proposals.spelled("rfc", n) for n in _PULL_REQUEST.findall(text)]
        if found and _REQUEST.match(text):
            return in_file if in_file in found else found[0], line
    return None, 1


def _title(source: Source, document: Document) -> str:
    name = header.value(document, "feature name")
    if name and not _NO_NAME.fullmatch(name):
        return name
    return source.stem.partition("-")[2].replace("-", " ")


FAMILY = Family("proposal", (".md",), claims, read, identify, _FOLDERS)
