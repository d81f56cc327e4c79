"""Resend's API on loopback: emails by idempotency key, limits and mishaps on demand."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web

KEY = "re_SecretKey1234567890"


@dataclass
class Request:
    """What was asked, when, and what was answered."""

    at: float
    headers: dict[str, str]
    body: dict[str, Any]
    status: int = 0


@dataclass
class Mishap:
    """An answer that takes the place of the usual one; a list is sent part by part."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, name: str, message: str = "no", **headers: str) -> Mishap:
    """An error as Resend answers it."""
    body = {"statusCode": status, "name": name, "message": message}
    return Mishap(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


class FakeResend:
    """`sent` has what would have reached somebody, by idempotency key.

    `mishaps` are answered first, one a request. `lose_answers`: the next so many emails are sent,
    and nobody is told. While `held` is not set, requests wait once their email was sent.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.sent: dict[str, tuple[str, dict[str, Any]]] = {}
        self.mishaps: deque[Mishap] = deque()
        self.lose_answers = 0
        self.held = asyncio.Event()
        self.held.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeResend"]:
        """Listen until the end of the block."""
        app = web.Application()
        app.router.add_post("/emails", self._emails)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        host, port = site._server.sockets[0].getsockname()[:2]  # type: ignore[attr-defined]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            self.held.set()
            await runner.cleanup()

    async def _emails(self, request: web.Request) -> web.StreamResponse:
        seen = Request(time.monotonic(), dict(request.headers), await request.json())
        self.requests.append(seen)
        mishap = self.mishaps.popleft() if self.mishaps else self._send(seen)
        seen.status = mishap.status
        await self.held.wait()
        if self.lose_answers and mishap.status == 200:
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        if isinstance(mishap.body, list):
            return await self._trickle(request, mishap)
        if isinstance(mishap.body, bytes):
            return web.Response(status=mishap.status, body=mishap.body, headers=mishap.headers)
        return web.json_response(mishap.body, status=mishap.status, headers=mishap.headers)

    async def _trickle(self, request: web.Request, mishap: Mishap) -> web.StreamResponse:
        response = web.StreamResponse(status=mishap.status, headers=mishap.headers)
        await response.prepare(request)
        for part in mishap.body:
            await response.write(part)
            await asyncio.sleep(0.02)
        return response

    def _send(self, seen: Request) -> Mishap:
        if seen.headers.get("Authorization") != f"Bearer {KEY}":
            return problem(403, "invalid_api_key", "API key is invalid")
        if not {"from", "to", "subject", "text", "html"} <= seen.body.keys():
            return problem(422, "missing_required_field", "Missing field")
        key = seen.headers["Idempotency-Key"]
        email_id, body = self.sent.setdefault(key, (str(uuid4()), seen.body))
        if body != seen.body:
            return problem(409, "invalid_idempotent_request", "Same key, another payload")
        return Mishap(200, {"id": email_id})
