"""Between Python values and rows: one array a column on the way in, one object a row out."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from worker.database.pool import encode_json
from worker.jobs.model import NewJob, Project, StartedJob


def add_arguments(jobs: Sequence[NewJob]) -> list[list[Any]]:
    """The jobs as one array a column, in the order that the `add` statements take."""
    return columns(
        (
            (j.id, j.queue, j.kind, encode_json(j.payload), j.max_attempts, j.project_id, j.org_id,
             j.priority, j.dedupe_key, j.run_at, j.delivery_id, j.correlation_id,
             j.concurrency_key, j.traceparent, j.lane, j.lane_order)
            for j in jobs
        ),
        16,
    )  # fmt: skip


def columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows of `width` values turned into one list a column, as unnest takes them."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def started_job(row: asyncpg.Record, token: str, worker: str) -> StartedJob:
    """An attempt that the record has begun, as the `start` statements answer it."""
    # The statements answer its fields in order, up to `waited`; by name each would be looked up.
    fields: list[Any] = [
        *row[:11], token, worker, _project(row) if row["enrolled"] else None,
        row["traceparent"], row["lane_order"],
    ]  # fmt: skip
    return StartedJob(*fields)


def _project(row: asyncpg.Record) -> Project:
    return Project(
        id=row["project_id"],
        name=row["name"],
        repo_url=row["repo_url"],
        repository=row["repository"],
        repository_id=row["repository_id"],
        default_branch=row["default_branch"],
        plan=row["plan"],
        org_id=row["org_id"],
        created_at=row["enrolled_at"],
    )
