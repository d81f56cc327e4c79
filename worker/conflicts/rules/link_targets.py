"""What path of the tree a link means."""

import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

from worker.artifacts.model import Link
from worker.conflicts.rules.places import folder_of

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)|//|www\.", re.IGNORECASE)
_LINES = re.compile(r":\d{1,6}(?:[-:,]\d{1,6})*$")
_LOCAL = re.compile(r"/(?:Users|home|tmp|var|private|mnt)/|[A-Za-z]:[\\/]|~/|file:", re.IGNORECASE)
_ADDRESS = re.compile(r"[^/]+@[^/]+|[^/]+\.(?:com|org|net|io|dev|ai|app|co)(?:/|$)", re.IGNORECASE)
_UNFILLED = re.compile(
    r"[{}<>$*|`\"'=]|\.\.\.|\u2026|path/to|(?:^|/)examples?\.\w+$|://|your[-_]|xxx", re.IGNORECASE
)
_NAME = re.compile(r"[\w@][\w .+@()\[\]-]*\.[A-Za-z][A-Za-z0-9]{0,9}|[\w.@-]+")


@lru_cache(maxsize=8192)
def written_path(target: str) -> str | None:
    """The path that a link's target is, decoded, without line numbers; None if it is no file's."""
    elsewhere = _SCHEME.match(target) or _LOCAL.match(target) or _ADDRESS.match(target)
    if not target or elsewhere or _UNFILLED.search(target):
        return None
    target = unquote(target.partition("?")[0]).replace("\\", "/")
    target = _LINES.sub("", target)
    name = target.rstrip("/").rpartition("/")[2]
    looks_like_file = "/" in target or "." in name.strip(".")
    return target if looks_like_file and _NAME.fullmatch(name) else None


def is_local(link: Link) -> bool:
    """Whether the target lies on somebody's own disk."""
    return _LOCAL.match(link.target) is not None


def has_lines(link: Link) -> bool:
    return _LINES.search(link.target) is not None


def resolved(document: str, written: str) -> str | None:
    """The path from the root that `written` means in `document`; None outside the tree."""
    base = "" if written.startswith("/") else folder_of(document)
    path = posixpath.normpath(posixpath.join(base, written.lstrip("/")))
    return None if path.startswith("..") else path.removeprefix("./").rstrip("/")


def from_folders_above(document: str, written: str) -> Iterator[str]:
    """The paths that `written` would mean in the folders above the document's own."""
    folder = folder_of(document)
    while folder:
        folder = folder_of(folder)
        path = resolved(f"{folder}/_" if folder else "_", written)
        if path:
            yield path


def is_named_file(path: str) -> bool:
    """Whether the last part has a suffix, so that it is a file and not a folder."""
    return "." in path.rpartition("/")[2].strip(".")


def relative(document: str, path: str) -> str:
    """How `document` has to name `path`."""
    return posixpath.relpath(path, folder_of(document) or ".")
