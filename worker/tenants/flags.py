"""Feature flags: what an organisation may use, switched by people and by automatic actions."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from worker.database import queries
from worker.database.pool import Pool, Transaction, fetch, plain
from worker.errors import InvalidInput, NotFound
from worker.jobs.overview import ByName
from worker.jobs.paging import Wanted, page_of
from worker.jobs.views import Page, View
from worker.tenants.organisations import Organisations, missing

SQL = queries.load(__file__)

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
Description = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]


class WantedFlag(Wanted, strict=True):
    """A flag as it is to be; without a description it keeps the one it has."""

    enabled: bool
    description: Description | None = None


class Flag(View):
    """A feature of an organisation; `disabledReason` is told where an automatic action acted."""

    key: str
    enabled: bool
    description: str
    disabled_reason: str | None
    updated_at: datetime


class Evaluation(View):
    """Whether a feature may be used, and why not where an automatic action disabled it."""

    key: str
    enabled: bool
    reason: str | None = None


class Flags:
    """The flags of one organisation. Every method raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool, org_id: str) -> None:
        self._pool, self._org_id = pool, plain(org_id)

    async def put(self, key: str, wanted: WantedFlag) -> Flag:
        """Make a flag or switch it by hand, which ends what an automatic action said of it.

        Raises InvalidInput for what cannot be a key, NotFound for an unknown organisation.
        """
        if _KEY.fullmatch(key) is None:
            problem = "must be 1 to 100 letters, digits and . _ : -, the first a letter or digit"
            raise InvalidInput("The request is not valid.", {"key": problem})
        rows = await fetch(
            self._pool, SQL.put, self._org_id, key, wanted.enabled, wanted.description
        )
        if not rows:
            raise missing(self._org_id)
        return Flag(**rows[0])

    async def evaluate(self, key: str) -> Evaluation:
        """Whether the feature may be used: one indexed read. Raises NotFound."""
        rows = await fetch(self._pool, SQL.evaluate, self._org_id, plain(key))
        if not rows:
            raise self._missing(key)
        enabled, reason = rows[0]
        return Evaluation(key=key, enabled=enabled, **({"reason": reason} if reason else {}))

    async def delete(self, key: str) -> Flag:
        """Forget a flag; answers it as it was. Raises NotFound."""
        rows = await fetch(self._pool, SQL.delete, self._org_id, plain(key))
        if not rows:
            raise self._missing(key)
        return Flag(**rows[0])

    async def page(self, wanted: ByName) -> Page[Flag]:
        """The flags by key. Raises NotFound for an unknown organisation."""
        rows = await fetch(self._pool, SQL.page, self._org_id, wanted.cursor, wanted.limit + 1)
        if not rows:
            await Organisations(self._pool).get(self._org_id)
        return page_of([Flag(**row) for row in rows], wanted.limit, lambda flag: flag.key)

    def _missing(self, key: str) -> NotFound:
        return NotFound(f"There is no flag {key[:80]!a} of {self._org_id[:80]!a}.")


async def disable(connection: Transaction, org_id: str, key: str, reason: str) -> bool | None:
    """Disable a flag in the caller's transaction; `reason` is shown to whoever evaluates it.

    Answers whether that changed it: False when it was disabled already, whoever did that, and None
    when there is no such flag.
    """
    changed: bool | None = await connection.fetchval(SQL.disable, org_id, key, reason)
    return changed


async def enable(
    connection: Transaction, org_id: str, key: str, reason: str | None = None
) -> bool | None:
    """Enable a flag again in the caller's transaction; answers as `disable` does.

    With a `reason` only a flag that is disabled for just that reason: False when it is not, since
    somebody else has decided about it meanwhile.
    """
    changed: bool | None = await connection.fetchval(SQL.enable, org_id, key, reason)
    return changed
