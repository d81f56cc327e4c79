"""`switchyard scan`: what the documents of a repository on this disk say."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from worker.artifacts import Artifact
from worker.artifacts.model import Flaw
from worker.cli.output import Columns, table
from worker.cli.parsers import Commands
from worker.cli.progress import progress_bar
from worker.conflicts.local import Local, read_local


class Count(NamedTuple):
    """How many documents of a kind have a status."""

    kind: str
    status: str
    number: int


class Oddity(NamedTuple):
    """How often something is odd in the documents, and where first."""

    code: str
    number: int
    path: str
    line: int
    message: str


COUNTS: Columns = {
    "kind": lambda count: count.kind,
    "status": lambda count: count.status,
    "documents": lambda count: count.number,
}
ODDITIES: Columns = {
    "warning": lambda oddity: oddity.code,
    "times": lambda oddity: oddity.number,
    "first": lambda oddity: f"{oddity.path}:{oddity.line}",
    "what": lambda oddity: oddity.message,
}
DOCUMENTS: Columns = {
    "id": lambda artifact: artifact.id,
    "status": lambda artifact: _status(artifact),
    "title": lambda artifact: artifact.title,
    "path": lambda artifact: artifact.path,
}


def add_commands(commands: Commands) -> None:
    """One command, which needs neither a database nor a worker."""
    help_text = "read the project documents of a repository on this disk"
    scan = commands.add_parser("scan", help=help_text, description=help_text)
    add_source(scan)
    scan.add_argument("--json", action="store_true", help="print the full records")
    scan.add_argument("--kind", action="append", metavar="KIND",
                      help="list the documents of this kind; may be given again")  # fmt: skip
    scan.set_defaults(run=_scan)


def add_source(parser: argparse.ArgumentParser) -> None:
    """The options that say what to read; `read_source` follows them."""
    parser.add_argument("path", nargs="?", type=Path, default=Path(), metavar="PATH",
                        help="its folder, the current one unless given")  # fmt: skip
    parser.add_argument("--commit", metavar="COMMIT",
                        help="read this commit, not the files as they are")  # fmt: skip


def read_source(options: argparse.Namespace) -> Local:
    """Read what the options name, with a bar if it takes long. Raises InvalidInput."""
    with progress_bar("documents") as progress:
        return read_local(options.path, options.commit, progress)


def _scan(options: argparse.Namespace) -> int:
    local = read_source(options)
    artifacts = [a for a in local.artifacts if local.within(a.path)]
    if options.kind:
        artifacts = [a for a in artifacts if a.kind in options.kind]
    sys.stdout.write(f"{_json(local, artifacts) if options.json else _told(artifacts, options)}\n")
    return 0


def _json(local: Local, artifacts: Sequence[Artifact]) -> str:
    records = [artifact.model_dump() for artifact in artifacts]
    return orjson.dumps({"commit": local.commit, "artifacts": records}).decode()


def _told(artifacts: Sequence[Artifact], options: argparse.Namespace) -> str:
    if options.kind:
        return table(artifacts, DOCUMENTS)
    parts = [table(list(_counts(artifacts)), COUNTS)]
    if oddities := _oddities(artifacts):
        parts.append(table(oddities, ODDITIES))
    return "\n\n".join(parts)


def _counts(artifacts: Sequence[Artifact]) -> Iterator[Count]:
    counted = Counter((artifact.kind, _status(artifact)) for artifact in artifacts)
    return (Count(*of, number) for of, number in sorted(counted.items()))


def _oddities(artifacts: Sequence[Artifact]) -> list[Oddity]:
    found: dict[str, list[tuple[str, Flaw]]] = {}
    for artifact in artifacts:
        for flaw in artifact.warnings:
            found.setdefault(flaw.code, []).append((artifact.path, flaw))
    return [_oddity(times) for _, times in sorted(found.items())]


def _oddity(times: Sequence[tuple[str, Flaw]]) -> Oddity:
    path, first = times[0]
    return Oddity(first.code, len(times), path, first.line, first.message)


def _status(artifact: Artifact) -> str:
    if artifact.status is None:
        return "-"
    return artifact.status.normalized or "not understood"
