"""Python enhancement proposals: a header of fields over reStructuredText."""

import re
from collections.abc import Iterator

from worker.artifacts import status
from worker.artifacts.families import proposals, records, rst
from worker.artifacts.families.rfc822 import Header
from worker.artifacts.model import Artifact, Dates, Reference
from worker.artifacts.source import Family, Folder, Source

_NAME = re.compile(r"pep-(\d{1,5})\.(?:rst|txt)")


def claims(folder: Folder, name: str) -> bool:
    return name.startswith("pep-") and _NAME.fullmatch(name) is not None


def identify(stem: str) -> str:
    return proposals.spelled("pep", stem.removeprefix("pep-"))


def read(source: Source) -> Artifact | None:
    """The proposal, or None without a `PEP:` field at the top."""
    header = Header(source.text.lines)
    stated = header.value("pep")
    if stated is None:
        return None
    in_document = next(iter(proposals.numbers("pep", stated)), None)
    return records.record(
        source,
        rst.scan(source.text),
        id=identify(source.stem),
        kind="proposal",
        subtype="pep",
        title=header.value("title") or source.stem,
        identity=records.identity(source, identify(source.stem), in_document, header.line("pep")),
        status=records.state(source, header.value("status"), header.line("status"), status.PEP),
        owner=header.value("author"),
        dates=Dates(created=proposals.date(header.value("created"))),
        dependencies=_references(source, header, "requires"),
        supersedes=_references(source, header, "replaces"),
        superseded_by=_references(source, header, "superseded-by"),
    )


def _references(source: Source, header: Header, key: str) -> tuple[Reference, ...]:
    return records.unique(_named(source, header, key))


def _named(source: Source, header: Header, key: str) -> Iterator[Reference]:
    for field in header.lines(key):
        for target in proposals.numbers("pep", field.value):
            yield proposals.reference(target, field.line, source.text.lines[field.line - 1])


FAMILY = Family("proposal", (".rst", ".txt"), claims, read, identify)
