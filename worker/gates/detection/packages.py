"""Node packages: their scripts, who runs them, and what a script comes to in the end."""

import posixpath
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.gates.detection.data import Table, as_table, json_table
from worker.gates.detection.shell import Simple, bare, split
from worker.gates.detection.tools import asked
from worker.gates.files import Files, inside, joined
from worker.gates.model import Command

MANIFEST = "package.json"
MAX_STEPS = 5
_LOCKS = (
    ("pnpm-lock.yaml", "pnpm"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
)
RUNNERS = ("npm", "pnpm", "yarn", "bun")
_SHORT = {"t": "test", "tst": "test"}


@dataclass(frozen=True)
class Package:
    """The package in `directory`; `runner` is npm, pnpm, yarn or bun."""

    directory: str
    runner: str
    scripts: dict[str, str]


@dataclass(frozen=True)
class Step:
    """A simple command, where it runs, and how many npm's hand words on to it."""

    command: Simple
    directory: str
    npms: int


def package_at(files: Files, directory: str) -> Package | None:
    """The package whose manifest lies in `directory`."""
    manifest = json_table(files, joined(directory, MANIFEST))
    if manifest is None:
        return None
    scripts = {n: s for n, s in as_table(manifest.get("scripts")).items() if isinstance(s, str)}
    return Package(directory, _runner(files, directory, manifest), scripts)


def nested(files: Files) -> Iterator[Package]:
    """The packages below the root, in order of their paths."""
    manifests = [path for path in files.walk("", 4) if path.endswith(f"/{MANIFEST}")]
    found = (package_at(files, path.rpartition("/")[0]) for path in sorted(manifests))
    return (package for package in found if package)


def _runner(files: Files, directory: str, manifest: Table) -> str:
    """By the nearest lock file; where several lie together, the manifest's own word decides."""
    named = str(manifest.get("packageManager", "")).partition("@")[0]
    place = directory
    while True:
        locked = [runner for name, runner in _LOCKS if files.is_file(joined(place, name))]
        if locked:
            return named if named in locked else locked[0]
        if not place:
            return named if named in RUNNERS else "npm"
        place = place.rpartition("/")[0]


def steps(files: Files, package: Package, line: str, depth: int = 0) -> list[Step] | None:
    """The simple commands that a script's `line` comes to; None where that cannot be read."""
    commands = split(line)
    if commands is None:
        return None
    directory, found = package.directory, list[Step]()
    for command in commands:
        words = bare(command.words)
        if words[:1] == ("cd",) and len(words) == 2 and inside(words[1]):
            directory = _moved(directory, words[1])
            continue
        inner = _handed_on(files, package, directory, words, depth)
        if inner is None:
            found.append(Step(command, directory, 0))
        elif len(inner) == 1 or len(commands) == 1 + (directory != package.directory):
            found += _led_by(command.operator, inner)
        else:
            found.append(Step(command, directory, 0))
    return _led_by("", found) if found else found


def _moved(directory: str, step: str) -> str:
    place = posixpath.normpath(joined(directory, step))
    return "" if place == "." else place


def _led_by(operator: str, inner: list[Step]) -> list[Step]:
    first = inner[0]
    leading = Step(Simple(operator, first.command.words), first.directory, first.npms)
    return [leading, *inner[1:]]


def _handed_on(
    files: Files, package: Package, directory: str, words: Sequence[str], depth: int
) -> list[Step] | None:
    """What a call such as `pnpm test` comes to; None where it is no such call."""
    name, extra = _called(words)
    if name is None or depth >= MAX_STEPS:
        return None
    target = package if directory == package.directory else package_at(files, directory)
    if target is None or name not in target.scripts:
        return None
    inner = steps(files, target, target.scripts[name], depth + 1)
    if not inner:
        return None
    npms = 1 if words[0] == "npm" else 0
    last = inner[-1]
    whole = Simple(last.command.operator, (*last.command.words, *extra))
    inner[-1] = Step(whole, last.directory, last.npms + npms)
    return inner


def _called(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The script that `npm run lint -- --quiet` and its kind call, and the words handed on."""
    if not words or words[0] not in RUNNERS:
        return None, ()
    rest = [word for word in words[1:] if word not in ("--silent", "-s")]
    if rest[:1] in (["run"], ["run-script"]):
        rest = rest[1:]
    elif words[0] == "npm" and rest[:1] not in (["test"], ["t"], ["tst"]):
        return None, ()
    if not rest or rest[0].startswith("-"):
        return None, ()
    extra = rest[1:]
    if words[0] == "npm" and extra and extra[0] != "--":
        return None, ()
    return _SHORT.get(rest[0], rest[0]), extra[1:] if extra[:1] == ["--"] else extra


def asked_through(command: Command, found: list[Step] | None, npms: int = 0) -> Command:
    """`command`, which comes to `found`, asked for a report by the last program of these.

    `npms`: how many of them stand before the first step.
    """
    if not found or found[-1].command.operator not in ("", "&&"):
        return command
    last = found[-1]
    separators = ("--",) * (npms + last.npms)
    return asked(command, last.command.words, separators, place=last.directory)


def flat(found: list[Step]) -> str:
    """The line of shell that these steps make together."""
    return " ".join(f"{step.command.operator} {shlex.join(step.command.words)}" for step in found)
