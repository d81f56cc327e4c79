"""A document to be read, and the families that read them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from worker.artifacts.model import Artifact, Flaw
from worker.artifacts.text import Text


@dataclass(frozen=True)
class Folder:
    """Where a file lies: the lowered names of all folders above it, and of the nearest."""

    names: frozenset[str]
    nearest: str

    def is_under(self, names: frozenset[str]) -> bool:
        return not self.names.isdisjoint(names)


@lru_cache(maxsize=4096)
def folder_of(directory: str) -> Folder:
    """The Folder of a lowered directory path; files share few of them."""
    names = directory.split("/")
    return Folder(frozenset(names), names[-1])


@dataclass(frozen=True)
class Source:
    """`path` is as in the tree; `text` collects what is odd about the document."""

    path: str
    blob_sha: str
    text: Text

    @cached_property
    def name(self) -> str:
        """The file's own name, lowered."""
        return self.path.lower().rpartition("/")[2]

    @cached_property
    def stem(self) -> str:
        """`name` without its extension."""
        return self.name.rpartition(".")[0]

    @cached_property
    def folder(self) -> Folder:
        return folder_of(self.path.lower().rpartition("/")[0])

    @property
    def warnings(self) -> tuple[Flaw, ...]:
        return tuple(sorted(self.text.flaws, key=lambda flaw: (flaw.line, flaw.code)))


@dataclass(frozen=True)
class Family:
    """One sort of document.

    `claims` gets the folder and the lowered name, and must be cheap: it runs for every path of
    a repository with one of the `suffixes`. `read` returns None when the content is something else.
    `identify` gives the id that a file name alone allows.
    """

    kind: str
    suffixes: tuple[str, ...]
    claims: Callable[[Folder, str], bool]
    read: Callable[[Source], Artifact | None]
    identify: Callable[[str], str]
