"""Sealed credentials in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from worker.cipher import Sealed
from worker.credentials.model import Kind, Label, Owner
from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.ids import new_id

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class SealedCredential:
    """A credential as it lies in the record; `id` is None where nobody asked for it."""

    label: Label
    sealed: bytes
    id: UUID | None = None


class CredentialStore:
    """Every method raises RecordUnavailable when Postgres is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def set(self, label: Label, sealed: Sealed) -> asyncpg.Record | None:
        """Store it in the place of a former one; answers the row, or None for no such project."""
        owner, sql = label.owner, SQL.set_of_project
        if owner.project_id is None:
            sql = SQL.set_of_organisation
        rows = await self._fetch(
            sql, new_id(), owner.project_id or owner.org_id, label.kind, label.host,
            sealed.data, sealed.key_id,
        )  # fmt: skip
        return rows[0] if rows else None

    async def page(self, owner: Owner, after: UUID | None, limit: int) -> list[asyncpg.Record]:
        """Up to `limit` rows without what is sealed, by id; of everybody for an empty owner."""
        return await self._fetch(SQL.page, owner.project_id, owner.org_id, after, limit)

    async def remove(self, label: Label) -> asyncpg.Record | None:
        """Delete it; answers the row as it was, or None when there is none."""
        owner = label.owner
        rows = await self._fetch(SQL.remove, owner.project_id, owner.org_id, label.kind, label.host)
        return rows[0] if rows else None

    async def usable(
        self, project_id: UUID, org_id: str | None, host: str, kinds: Sequence[Kind]
    ) -> list[SealedCredential]:
        """What a project may use for a host: its own, then its organisation's, kinds in order."""
        rows = await self._fetch(SQL.usable, project_id, org_id, host, list(kinds))
        return [_sealed(row) for row in rows]

    async def sealed_otherwise(
        self, key_id: str, after: UUID | None, limit: int
    ) -> list[SealedCredential]:
        """Up to `limit` credentials, by id, that another key than this one sealed."""
        rows = await self._fetch(SQL.sealed_otherwise, key_id, after, limit)
        return [_sealed(row, row["id"]) for row in rows]

    async def reseal(self, key_id: str, resealed: Sequence[tuple[SealedCredential, bytes]]) -> int:
        """Replace what was read by what was sealed with this key; answers how many still stood."""
        ids, former = [c.id for c, _ in resealed], [c.sealed for c, _ in resealed]
        return len(await self._fetch(SQL.reseal, key_id, ids, former, [new for _, new in resealed]))

    async def _fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        return await fetch(self._pool, sql, *arguments)


def _sealed(row: asyncpg.Record, id_: UUID | None = None) -> SealedCredential:
    owner = Owner(row["project_id"], row["org_id"])
    return SealedCredential(Label(owner, row["kind"], row["host"]), row["sealed"], id_)
