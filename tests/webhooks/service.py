"""The web service in this process, on a loopback port, with a client and its database."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import uuid4

import aiohttp

from tests.deliveries import SECRET, Recorded, load
from webhooks.app import create_app
from webhooks.resources import Resources, opened
from webhooks.server import listen
from worker.settings import load_settings

REPOSITORY, REPOSITORY_ID = "example-org/harbour-ledger", 734018265
GITHUB = "/api/webhooks/github"


@dataclass(frozen=True)
class Answer:
    """A response; `seconds` is from the request to the last byte."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    @property
    def body(self) -> Any:
        """The JSON in it."""
        return json.loads(self.text)

    @property
    def error(self) -> Any:
        """What `{"error": …}` holds."""
        assert set(self.body) == {"error"}, self.text
        return self.body["error"]


@dataclass(frozen=True)
class Service:
    """A running service."""

    port: int
    client: aiohttp.ClientSession
    resources: Resources

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request and read the whole answer."""
        started = asyncio.get_running_loop().time()
        async with self.client.request(method, path, **options) as response:
            text = await response.text()
        seconds = asyncio.get_running_loop().time() - started
        return Answer(response.status, response.headers, text, seconds)

    async def deliver(self, recorded: Recorded, secret: str = SECRET) -> Answer:
        """Send a delivery, signed."""
        headers = recorded.signed(secret)
        return await self.call("POST", GITHUB, data=BytesIO(recorded.body), headers=headers)

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """What a query finds in the record."""
        return [dict(row) for row in await self.resources.pool.fetch(sql, *arguments)]

    async def counts(self) -> tuple[int, int, int]:
        """How many deliveries, jobs and projects there are."""
        [row] = await self.rows(
            "SELECT (SELECT count(*) FROM webhook_events) AS deliveries,"
            " (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM projects) AS projects"
        )
        return row["deliveries"], row["jobs"], row["projects"]

    async def enrol(self, repository: str = REPOSITORY, **more: Any) -> Any:
        """Enrol a repository; answers the project as the API shows it."""
        wanted = {"name": "x", "repoUrl": "https://example.org/x.git", "repository": repository}
        answer = await self.call("POST", "/api/projects", json=wanted | more)
        assert answer.status == 201, answer.text
        return answer.body

    async def raw(self, sent: bytes, *, then_close: bool = False) -> bytes:
        """Send bytes as they are on a connection of their own; answers what came until its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            await writer.drain()
            if then_close:
                return b""
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()


def environment(database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    """The variables that the service needs."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "LOG_FORMAT": "json",
    } | more


@asynccontextmanager
async def serving(
    database_url: str, redis_url: str, *, header_seconds: float = 10.0, **more: str
) -> AsyncIterator[Service]:
    """Run the service with these variables besides the needed ones."""
    settings = load_settings(environment(database_url, redis_url, **more))
    async with opened(settings) as resources:
        site, close = await listen(
            create_app(resources), "127.0.0.1", 0, header_seconds=header_seconds, shutdown_seconds=2
        )
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(site.name, connector=connector) as client:
            try:
                yield Service(site.bound_port, client, resources)
            finally:
                resources.health.draining = True
                await client.close()
                await close()


def fresh(name: str = "push_branch", **body: object) -> Recorded:
    """A recorded delivery with a GUID never seen before, and other fields in its body."""
    recorded = load(name).with_headers(X_GitHub_Delivery=str(uuid4()))
    return recorded.with_body(**body) if body else recorded


def guid_of(recorded: Recorded) -> str:
    """Its GUID."""
    return recorded.headers["X-GitHub-Delivery"]


def from_repository(full_name: str, repository_id: int, name: str = "push_branch") -> Recorded:
    """A recorded delivery of another repository."""
    repository = json.loads(load(name).body)["repository"]
    return fresh(name, repository=repository | {"full_name": full_name, "id": repository_id})
