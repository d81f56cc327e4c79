"""How long an artifact scan takes: `python -m tests.benchmarks.scan [--documents N] [--rounds N]`.

A repository of documents on the local disk is scanned by a worker process: cold (nothing fetched,
nothing known), then after each of several pushes that change one document. Times are the record's
own, from an attempt's start to its recorded end, so the fetch is included.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from uuid import UUID

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
PARAGRAPH = "The quick brown fox jumps over the lazy dog, again and again and again.\n"


def main() -> None:
    """Print cold and incremental times in milliseconds: medians, lowest and highest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=500)
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
            cold, warm = asyncio.run(_measure(servers, Path(directory), options))
    _show(f"cold, {options.documents} documents, ms", cold)
    _show("after a one-document push, ms", warm)


def _show(name: str, values: list[float]) -> None:
    low, high = min(values), max(values)
    print(f"{name:<34} {statistics.median(values):>8,.1f}   ({low:,.1f} to {high:,.1f})")


async def _measure(
    servers: EmbeddedServers, directory: Path, options: argparse.Namespace
) -> tuple[list[float], list[float]]:
    pool, bell = await connect_pool(servers.database_url), Bell(connect_redis(servers.redis_url))
    cold, warm = [], []
    for number in range(options.rounds):
        origin = Origin(directory / f"origin-{number}")
        project = await Projects(pool).enrol("P", origin.url, f"bench/r{number}", "free", None)
        files = {_path(n): _document(n, "Draft") for n in range(options.documents)}
        commit = origin.commit(dict(files))
        cold.append(await _scan(pool, bell, project, commit, options.documents))
        for push in range(PUSHES):
            commit = origin.commit({_path(push): _document(push, "Done")}, onto=commit)
            warm.append(await _scan(pool, bell, project, commit, 1))
    await pool.close()
    return cold, warm


async def _scan(pool: Pool, bell: Bell, project: Project, commit: str, read: int) -> float:
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
    return await _ended(pool, job.id, read)


async def _ended(pool: Pool, job_id: UUID, read: int) -> float:
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        row = await pool.fetchrow(
            """SELECT state, result, extract(epoch FROM finished_at - started_at) * 1000 AS ms
               FROM jobs WHERE id = $1 AND finished_at IS NOT NULL""",
            job_id,
        )
        if row is not None:
            if row["state"] != "completed" or row["result"]["data"]["documentsRead"] != read:
                raise RuntimeError(f"unexpected end: {row['state']} {row['result']}")
            return float(row["ms"])
        await asyncio.sleep(0.02)
    raise TimeoutError("the scan did not end")


def _path(number: int) -> str:
    return f"docs/stories/{number // 50 + 1}.{number % 50 + 1}.thing.story.md"


def _document(number: int, status: str) -> bytes:
    tasks = "".join(f"- [ ] Task {n}: Do part {n} (AC: {n})\n" for n in range(1, 6))
    criteria = "".join(f"{n}. Part {n} works.\n" for n in range(1, 6))
    return (
        f"# Story {number // 50 + 1}.{number % 50 + 1}: Thing {number}\n\n## Status\n\n{status}\n\n"
        f"## Acceptance Criteria\n\n{criteria}\n## Tasks / Subtasks\n\n{tasks}\n"
        f"## Dev Notes\n\n{PARAGRAPH * 60}"
    ).encode()


if __name__ == "__main__":
    main()
