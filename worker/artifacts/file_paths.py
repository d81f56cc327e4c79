"""Recognising the path of a file, and what a remark beside it says was done to it."""

import re
from typing import Literal

Op = Literal["created", "modified", "deleted"]

_WORDS: dict[str, Op] = {
    "new": "created",
    "create": "created",
    "created": "created",
    "add": "created",
    "added": "created",
    "modify": "modified",
    "modified": "modified",
    "update": "modified",
    "updated": "modified",
    "edit": "modified",
    "edited": "modified",
    "change": "modified",
    "changed": "modified",
    "delete": "deleted",
    "deleted": "deleted",
    "remove": "deleted",
    "removed": "deleted",
}
_WORD = "|".join(_WORDS)
_LEADING = re.compile(
    rf"(?:\*\*|__)?[\[(]?({_WORD})(?: files?)?[\])]?(?:(?:\*\*|__)?\s?:(?:\*\*|__)?|[\])]|\*\*|__|"
    rf"(?=\s+`))\s*",
    re.IGNORECASE,
)
_REMARK = re.compile(
    rf"[\s*_:,.\u2013\u2014-]{{0,6}}(?:([(\[])\s?)?(?:\*\*|__)?({_WORD})(?![\w-])(?:\*\*|__)?",
    re.IGNORECASE,
)
_SAID = re.compile(r"\s{0,2}(?:$|[,;:.)\]\u2013\u2014-]|files?\b)", re.IGNORECASE)
_UNTOUCHED = re.compile(
    r"\b(?:no (?:file )?changes?|not (?:modified|changed|created|needed|yet)|un(?:changed|modified)"
    r"|already exist\w*|existing|read[- ]only|reference only|verified|to be|deferred|planned|n/a)",
    re.IGNORECASE,
)
_LINES = re.compile(r"(?::\d[\d,:-]*|#L\d[\dL-]*)$")
_UNREAL = re.compile(r"[*<>{}|\u2026\"';=,]|\.\.\.|X{2,}|Y{4}|N{3,}|://|\(\)|\s|//|--")
_EXTENSION = re.compile(r"[^./]\.([A-Za-z][A-Za-z0-9]{0,11})$")
_ELSEWHERE = re.compile(r"(?:~|/(?:Users|home|root|workspaces?|tmp|var|etc|usr|opt)/|[A-Za-z]:\\)")
_KNOWN_NAMES = frozenset(
    {
        "dockerfile", "makefile", "justfile", "procfile", "gemfile", "rakefile", "license",
        "readme", "changelog", "notice", "codeowners", "jenkinsfile", "vagrantfile",
    }
)  # fmt: skip
_EXTENSIONS = (
    "ts tsx js jsx mjs cjs mts cts py pyi rs go java kt kts swift rb php cs cpp cc c h hpp m mm "
    "scala ex exs erl hs lua r jl dart move sol sh bash zsh fish ps1 bat sql md mdx rst txt adoc "
    "json jsonc json5 jsonl ndjson yaml yml toml ini cfg conf env lock xml xsd html htm css scss "
    "sass less svg png jpg jpeg gif webp ico pdf vue svelte astro graphql gql proto prisma tf "
    "tfvars hcl nix csv tsv ipynb db sqlite rules service plist gradle properties tpl tmpl j2 ejs "
    "hbs snap example sample template map wasm csproj sln props targets storyboard xib pbxproj "
    "entitlements http rest feature wgsl glsl zig v sv vhd typed in"
)
_KNOWN_EXTENSIONS = frozenset(_EXTENSIONS.split())


def path_of(written: str, *, quoted: bool) -> str | None:
    """The path that `written` is, as in a tree ("src/a.ts"); None for all that is no path.

    `quoted` says that it stood between backticks: then a folder is believed too.
    """
    text = _LINES.sub("", written.strip().rstrip(":"))
    if _ELSEWHERE.match(text) or len(text) > 300 or _UNREAL.search(text):
        return None
    if "\\" in text:
        text = text.replace("\\", "/") if "/" not in text else text.replace("\\", "")
    text = text.removeprefix("./").strip("/")
    return text if text and _is_path(text, quoted, written) else None


def leading_op(text: str) -> tuple[Op | None, str]:
    """The op of "Created: `a.ts`" or "**NEW** `a.ts`", and what follows it."""
    match = _LEADING.match(text)
    return (_WORDS[match[1].lower()], text[match.end() :]) if match else (None, text)


def remarked_op(remark: str) -> Op | None:
    """The op that what follows a path states: "(NEW)", "- Modified: …"; prose states none.

    "Removed a route" and "(added a route)" tell of what is in the file; "Removed",
    "(created for it)" and "REMOVED as unused" of the file.
    """
    match = _REMARK.match(remark)
    if not match:
        return None
    word, op = match[2], _WORDS[match[2].lower()]
    of_the_file = match[1] and word.lower() in ("created", "deleted")
    certain = of_the_file or word.isupper() or _SAID.match(remark, match.end())
    return op if certain or op == "modified" else None


def labelled_ops(label: str) -> set[Op]:
    """Every op that a label names: "Files Created/Modified" names two."""
    words = re.findall(r"[a-z]+", label.lower())
    return {_WORDS[word] for word in words if word in _WORDS}


def is_untouched(remark: str) -> bool:
    """Whether a remark says that the file was left as it was, or is still to come."""
    return _UNTOUCHED.search(remark) is not None


def _is_path(text: str, quoted: bool, written: str) -> bool:
    name = text.rpartition("/")[2].lower()
    extension = _EXTENSION.search(name)
    if "/" not in text:
        known = extension is not None and extension[1] in _KNOWN_EXTENSIONS
        return known or name in _KNOWN_NAMES or (quoted and name.startswith(".") and len(name) > 3)
    if text.startswith("@") or not text[0].isascii():
        return False
    known = extension is not None or name in _KNOWN_NAMES
    return known or (quoted and not written.startswith("/")) or written.endswith("/")
