"""The fake GitHub's server: who asks is identified, the limits are enforced, all is recorded."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.github.fake.access import Caller, identify
from tests.github.fake.limits import Limits
from tests.github.fake.routes import Call, answer
from tests.github.fake.state import App, Company, Refusal, Repository, new_number

PERMISSIONS = {"checks": "write", "statuses": "write", "contents": "read", "metadata": "read"}


@dataclass(frozen=True)
class Request:
    """One request, by whom, and how it was answered."""

    method: str
    path: str
    caller: str
    body: Any
    status: int
    at: float


Mishap = Callable[[str, str], str | None]


class FakeGitHub:
    """Serves on loopback. `delay` is how long each answer takes.

    `mishap(method, path)` may answer `lose` (done, but the answer never arrives) or `fail` (a 502).
    New check runs are made once `crowd` is set; `elsewhere` is where every request is sent on to.
    """

    def __init__(self) -> None:
        self.company, self.limits = Company(), Limits()
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self.delay = 0.0
        self.mishap: Mishap = lambda method, path: None
        self.crowd: asyncio.Event | None = None
        self.elsewhere: str | None = None
        self._hold: tuple[str, asyncio.Event, asyncio.Event] | None = None
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeGitHub"]:
        """Serve until the end of the block."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    def add_app(self, app_id: str = "77", **permissions: str) -> App:
        """A new App."""
        app = self.company.apps[app_id] = App(app_id, permissions or PERMISSIONS)
        return app

    def add_repository(
        self, name: str, commits: tuple[str, ...] = (), app: App | None = None
    ) -> Repository:
        """A new repository, with an installation of the App."""
        repository = Repository(new_number(), name, set(commits))
        if app is not None:
            repository.installation = new_number()
            app.installations.add(repository.installation)
        self.company.repositories[name.lower()] = repository
        return repository

    def sent(self, method: str, ending: str = "") -> list[Request]:
        """The requests that succeeded, of a method and with an end of their path."""
        fine = (r for r in self.requests if r.method == method and r.status < 300)
        return [r for r in fine if r.path.endswith(ending)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else {}
        caller, headers = "nobody", dict[str, str]()
        try:
            who = identify(self.company, request.headers.get("Authorization", ""))
            caller = who.key
            content, status = await self._answer(request, who, body, headers)
        except Refusal as refusal:
            content, status = refusal.body, refusal.status
            headers |= refusal.headers
        if status == 422:
            self.problems.append(f"{request.method} {request.path}: {content}")
        self.requests.append(
            Request(request.method, request.path, caller, body, status, time.time())
        )
        if status == 202:
            return web.Response(status=status, headers=headers)
        return web.json_response(content, status=status, headers=headers)

    def hold(self, ending: str) -> tuple[asyncio.Event, asyncio.Event]:
        """Stop the next request to a path that ends so: when it has come, and until when."""
        self._hold = ending, asyncio.Event(), asyncio.Event()
        return self._hold[1:]

    async def _wait_if_told(self, path: str) -> None:
        if self._hold is not None and path.endswith(self._hold[0]):
            (_, entered, leave), self._hold = self._hold, None
            entered.set()
            await leave.wait()

    async def _answer(
        self, request: web.Request, who: Caller, body: Any, headers: dict[str, str]
    ) -> tuple[Any, int]:
        if not request.headers.get("User-Agent") or "X-GitHub-Api-Version" not in request.headers:
            self.problems.append(f"{request.path}: no user agent or version")
        try:
            headers |= self.limits.enter(who.key, request.method)
            await asyncio.sleep(self.delay)
            await self._wait_if_told(request.path)
            if self.crowd is not None and request.path.endswith("/check-runs"):
                await self.crowd.wait()
            if self.elsewhere is not None:
                headers["Location"] = self.elsewhere + request.path
                return None, 307
            mishap = self.mishap(request.method, request.path)
            if mishap == "fail":
                return {"message": "Server Error"}, 502
            call = Call(self.company, who, request.method, request.url, body, headers)
            found = answer(call)
            if mishap == "lose":
                assert request.transport is not None
                request.transport.abort()
            return found
        finally:
            self.limits.leave()
