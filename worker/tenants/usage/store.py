"""Counting usage in Postgres: each batch once, many batches in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfoNotFoundError

import asyncpg

from worker.database import queries
from worker.database.batcher import Batcher
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.errors import PermanentError
from worker.jobs.following import FollowUps
from worker.jobs.ledger import UNSTORABLE
from worker.jobs.ring import Ring
from worker.jobs.rows import columns
from worker.metrics import USAGE_BATCHES, USAGE_EVENTS
from worker.tenants.limits.crossing import Total, crossed
from worker.tenants.usage.counting import Batch, Counter, Growth, growths

SQL = queries.load(__file__)
AT_ONCE = 1000
# A batch that is sent again later than this is counted again.
REMEMBERED_DAYS = 40

Verdict = Literal["counted", "duplicate", "unknown"]
_Claims = Mapping[tuple[str, str], asyncpg.Record]


class UsageStore:
    """Counts batches, those of many callers together. One instance a process."""

    def __init__(self, pool: Pool, follow_ups: FollowUps) -> None:
        self._pool, self._follow_ups = pool, follow_ups
        self._batches: Batcher[Batch, Verdict] = Batcher(
            self._count, max_items=100, isolate=(*UNSTORABLE, ZoneInfoNotFoundError)
        )

    async def count(self, batch: Batch) -> bool:
        """Count a batch; False when its id was counted before, whatever was in it then.

        With its figures, what they set off is committed too. Raises RecordUnavailable without
        Postgres, and PermanentError for an unknown organisation and for figures past all bounds.
        """
        try:
            verdict = await self._batches.submit(batch)
        except UNSTORABLE as error:
            raise PermanentError(f"batch {batch.batch_id} cannot be counted: {error}") from error
        if verdict == "unknown":
            raise PermanentError(f"batch {batch.batch_id}: no organisation is {batch.org_id!r}")
        return verdict == "counted"

    async def forget_batches(self, days: int = REMEMBERED_DAYS) -> int:
        """Forget which batches were counted so long ago; answers how many those were."""
        total, gone = 0, AT_ONCE
        while gone == AT_ONCE:
            gone = len(await fetch(self._pool, SQL.forget_batches, days, AT_ONCE))
            total += gone
        return total

    async def _count(self, batches: Sequence[Batch]) -> list[Verdict]:
        async def work(connection: Transaction) -> tuple[list[Verdict], list[Ring]]:
            claims = await _claim(connection, batches)
            verdicts = _verdicts(batches, claims)
            new = [b for b, v in zip(batches, verdicts, strict=True) if v == "counted"]
            grown = growths((b, claims[b.org_id, b.batch_id]["timezone"]) for b in new)
            totals = await _add(connection, grown)
            return verdicts, await crossed(connection, self._follow_ups.planner, totals)

        verdicts, rings = await atomically(self._pool, work)
        await self._follow_ups.ring(rings)
        _measure(batches, verdicts)
        return verdicts


async def _claim(connection: Transaction, batches: Sequence[Batch]) -> _Claims:
    rows = await connection.fetch(
        SQL.claim, [b.org_id for b in batches], [b.batch_id for b in batches]
    )
    return {(row["org_id"], row["batch_id"]): row for row in rows}


def _verdicts(batches: Sequence[Batch], claims: _Claims) -> list[Verdict]:
    """Of batches with the same id, the first is the one that counts."""
    seen: set[tuple[str, str]] = set()
    verdicts: list[Verdict] = []
    for batch in batches:
        key = batch.org_id, batch.batch_id
        if claims[key]["timezone"] is None:
            verdicts.append("unknown")
        else:
            verdicts.append("counted" if claims[key]["new"] and key not in seen else "duplicate")
        seen.add(key)
    return verdicts


async def _add(connection: Transaction, grown: Mapping[Counter, Growth]) -> list[Total]:
    """Let counters grow; answers their totals, with what was archived of them."""
    if not grown:
        return []
    values = as_columns(grown)
    rows = await connection.fetch(SQL.add, *values)
    # A statement of its own: now that the counters are locked, no roll-over can move them.
    moved = await connection.fetch(SQL.archived, *values[:4])
    archived = {row[:4]: row["quantity"] for row in moved}
    return [_total(row, archived.get(row[:4], 0)) for row in rows]


def as_columns(grown: Mapping[Counter, Growth]) -> list[list[Any]]:
    """One array a column, in the order in which every worker locks counters."""
    rows = (
        (*counter, growth.end, growth.quantity, growth.events)
        for counter, growth in sorted(grown.items(), key=lambda item: item[0])
    )
    return columns(rows, 7)


def _total(row: asyncpg.Record, archived: int) -> Total:
    return Total(
        row["org_id"], row["metric"], row["period"], row["period_start"], row["period_end"],
        row["quantity"] + archived,
    )  # fmt: skip


def _measure(batches: Sequence[Batch], verdicts: Sequence[Verdict]) -> None:
    for batch, verdict in zip(batches, verdicts, strict=True):
        if verdict != "unknown":
            USAGE_BATCHES.labels(verdict).inc()
        if verdict == "counted":
            USAGE_EVENTS.inc(sum(events for _, events in batch.tally.values()))
