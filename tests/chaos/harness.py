"""The servers and workers of a scenario, and what must hold once everything has settled."""

import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from arq.connections import ArqRedis

from tests.chaos.checker import ENDED, check, check_quiet_redis
from tests.chaos.journal import TABLES, marked
from tests.chaos.processes import ROOT, Process, until
from worker.database.pool import Pool, connect_pool
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.ring import Bell, Ring
from worker.redis_pool import connect_redis

SHORT_LEASE = {"CHAOS_LEASE_MS": "1500"}


class Stack:
    """A database, a Redis, and the worker processes of one scenario."""

    def __init__(self, database_url: str, redis_url: str, directory: Path) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self.processes: list[Process] = []
        # What every process is given besides, and what a process is given goes before it.
        self.variables: dict[str, str] = {}
        self.acknowledged: dict[str, list[str]] = {}
        self.pool: Pool
        self.redis: ArqRedis = connect_redis(redis_url)
        self.bell = Bell(self.redis)
        self._directory = directory
        self.effects_file = directory / "effects"
        self._gate = directory / "gate"

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, database_url: str, redis_url: str, directory: Path
    ) -> AsyncIterator[Self]:
        """Connect; at the end no process is left, whatever happened."""
        stack = cls(database_url, redis_url, directory)
        stack.pool = await connect_pool(database_url, size=2)
        await stack.pool.execute(TABLES)
        try:
            yield stack
        finally:
            for process in stack.processes:
                process.discard()
            stack.pool.terminate()
            await stack.redis.aclose()

    def environment(self, **variables: str) -> dict[str, str]:
        """What a process of this stack finds in its environment."""
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "DATABASE_POOL_SIZE": "4",
            "HOST": "127.0.0.1",
            "HEALTH_CHECK_PORT": "0",
            "LOG_FORMAT": "json",
            "CHAOS_EFFECTS": str(self.effects_file),
            "CHAOS_GATE": str(self._gate),
            **self.variables,
            **variables,
        }
        return given | {"DATABASE_URL": marked(given["DATABASE_URL"], len(self.processes))}

    def spawn(self, *command: str, **variables: str) -> Process:
        """Start a program of this Python's environment, without waiting for it."""
        log = self._directory / f"process-{len(self.processes)}.log"
        program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
        process = Process(program, self.environment(**variables), log)
        self.processes.append(process)
        return process

    async def worker(self, **variables: str) -> Process:
        """A worker that has started."""
        process = self.spawn("arq", "tests.chaos.app.WorkerSettings", **variables)
        await process.logged("worker.started")
        return process

    async def add(
        self, kind: str, payload: Mapping[str, Any] | None = None, *, queue: str = "work",
        count: int = 1, ring: bool = True, key: str | None = None,
    ) -> list[UUID]:  # fmt: skip
        """Record jobs, and ring them."""
        jobs = [
            NewJob(queue, kind, dict(payload or {}), 3, concurrency_key=key) for _ in range(count)
        ]
        await Ledger(self.pool).add(jobs)
        if ring:
            await self.bell.ring([Ring.of(job) for job in jobs])
        return [job.id for job in jobs]

    def open_gate(self) -> None:
        """Let every `gated` job be done."""
        self._gate.touch()

    async def job(self, job_id: UUID) -> dict[str, Any]:
        """The row of a job."""
        [row] = await self.pool.fetch("SELECT * FROM jobs WHERE id = $1", job_id)
        return dict(row)

    async def history(self, job_id: UUID) -> list[dict[str, Any]]:
        """What went wrong with a job, first attempt first."""
        rows = await self.pool.fetch(
            "SELECT * FROM job_attempts WHERE job_id = $1 ORDER BY attempt", job_id
        )
        return [dict(row) for row in rows]

    async def count(self, condition: str) -> int:
        """How many jobs are in that condition."""
        return int(await self.pool.fetchval(f"SELECT count(*) FROM jobs WHERE {condition}"))

    async def counted(self, condition: str, expected: int) -> bool:
        """Whether so many jobs are in that condition."""
        return await self.count(condition) == expected

    async def size(self, key: str) -> int:
        """How many fields a hash in Redis has."""
        return len([field async for field, _ in self.redis.hscan_iter(key)])

    def effects(self, step: str = "done") -> Counter[UUID]:
        """How often each job did that step."""
        return Counter(job_id for job_id, _, noted in self.notes() if noted == step)

    def notes(self) -> list[tuple[UUID, int, str]]:
        """Job, attempt and step of everything that handlers noted."""
        text = self.effects_file.read_text() if self.effects_file.exists() else ""
        notes = (line.split(" ", 2) for line in text.splitlines())
        return [(UUID(job_id), int(attempt), step) for job_id, attempt, step in notes]

    async def running(self, count: int, timeout: float = 10.0) -> None:
        """Wait until so many jobs have noted that they began, and are recorded as running."""

        async def begun() -> bool:
            rows = await self.pool.fetch("SELECT id FROM jobs WHERE state = 'running'")
            effects = self.effects("begun")
            return sum(row["id"] in effects for row in rows) >= count

        await until(begun, timeout)

    async def finished(self, ids: Sequence[UUID], timeout: float = 20.0) -> None:
        """Wait until these jobs have ended."""

        async def all_ended() -> bool:
            left = await self.pool.fetchval(
                "SELECT count(*) FROM jobs WHERE id = ANY ($1) AND state <> ALL ($2::text[])",
                ids, ENDED,
            )  # fmt: skip
            return bool(left == 0)

        await until(all_ended, timeout)

    async def settled(self, timeout: float = 20.0) -> None:
        """Wait until every job has ended."""

        async def left() -> bool:
            rows = await self.pool.fetch(
                "SELECT queue, kind, state, count(*) FROM jobs WHERE state <> ALL ($1::text[]) "
                "GROUP BY 1, 2, 3",
                ENDED,
            )
            assert not rows, f"not ended: {[tuple(row) for row in rows]}"
            return True

        await until(left, timeout)

    async def warm(self) -> None:
        """Run what a scenario runs, then note what the workers have of memory and files."""
        jobs = await self.add("effects", {"steps": 2}, count=100)
        jobs += await self.add("noop", queue="noop", count=100)
        await self.settled()
        for process in self.processes:
            if process.exit_code is None:
                process.warm = process.usage()

    async def stop(self) -> None:
        """Stop every process that still runs, in good order."""
        for process in self.processes:
            if process.exit_code is None:
                await process.stop()

    async def check_quiet(self) -> None:
        """Wait until Redis holds nothing of a queue, while the workers live to see to it."""
        await check_quiet_redis(self)

    async def check(self, *, effects: bool = True, errors: Collection[str] = ()) -> None:
        """What must hold after every scenario; see the checker."""
        await check(self, effects=effects, errors=errors)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
