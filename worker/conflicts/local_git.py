"""A repository on this disk as git knows it: its files, its commits, its history."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from worker.errors import ConfigurationError, InvalidInput

MAX_SHOWN = 500
_REGULAR = (b"100644", b"100755")
# A hook that runs this command has these set for its own repository; the path given decides.
_OF_ANOTHER_REPOSITORY = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE",
)  # fmt: skip
# What a repository's own configuration could make git run, or fetch.
_NOTHING_RUN = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_ENVIRONMENT = {
    "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none", "GIT_TERMINAL_PROMPT": "0",
}  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """A file of a commit; `regular` is false for links and submodules."""

    path: str
    sha: str
    regular: bool


class LocalGit:
    """Asks git about the repository at `root`; `focus` is the folder below it that was given."""

    def __init__(self, root: Path, focus: str, bare: bool, shallow: bool) -> None:
        self.root, self.focus, self.bare, self.shallow = root, focus, bare, shallow

    @classmethod
    def find(cls, path: Path) -> "LocalGit | None":
        """The repository that a folder is in; None if it is in none."""
        asked = ("--is-bare-repository", "--is-shallow-repository", "--show-cdup", "--show-prefix")
        done = _run(path, "rev-parse", *asked)
        if done.returncode and b"not a git repository" in done.stderr:
            return None
        # A bare repository has no folder to go up to, and prints nothing for it.
        bare, shallow, up, prefix, *_ = (*_output(path, done).decode().split("\n"), "", "")
        root = Path(os.path.normpath(path / up))
        return cls(root, prefix.rstrip("/"), bare == "true", shallow == "true")

    def files(self) -> Iterator[str]:
        """Paths in the work tree: those in the index and new ones, without what is ignored."""
        options = ("-z", "-t", "--cached", "--deleted", "--others", "--exclude-standard")
        tagged = [(record[:1], record[2:]) for record in self._records("ls-files", *options)]
        deleted = {name for tag, name in tagged if tag == b"R"}
        return _readable(dict.fromkeys(name for _, name in tagged if name not in deleted))

    def commit(self, revision: str) -> str:
        """The hash of a commit. Raises InvalidInput if there is none of that name."""
        wanted = f"{revision}^{{commit}}"
        done = _run(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
        if done.returncode:
            raise InvalidInput(f"{self.root} has no commit {revision!r}")
        return done.stdout.decode().strip()

    def listing(self, commit: str) -> Iterator[Listed]:
        """All files of a commit."""
        for record in self._records("ls-tree", "-r", "-z", "--full-tree", commit):
            about, _, name = record.partition(b"\t")
            mode, _, sha = about.split()
            for path in _readable([name]):
                yield Listed(path, sha.decode(), mode in _REGULAR)

    def contents(self, shas: Iterable[str]) -> Iterator[bytes]:
        """The data of blobs, in their order, from one process."""
        with tempfile.TemporaryFile() as questions:
            questions.writelines(f"{sha}\n".encode() for sha in shas)
            questions.seek(0)
            command = _command(self.root, "cat-file", "--batch", "--buffer")
            with subprocess.Popen(
                command, stdin=questions, stdout=subprocess.PIPE, env=_environment()
            ) as process:
                assert process.stdout
                while header := process.stdout.readline():
                    if header.endswith(b" missing\n"):
                        raise InvalidInput(f"{self.root} is incomplete: {header.decode().strip()}")
                    yield process.stdout.read(int(header.split()[2]))
                    process.stdout.readline()

    def history(self, commit: str | None) -> "History | None":
        """What was ever there; None in a shallow clone, which has no history to tell."""
        return None if self.shallow else History(self, commit)

    def paths_added(self, commit: str | None) -> frozenset[str]:
        """Every path that any commit up to this one (None: the current one) has added."""
        if _run(self.root, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
            return frozenset()
        options = ("-z", "--format=", "--name-only", "--no-renames", "--diff-filter=A")
        return frozenset(_readable(self._records("log", *options, commit or "HEAD")))

    def _records(self, *arguments: str) -> list[bytes]:
        output = _output(self.root, _run(self.root, *arguments))
        return [record for record in output.split(b"\0") if record]


class History:
    """Paths that were ever there; git is asked for them when somebody first wants to know."""

    def __init__(self, git: LocalGit, commit: str | None) -> None:
        self._git = git
        self._commit = commit

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    @cached_property
    def _paths(self) -> frozenset[str]:
        return self._git.paths_added(self._commit)


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = _command(directory, *arguments)
    try:
        return subprocess.run(command, capture_output=True, check=False, env=_environment())
    except FileNotFoundError:
        raise ConfigurationError(["git was not found: install it and put it on PATH"]) from None


def _command(directory: Path, *arguments: str) -> list[str]:
    return ["git", "-C", str(directory), *_NOTHING_RUN, *arguments]


def _environment() -> dict[str, str]:
    kept = {name: v for name, v in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    return kept | _ENVIRONMENT


def _output(directory: Path, done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[:MAX_SHOWN]
        raise InvalidInput(f"git cannot read {directory}: {said}")
    return done.stdout


def _readable(names: Iterable[bytes]) -> Iterator[str]:
    # No document can name a file whose name is not text.
    for name in names:
        try:
            yield name.decode()
        except UnicodeDecodeError:
            continue
