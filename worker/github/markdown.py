"""Markdown for GitHub, within its limits: it counts bytes, whatever its documentation says."""

import re

MOST_BYTES = 65_535
_FENCE = re.compile(r"`{3,}")
_ENDLESS = re.compile(r"`{41,}")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#@~&!])")
_LEFT_OUT = "\n\n(The rest is left out: GitHub shows no more than 64 kB.)"
_LEFT_OUT_BEFORE = "(The beginning is left out.)\n"


def cut(text: str, most: int = MOST_BYTES) -> str:
    """The beginning of a text, as much of it as fits, cut at the end of a line, with a note."""
    if len(text.encode()) <= most:
        return text
    kept = _head(text, most - len(_LEFT_OUT.encode()))
    return (kept[: kept.rfind("\n")] if "\n" in kept else kept) + _LEFT_OUT


def line(text: str, most: int) -> str:
    """The text in one line of so many characters at most."""
    words = " ".join(text.split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def shortened(text: str, most: int) -> str:
    """The beginning of a text in so many bytes at most, marked where it was cut."""
    return text if len(text.encode()) <= most else _head(text, most - len("…".encode())) + "…"


def tail_block(text: str, most: int = MOST_BYTES) -> str:
    """The end of a log as a code block of so many bytes at most."""
    # Its fence has to be longer than any run of backticks in it.
    text = _ENDLESS.sub("`" * 40, text)
    fence = _fence(text)
    room = most - 2 * len(fence) - 2
    if len(text.encode()) > room:
        kept = _tail(text, room - len(_LEFT_OUT_BEFORE))
        text = _LEFT_OUT_BEFORE + kept[kept.find("\n") + 1 :]
    return f"{fence}\n{text.rstrip()}\n{fence}"


def escaped(text: str) -> str:
    """Text that means itself, and calls nobody by name."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\\@", "@\u200b")


def code(text: str) -> str:
    """Text in one line as code."""
    words = " ".join(text.split())
    longest = max((len(m) for m in re.findall(r"`+", words)), default=0)
    ticks = "`" * (longest + 1)
    gap = " " if longest else ""
    return f"{ticks}{gap}{words}{gap}{ticks}" if words else ""


def _fence(text: str) -> str:
    longest = max((len(m) for m in _FENCE.findall(text)), default=2)
    return "`" * (longest + 1)


def _head(text: str, most: int) -> str:
    return text.encode()[: max(0, most)].decode(errors="ignore")


def _tail(text: str, most: int) -> str:
    encoded = text.encode()
    return encoded[max(0, len(encoded) - most) :].decode(errors="ignore")
