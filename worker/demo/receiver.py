"""A customer's side of outgoing webhooks: takes them in, and checks their signatures."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass
class Receiver:
    """What arrived, in order. `secret` is the endpoint's `whsec_…`, known once there is one.

    `last` has the headers and the bytes of what arrived last.
    """

    url: str = ""
    secret: str = ""
    last: tuple[dict[str, str], bytes] = field(default_factory=lambda: ({}, b""))
    others: list[dict[str, Any]] = field(default_factory=list)
    arrived: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)

    async def wait_for(self, event: str) -> dict[str, Any]:
        """The next message of this type; those of others, which may come first, are kept."""
        while not (found := [m for m in self.others if m["type"] == event]):
            self.others.append(await self.arrived.get())
        self.others.remove(found[0])
        return found[0]

    async def take(self, request: web.Request) -> web.Response:
        """Answer 204 to what is signed, and 401 to anything else."""
        body = await request.read()
        if not self._is_signed(request, body):
            return web.Response(status=401)
        self.last = {name.lower(): value for name, value in request.headers.items()}, body
        self.arrived.put_nowait(orjson.loads(body))
        return web.Response(status=204)

    def _is_signed(self, request: web.Request, body: bytes) -> bool:
        # As a customer would write it from the Standard Webhooks page, without our own code.
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        names = ("webhook-id", "webhook-timestamp")
        signed = b".".join((*(request.headers[name].encode() for name in names), body))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = request.headers["webhook-signature"].split(" ")
        return any(hmac.compare_digest(f"v1,{expected}", one) for one in given)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()
