"""From a path and its bytes to an artifact."""

from functools import lru_cache

from worker.artifacts import text
from worker.artifacts.families import FAMILIES
from worker.artifacts.model import Artifact, Flaw
from worker.artifacts.source import Family, Folder, Source, folder_of
from worker.artifacts.strings import storable

PARSER_VERSION = 2
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
    if name in _SKIPPED_NAMES:
        return None
    folder, families = _families_in(directory, name[name.rindex(".") :])
    for family in families:
        if family.claims(folder, name):
            return family if storable(path) else None
    return None


@lru_cache(maxsize=4096)
def _families_in(directory: str, suffix: str) -> tuple[Folder, tuple[Family, ...]]:
    """The families that read anything with this suffix in a folder; files share few of them."""
    folder = folder_of(directory)
    if folder.is_foreign:
        return folder, ()
    families = _FAMILIES[suffix]
    return folder, tuple(f for f in families if not f.within or folder.is_under(f.within))


def parse(path: str, blob_sha: str, data: bytes | None) -> Artifact | None:
    """The artifact that `data` is, or None when it is none; raises nothing, whatever the bytes.

    A document over `text.MAX_BYTES` becomes a record of its path with the warning `too_large`;
    so does one whose content is not to be had (None), with the warning `missing`.
    """
    family = classify(path)
    if family is None:
        return None
    if data is None:
        return _unread(family, path, blob_sha, "missing", "not read: its content is not there")
    if len(data) > text.MAX_BYTES:
        message = f"not read: {len(data)} bytes are more than {text.MAX_BYTES}"
        return _unread(family, path, blob_sha, "too_large", message)
    return family.read(Source(path, blob_sha, text.read(data)))


def _unread(family: Family, path: str, blob_sha: str, code: str, message: str) -> Artifact:
    stem = Source(path, blob_sha, text.Text([])).stem
    return Artifact(
        id=family.identify(stem),
        kind=family.kind,
        subtype="unread",
        path=path,
        blob_sha=blob_sha,
        title=stem,
        warnings=(Flaw(code=code, message=message, line=1),),
    )
