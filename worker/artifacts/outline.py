"""A document's sections, addressable as GitHub addresses them."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from worker.artifacts.markdown import Document, Heading
from worker.artifacts.model import Section
from worker.artifacts.strings import MAX_TEXT
from worker.artifacts.text import MAX_ITEMS

_LINK = re.compile(r"!?\[([^\[\]]{0,500})\](?:\([^()]{0,1000}\)|\[[^\[\]]{0,500}\])")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_EMPHASIS = re.compile(r"(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")
_SHA_DIGITS = 16


def sections(document: Document) -> tuple[Section, ...]:
    """The first MAX_ITEMS headings in document order; a repeated anchor gets "-1", "-2", …."""
    return tuple(_sections(document))


def slug(markup: str) -> str:
    """The anchor that GitHub gives a heading of this markup, before repeats are numbered."""
    text = _rendered(markup).strip()[:MAX_TEXT].lower()
    text = _NOT_IN_SLUG.sub("", text) if text.isascii() else "".join(filter(_is_in_slug, text))
    return text.replace(" ", "-")


def _sections(document: Document) -> Iterator[Section]:
    seen: Counter[str] = Counter()
    headings = document.headings[:MAX_ITEMS]
    for index, heading in enumerate(headings):
        anchor = slug(heading.markup)
        repeat = f"-{seen[anchor]}" if seen[anchor] else ""
        seen[anchor] += 1
        last = document.headings[index + 1 : index + 2]
        yield Section(
            title=heading.title,
            level=heading.level,
            line=heading.line,
            anchor=anchor + repeat,
            sha=_sha(document, heading, last[0].line if last else len(document.written) + 1),
        )


def _rendered(markup: str) -> str:
    """`markup` without the underscores, links and tags that a reader does not see."""
    if "[" in markup:
        markup = _LINK.sub(r"\1", markup)
    if "<" in markup:
        markup = _TAG.sub("", markup)
    if "_" not in markup:
        return markup
    parts = markup.split("`")
    parts[::2] = [_EMPHASIS.sub("", part) for part in parts[::2]]
    return "".join(parts)


def _sha(document: Document, heading: Heading, end: int) -> str:
    lines = "\n".join(document.written[heading.line - 1 : end - 1]).encode()
    return hashlib.sha1(lines, usedforsecurity=False).hexdigest()[:_SHA_DIGITS]


@lru_cache(maxsize=4096)
def _is_in_slug(character: str) -> bool:
    """Letters, marks, decimal digits and connectors, as Ruby's word characters are."""
    category = unicodedata.category(character)
    return category[0] in "LM" or category in ("Nd", "Pc") or character in "- "
