"""What GitHub is to show of a report: said once, and sent as a check run or as a status."""

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

import orjson

State = Literal["queued", "in_progress", "completed"]
Conclusion = Literal[
    "success", "failure", "neutral", "cancelled", "timed_out", "skipped", "action_required"
]
Level = Literal["failure", "warning", "notice"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark at lines of a file, counted from 1."""

    path: str
    line: int
    end_line: int
    level: Level
    title: str
    message: str
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A report. `conclusion` is there once it is completed; `text` is Markdown, as `summary` is."""

    state: State
    title: str
    summary: str
    conclusion: Conclusion | None = None
    text: str | None = None
    annotations: tuple[Annotation, ...] = ()
    started_at: datetime | None = None


def completed(conclusion: Conclusion, title: str, summary: str) -> Shown:
    """A report that has nothing else to tell."""
    return Shown("completed", title, summary, conclusion)


def digest(content: object) -> str:
    """A fingerprint of what is sent, so that the same is not sent again; 32 hex digits."""
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(text).hexdigest()[:32]


def content_of(shown: Shown) -> dict[str, object]:
    """What is worth telling as plain values: that another attempt has begun is not."""
    return asdict(replace(shown, started_at=None))
