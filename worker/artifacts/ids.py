"""Ids of stories, epics and decisions, from headings and file names."""

import re

_NUMBERS = (
    r"\d{1,6}(?:[a-z](?=[.\-_]\d))?(?:([.\-_])\d{1,6}(?:\1\d{1,6})*)?[a-z]?"
    r"(?:[-.]p\d{1,3})?(?![a-z0-9])"
)
_STORY_HEADING = re.compile(r"\W*(?:user\s+)?story\b[\s:#\-\u2013\u2014\[(]{0,6}", re.IGNORECASE)
_PLAIN_ID = re.compile(_NUMBERS, re.IGNORECASE)
_DOTTED_ID = re.compile(r"\d{1,6}[a-z]?(?:\.\d{1,6})+[a-z]?(?![\w.])", re.IGNORECASE)
_PREFIXED_ID = re.compile(r"[a-z]{1,6}[-_.]?" + _NUMBERS, re.IGNORECASE)
_ID_END = re.compile(r"\s{0,3}(?:[:\])\u2013\u2014]|-\s|$)")
_FILE_PREFIX = re.compile(r"(?:user[-_.])?story[-_.]")
_FILE_PREFIXED_ID = re.compile(
    r"(?:us[-_.]?\d{1,6}|[a-z]{1,4}[-_.]?\d{1,4}[-_.]p?\d{1,4})(?=[-_.]|$)"
)
_STORY_NAMED = re.compile(
    r"\bstory[\s:#-]{0,3}((?:[a-z]{1,4}-)?\d{1,4}[a-z]?(?:[.-]\d{1,4}){1,2}[a-z]?)(?![\w])",
    re.IGNORECASE,
)
_EPIC_NUMBER = re.compile(
    r"\bepics?[\s:#\-_.]{0,3}((?:(?!epic)[a-z]{2,4}-)?\d{1,4}(?:\.\d{1,4})?[a-z]?)(?![a-z0-9])"
)
_LEADING_NUMBER = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)(?=[-_. ]|$)")
_ADR_FILE = re.compile(r"(?:adr)?[-_ ]?(\d{1,5})(?=[-_. ]|$)")
_ADR_HEADING = re.compile(
    r"\W{0,3}(?:adr[-\s#]{0,3}(\d{1,5})(?!\d)|(\d{1,5})[.:)]\s)", re.IGNORECASE
)
_DATE = re.compile(r"(?:adr[-_]?)?(?:\d{4}[-_]\d{2}[-_]\d{2}|\d{6,8})(?!\d)")
_SPLIT = re.compile(r"[-_.]")
_NOT_SLUG = re.compile(r"[^\w.]+")
_MAX_FILE_PARTS = 3


def normalize(written: str) -> str:
    """One spelling for an id: "01-2_B" is "1.2.b"."""
    parts = _SPLIT.split(written.strip().lower())
    return ".".join(part.lstrip("0") or "0" for part in parts)


def slug(stem: str) -> str:
    """A last resort: the file's own name."""
    return _NOT_SLUG.sub("-", stem.lower()).strip("-") or "unnamed"


def story_in_heading(title: str) -> tuple[str | None, str]:
    """The id that a heading gives, and what is left of the heading: its title."""
    word = _STORY_HEADING.match(title)
    rest = title[word.end() :] if word else title
    match = _PLAIN_ID.match(rest) if word else _DOTTED_ID.match(rest)
    if word and not match:
        match = _PREFIXED_ID.match(rest)
        match = match if match and _ID_END.match(rest, match.end()) else None
    if match:
        return normalize(match[0]), _after_id(rest[match.end() :])
    return None, rest if word and rest else title


def story_named(text: str) -> str | None:
    """The id behind the word story, wherever it stands in `text`."""
    match = _STORY_NAMED.search(text)
    return normalize(match[1]) if match else None


def story_in_file(stem: str) -> str | None:
    """The id in a file name. A slug that starts with a number makes this a guess."""
    name = stem.lower().removesuffix(".story")
    name = _FILE_PREFIX.sub("", name, count=1)
    match = _PLAIN_ID.match(name) or _FILE_PREFIXED_ID.match(name)
    if not match:
        return None
    parts = normalize(match[0]).split(".")
    return ".".join(parts if parts[-1].startswith("p") else parts[:_MAX_FILE_PARTS])


def same_story(heading: str, file: str) -> bool:
    """Whether a file's id is the heading's, perhaps with the start of a slug behind it."""
    return file == heading or file.startswith(f"{heading}.")


def epic_of_story(story: str) -> str | None:
    """The epic that a story's id implies: "0.5.7" is in "0.5", "6.2.p1" in "6"."""
    parts = story.split(".")
    if re.fullmatch(r"p\d+", parts[-1]) and len(parts) > 2:
        parts.pop()
    epic = ".".join(parts[:-1])
    return epic if any(character.isdigit() for character in epic) else None


def epic_number(text: str) -> str | None:
    """The number behind the word epic, wherever it stands in `text`."""
    match = _EPIC_NUMBER.search(text.lower())
    return normalize(match[1]) if match else None


def epic_in_file(stem: str) -> str:
    """The bare id of an epic from its file name: a number, else what the name says."""
    name = stem.lower()
    leading = _LEADING_NUMBER.match(name)
    number = epic_number(name) or (normalize(leading[1]) if leading else None)
    return number or slug(re.sub(r"^epics?[-_.]", "", name))


def epic_title(title: str) -> str:
    """`title` without a leading "Epic 3:"."""
    match = re.match(
        r"\W{0,3}epic\b[\s:#\-]{0,3}(?:(?:[a-z]{2,4}-)?\d[\w.]{0,8}(?![\w]))?", title, re.IGNORECASE
    )
    return (_after_id(title[match.end() :]) if match else title) or title


def decision_in_file(stem: str) -> str | None:
    """The four-digit number of a decision's file; a date in front is no number."""
    name = stem.lower()
    match = None if _DATE.match(name) else _ADR_FILE.match(name)
    return decision_number(match[1]) if match else None


def decision_in_heading(title: str) -> tuple[str | None, str]:
    """The number that a heading gives, and what is left of the heading: its title."""
    match = _ADR_HEADING.match(title)
    if not match:
        return None, title
    number = decision_number(match[1] or match[2])
    return number, _after_id(title[match.end() :]) or title


def decision_number(digits: str) -> str:
    """One spelling for a decision's number: four digits at least."""
    return (digits.lstrip("0") or "0").zfill(4)


def _after_id(rest: str) -> str:
    return rest.lstrip(" \t:.-\u2013\u2014])").strip()
