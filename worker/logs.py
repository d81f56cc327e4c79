"""Structured logs: JSON lines in production, readable ones in development, secrets never."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType
from typing import Any

import orjson
import structlog

_REDACTED = "[redacted]"
_SECRET_FIELD = re.compile(
    r"secret|token$|password|authorization|signature|credential|api_key", re.I
)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_secrets: set[str] = set()
_NOTHING: Mapping[str, object] = MappingProxyType({})
_bound: ContextVar[Mapping[str, object]] = ContextVar("bound_log_fields", default=_NOTHING)


def bind(**fields: object) -> None:
    """Add these fields to every later line of this task; None is left out."""
    _bound.set({**_bound.get(), **{k: v for k, v in fields.items() if v is not None}})


def configure_logs(*, level: str, as_json: bool, secrets: Iterable[str] = ()) -> None:
    """Send structlog and the standard library's records to stderr in one format.

    `secrets` never appear in any line, wherever they turn up.
    """
    _secrets.clear()
    _secrets.update(s for s in secrets if len(s) >= 6)
    shared: list[structlog.typing.Processor] = [
        _add_bound,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer = _renderer(as_json)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(_as_bytes) if as_json else renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=_logger_factory(as_json),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    _route_standard_library(handler, level)


def _add_bound(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**_bound.get(), **event}


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank every field whose name or text gives a secret away."""
    for name, value in event.items():
        if _names_a_secret(name):
            event[name] = _REDACTED
        elif isinstance(value, str):
            event[name] = clean(value)
    return event


@cache
def _names_a_secret(name: str) -> bool:
    return name != "event" and _SECRET_FIELD.search(name) is not None


def clean(text: str) -> str:
    """The text without known secrets and without credentials in URLs."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, _REDACTED)
    return _USERINFO.sub(f"{_REDACTED}@", text) if "://" in text else text


def _logger_factory(as_json: bool) -> Any:
    if as_json:
        return structlog.BytesLoggerFactory(file=sys.stderr.buffer)
    return structlog.WriteLoggerFactory(file=sys.stderr)


def _renderer(as_json: bool) -> Any:
    if as_json:
        return structlog.processors.JSONRenderer(serializer=_as_json)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _as_bytes(event: Any, **_: Any) -> bytes:
    return orjson.dumps(event, default=str)


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
