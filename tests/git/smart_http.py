"""A small git server over HTTP that can refuse, stall, and speak the old protocol."""

import asyncio
import ssl
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.git.origins import ENVIRONMENT

PIECE = 16 * 1024


class GitServer:
    """Serves one repository at `url`; `seen` are the Authorization headers received.

    With a `certificate` over https; what is `demanded` has to stand in that header.
    """

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self.url = ""
        self.seen: list[str | None] = []
        self.status = 200
        self.reason = ""
        self.newest_protocol = True
        self.certificate: ssl.SSLContext | None = None
        self.demanded: str | None = None
        self.stall_after: int | None = None
        self.stalled = asyncio.Event()
        self.released = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["GitServer"]:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/repo/info/refs", self._advertise)
        app.router.add_post("/repo/git-upload-pack", self._upload)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.certificate).start()
        scheme = "https" if self.certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/repo"
        try:
            yield self
        finally:
            self.released.set()
            await runner.cleanup()

    async def _advertise(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.headers.get("Authorization"))
        if self.status != 200:
            return web.Response(status=self.status, text=self.reason)
        if self.demanded not in (None, self.seen[-1]):
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic realm=git"})
        body = await self._upload_pack(request, b"", "--advertise-refs")
        if not body.startswith(b"000eversion 2"):
            body = b"001e# service=git-upload-pack\n0000" + body
        return web.Response(body=body, content_type="application/x-git-upload-pack-advertisement")

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        body = await self._upload_pack(request, await request.read())
        response = web.StreamResponse()
        response.content_type = "application/x-git-upload-pack-result"
        await response.prepare(request)
        for start in range(0, len(body), PIECE):
            if self.stall_after is not None and start >= self.stall_after:
                self.stalled.set()
                await self.released.wait()
            await response.write(body[start : start + PIECE])
        return response

    async def _upload_pack(self, request: web.Request, data: bytes, *options: str) -> bytes:
        version = request.headers.get("Git-Protocol", "") if self.newest_protocol else ""
        process = await asyncio.create_subprocess_exec(
            *("git", "upload-pack", "--stateless-rpc", *options, str(self._repository)),
            env=ENVIRONMENT | {"GIT_PROTOCOL": version},
            stdin=PIPE,
            stdout=PIPE,
        )
        output, _ = await process.communicate(data or None)
        return output
