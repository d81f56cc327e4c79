"""Output of unknown origin as text that can be stored and shown."""

import re

MAX_LOG = 64_000
MAX_MESSAGE = 1_000
MAX_NAME = 300
MOST_TELLING = 20

_ESCAPES = re.compile(
    "\x1b(?:\\[[0-?]{0,64}[ -/]{0,8}[@-~]|\\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\\\)?|[@-Z\\\\-_])"
)
_UNSTORABLE = re.compile("[\0-\x08\x0b-\x1f\x7f\x80-\x9f\ud800-\udfff]")
_NOISE = re.compile(
    r"npm (?:error|ERR!|warn|notice)|\W*ELIFECYCLE|error Command failed with exit code|info Visit"
    r"|make(?:\[\d+\])?: \*\*\*|\W+$"
)
_ERROR = re.compile(r"\berror\b", re.IGNORECASE)


def plain(data: bytes | str) -> str:
    """`data` as text, without colours, control characters, and what a progress bar overwrote."""
    text = data.decode("utf-8", errors="replace") if isinstance(data, bytes) else data
    lines = _ESCAPES.sub("", text).split("\n")
    shown = (line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return _UNSTORABLE.sub("", "\n".join(shown))


def log_of(text: str) -> str:
    """The last part of plain `text`, at most MAX_LOG bytes, from the start of a line."""
    data = text.rstrip().encode()
    if len(data) <= MAX_LOG:
        return data.decode()
    _, _, kept = data[-MAX_LOG:].partition(b"\n")
    return (kept or data[-MAX_LOG:]).decode(errors="ignore")


def message(value: object, limit: int = MAX_MESSAGE) -> str:
    """`value` as one bounded paragraph; empty where it is no text."""
    return plain(value[: limit * 4]).strip()[:limit].rstrip() if isinstance(value, str) else ""


def name(value: object) -> str:
    """`value` as one short line."""
    return " ".join(message(value, MAX_NAME).split())


def telling_line(text: str) -> str:
    """The line near the end of `text` that best says what went wrong, free of runners' noise."""
    lines = [name(line) for line in text[-8_000:].splitlines()]
    lines = [line for line in lines if line and not _NOISE.match(line)][-MOST_TELLING:]
    errors = [line for line in lines if _ERROR.search(line)]
    return (errors or lines or [""])[-1]
