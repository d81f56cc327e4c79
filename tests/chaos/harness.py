"""The servers and workers of a scenario, and what must hold once everything has settled."""

import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from arq.connections import ArqRedis

from tests.chaos.processes import ROOT, Process, until
from worker.database.pool import Pool, connect_pool
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.ring import Bell, Ring
from worker.redis_pool import connect_redis

TERMINAL = ("completed", "dead", "cancelled", "superseded")


class Stack:
    """A database, a Redis, and the worker processes of one scenario."""

    def __init__(self, database_url: str, redis_url: str, directory: Path) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self.processes: list[Process] = []
        self.pool: Pool
        self.redis: ArqRedis = connect_redis(redis_url)
        self.bell = Bell(self.redis)
        self._directory = directory
        self._effects = directory / "effects"
        self._gate = directory / "gate"

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, database_url: str, redis_url: str, directory: Path
    ) -> AsyncIterator[Self]:
        """Connect; at the end no process is left, whatever happened."""
        stack = cls(database_url, redis_url, directory)
        stack.pool = await connect_pool(database_url, size=2)
        try:
            yield stack
        finally:
            for process in stack.processes:
                process.discard()
            stack.pool.terminate()
            await stack.redis.aclose()

    def environment(self, **variables: str) -> dict[str, str]:
        """What a process of this stack finds in its environment."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "DATABASE_POOL_SIZE": "4",
            "HOST": "127.0.0.1",
            "HEALTH_CHECK_PORT": "0",
            "LOG_FORMAT": "json",
            "CHAOS_EFFECTS": str(self._effects),
            "CHAOS_GATE": str(self._gate),
            **variables,
        }

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
        count: int = 1, ring: bool = True, attempts: int = 3,
    ) -> list[UUID]:  # fmt: skip
        """Record jobs, and ring them."""
        jobs = [NewJob(queue, kind, dict(payload or {}), attempts) for _ in range(count)]
        await Ledger(self.pool).add(jobs)
        if ring:
            await self.bell.ring([Ring(job.id, queue) for job in jobs])
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

    def effects(self, step: str = "done") -> Counter[UUID]:
        """How often each job did that step."""
        text = self._effects.read_text() if self._effects.exists() else ""
        notes = (line.split(" ", 2) for line in text.splitlines())
        return Counter(UUID(job_id) for job_id, _, noted in notes if noted == step)

    async def running(self, count: int, timeout: float = 10.0) -> None:
        """Wait until so many jobs have noted that they began, and are recorded as running."""

        async def begun() -> bool:
            rows = await self.pool.fetch("SELECT id FROM jobs WHERE state = 'running'")
            effects = self.effects("begun")
            return sum(row["id"] in effects for row in rows) >= count

        await until(begun, timeout)

    async def settled(self, timeout: float = 20.0) -> None:
        """Wait until every job has ended."""

        async def left() -> bool:
            rows = await self.pool.fetch(
                "SELECT queue, kind, state, count(*) FROM jobs WHERE state <> ALL ($1::text[]) "
                "GROUP BY 1, 2, 3",
                TERMINAL,
            )
            assert not rows, f"not ended: {[tuple(row) for row in rows]}"
            return True

        await until(left, timeout)

    async def check(self, *, effects: bool = True, traceback: bool = False) -> None:
        """What must hold after every scenario: nothing left over, and a consistent record."""
        await self._check_record()
        await self.check_quiet_redis()
        if effects:
            repeated = {i: n for i, n in self.effects().items() if n != 1}
            assert not repeated, f"done more or less than once: {repeated}"
        for process in self.processes:
            assert traceback or "Traceback" not in process.text, process.text[-4000:]
            assert not process.lines("loop.crashed"), process.text[-4000:]

    async def _check_record(self) -> None:
        wrong = await self.pool.fetch(
            """SELECT j.id, j.kind, j.state, j.attempt, j.failures, j.crashes, h.* FROM jobs j
            CROSS JOIN LATERAL (
                SELECT count(*) AS rows,
                       count(*) FILTER (WHERE outcome IN ('failed', 'timeout')) AS failed,
                       count(*) FILTER (WHERE outcome = 'crashed') AS crashed
                FROM job_attempts a WHERE a.job_id = j.id) h
            WHERE j.state <> ALL ($1::text[]) OR j.failures <> h.failed OR j.crashes <> h.crashed
               OR j.attempt <> h.rows + (j.state = 'completed')::int""",
            TERMINAL,
        )
        assert not wrong, [dict(row) for row in wrong[:5]]

    async def check_quiet_redis(self, timeout: float = 5.0) -> None:
        """Wait until Redis holds no id and no lease."""
        await until(self._nothing_in_redis, timeout)

    async def _nothing_in_redis(self) -> bool:
        left = [k async for k in self.redis.scan_iter("arq:owners:*")]
        left += [k async for k in self.redis.scan_iter("arq:queue:*")]
        assert not left, f"left in Redis: {left}"
        return True


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
