"""A repository, or any folder, on this disk: its documents and the world around them."""

import hashlib
import os
import stat
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from worker.artifacts import Artifact, classify, text
from worker.artifacts.strings import storable
from worker.conflicts import ignores
from worker.conflicts.ignores import Ignores
from worker.conflicts.local_git import LocalGit
from worker.conflicts.local_parsing import Progress, RawDocument, parse_all
from worker.conflicts.world import TreeWorld
from worker.errors import InvalidInput

_SKIPPED = frozenset({".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__"})


@dataclass(frozen=True)
class Local:
    """What was read. Paths are relative to `root`; `focus` is the folder that was asked for.

    `commit` is None for files as they are on the disk, `history` where it is not known;
    `content` reads a document once more.
    """

    root: Path
    focus: str
    commit: str | None
    paths: Sequence[str]
    artifacts: Sequence[Artifact]
    history: Container[str] | None
    ignores: Ignores
    content: Callable[[str], bytes | None]

    def line(self, path: str, number: int) -> str | None:
        """A line of a document, counted from 1; None if there is no such line any more."""
        data = self.content(path)
        lines = [] if data is None else text.read(data).lines
        return lines[number - 1] if 0 < number <= len(lines) else None

    def world(self) -> TreeWorld:
        """The tree around the documents; nothing was run on it, so it has no verdicts."""
        return TreeWorld(self.paths, self.history, {}, self.ignores)

    def within(self, path: str) -> bool:
        """Whether a path is in the folder that was asked for."""
        return not self.focus or path == self.focus or path.startswith(f"{self.focus}/")


def read_local(
    path: Path, revision: str | None = None, progress: Progress = lambda read, total: None
) -> Local:
    """Read a commit, or without a revision the files as they are, uncommitted ones included.

    In a repository all of it is read, whichever of its folders is given, because documents refer
    to each other across folders; a bare one is read at its HEAD. Raises InvalidInput for what
    cannot be read, ConfigurationError if git is needed and missing.
    """
    folder = _folder(path)
    git = LocalGit.find(folder)
    if git and (revision or git.bare):
        return _committed(git, git.commit(revision or "HEAD"), progress)
    if revision:
        raise InvalidInput(f"{path} is not in a git repository, so it has no commit {revision!r}")
    root = git.root if git else folder
    paths = sorted(git.files() if git else _walk(root))
    documents = [d for p in paths if _is_read(p) and (d := _document(root, p))]
    return Local(
        root=root,
        focus=git.focus if git else "",
        commit=None,
        paths=paths,
        artifacts=parse_all(documents, progress),
        history=git.history(None) if git else None,
        ignores=_ignores(documents),
        content=lambda path: document.data if (document := _document(root, path)) else None,
    )


def _committed(git: LocalGit, commit: str, progress: Progress) -> Local:
    listed = sorted(git.listing(commit), key=lambda file: file.path)
    wanted = [file for file in listed if file.regular and _is_read(file.path)]
    shas = {file.path: file.sha for file in wanted}
    contents = git.contents(shas.values())
    documents = [
        RawDocument(file.path, file.sha, data) for file, data in zip(wanted, contents, strict=True)
    ]
    return Local(
        root=git.root,
        focus=git.focus,
        commit=commit,
        paths=[file.path for file in listed],
        artifacts=parse_all(documents, progress),
        history=git.history(commit),
        ignores=_ignores(documents),
        # Those who ask go from line to line, and each time would start a git process.
        content=lru_cache(maxsize=1)(lambda path: next(git.contents([shas[path]]))),
    )


def _is_read(path: str) -> bool:
    return path.rpartition("/")[2] == ignores.NAME or classify(path) is not None


def _ignores(documents: Sequence[RawDocument]) -> Ignores:
    found = [document for document in documents if classify(document.path) is None]
    return Ignores({path: data.decode(errors="replace") for path, _, data in found})


def _folder(path: Path) -> Path:
    try:
        folder = path.resolve(strict=True)
        next(folder.iterdir(), None)
    except NotADirectoryError:
        raise InvalidInput(f"{path} is a file: give the folder of a repository") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    return folder


def _walk(root: Path) -> Iterator[str]:
    for directory, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in names:
            path = (Path(directory) / name).relative_to(root).as_posix()
            if storable(path):
                yield path


def _refuse(error: OSError) -> None:
    raise _unreadable(error.filename, error)


def _unreadable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"{path} cannot be read: {error.strerror}")


def _document(root: Path, path: str) -> RawDocument | None:
    """None for links, and for what has gone since it was listed."""
    try:
        if not stat.S_ISREG((root / path).lstat().st_mode):
            return None
        data = (root / path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(root / path, error) from None
    return RawDocument(path, _blob_sha(data), data)


def _blob_sha(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()
