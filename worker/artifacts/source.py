"""A document to be read, and the families that read them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from worker.artifacts.model import Artifact, Flaw, Identity, Suppression
from worker.artifacts.text import MAX_ITEMS, Text

_FOREIGN = frozenset(
    {
        "node_modules", "vendor", "third_party", "_bmad", "bmad-core", "expansion-packs",
        ".claude", ".cursor", ".gemini", ".opencode", ".windsurf", ".codex", ".clinerules", ".roo",
        ".agent", ".agents", "templates", "testdata", "fixtures", "__fixtures__",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Folder:
    """Where a file lies: the lowered names of all folders above it, and of the nearest.

    `is_foreign` says that what lies there is not about this repository: installed tools and
    packages, templates, test data.
    """

    names: frozenset[str]
    nearest: str
    is_foreign: bool = False

    def is_under(self, names: frozenset[str]) -> bool:
        return not self.names.isdisjoint(names)


@lru_cache(maxsize=4096)
def folder_of(directory: str) -> Folder:
    """The Folder of a lowered directory path; files share few of them."""
    names = frozenset(directory.split("/"))
    is_foreign = not names.isdisjoint(_FOREIGN) or any(n.startswith(".bmad") for n in names)
    return Folder(names, directory.rpartition("/")[2], is_foreign)


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

    def identity(
        self, in_file: str | None, in_document: str | None, line: int, *, differ: bool
    ) -> Identity:
        """Both ids; where they `differ` the document is flagged at `line`."""
        if differ:
            message = f"the document says {in_document}, its file name {in_file}"
            self.text.flag("id_mismatch", message, line)
        return Identity(in_file=in_file, in_document=in_document, line=line)

    @property
    def suppressions(self) -> tuple[Suppression, ...]:
        """The findings that the document accepts; known once it was scanned."""
        return tuple(self.text.suppressions[:MAX_ITEMS])


@dataclass(frozen=True)
class Family:
    """One sort of document.

    `claims` gets the folder and the lowered name, and must be cheap: it runs for every path of
    a repository with one of the `suffixes`. `read` returns None when the content is something else.
    `identify` gives the id that a file name alone allows. Of the folders in `within`, if there are
    any, one has to be above the document.
    """

    kind: str
    suffixes: tuple[str, ...]
    claims: Callable[[Folder, str], bool]
    read: Callable[[Source], Artifact | None]
    identify: Callable[[str], str]
    within: frozenset[str] = frozenset()
