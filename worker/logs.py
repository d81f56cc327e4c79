"""Structured logs: JSON lines in production, readable ones in development, secrets never."""

import asyncio
import atexit
import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any
from uuid import UUID

import orjson
import structlog

_REDACTED = "[redacted]"
_SECRET_FIELD = re.compile(
    r"secret|token$|password|authorization|signature|credential|api_key", re.I
)
_USERINFO = re.compile(r"(?<=://)[^/\s]+@")
_LEVELS = {"exception": "error", "warn": "warning"}
_HARMLESS = frozenset({type(None), bool, int, float, UUID})
_secrets: list[str] = []
_lines: "list[Lines]" = []
_NOTHING: dict[str, object] = {}
_bound: ContextVar[dict[str, object]] = ContextVar("bound_log_fields", default=_NOTHING)


def bind(**fields: object) -> None:
    """Add these fields to every later line of this task; None is left out."""
    _bound.set(_bound.get() | {name: v for name, v in fields.items() if v is not None})


def configure_logs(*, level: str, as_json: bool, secrets: Iterable[str] = ()) -> None:
    """Send structlog and the standard library's records to stderr in one format.

    `secrets` never appear in any line, wherever they turn up.
    """
    # The longest first: one may be the beginning of another.
    _secrets[:] = sorted({s for s in secrets if len(s) >= 6}, key=len, reverse=True)
    _is_harmless.cache_clear()
    renderer = _renderer(as_json)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[_complete, _as_line if as_json else renderer],
        wrapper_class=_quick_logger(number, as_json),
        logger_factory=_logger_factory(as_json),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _complete],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    _route_standard_library(handler, level)


def _complete(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    line = {**_bound.get(), **event}
    line["level"] = _LEVELS.get(method, method)
    line["timestamp"] = f"{datetime.now(UTC).isoformat(timespec='microseconds')[:-6]}Z"
    if line.get("exc_info"):
        line = dict(structlog.processors.format_exc_info(logger, method, line))
    return redact(logger, method, line)


def _quick_logger(level: int, as_json: bool) -> Any:
    """structlog's own logger class, with a short cut for the line of every push and attempt."""
    base = structlog.make_filtering_bound_logger(level)
    if not as_json or level > logging.INFO:
        return base

    class QuickLogger(base):  # type: ignore[misc, valid-type]
        def info(self, event: str, *args: Any, **fields: Any) -> Any:
            if args or self._context or (line := _quick_line(event, fields)) is None:
                return super().info(event, *args, **fields)
            return self._logger.info(line)

        def info_each(self, event: str, rows: Sequence[Mapping[str, Any]]) -> None:
            if self._context or (lines := _quick_lines(event, rows)) is None:
                for row in rows:
                    self.info(event, **row)
            else:
                self._logger.info(lines)

    return QuickLogger


def info_each(logger: Any, event: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line for each of these, which have the same flat fields: cheaper than one by one."""
    together = getattr(logger, "info_each", None)
    if together is not None:
        together(event, rows)
    else:
        for row in rows:
            logger.info(event, **row)


def _quick_line(event: str, fields: dict[str, object]) -> bytes | None:
    """The finished line, or None if it has to be looked through field by field."""
    line = _bound.get() | fields
    line["event"], line["level"] = event, "info"
    for value in line.values():
        kind = type(value)
        if kind is str:
            if not _is_harmless(str(value)):
                return None
        elif kind not in _HARMLESS and not isinstance(value, UUID):
            return None
    if _name_secrets(tuple(line)):
        return None
    line["timestamp"] = datetime.now(UTC)
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z)
    except TypeError:
        return None


def _quick_lines(event: str, rows: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The finished lines, or None if they have to be looked through one by one."""
    same = {**_bound.get(), "event": event, "level": "info", "timestamp": datetime.now(UTC)}
    if not rows or _name_secrets((*same, *rows[0])):
        return None
    try:
        lines = b"\n".join([orjson.dumps({**same, **r}, option=orjson.OPT_UTC_Z) for r in rows])
    except TypeError:
        return None
    harmless = b"://" not in lines and not any(s in lines for s in map(_encoded, _secrets))
    return lines if harmless else None


def _encoded(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


@lru_cache(maxsize=1000)
def _name_secrets(names: tuple[str, ...]) -> bool:
    return "exc_info" in names or any(map(_names_a_secret, names))


@lru_cache(maxsize=4000)
def _is_harmless(text: str) -> bool:
    # Most are seen again and again: kinds, states, and the ids of a job's several lines.
    return clean(text) == text


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank every field whose name or text gives a secret away."""
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def _redacted(name: str, value: object) -> object:
    if _names_a_secret(name):
        return _REDACTED
    kind = type(value)
    if kind is str:
        return clean(value)  # type: ignore[arg-type]
    if kind in _HARMLESS:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _redacted(str(k), v) for k, v in value.items()}
    return clean(str(value))


@lru_cache(maxsize=1000)
def _names_a_secret(name: str) -> bool:
    return name != "event" and _SECRET_FIELD.search(name) is not None


def clean(text: str) -> str:
    """The text without known secrets and without credentials in URLs."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, _REDACTED)
    return _USERINFO.sub(f"{_REDACTED}@", text) if "://" in text else text


class Lines:
    """Writes lines to a file: those of one turn of the event loop together, warnings at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._waiting: list[bytes] = []

    def info(self, line: bytes) -> None:
        """Write the line soon."""
        self._waiting.append(line)
        if len(self._waiting) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:  # no loop, or another thread
            self.flush()

    def warning(self, line: bytes) -> None:
        """Write the line, and what came before it, now."""
        self._waiting.append(line)
        self.flush()

    debug = info
    warn = error = exception = critical = fatal = warning

    def flush(self) -> None:
        """Write what is waiting."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._file.write(b"\n".join([*waiting, b""]))
            self._file.flush()


def flush() -> None:
    """Write what is waiting: for whoever is about to end the process the hard way."""
    for lines in _lines:
        lines.flush()


def _logger_factory(as_json: bool) -> Any:
    if as_json:
        _lines[:] = [Lines(sys.stderr.buffer)]
        return lambda *_: _lines[0]
    return structlog.WriteLoggerFactory(file=sys.stderr)


def _renderer(as_json: bool) -> Any:
    if as_json:
        return structlog.processors.JSONRenderer(serializer=_as_json)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _as_line(_: Any, __: str, event: Any) -> bytes:
    return _as_bytes(event)


def _as_bytes(event: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:  # a lone surrogate, an integer past 64 bits: a log line must never fail
        return json.dumps(event, default=str).encode()


def _as_json(event: Any, **_: Any) -> str:
    return _as_bytes(event).decode("utf-8", "replace")


def _route_standard_library(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING))
    for name in ("arq", "arq.worker"):
        # The stock command configures arq's loggers itself, before our start-up runs.
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.WARNING)
        logger.addFilter(_warns)
    # Its traceback at every failed reconnection says no more than our own line about the outage.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)


atexit.register(flush)


def _warns(record: logging.LogRecord) -> bool:
    # The stock command sets levels and handlers anew after us, but leaves filters in place.
    return record.levelno >= logging.WARNING
