"""The files that a document says were touched: its File List, in the forms people write it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from worker.artifacts import tables
from worker.artifacts.file_paths import (
    Op,
    is_untouched,
    labelled_ops,
    leading_op,
    path_of,
    remarked_op,
)
from worker.artifacts.markdown import Document, Heading
from worker.artifacts.model import FileClaim
from worker.artifacts.text import MAX_ITEMS

_SECTION = re.compile(
    r"(?:complete |updated )?file list\b"
    r"|(?:new |source |test |all )?files? (?:and \w+ )?(?:created|modified|changed|added|deleted"
    r"|removed|touched|updated)\b"
    r"|(?:new|modified|created|changed|deleted|updated) files?\b"
)
_NOT_SECTION = re.compile(r"\b(?:to|review|not|expected|planned|qa)\b")
_NOT_CLAIMED = re.compile(
    r"\b(?:not?|unchanged|unmodified|reference|verified|reviewed|existing|read|depend\w*|planned"
    r"|to|expected|future|todo|tests? results?|notes?|summary|commands?|untouched|context)\b",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\s{0,8}(?:`{3,}|~{3,})")
_BULLET = re.compile(r"\s*(?:[-*+]|\d{1,4}[.)])\s+(?:\[[ xX]\]\s+)?")
_LABEL = re.compile(
    r"(?:\*\*|__)([^*_`]{1,80}?)(?::(?:\*\*|__)|(?:\*\*|__):?)\s*"
    r"|([A-Z][\w /&()-]{0,60}?):\s*$"
)
_SIGN = re.compile(r"[^\w`*\[(./@+~-]+\s*")
_QUOTED = re.compile(r"(?:\*\*)?\[?`([^`\n]{1,400})`\]?(?:\([^()\s]{0,400}\))?(?:\*\*)?")
_BARE = re.compile(r"(?:\*\*)?([^\s`*|,;]{1,300}?)(?:\*\*)?(?=[\s,;]|:\s|$)")
_JOINT = re.compile(r"\s{0,2}(?:,|&|\+|and\b|/)\s{0,2}(?=`)")
_MOVED = re.compile(r"\s{0,2}(?:->|=>|\u2192)\s{0,2}(?=`)")
_TREE = re.compile(r"(?:[\u2502|]\s{1,3}|\s{4}|\s{2}(?=\S))*(?:[\u251c\u2514+`|][\u2500-]{1,3}\s?)")
_FLAT = re.compile(r"\s*(?:([AMD])\s{1,4})?(\S{1,300})\s*(?:#+|<?--?|//)?\s*(.*)$")
_LETTERS: dict[str, Op] = {"A": "created", "M": "modified", "D": "deleted"}
_FILE_COLUMNS = ("file", "files", "path", "file path", "filename", "location")
_OP_COLUMNS = ("status", "change type", "action", "type", "operation", "change", "changes")


@dataclass(slots=True)
class _State:
    """What the lines since the last label are about."""

    op: Op | None = None
    folder: str = ""
    claimed: bool = True


def read(document: Document) -> tuple[FileClaim, ...]:
    """Each path once, as first claimed, in document order; at most MAX_ITEMS."""
    first: dict[str, FileClaim] = {}
    for claim in islice(_read(document), MAX_ITEMS):
        known = first.setdefault(claim.path, claim)
        if known.op is None and claim.op:
            first[claim.path] = claim
    return tuple(sorted(first.values(), key=lambda claim: claim.line))


def _read(document: Document) -> Iterator[FileClaim]:
    done_until = 0
    for heading in document.headings:
        if heading.line >= done_until and _announces(heading):
            done_until = heading.end
            yield from _section(document, heading)


def _announces(heading: Heading) -> bool:
    return _SECTION.match(heading.key) is not None and not _NOT_SECTION.search(heading.key)


def _section(document: Document, heading: Heading) -> Iterator[FileClaim]:
    state = _labelled(heading.title)
    block: list[tuple[int, str]] = []
    in_fence = False
    for number in range(heading.line + 1, heading.end):
        shown, written = document.lines[number - 1], document.written[number - 1]
        if not shown and _FENCE.match(written):
            in_fence = not in_fence
            yield from _listing(block, state)
            block = []
        elif in_fence or shown.lstrip().startswith("|"):
            block.append((number, written))
        elif shown or block:
            yield from _rows(block, state)
            block = []
            yield from _line(shown, number, state)
    yield from _rows(block, state)


def _line(line: str, number: int, state: _State) -> Iterator[FileClaim]:
    if line.startswith("#"):
        _enter(state, line.lstrip("# "))
        return
    bullet = _BULLET.match(line)
    text = line[bullet.end() :] if bullet else line.lstrip("> \t")
    if sign := _SIGN.match(text):
        text = text[sign.end() :]
    op, rest = leading_op(text)
    if op is None and (label := _LABEL.match(text)) and not path_of(label[1] or "", quoted=False):
        _enter(state, label[1] or label[2])
        rest = text[label.end() :]
    elif op and not rest:
        state.op, state.folder, state.claimed = op, "", True
    if state.claimed and rest and not is_untouched(rest):
        yield from _claims(rest, number, op, state, believe_bare=bullet is not None)


def _claims(
    text: str, line: int, op: Op | None, state: _State, *, believe_bare: bool
) -> Iterator[FileClaim]:
    """The paths that `text` begins with; the remark behind the last is about all of them."""
    found: list[str] = []
    position = 0
    while match := _QUOTED.match(text, position):
        found.append(match[1])
        position = match.end()
        joint = _JOINT.match(text, position)
        if not joint:
            break
        position = joint.end()
    quoted = bool(found)
    if quoted and (moved := _MOVED.match(text, position)):
        yield from _claims(text[moved.end() :], line, "created", state, believe_bare=False)
        op = "deleted"
    if not found and believe_bare and (bare := _BARE.match(text)):
        found, position = [bare[1]], bare.end()
    op = op or remarked_op(text[position:]) or state.op
    for written in found:
        path = path_of(written, quoted=quoted)
        if path:
            yield FileClaim(path=_within(state.folder, path), op=op, line=line)


def _enter(state: _State, label: str) -> None:
    """A label gives the op, the folder or the layer of the files below it."""
    words = label.strip().rstrip(":")
    if "/" in words and path_of(words, quoted=True):
        state.folder, state.claimed = words.strip("/"), True
        return
    entered = _labelled(words)
    state.op, state.folder, state.claimed = entered.op, "", entered.claimed


def _labelled(label: str) -> _State:
    ops = labelled_ops(label)
    return _State(
        op=ops.pop() if len(ops) == 1 else None, claimed=_NOT_CLAIMED.search(label) is None
    )


def _within(folder: str, path: str) -> str:
    """A path below a label that names a folder; some write it in full all the same."""
    first = folder.partition("/")[0]
    return path if not folder or path.partition("/")[0] == first else f"{folder}/{path}"


def _rows(lines: list[tuple[int, str]], state: _State) -> Iterator[FileClaim]:
    for table in tables.read(lines) if state.claimed else ():
        file, change = table.column(*_FILE_COLUMNS), table.column(*_OP_COLUMNS)
        for line, cells in table.rows if file is not None else ():
            remark = cells[change] if change is not None and change != file else ""
            if not is_untouched(remark):
                op = remarked_op(remark)
                yield from _claims(cells[file or 0], line, op, state, believe_bare=True)


def _listing(lines: list[tuple[int, str]], state: _State) -> Iterator[FileClaim]:
    """A block of paths: plain ones are all claimed, of a drawn tree those with a remark."""
    folders: dict[int, str] = {}
    for number, line in lines if state.claimed else ():
        branch = _TREE.match(line)
        depth = branch.end() if branch else 0
        entry = _FLAT.match(line[depth:])
        if not entry:
            continue
        name, remark = entry[2], entry[3]
        above = [folders[d] for d in sorted(folders) if d < depth]
        folders = {d: folder for d, folder in folders.items() if d < depth}
        folders[depth] = name.strip("/")
        op = _LETTERS.get(entry[1] or "") or remarked_op(remark) or (None if branch else state.op)
        path = path_of("/".join([*above, name]), quoted=False)
        if path and not name.endswith("/") and (op or not branch) and not is_untouched(remark):
            yield FileClaim(path=path, op=op, line=number)
