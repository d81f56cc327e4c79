"""What the demo does, step by step, and what it shows of it."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from worker.demo.push import REPOSITORY, ZERO, push_body, push_headers
from worker.demo.repository import SampleRepository
from worker.stack import Stack

VERDICT_SECONDS = 20.0


def run() -> int:
    """Show a push become a job, a scan and live events, twice; answers the exit code."""
    with tempfile.TemporaryDirectory(prefix="switchyard-demo-") as name:
        directory = Path(name)
        repository = SampleRepository(directory / "shop")
        log = directory / "processes.log"
        print("Starting Postgres, Redis, the web service and a worker …")
        with log.open("wb") as output:
            try:
                with Stack(directory, output, GIT_PROTOCOLS="file") as stack:
                    asyncio.run(_Demo(stack, repository).play())
            except Exception:
                print(log.read_text(errors="replace"))
                raise
    print("\nEverything was stopped and removed.")
    return 0


class _Demo:
    def __init__(self, stack: Stack, repository: SampleRepository) -> None:
        self._stack = stack
        self._repository = repository

    async def play(self) -> None:
        print(f"  web service {self._stack.url}, worker {self._stack.worker_url}")
        timeout = aiohttp.ClientTimeout(total=VERDICT_SECONDS + 10)
        async with aiohttp.ClientSession(self._stack.url, timeout=timeout) as self._http:
            project = await self._enrol()
            first = self._repository.commit("The documents so far")
            await self._push(project, ZERO, first, "First push: every document is new")
            await self._show_artifacts(project)
            changed = self._repository.finish_story()
            second = self._repository.commit("Finish card payment")
            job = await self._push(project, first, second, f"Second push: only {changed} changed")
            read = job["result"]["data"]["pathsRead"]
            print(f"  documents read: {', '.join(read)}")
            if read != [changed]:
                raise RuntimeError(f"expected only {changed} to be read")
            await self._show_artifacts(project)

    async def _enrol(self) -> str:
        enrolment = {
            "name": "Shop",
            "repository": REPOSITORY,
            "repoUrl": self._repository.path.as_uri(),
        }
        project = await self._call("POST", "/api/projects", json=enrolment)
        print(f"\nEnrolled {REPOSITORY} as project {project['id']}")
        return str(project["id"])

    async def _push(self, project: str, before: str, after: str, title: str) -> dict[str, Any]:
        print(f"\n{title}")
        async with self._events(project) as events:
            body = push_body(before, after)
            headers = push_headers(body, self._stack.secret)
            sent = time.monotonic()
            answer = await self._call("POST", "/api/webhooks/github", data=body, headers=headers)
            print(f"  202 after {(time.monotonic() - sent) * 1000:.0f} ms: {json.dumps(answer)}")
            async with asyncio.timeout(VERDICT_SECONDS):
                async for event in events:
                    elapsed = (time.monotonic() - sent) * 1000
                    print(f"  event after {elapsed:.0f} ms: {json.dumps(event)}")
                    if event["event"] == "artifact_scan_completed":
                        break
        return await self._call("GET", f"/api/jobs/{answer['jobs'][0]['id']}")

    @asynccontextmanager
    async def _events(self, project: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        async with self._http.get(f"/api/projects/{project}/events") as response:
            response.raise_for_status()
            yield _parsed(response)

    async def _show_artifacts(self, project: str) -> None:
        page = await self._call("GET", f"/api/projects/{project}/artifacts")
        print("  artifacts:")
        for item in page["items"]:
            status = (item.get("status") or {}).get("raw", "")
            print(f"    {item['kind']:<6} {item['id']:<9} {status:<12} {item['path']}")

    async def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        async with self._http.request(method, path, **arguments) as response:
            answer: dict[str, Any] = await response.json()
            if response.status >= 400:
                raise RuntimeError(f"{method} {path} answered {response.status}: {answer}")
            return answer


async def _parsed(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))
