"""Files that the words of a task name."""

import re
from collections.abc import Iterator

from worker.artifacts.file_paths import Op, path_of
from worker.artifacts.model import FileClaim

_TOKEN = re.compile(r"`([^`\n]{1,300})`|([^\s`'\",;<>|]{3,300})")
_VERB = re.compile(
    r"\b(create|update|modify|edit|delete|remove)\s+"
    r"(?:(?:the|a|an|new|existing|empty|obsolete|file|module)\s+){0,3}$",
    re.IGNORECASE,
)
_OPS: dict[str, Op] = {
    "create": "created",
    "update": "modified",
    "modify": "modified",
    "edit": "modified",
    "delete": "deleted",
    "remove": "deleted",
}
_LONGEST_VERB = 60
_MOST = 50


def files(text: str, line: int) -> Iterator[FileClaim]:
    """The files below some folder that `text` names; `op` where a verb stands right before."""
    found: set[str] = set()
    for match in _TOKEN.finditer(text):
        written = (match[1] or match[2].lstrip("([*").rstrip(")]*.:")).partition("::")[0]
        path = path_of(written, quoted=match[1] is not None)
        if path is None or "/" not in path or "." not in path.rpartition("/")[2]:
            continue
        if path not in found and len(found) < _MOST:
            found.add(path)
            verb = _VERB.search(text[max(0, match.start() - _LONGEST_VERB) : match.start()])
            yield FileClaim(path=path, op=_OPS[verb[1].lower()] if verb else None, line=line)


def unmarked(text: str) -> str:
    """`text` without bold and code marks; underscores stay, for they are in file names."""
    return text.replace("**", "").replace("`", "").strip()
