"""What the demo does, step by step, and what it shows of it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from worker.demo.push import REPOSITORY, SENDER, ZERO, push_body, push_headers
from worker.demo.repository import SampleRepository
from worker.demo.stage import Api, connected, perform
from worker.stack import Stack

VERDICT_SECONDS = 40.0
AWAITED = {"artifact_scan_completed", "conflict_detection_completed", "gate_evaluated"}
NOT_SHOWN = {"job_progress", "github_report_completed"}
LONGEST_SHOWN = 300

Verdicts = dict[str, dict[str, Any]]


def run() -> int:
    """Show pushes become jobs, verdicts and live events; answers the exit code."""
    return perform("demo", _play, GIT_PROTOCOLS="file")


async def _play(stack: Stack, directory: Path) -> None:
    async with connected(stack, VERDICT_SECONDS + 10) as api:
        await _Demo(stack, api, SampleRepository(directory / "shop")).play()


class _Demo:
    def __init__(self, stack: Stack, api: Api, repository: SampleRepository) -> None:
        self._stack, self._api = stack, api
        self._repository = repository

    async def play(self) -> None:
        project = await self._enrol()
        first = self._repository.commit("The documents so far")
        await self._push(project, ZERO, first, "First push: every document is new")
        await self._show_artifacts(project)
        changed = self._repository.claim_done()
        second = self._repository.commit("Card payment is done")
        title = f"Second push: {changed} says Done, and has an open task"
        await self._expect(changed, await self._push(project, first, second, title), errors=1)
        await self._show_conflicts(project)
        changed = self._repository.finish()
        third = self._repository.commit("Tick the last task")
        title = "Third push: the task is ticked"
        await self._expect(changed, await self._push(project, second, third, title), errors=0)
        await self._show_gates(project)

    async def _enrol(self) -> str:
        enrolment = {
            "name": "Shop",
            "repository": REPOSITORY,
            "repoUrl": self._repository.path.as_uri(),
        }
        project = await self._api.call("POST", "/api/projects", json=enrolment)
        print(f"\nEnrolled {REPOSITORY} as project {project['id']}")
        gates = {"onPush": ["unit-tests"], "trustedSenders": [SENDER]}
        await self._api.call("PUT", f"/api/projects/{project['id']}/gates/settings", json=gates)
        print(f"Pushes by {SENDER} run its unit tests, in the sandbox")
        return str(project["id"])

    async def _push(self, project: str, before: str, after: str, title: str) -> Verdicts:
        """Push, and watch until the scan, the comparison and the gate have ended."""
        print(f"\n{title}")
        verdicts: Verdicts = {}
        async with self._events(project) as events:
            body = push_body(before, after)
            headers = push_headers(body, self._stack.secret)
            sent = time.monotonic()
            answer = await self._api.call(
                "POST", "/api/webhooks/github", data=body, headers=headers
            )
            print(f"  202 after {(time.monotonic() - sent) * 1000:.0f} ms: {json.dumps(answer)}")
            async with asyncio.timeout(VERDICT_SECONDS):
                async for event in events:
                    if event["event"] not in NOT_SHOWN:
                        elapsed = (time.monotonic() - sent) * 1000
                        print(f"  event after {elapsed:.0f} ms: {_shortened(event)}")
                    verdicts[event["event"]] = event["payload"]
                    if verdicts.keys() >= AWAITED:
                        break
        return verdicts

    async def _expect(self, changed: str, verdicts: Verdicts, **counts: int) -> None:
        """The scan read what changed and no more, and the comparison found what is there."""
        scan = verdicts["artifact_scan_completed"]
        print(f"  documents read: {', '.join(scan['pathsRead'])}")
        compared = verdicts["conflict_detection_completed"]
        found = {name: compared[name] for name in counts}
        if scan["pathsRead"] != [changed] or found != counts:
            raise RuntimeError(f"expected only {changed} to be read, and {counts}; got {verdicts}")

    @asynccontextmanager
    async def _events(self, project: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        async with self._api.http.get(f"/api/projects/{project}/events") as response:
            response.raise_for_status()
            yield _parsed(response)

    async def _show_artifacts(self, project: str) -> None:
        page = await self._api.call("GET", f"/api/projects/{project}/artifacts")
        print("  artifacts:")
        for item in page["items"]:
            status = (item.get("status") or {}).get("raw", "")
            print(f"    {item['kind']:<6} {item['id']:<9} {status:<12} {item['path']}")

    async def _show_conflicts(self, project: str) -> None:
        page = await self._api.call("GET", f"/api/projects/{project}/conflicts")
        print("  conflicts:")
        for item in page["items"]:
            print(f"    {item['severity']} {item['code']} ({item['status']}): {item['message']}")
            for side in item["evidence"]:
                print(f"      {side['path']}:{side['line']}  {side['quote']}")

    async def _show_gates(self, project: str) -> None:
        page = await self._api.call("GET", f"/api/projects/{project}/gates")
        print("  gates:")
        for item in page["items"]:
            print(f"    {item['gateType']} {item['commitSha'][:8]}: {item['verdict']}, "
                  f"{item['reason']}")  # fmt: skip


def _shortened(event: dict[str, Any]) -> str:
    text = json.dumps(event)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} …"


async def _parsed(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))
