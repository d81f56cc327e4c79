"""Architecture documents: one, or the folder it was split into."""

import re

from worker.artifacts import change_log, header, status
from worker.artifacts.families.records import record
from worker.artifacts.ids import slug
from worker.artifacts.markdown import scan
from worker.artifacts.model import Artifact
from worker.artifacts.source import Family, Folder, Source

_NAME = re.compile(
    r"(?:(?:front-?end|back-?end|full-?stack|system|software|brownfield|infrastructure|ui)[-_])?"
    r"architecture\.md$"
)
_FOLDERS = frozenset({"architecture"})
_REPORT = re.compile(r"template|checklist-results|validation-report")


def claims(folder: Folder, name: str) -> bool:
    if folder.nearest in _FOLDERS:
        return True
    return name.endswith("architecture.md") and _NAME.match(name) is not None


def identify(stem: str) -> str:
    return slug(stem)


def read(source: Source) -> Artifact | None:
    """The architecture or a part of it; None for what has no heading."""
    document = scan(source.text, header.KEYS)
    title = header.title(document)
    if title is None or _REPORT.search(source.stem):
        return None
    whole = _NAME.match(source.name) is not None
    return record(
        source,
        document,
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype="architecture" if whole else "shard",
        title=title.title,
        status=header.read_status(document, None, status.DOCUMENT),
        owner=header.owner(document),
        dates=header.dates(document),
        change_log=change_log.read(document),
    )


FAMILY = Family("architecture", (".md",), claims, read, identify)
