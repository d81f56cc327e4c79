"""The tree around the documents, its history, and the verdicts on its stories."""

import re
from collections import defaultdict
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from functools import cached_property

from worker.conflicts.base import OwnVerdict
from worker.conflicts.ignores import Ignores

# Build outputs, dependencies, caches, media, databases, logs, secrets: seldom committed.
_IGNORED_FOLDERS = frozenset(
    ("node_modules", "dist", "build", "out", "target", "coverage", "htmlcov", "__pycache__",
     ".next", ".nuxt", ".turbo", ".cache", ".venv", "venv", ".tox", ".pytest_cache",
     ".mypy_cache", "tmp", "logs", "test-results", "playwright-report", "storybook-static",
     ".dart_tool", "bin", "obj")
)  # fmt: skip
_IGNORED_NAMES = re.compile(
    r"""\.(?:png|jpe?g|gif|webp|ico|bmp|tiff?|mp[34]|mov|webm|wav|avi|pdf|zip|gz|tgz|bz2|7z|rar|jar
        |pyc|o|so|dll|exe|class|wasm|map|db|db3|sqlite3?|parquet|pkl|npy|onnx|bin|log|tmp|bak|swp
        |pem|key|crt|p12|keystore)$
      |(?:^|/)(?:\.env(?:\.(?!example$|sample$|template$)[\w.-]+)?|\.ds_store|\.coverage
        |coverage\.(?:xml|json|out)|junit\.xml)$""",
    re.VERBOSE | re.IGNORECASE,
)


class TreeWorld:
    """All files of one commit by their paths; `history` those of all commits up to it, if known.

    `ignores` are the commit's `.gitignore` files, None where nobody has read them.
    """

    def __init__(
        self,
        paths: Collection[str],
        history: Container[str] | None,
        verdicts: Mapping[str, Sequence[OwnVerdict]],
        ignores: Ignores | None = None,
    ) -> None:
        self._paths = frozenset(paths)
        self._history = history
        self._verdicts = verdicts
        self._ignores = ignores

    def exists(self, path: str) -> bool:
        """Whether the file or folder is in the tree; the root is."""
        return not path or path in self._paths or path in self._folders

    def named(self, basename: str) -> Sequence[str]:
        """Paths of the files of that name, whatever its case, sorted."""
        return self._names.get(basename.lower(), ())

    def ever_existed(self, path: str) -> bool | None:
        """Whether the file is, or in some commit was, in the tree; None where that is not known."""
        if path in self._paths:
            return True
        return None if self._history is None else path in self._history

    def ignored(self, path: str) -> bool | None:
        """Whether git is told to leave it out, or it is of a sort that is seldom committed: built,
        downloaded, recorded, secret. None if it is of no such sort, and git's rules are not known.
        """
        seldom = bool(_IGNORED_NAMES.search(path)) or not _IGNORED_FOLDERS.isdisjoint(
            path.lower().split("/")[:-1]
        )
        if seldom or self._ignores is None:
            return seldom or None
        return self._ignores.matches(path)

    def verdicts(self, story: str) -> Sequence[OwnVerdict]:
        """The newest verdict of each type of check for the story."""
        return self._verdicts.get(story, ())

    @cached_property
    def _folders(self) -> frozenset[str]:
        folders: set[str] = set()
        for path in self._paths:
            for folder in _above(path):
                if folder in folders:
                    break
                folders.add(folder)
        return frozenset(folders)

    @cached_property
    def _names(self) -> Mapping[str, Sequence[str]]:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(self._paths):
            names[path.rpartition("/")[2].lower()].append(path)
        return names


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
