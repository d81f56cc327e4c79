"""Organisations and endpoints as rows, and what was recorded for them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.jobs.ring import Ring

ORG = "acme"


async def organisation(pool: Pool, org_id: str = ORG) -> str:
    """An organisation that is there."""
    await pool.execute(
        "INSERT INTO organisations (id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING", org_id
    )
    return org_id


async def endpoint(
    pool: Pool, org_id: str = ORG, events: Sequence[str] = ("*",), reason: str | None = None
) -> UUID:
    """An endpoint of an organisation, disabled if there is a reason."""
    endpoint_id = new_id()
    await pool.execute(
        "INSERT INTO outgoing_endpoints (id, org_id, url, events, secret, secret_key_id, state, "
        "disabled_reason, disabled_at) VALUES ($1, $2, 'https://example.org/hook', $3, '', '', "
        "CASE WHEN $4::text IS NULL THEN 'enabled' ELSE 'disabled' END, $4, "
        "CASE WHEN $4::text IS NOT NULL THEN now() END)",
        endpoint_id, await organisation(pool, org_id), list(events), reason,
    )  # fmt: skip
    return endpoint_id


async def project(pool: Pool, org_id: str | None = ORG) -> UUID:
    """A project of an organisation, or of none."""
    project_id = new_id()
    await pool.execute(
        "INSERT INTO projects (id, name, repo_url, repository, org_id) "
        "VALUES ($1, 'p', 'u', $2, $3)",
        project_id, f"acme/{project_id}", org_id,
    )  # fmt: skip
    return project_id


async def rows(pool: Pool, table: str) -> list[asyncpg.Record]:
    """All rows of a table, in the order of their first column."""
    return await pool.fetch(f"SELECT * FROM {table} ORDER BY 1")


async def counts(pool: Pool) -> dict[str, Any]:
    """How many messages, deliveries and delivery jobs there are."""
    [row] = await pool.fetch(
        "SELECT (SELECT count(*) FROM outgoing_messages) AS messages, "
        "(SELECT count(*) FROM outgoing_deliveries) AS deliveries, "
        "(SELECT count(*) FROM jobs WHERE kind = 'webhook_delivery') AS jobs"
    )
    return dict(row)


class Rings:
    """Keeps what is to be rung."""

    def __init__(self) -> None:
        self.kept: list[Ring] = []

    def ring(self, rings: Sequence[Ring]) -> None:
        self.kept += rings
