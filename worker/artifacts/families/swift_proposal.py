"""Proposals in the manner of Swift: a title and a list of fields over Markdown."""

import re
from collections.abc import Iterator

from worker.artifacts import header, status
from worker.artifacts.families import proposals, records
from worker.artifacts.markdown import Document, plain, scan
from worker.artifacts.model import Artifact, Reference
from worker.artifacts.source import Family, Folder, Source

_NAME = re.compile(r"(\d{4,5})-.{1,200}\.md")
_ID = re.compile(r"\b([A-Z]{2,5})-(\d{4,5})\b")
_LINK = re.compile(r"\[([^\[\]]{0,200})\]\([^()]{0,500}\)")
_SUPERSEDED_BY = ("superseded by", "superseding proposal")
_KEYS = header.KEYS | {"proposal", "supersedes", *_SUPERSEDED_BY}


def claims(folder: Folder, name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def identify(stem: str) -> str:
    return proposals.spelled("se", stem.partition("-")[0])


def read(source: Source) -> Artifact | None:
    """The proposal, or None when the document does not call itself one."""
    document = scan(source.text, _KEYS)
    stated = next(header.all_fields(document, "proposal"), None)
    heading = header.title(document)
    if stated is None or heading is None:
        return None
    name = _ID.search(stated.value)
    house = name[1].lower() if name else "se"
    in_file = proposals.spelled(house, source.stem.partition("-")[0])
    in_document = proposals.spelled(house, name[2]) if name else None
    return records.record(
        source,
        document,
        id=in_file,
        kind="proposal",
        subtype="swift",
        title=heading.title,
        identity=records.identity(source, in_file, in_document, stated.line),
        status=header.read_status(document, source.text, status.SWIFT),
        owner=_LINK.sub(r"\1", header.owner(document) or "") or None,
        dates=header.dates(document),
        supersedes=records.unique(_named(document, "supersedes")),
        superseded_by=records.unique(_named(document, *_SUPERSEDED_BY)),
    )


def _named(document: Document, *keys: str) -> Iterator[Reference]:
    """Read from what the links are called: their destinations name the same proposals."""
    for field in header.all_fields(document, *keys):
        for house, digits in _ID.findall(plain(field.value)):
            target = proposals.spelled(house.lower(), digits)
            yield proposals.reference(target, field.line, document.quote(field.line))


FAMILY = Family("proposal", (".md",), claims, read, identify, frozenset({"proposals"}))
