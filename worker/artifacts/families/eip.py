"""Ethereum improvement proposals: front matter over Markdown."""

import re
from collections.abc import Iterator

from worker.artifacts import header, references, status
from worker.artifacts.families import proposals, records
from worker.artifacts.markdown import Document, scan
from worker.artifacts.model import Artifact, Reference
from worker.artifacts.source import Family, Folder, Source

_NAME = re.compile(r"(?:eip|erc)-(\d{1,6})\.md")
_NAMED = re.compile(r"\b(?:EIP|ERC)[-\s]{1,2}(\d{1,6})\b", re.IGNORECASE)


def claims(folder: Folder, name: str) -> bool:
    return name.startswith(("eip-", "erc-")) and _NAME.fullmatch(name) is not None


def identify(stem: str) -> str:
    return proposals.spelled("eip", stem[4:])


def read(source: Source) -> Artifact | None:
    """The proposal, or None without `eip` in the front matter."""
    document = scan(source.text, header.KEYS)
    stated = document.front.text("eip")
    if stated is None:
        return None
    in_document = next(iter(proposals.numbers("eip", stated)), None)
    in_file = identify(source.stem)
    heading = header.title(document)
    return records.record(
        source,
        document,
        id=in_file,
        kind="proposal",
        subtype="eip",
        title=document.front.text("title") or (heading.title if heading else source.stem),
        identity=records.identity(source, in_file, in_document, document.front.lines["eip"]),
        status=header.read_status(document, source.text, status.EIP),
        owner=header.owner(document),
        dates=header.dates(document),
        dependencies=_references(document, "requires"),
        supersedes=_references(document, "replaces"),
        superseded_by=records.unique(_superseded_by(document)),
    )


def _references(document: Document, key: str) -> tuple[Reference, ...]:
    return records.unique(_named(document, key))


def _named(document: Document, key: str) -> Iterator[Reference]:
    for field in header.all_fields(document, key):
        for target in proposals.numbers("eip", field.value):
            yield proposals.reference(target, field.line, document.quote(field.line))


def _superseded_by(document: Document) -> Iterator[Reference]:
    """Stated as a key of its own, or as the reason of a withdrawal."""
    yield from _named(document, "superseded by")
    for field in header.all_fields(document, "withdrawal reason"):
        for target in references.supersession(field.value, _proposals)[1]:
            yield proposals.reference(target, field.line, document.quote(field.line))


def _proposals(text: str) -> list[str]:
    return [proposals.spelled("eip", digits) for digits in _NAMED.findall(text)]


FAMILY = Family("proposal", (".md",), claims, read, identify)
