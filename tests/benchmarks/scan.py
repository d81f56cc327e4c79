"""From a push to its verdict: `python -m tests.benchmarks.scan [--documents N] [--rounds N]`.

A repository of documents on the local disk is scanned and its documents compared by a worker
process: cold (nothing fetched, nothing known), then after each of several pushes that change one
document. Times are the record's own, so that the fetch is included: from the start of the scan to
its end, and to the end of the comparison that follows, when its events are recorded.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from asyncpg import Record

from tests.benchmarks.documents import repository
from tests.benchmarks.processes import worker
from tests.git.origins import Origin
from worker.database.migrations import migrate
from worker.database.pool import Pool, connect_pool
from worker.embedded import EmbeddedServers
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob, Project
from worker.jobs.projects import Projects
from worker.jobs.ring import Bell, Ring
from worker.redis_pool import connect_redis

PUSHES = 10
END_SECONDS = 30.0
Times = dict[str, list[float]]


def main() -> None:
    """Print cold and incremental times in milliseconds: medians, lowest and highest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with EmbeddedServers() as servers, tempfile.TemporaryDirectory() as directory:
        asyncio.run(migrate(servers.database_url))
        with worker(
            "worker.WorkerSettings",
            servers,
            GIT_PROTOCOLS="file",
            GIT_CACHE_DIR=f"{directory}/mirrors",
        ):
            times = asyncio.run(_measure(servers, Path(directory), options))
    print(f"{options.documents} documents, {options.rounds} rounds; ms, median (lowest to highest)")
    for name, values in times.items():
        _show(name, values)


def _show(name: str, values: list[float]) -> None:
    low, high = min(values), max(values)
    print(f"{name:<34} {statistics.median(values):>8,.1f}   ({low:,.1f} to {high:,.1f})")


async def _measure(servers: EmbeddedServers, directory: Path, options: argparse.Namespace) -> Times:
    pool, bell = await connect_pool(servers.database_url), Bell(connect_redis(servers.redis_url))
    files = repository(options.documents)
    stories = sorted(path for path in files if path.endswith(".story.md"))[:PUSHES]
    times: Times = defaultdict(list)
    for number in range(options.rounds):
        origin = Origin(directory / f"origin-{number}")
        project = await Projects(pool).enrol("P", origin.url, f"bench/r{number}", "free", None)
        commit = origin.commit(dict(files))
        await _push(pool, bell, project, commit, options.documents, times, "cold")
        for path in stories:
            commit = origin.commit({path: _changed(files[path])}, onto=commit)
            await _push(pool, bell, project, commit, 1, times, "one document")
    await pool.close()
    return times


async def _push(
    pool: Pool, bell: Bell, project: Project, commit: str, read: int, times: Times, name: str
) -> None:
    payload = {
        "projectId": str(project.id),
        "repoUrl": project.repo_url,
        "branch": "main",
        "commitSha": commit,
        "webhookEventId": "bench",
    }
    job = NewJob("artifact-scan", "artifact_scan", payload, 1, project_id=project.id)
    await Ledger(pool).add([job])
    await bell.ring([Ring(job.id, job.queue)])
    scanned = await _ended(pool, "id = $1", job.id)
    if scanned["result"]["data"]["documentsRead"] != read:
        raise RuntimeError(f"unexpected end: {scanned['result']}")
    compared = await _ended(pool, "dedupe_key = $1", f"conflicts:{job.id}:1")
    if not compared["result"]["data"]["errors"]:
        raise RuntimeError(f"the comparison found nothing: {compared['result']}")
    started = scanned["started_at"]
    for what, end in (("scan", scanned), ("verdict", compared)):
        milliseconds = (end["finished_at"] - started).total_seconds() * 1000
        times[f"{name}: start to end of {what}"].append(milliseconds)


async def _ended(pool: Pool, which: str, value: object) -> Record:
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        row = await pool.fetchrow(
            "SELECT state, result, error, started_at, finished_at FROM jobs"
            f" WHERE {which} AND finished_at IS NOT NULL",
            value,
        )
        if row is not None:
            if row["state"] != "completed":
                raise RuntimeError(f"unexpected end: {row['state']} {row['error']}")
            return row
        await asyncio.sleep(0.02)
    raise TimeoutError("a job did not end")


def _changed(document: bytes) -> bytes:
    """One task more that is not ticked, which a story that is done should not have."""
    return document.replace(
        b"## Tasks / Subtasks\n", b"## Tasks / Subtasks\n\n- [ ] Task 99: Left\n"
    )


if __name__ == "__main__":
    main()
