"""Probes: whether an endpoint that was disabled because it failed works again."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

import orjson
from asyncpg import Record

from worker.cipher import Cipher
from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.jobs.ids import new_id
from worker.jobs.planning import record
from worker.jobs.ring import Ring
from worker.outgoing.outcomes import Sent
from worker.outgoing.sealing import EndpointLabel, unseal
from worker.outgoing.sending import Sender
from worker.outgoing.switching import FIRST_PROBE_HOURS, audited, enable, probe

SQL = queries.load(__file__)
LONGEST_HOURS = 24
PROBED_DAYS = 30


@dataclass(slots=True)
class Probed:
    """What a probe has shown. `next_at`: when the next one is due; None: there is none."""

    verdict: Literal["not_due", "works", "fails"]
    sent: Sent | None = None
    next_at: datetime | None = None
    rings: list[Ring] = field(default_factory=list)


class Prober:
    """Probes endpoints. Raises RecordUnavailable, and Unopenable for a secret sealed elsewhere."""

    def __init__(self, pool: Pool, sender: Sender, cipher: Cipher) -> None:
        self._pool, self._sender, self._cipher = pool, sender, cipher

    async def probe(self, endpoint_id: UUID) -> Probed:
        """Send a failing endpoint a test; enable it if that arrives, else plan the next probe.

        Safe to run twice: one that is not due any more is left alone.
        """
        rows = await fetch(self._pool, SQL.due, endpoint_id)
        if not rows:
            return Probed("not_due")
        sent = await self._send(endpoint_id, rows[0])
        if sent.arrived:
            rings = await atomically(self._pool, lambda c: self._works(c, endpoint_id))
            return Probed("works", sent, rings=rings)
        next_at, rings = await atomically(
            self._pool, lambda c: self._fails(c, endpoint_id, rows[0]["org_id"])
        )
        return Probed("fails", sent, next_at, rings)

    async def _send(self, endpoint_id: UUID, row: Record) -> Sent:
        label = EndpointLabel(endpoint_id, row["org_id"])
        secrets = unseal(self._cipher, label, row["secret"], row["previous"])
        body = {
            "type": "endpoint.test",
            "timestamp": row["now"].isoformat(),
            "data": {"endpointId": str(endpoint_id), "probe": True},
        }
        return await self._sender.send(row["url"], secrets, str(new_id()), orjson.dumps(body))

    async def _works(self, connection: Transaction, endpoint_id: UUID) -> list[Ring]:
        # Whoever disabled it by hand meanwhile does not want it enabled.
        row = await connection.fetchrow(SQL.hold, endpoint_id)
        if row is None:
            return []
        job = audited("endpoint.enabled", endpoint_id, row, {"reason": "a probe arrived"})
        return await enable(connection, endpoint_id) + await record(connection, [job])

    async def _fails(
        self, connection: Transaction, endpoint_id: UUID, org_id: str
    ) -> tuple[datetime | None, list[Ring]]:
        row = await connection.fetchrow(
            SQL.put_off, endpoint_id, PROBED_DAYS, LONGEST_HOURS, FIRST_PROBE_HOURS
        )
        if row is None or row["probe_at"] is None:
            return None, []
        following = probe(endpoint_id, org_id, row["probe_at"])
        return row["probe_at"], await record(connection, [following])
