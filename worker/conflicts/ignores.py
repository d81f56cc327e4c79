"""What a repository's `.gitignore` files keep out of it."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

NAME = ".gitignore"
_MOST_LINES = 2_000
_MOST_DEPTHS = 3
_NOTHING = re.compile(r"(?!)")
_TOKEN = re.compile(r"\?|\[[!^]?\]?[^\]]+\]|\\.|.", re.DOTALL)
# A hyphen means a range only between two letters or digits.
_SPECIAL = re.compile(r"[\\\[\]&~|^]|-(?![0-9A-Za-z])|(?<![0-9A-Za-z])-")


class Ignores:
    """The patterns of a tree; `texts` are its `.gitignore` files by path.

    As in git, the last pattern that matches decides, those of inner folders come last, and nothing
    brings back a file whose folder is ignored.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._patterns = {
            path.rpartition("/")[0]: list(_patterns(texts[path])) for path in sorted(texts)
        }

    def matches(self, path: str) -> bool:
        """Whether git would leave the file out, unless it was told to add it all the same."""
        parts = path.split("/")
        folders = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return any(self._decide(folder, True) for folder in folders) or self._decide(path, False)

    def _decide(self, path: str, is_folder: bool) -> bool:
        ignored = False
        for base, patterns in self._patterns.items():
            if base and not path.startswith(f"{base}/"):
                continue
            inner = path[len(base) + 1 :] if base else path
            for pattern, negated, only_folders in patterns:
                if (is_folder or not only_folders) and pattern.fullmatch(inner):
                    ignored = not negated
        return ignored


def _patterns(text: str) -> Iterator[tuple[re.Pattern[str], bool, bool]]:
    """Each line's expression, whether it brings back, and whether it is for folders only."""
    for line in text.splitlines()[:_MOST_LINES]:
        pattern = line.rstrip() if not line.endswith("\\ ") else line
        if not pattern or pattern.startswith("#"):
            continue
        negated = pattern.startswith("!")
        body = pattern.removeprefix("!").removeprefix("\\")
        if body.strip("/"):
            yield _expression(body.rstrip("/")), negated, body.endswith("/")


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    """A slash but at the end binds a pattern to its folder; others match at any depth."""
    segments = pattern.removeprefix("/").split("/")
    if "/" not in pattern:
        segments.insert(0, "**")
    if segments.count("**") > _MOST_DEPTHS:
        return _NOTHING
    *folders, last = segments
    above = "".join("(?:.*/)?" if s == "**" else f"{_segment(s)}/" for s in folders)
    try:
        return re.compile(above + (".+" if last == "**" else _segment(last)), re.DOTALL)
    except re.error:
        return _NOTHING


def _segment(pattern: str) -> str:
    """What stands between two slashes.

    All stars but the last take the shortest stretch for good: no name makes that wrong, and no
    pattern makes it slow.
    """
    first, *others = re.split(r"\*+", pattern)
    if not others:
        return _fixed(first)
    *middle, last = others
    stretches = "".join(f"(?>[^/]*?{_fixed(part)})" for part in middle)
    return f"{_fixed(first)}{stretches}[^/]*{_fixed(last)}"


def _fixed(pattern: str) -> str:
    return "".join(_translated(match[0]) for match in _TOKEN.finditer(pattern))


def _translated(part: str) -> str:
    if part == "?":
        return "[^/]"
    if len(part) > 1 and part.startswith("["):
        return _character_class(part[1:-1])
    return re.escape(part[-1])


def _character_class(body: str) -> str:
    negated = body[:1] in ("!", "^")
    inner = _SPECIAL.sub(r"\\\g<0>", body[1:] if negated else body)
    return f"[{'^/' if negated else ''}{inner}]"
