"""Endpoints that can be sent to, and messages on their way to them."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet

from tests.outgoing.records import ORG, organisation
from worker.cipher import ENDPOINTS, Cipher
from worker.database.pool import Pool, atomically
from worker.jobs.ids import new_id
from worker.jobs.ring import Ring
from worker.outgoing.delivering import Attempt, Deliveries, Over, Parcel, Wait
from worker.outgoing.messages import NewMessage, emit
from worker.outgoing.outcomes import Sent
from worker.outgoing.sealing import EndpointLabel, seal
from worker.outgoing.signing import new_secret

ARRIVED = Sent(status=200, answer=b"ok", duration_ms=12)
REFUSED = Sent(status=500, error_class="server_error", error="the endpoint answered 500",
               answer=b"\x00\xffoh", duration_ms=34)  # fmt: skip


@dataclass
class Post:
    """An organisation's endpoints, in the record."""

    pool: Pool
    key: str
    cipher: Cipher
    deliveries: Deliveries

    @classmethod
    async def opened(cls, pool: Pool) -> "Post":
        """With a key of its own."""
        await organisation(pool)
        key = Fernet.generate_key().decode()
        cipher = Cipher([key], ENDPOINTS)
        return cls(pool, key, cipher, Deliveries(pool, cipher))

    async def endpoint(
        self, url: str = "https://example.org/hook", secret: str | None = None, **columns: Any
    ) -> UUID:
        """An endpoint that wants everything."""
        endpoint_id = new_id()
        sealed = seal(self.cipher, EndpointLabel(endpoint_id, ORG), secret or new_secret())
        await self.pool.execute(
            "INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id) "
            "VALUES ($1, $2, $3, $4, $5)",
            endpoint_id, ORG, url, sealed.data, sealed.key_id,
        )  # fmt: skip
        await self.set(endpoint_id, **columns)
        return endpoint_id

    async def set(self, endpoint_id: UUID, **columns: Any) -> None:
        """Set columns of an endpoint. A timedelta is a time from now."""
        for name, value in columns.items():
            given = "now() + $2::interval" if isinstance(value, timedelta) else "$2"
            sql = f"UPDATE outgoing_endpoints SET {name} = {given} WHERE id = $1"
            await self.pool.execute(sql, endpoint_id, value)

    async def message(self, number: int = 1) -> list[Ring]:
        """One message to every endpoint; answers what to ring."""
        wanted = NewMessage(ORG, "usage.threshold_reached", {"n": number}, f"key-{new_id()}")
        return await atomically(self.pool, lambda connection: emit(connection, [wanted]))

    async def attempt(self, endpoint_id: UUID, failures: int = 0) -> Attempt:
        """A first attempt at a new message to the endpoint."""
        rings = await self.message()
        row = await self.pool.fetchrow(
            "SELECT message_id, job_id FROM outgoing_deliveries "
            "WHERE endpoint_id = $1 ORDER BY message_id DESC LIMIT 1",
            endpoint_id,
        )
        assert row
        assert row["job_id"] in {ring.id for ring in rings} | {None}
        job_id = row["job_id"] or new_id()
        return Attempt(endpoint_id, row["message_id"], job_id, failures + 1, failures, 6)

    async def parcel(self, attempt: Attempt) -> Parcel:
        """What the attempt may send now."""
        parcel = await self.deliveries.parcel(attempt)
        assert isinstance(parcel, Parcel), parcel
        return parcel

    async def wait(self, attempt: Attempt) -> Wait:
        """How long the attempt has to wait."""
        wait = await self.deliveries.parcel(attempt)
        assert isinstance(wait, Wait), wait
        return wait

    async def over(self, attempt: Attempt) -> Over:
        """Why there is nothing to send."""
        over = await self.deliveries.parcel(attempt)
        assert isinstance(over, Over), over
        return over

    async def fails(self, endpoint_id: UUID, times: int = 1, sent: Sent = REFUSED) -> None:
        """So many first attempts at the endpoint fail."""
        for _ in range(times):
            attempt = await self.attempt(endpoint_id)
            parcel = await self.parcel(attempt)
            await self.deliveries.failed(attempt, parcel, replace(sent), 1.0)

    async def row(self, endpoint_id: UUID) -> dict[str, Any]:
        """The endpoint; times as seconds from now."""
        row = await self.pool.fetchrow(
            "SELECT *, now() AS now FROM outgoing_endpoints WHERE id = $1", endpoint_id
        )
        assert row
        return {
            name: (value - row["now"]).total_seconds() if hasattr(value, "tzinfo") else value
            for name, value in row.items()
        }

    async def delivery(self, attempt: Attempt) -> dict[str, Any]:
        """The row of the attempt's delivery."""
        row = await self.pool.fetchrow(
            "SELECT * FROM outgoing_deliveries WHERE endpoint_id = $1 AND message_id = $2",
            attempt.endpoint_id, attempt.message_id,
        )  # fmt: skip
        return dict(row or {})

    async def attempts(self) -> list[dict[str, Any]]:
        """Every recorded attempt."""
        rows = await self.pool.fetch("SELECT * FROM outgoing_attempts ORDER BY id")
        return [dict(row) for row in rows]
