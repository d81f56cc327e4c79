"""Which documents belong together, by where they lie and how they are named."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import takewhile

from worker.artifacts.model import Artifact, Section

_SORTING = frozenset({"stories", "epics", "prd", "user-stories"})


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def stem_of(path: str) -> str:
    """The file name, lowered and without its last suffix."""
    return name_of(path).lower().rpartition(".")[0]


def root_of(path: str) -> str:
    """The folder above those that merely sort documents by kind: that of a project or module."""
    folders = folder_of(path).split("/")
    while folders and folders[-1].lower() in _SORTING:
        folders.pop()
    return "/".join(folders)


def document_key(artifact: Artifact) -> str:
    """The key of what a document says about itself."""
    return f"document:{artifact.path}"


def folder_key(path: str, what: str) -> str:
    """The key of what the files of one folder share."""
    return f"folder:{folder_of(path)}#{what}"


def nearest(path: str, candidates: Iterable[Artifact]) -> Artifact | None:
    """The candidate that shares most folders with `path`; None when two share as many."""
    ranked = sorted(candidates, key=lambda other: -shared_folders(path, other.path))
    if len(ranked) > 1 and not _is_nearer(path, ranked[0], ranked[1]):
        return None
    return ranked[0] if ranked else None


def shared_folders(path: str, other: str) -> int:
    """How many leading folders two paths have in common."""
    pairs = zip(folder_of(path).split("/"), folder_of(other).split("/"), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _is_nearer(path: str, one: Artifact, other: Artifact) -> bool:
    return shared_folders(path, one.path) > shared_folders(path, other.path)


def headings_above(artifact: Artifact, line: int) -> list[Section]:
    """The headings that `line` is under, innermost first, without the document's title."""
    sections = artifact.sections
    path: list[Section] = []
    for index in range(bisect_right(sections, line, key=_line) - 1, -1, -1):
        if not path or sections[index].level < path[-1].level:
            path.append(sections[index])
        if sections[index].level == 1:
            break
    return [section for section in path if section.level > 1]


def _line(section: Section) -> int:
    return section.line
