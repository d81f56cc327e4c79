"""Answers: the shape of errors, and the headers that every answer has."""

import secrets
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from itertools import count
from typing import Any

import orjson
from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
REQUEST_ID = "X-Request-Id"
Headers = tuple[tuple[str, str], ...]
_PROCESS, _NUMBERS = secrets.token_hex(6), count(1)


def error_response(
    status: int,
    code: str,
    message: str,
    fields: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """`{"error":{"code","message","fields"?}}`."""
    error: dict[str, Any] = {"code": code, "message": message}
    body = orjson.dumps({"error": error | ({"fields": fields} if fields else {})})
    return web.Response(
        status=status, body=body, headers=headers, content_type="application/json", charset="utf-8"
    )


def new_request_id() -> str:
    """An id that no other answer has."""
    return f"{_PROCESS}-{next(_NUMBERS):x}"


def rendered(status: int, body: bytes, headers: Headers, request_id: str | None = None) -> bytes:
    """A whole answer with these headers and those of every answer; the connection stays open."""
    return b"%bDate: %b\r\nContent-Length: %d\r\nX-Request-Id: %b\r\n\r\n%b" % (
        _head(status, headers),
        _date(int(time.time())),
        len(body),
        (request_id or new_request_id()).encode(),
        body,
    )


def rendered_response(response: web.Response) -> bytes:
    """The same for a response that was made for aiohttp to send."""
    assert isinstance(response.body, bytes)
    headers = dict(response.headers)
    request_id = headers.pop(REQUEST_ID, None)
    return rendered(response.status, response.body, tuple(headers.items()), request_id)


@lru_cache(maxsize=100)
def _head(status: int, headers: Headers) -> bytes:
    every = {"Server": SERVER_SOFTWARE, **SECURITY, **dict(headers)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}".encode()


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
