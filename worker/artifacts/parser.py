"""From a path and its bytes to an artifact."""

from worker.artifacts import text
from worker.artifacts.families import FAMILIES
from worker.artifacts.model import Artifact, Flaw
from worker.artifacts.source import Family, Source, folder_of
from worker.artifacts.strings import storable

PARSER_VERSION = 1
"""Raised whenever the record of the same bytes at the same path can change."""

_SUFFIXES = tuple({suffix for family in FAMILIES for suffix in family.suffixes})
_FAMILIES = {
    suffix: [family for family in FAMILIES if suffix in family.suffixes] for suffix in _SUFFIXES
}
_SKIPPED_NAMES = frozenset(
    f"{stem}.md"
    for stem in ("readme", "index", "template", "adr-template", "story-template", "epic-template")
)


def classify(path: str) -> Family | None:
    """The family that reads `path`, judged by the path alone; None for anything else.

    A path that is not valid Unicode is never read: no store could hold it as it is.
    """
    lowered = path.lower()
    if not lowered.endswith(_SUFFIXES):
        return None
    directory, _, name = lowered.rpartition("/")
    folder = folder_of(directory)
    if name in _SKIPPED_NAMES or "node_modules" in folder.names:
        return None
    for family in _FAMILIES[name[name.rindex(".") :]]:
        if family.claims(folder, name):
            return family if storable(path) else None
    return None


def parse(path: str, blob_sha: str, data: bytes) -> Artifact | None:
    """The artifact that `data` is, or None when it is none; raises nothing, whatever the bytes.

    A document over `text.MAX_BYTES` becomes a record of its path with the warning `too_large`.
    """
    family = classify(path)
    if family is None:
        return None
    if len(data) > text.MAX_BYTES:
        return _unread(family, path, blob_sha, len(data))
    return family.read(Source(path, blob_sha, text.read(data)))


def _unread(family: Family, path: str, blob_sha: str, size: int) -> Artifact:
    stem = Source(path, blob_sha, text.Text([])).stem
    message = f"not read: {size} bytes are more than {text.MAX_BYTES}"
    return Artifact(
        id=family.identify(stem),
        kind=family.kind,
        subtype="unread",
        path=path,
        blob_sha=blob_sha,
        title=stem,
        warnings=(Flaw(code="too_large", message=message, line=1),),
    )
