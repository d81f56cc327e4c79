"""API keys: made once, shown once, and from then on known by their SHA-256 alone."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError

from worker.database import queries
from worker.database.pool import Pool, Transaction, fetch, plain
from worker.errors import NotFound
from worker.jobs.ids import new_id
from worker.jobs.paging import ById, Wanted, page_of
from worker.jobs.payload_base import Name
from worker.jobs.views import Page, View
from worker.tenants import key_text
from worker.tenants.organisations import Organisations, missing

SQL = queries.load(__file__)

KeyState = Literal["active", "blocked", "expired", "revoked"]
Refusal = Literal["unknown", "blocked", "expired", "revoked"]


def _to_come(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise PydanticCustomError("past", "must be in the future")
    return moment


class NewApiKey(Wanted):
    """An API key to make; without `expiresAt` it is good until it is revoked."""

    name: Annotated[Name, Field(strict=True, description="for people, such as what uses it")]
    expires_at: Annotated[AwareDatetime, AfterValidator(_to_come)] | None = None


class ApiKey(View):
    """An API key, which itself is never shown again; `prefix` is how it begins."""

    id: UUID
    name: str
    prefix: str
    state: KeyState
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    blocked_at: datetime | None
    blocked_reason: str | None
    revoked_at: datetime | None


class MadeApiKey(ApiKey):
    """A new API key with the `key` itself: nobody can be told it a second time."""

    key: str


class WantedCheck(Wanted, strict=True):
    """The key that somebody came with."""

    key: str


class KeyCheck(View):
    """Whether a key is good, whose it is, and if not, why not."""

    valid: bool
    org_id: str | None = None
    key_id: UUID | None = None
    name: str | None = None
    reason: Refusal | None = None


class ApiKeys:
    """The API keys of one organisation. Every method raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool, org_id: str) -> None:
        self._pool, self._org_id = pool, plain(org_id)

    async def make(self, wanted: NewApiKey) -> MadeApiKey:
        """Make a key. Raises NotFound for an unknown organisation."""
        key = key_text.new()
        rows = await fetch(
            self._pool, SQL.make, new_id(), self._org_id, wanted.name, key_text.prefix(key),
            key_text.digest(key), wanted.expires_at,
        )  # fmt: skip
        if not rows:
            raise missing(self._org_id)
        return MadeApiKey(**rows[0], key=key)

    async def page(self, wanted: ById) -> Page[ApiKey]:
        """The keys in the order they were made. Raises NotFound for an unknown organisation."""
        rows = await fetch(self._pool, SQL.page, self._org_id, wanted.cursor, wanted.limit + 1)
        if not rows:
            await Organisations(self._pool).get(self._org_id)
        return page_of([ApiKey(**row) for row in rows], wanted.limit, lambda key: key.id)

    async def revoke(self, key_id: UUID) -> ApiKey:
        """End a key for good; it is still shown. Raises NotFound."""
        return await self._changed(SQL.revoke, key_id)

    async def unblock(self, key_id: UUID) -> ApiKey:
        """Let a blocked key be used again. Raises NotFound."""
        return await self._changed(SQL.unblock_by_hand, key_id)

    async def _changed(self, sql: str, key_id: UUID) -> ApiKey:
        rows = await fetch(self._pool, sql, self._org_id, key_id)
        if not rows:
            raise NotFound(f"There is no API key {key_id} of {self._org_id[:80]!a}.")
        return ApiKey(**rows[0])


class KeyRing:
    """Every organisation's keys, as they are checked. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, key: str) -> asyncpg.Record | None:
        """The row of a key with its `state`, `org_id`, and whether its use is to be noted.

        One indexed read, and none for a text that cannot be a key.
        """
        if not key_text.is_whole(key):
            return None
        rows = await fetch(self._pool, SQL.find, key_text.digest(key))
        return rows[0] if rows else None

    async def note_use(self, key_ids: Sequence[UUID]) -> None:
        """Remember that these keys were used just now, to the minute."""
        await fetch(self._pool, SQL.note_use, key_ids)


def checked(row: asyncpg.Record | None) -> KeyCheck:
    """What a caller is told of the key that was found, or was not."""
    if row is None:
        return KeyCheck(valid=False, reason="unknown")
    whose: dict[str, Any] = {"org_id": row["org_id"], "key_id": row["id"], "name": row["name"]}
    if row["state"] == "active":
        return KeyCheck(valid=True, **whose)
    return KeyCheck(valid=False, **whose, reason=row["state"])


async def block(connection: Transaction, org_id: str, key_id: UUID, reason: str) -> bool | None:
    """Block a key in the caller's transaction; `reason` is told to whoever comes with it.

    Answers whether that changed anything: False when it was blocked or revoked already, and None
    when the organisation has no such key.
    """
    changed: bool | None = await connection.fetchval(SQL.block, org_id, key_id, reason)
    return changed


async def unblock(
    connection: Transaction, org_id: str, key_id: UUID, reason: str | None = None
) -> bool | None:
    """Unblock a key in the caller's transaction; answers as `block` does.

    With a `reason` only a key that is blocked for just that reason: False when it is not, since
    somebody else has decided about it meanwhile.
    """
    changed: bool | None = await connection.fetchval(SQL.unblock, org_id, key_id, reason)
    return changed
