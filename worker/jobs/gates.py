"""Gates as people use them: settings, asking for an evaluation, approving one, and the verdicts."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import asyncpg
import orjson

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.enqueueing import SQL as JOBS_SQL
from worker.jobs.enqueueing import Enqueued, Ringing
from worker.jobs.gate_views import (
    Approval,
    Gate,
    GateQuery,
    GateSettings,
    GateState,
    GateWithLog,
    NewGateSettings,
    WantedGate,
)
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.paging import page_of
from worker.jobs.payloads import GateEvaluation, concurrency_key
from worker.jobs.projects import Projects
from worker.jobs.queues import Queue
from worker.jobs.ring import Ring
from worker.jobs.trace import new_traceparent
from worker.jobs.views import Page
from worker.metrics import JOBS_ENQUEUED

SQL = queries.load(__file__)
QUEUE = "gate-evaluation"
# What an evaluation needs of its job's time besides the checks themselves.
AROUND_SECONDS = 120


class Gates:
    """Every method raises RecordUnavailable when Postgres is away, NotFound without the project."""

    def __init__(self, pool: Pool, ringer: Ringing, queues: Mapping[str, Queue]) -> None:
        self._pool, self._ringer, self._queue = pool, ringer, queues[QUEUE]
        self._ledger, self._projects = Ledger(pool), Projects(pool)

    async def settings(self, project_id: UUID) -> GateSettings:
        """How the project's gates are run."""
        await self._projects.get(project_id)
        rows = await self._fetch(SQL.settings, project_id)
        if rows:
            return GateSettings(**rows[0])
        return GateSettings(**dict(NewGateSettings()), updated_at=None)

    async def set(self, project_id: UUID, wanted: NewGateSettings) -> GateSettings:
        """Set all of it. Raises InvalidInput for more time than a job has."""
        most = max(int(self._queue.timeout) - AROUND_SECONDS, 1)
        if wanted.seconds is not None and wanted.seconds > most:
            problem = f"must be at most {most}, unless QUEUE_GATE_EVALUATION_TIMEOUT is raised"
            raise InvalidInput("The settings are not valid.", {"seconds": problem})
        rows = await self._fetch(
            SQL.save_settings, project_id, list(dict.fromkeys(wanted.on_push)), wanted.network,
            wanted.prepare, list(dict.fromkeys(wanted.trusted_senders)), wanted.seconds,
            wanted.memory_mb,
        )  # fmt: skip
        if not rows:
            raise NotFound(f"there is no project {project_id}")
        return GateSettings(**rows[0])

    async def evaluate(
        self,
        project_id: UUID,
        wanted: WantedGate,
        by: str = "api",
        traceparent: str | None = None,
    ) -> Enqueued:
        """Add a job that evaluates it. Whoever names a commit has approved it.

        Otherwise the branch's newest commit is meant, and whoever pushed it needs to be trusted.
        Raises Conflict if nothing was scanned there yet.
        """
        told = wanted.model_dump(exclude_none=True)
        if wanted.commit_sha is not None:
            told |= {"approved_by": by}
        else:
            await self._projects.get(project_id)
            told |= await self._newest_push(project_id, wanted.branch)
        payload = GateEvaluation(project_id=project_id, **told)
        return await self._enqueue(payload, None, new_traceparent(traceparent))

    async def approve(
        self, project_id: UUID, job_id: UUID, approval: Approval, traceparent: str | None = None
    ) -> Enqueued:
        """Add a job that runs what waited for approval; the same one when approved again.

        Raises Conflict if it does not wait for approval.
        """
        rows = await self._fetch(SQL.approve, project_id, job_id, approval.by)
        if not rows:
            gate = await self.get(project_id, job_id)
            raise Conflict(f"Evaluation {job_id} is {gate.state}, and waits for no approval.")
        row = dict(rows[0])
        payload = GateEvaluation(
            project_id=project_id, story_id=row.pop("story"),
            **{name: value for name, value in row.items() if value is not None},
        )  # fmt: skip
        return await self._enqueue(payload, f"gate-approval:{job_id}", new_traceparent(traceparent))

    async def page(self, project_id: UUID, wanted: GateQuery) -> Page[Gate]:
        """Evaluations that have begun, newest first."""
        await self._projects.get(project_id)
        rows = await self._fetch(
            SQL.page, project_id, wanted.story, wanted.gate_type, wanted.verdict, wanted.commit,
            wanted.branch, wanted.cursor, wanted.limit + 1,
        )  # fmt: skip
        return page_of([Gate(**_shown(r)) for r in rows], wanted.limit, lambda gate: gate.job_id)

    async def get(self, project_id: UUID, job_id: UUID) -> GateWithLog:
        """One evaluation, from the moment that it was asked for. Raises NotFound."""
        rows = await self._fetch(SQL.get, project_id, job_id)
        if not rows:
            raise NotFound(f"project {project_id} has no gate evaluation {job_id}")
        return GateWithLog(**_shown(rows[0]), **_details(rows[0]["evaluation"] or {}))

    async def _newest_push(self, project_id: UUID, branch: str | None) -> dict[str, str]:
        rows = await self._fetch(SQL.newest_push, project_id, branch)
        if not rows:
            of = f"branch {branch}" if branch else "the project"
            raise Conflict(f"Nothing of {of} was scanned yet: name a commit.")
        [row] = rows
        sender = sender_of(row["body"]) if row["body"] else None
        found = {"branch": row["branch"], "commit_sha": row["commit_sha"]}
        return found | ({"sender": sender} if sender else {})

    async def _enqueue(
        self, payload: GateEvaluation, dedupe_key: str | None, traceparent: str
    ) -> Enqueued:
        project = await self._projects.get(payload.project_id)
        job = NewJob(
            queue=QUEUE, kind="gate_evaluation", payload=payload.wire(),
            max_attempts=self._queue.attempts, project_id=project.id, org_id=project.org_id,
            priority=project.priority, dedupe_key=dedupe_key,
            concurrency_key=concurrency_key(payload), traceparent=traceparent,
        )  # fmt: skip
        while not await self._ledger.add([job]):
            rows = await self._fetch(JOBS_SQL.with_dedupe_key, dedupe_key)
            if rows:
                same = rows[0]
                return Enqueued(
                    job_id=same["id"], queue=QUEUE, data=same["payload"], duplicate=True
                )
        JOBS_ENQUEUED.labels(QUEUE).inc()
        self._ringer.ring([Ring.of(job)])
        return Enqueued(job_id=job.id, queue=QUEUE, data=job.payload)

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        return await fetch(self._pool, sql, *arguments)


def sender_of(body: bytes) -> str | None:
    """Whose push a delivery tells of, whichever way it was sent; None where it does not say."""
    with suppress(ValueError, LookupError, TypeError):
        text = body if body.lstrip()[:1] == b"{" else parse_qs(body.decode())["payload"][0]
        login = orjson.loads(text)["sender"]["login"]
        return login if isinstance(login, str) else None
    return None


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    evaluation = row["evaluation"] or {}
    told = {name: row[name] for name in Gate.model_fields if name in row}
    return told | {
        "state": _state(row),
        "story_id": row["story"],
        "reason": evaluation.get("reason"),
        "counts": evaluation.get("counts"),
        "duration_ms": evaluation.get("durationMs"),
    }


def _details(evaluation: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": evaluation.get("command"),
        "source": evaluation.get("source"),
        "exit_code": evaluation.get("exitCode"),
        "diagnostics": evaluation.get("diagnostics", []),
        "truncated": evaluation.get("truncated", False),
        "flaky": evaluation.get("flaky", []),
        "environment": evaluation.get("environment", {}),
        "log": evaluation.get("log", ""),
    }


def _state(row: asyncpg.Record) -> GateState:
    """What the evaluation says, unless its job has ended, or waits for another attempt."""
    state: GateState = row["state"] or row["job_state"]
    if state == "awaiting_approval" and row["approved_by"]:
        return "approved"
    if state != "running" or row["job_state"] == "running":
        return state
    return row["job_state"] or "lost"
