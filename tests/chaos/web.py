"""The web service as a process, and GitHub in front of it."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from tests.chaos.harness import Stack, free_port
from tests.chaos.processes import Process, until

SECRET = "a secret that only the tests know"
REPOSITORY = "acme/shop"


class Site:
    """A web service, and a client of it that remembers what was acknowledged."""

    def __init__(
        self, stack: Stack, http: aiohttp.ClientSession, program: Sequence[str],
        variables: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.process: Process
        self._stack = stack
        self._http = http
        self._program = program
        self._variables = variables

    async def start(self) -> None:
        """Start the service, or start it again."""
        self.process = self._stack.spawn(*self._program, **self._variables)
        await self.process.logged("web.started")

    async def enrol(self, repository: str = REPOSITORY, plan: str = "free") -> None:
        """Make a repository known."""
        document = {
            "name": "Shop", "repository": repository, "plan": plan,
            "repoUrl": f"https://github.com/{repository}.git",
        }  # fmt: skip
        async with self._http.post("/api/projects", json=document) as answer:
            assert answer.status == 201, await answer.text()

    async def push(self, delivery_id: str, repository: str = REPOSITORY) -> int:
        """Send a signed push of a branch of its own; answers the status, 0 without an answer."""
        body = _body(delivery_id, repository)
        try:
            async with self._http.post(
                "/api/webhooks/github", data=body, headers=_headers(delivery_id, body)
            ) as answer:
                document = await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0
        if answer.status == 202:
            self._stack.acknowledged[delivery_id] = [job["id"] for job in document["jobs"]]
        return answer.status

    async def push_until_accepted(self, delivery_id: str, timeout: float = 10.0) -> None:
        """Send it again and again, as GitHub's user would."""

        async def accepted() -> bool:
            return await self.push(delivery_id) == 202

        await until(accepted, timeout, 0.2)


@asynccontextmanager
async def service(
    stack: Stack, variables: Mapping[str, str] | None = None, *, stops: bool = True,
    program: Sequence[str] = ("python", "-m", "webhooks"),
) -> AsyncIterator[Site]:  # fmt: skip
    """Run the service; it has to end in good order unless it `stops` some other way."""
    port = free_port()
    given = {"PORT": str(port), "GITHUB_WEBHOOK_SECRET": SECRET} | dict(variables or {})
    connector = aiohttp.TCPConnector(limit=0)
    address = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(address, connector=connector) as http:
        site = Site(stack, http, program, given)
        await site.start()
        yield site
    # The client's connections are gone: what is open now belongs to the service.
    await asyncio.sleep(0.2)
    if stops and site.process.exit_code is None:
        await site.process.stop()


@asynccontextmanager
async def flow(site: Site, per_second: float, name: str = "flow") -> AsyncIterator[list[int]]:
    """Pushes at a steady rate, whatever becomes of them; the list grows by their statuses."""
    statuses: list[int] = []
    pushing: set[asyncio.Task[None]] = set()

    async def push(number: int) -> None:
        statuses.append(await site.push(f"{name}-{number}"))

    async def run() -> None:
        number = 0
        while True:
            task = asyncio.create_task(push(number))
            pushing.add(task)
            task.add_done_callback(pushing.discard)
            number += 1
            await asyncio.sleep(1 / per_second)

    task = asyncio.create_task(run())
    try:
        yield statuses
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.gather(*pushing)


def _body(delivery_id: str, repository: str) -> bytes:
    # A branch of its own: a newer push must not make it superfluous.
    push: dict[str, Any] = {
        "ref": f"refs/heads/{hashlib.sha1(delivery_id.encode()).hexdigest()[:12]}",
        "before": "1" * 40,
        "after": hashlib.sha1(delivery_id.encode()).hexdigest(),
        "deleted": False, "created": False, "forced": False, "commits": [],
        "head_commit": {"id": "2" * 40},
        "repository": {
            "id": int.from_bytes(hashlib.sha1(repository.encode()).digest()[:4]),
            "name": repository.rpartition("/")[2],
            "full_name": repository, "default_branch": "main",
            "clone_url": f"https://github.com/{repository}.git",
        },
    }  # fmt: skip
    return json.dumps(push).encode()


def _headers(delivery_id: str, body: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery_id,
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, "sha256").hexdigest(),
    }
