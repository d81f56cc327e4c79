"""Endpoints: where an organisation has its messages sent."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from worker.addresses import Network
from worker.cipher import Cipher, Sealed
from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.errors import ConfigurationError, Conflict, NotFound
from worker.jobs.enqueueing import Ringing
from worker.jobs.ids import new_id
from worker.jobs.paging import ById, page_of
from worker.jobs.ring import Ring
from worker.jobs.views import Page
from worker.outgoing.endpoint_views import (
    Endpoint,
    EndpointChange,
    EndpointWithSecret,
    NewEndpoint,
    Rotation,
    TestSent,
)
from worker.outgoing.guard import checked_url
from worker.outgoing.messages import NewMessage, emit_to
from worker.outgoing.sealing import EndpointLabel, seal
from worker.outgoing.signing import key_of, new_secret
from worker.outgoing.switching import disable_as_asked, enable

SQL = queries.load(__file__)
MOST_ENDPOINTS = 50
PREVIOUS_HOURS = 24


class Endpoints:
    """An endpoint of another organisation is NotFound. Raises RecordUnavailable too."""

    def __init__(
        self, pool: Pool, ringer: Ringing, cipher: Cipher, allowed_networks: Sequence[Network]
    ) -> None:
        self._pool, self._ringer, self._cipher = pool, ringer, cipher
        self._allowed = allowed_networks

    async def page(self, org_id: str, wanted: ById) -> Page[Endpoint]:
        """An organisation's endpoints, in the order of their making."""
        rows = await fetch(self._pool, SQL.pick, org_id, None, wanted.cursor, wanted.limit + 1)
        return page_of([_shown(row) for row in rows], wanted.limit, lambda e: e.id)

    async def get(self, org_id: str, endpoint_id: UUID) -> Endpoint:
        """One endpoint."""
        rows = await fetch(self._pool, SQL.pick, org_id, endpoint_id, None, 1)
        if not rows:
            raise _missing(endpoint_id)
        return _shown(rows[0])

    async def add(self, org_id: str, wanted: NewEndpoint) -> EndpointWithSecret:
        """Add one. Raises InvalidInput for its URL or secret, and Conflict when there are many."""
        url, secret, endpoint_id = self._checked(wanted.url), _secret(wanted.secret), new_id()
        sealed = self._sealed(endpoint_id, org_id, secret)

        async def work(connection: Transaction) -> list[Record]:
            await connection.execute(SQL.one_at_a_time, org_id)
            added: list[Record] = await connection.fetch(
                SQL.add, endpoint_id, org_id, url, wanted.events, wanted.description,
                wanted.schedule, sealed.data, sealed.key_id, MOST_ENDPOINTS,
            )  # fmt: skip
            return added

        if not await atomically(self._pool, work):
            raise Conflict(f"There are {MOST_ENDPOINTS} endpoints already, which is the most.")
        return EndpointWithSecret.of(await self.get(org_id, endpoint_id), secret)

    async def change(self, org_id: str, endpoint_id: UUID, wanted: EndpointChange) -> Endpoint:
        """Change what is given. Raises InvalidInput for its URL."""
        url = self._checked(wanted.url) if wanted.url is not None else None
        await self._touch(
            SQL.change, org_id, endpoint_id, url, wanted.events, wanted.description, wanted.schedule
        )
        return await self.get(org_id, endpoint_id)

    async def delete(self, org_id: str, endpoint_id: UUID) -> Endpoint:
        """Delete one with its deliveries; answers it as it was."""
        endpoint = await self.get(org_id, endpoint_id)
        await self._touch(SQL.delete, org_id, endpoint_id)
        return endpoint

    async def rotate(self, org_id: str, endpoint_id: UUID, wanted: Rotation) -> EndpointWithSecret:
        """Give it another secret; the one before signs as well until `previousUntil`."""
        secret = _secret(wanted.secret)
        sealed = self._sealed(endpoint_id, org_id, secret)
        await self._touch(
            SQL.rotate, org_id, endpoint_id, sealed.data, sealed.key_id, PREVIOUS_HOURS
        )
        return EndpointWithSecret.of(await self.get(org_id, endpoint_id), secret)

    async def disable(self, org_id: str, endpoint_id: UUID) -> Endpoint:
        """Send it nothing more until it is enabled by hand."""
        await self._switch(org_id, endpoint_id, disable_as_asked)
        return await self.get(org_id, endpoint_id)

    async def enable(self, org_id: str, endpoint_id: UUID) -> Endpoint:
        """Send to it again, its failures forgotten and its breaker closed."""
        await self._switch(org_id, endpoint_id, enable)
        return await self.get(org_id, endpoint_id)

    async def test(self, org_id: str, endpoint_id: UUID) -> TestSent:
        """Send `endpoint.test` to it alone. Raises Conflict while it is disabled."""

        data = {"endpointId": str(endpoint_id)}
        message = NewMessage(org_id, "endpoint.test", data, f"test:{new_id()}")

        async def work(connection: Transaction) -> tuple[UUID, Ring]:
            held = await self._hold(connection, org_id, endpoint_id)
            if held["state"] == "disabled":
                raise Conflict(f"Endpoint {endpoint_id} is disabled: enable it first.")
            return await emit_to(connection, endpoint_id, message)

        message_id, ring = await atomically(self._pool, work)
        self._ringer.ring([ring])
        return TestSent(message_id=message_id)

    async def _switch(
        self,
        org_id: str,
        endpoint_id: UUID,
        switch: Callable[[Transaction, UUID], Awaitable[list[Ring]]],
    ) -> None:
        async def work(connection: Transaction) -> list[Ring]:
            await self._hold(connection, org_id, endpoint_id)
            return await switch(connection, endpoint_id)

        self._ringer.ring(await atomically(self._pool, work))

    async def _hold(self, connection: Transaction, org_id: str, endpoint_id: UUID) -> Record:
        row: Record | None = await connection.fetchrow(SQL.hold, org_id, endpoint_id)
        if row is None:
            raise _missing(endpoint_id)
        return row

    async def _touch(self, sql: str, org_id: str, endpoint_id: UUID, *arguments: Any) -> None:
        if not await fetch(self._pool, sql, org_id, endpoint_id, *arguments):
            raise _missing(endpoint_id)

    def _checked(self, url: str) -> str:
        return checked_url(url, self._allowed)

    def _sealed(self, endpoint_id: UUID, org_id: str, secret: str) -> Sealed:
        try:
            return seal(self._cipher, EndpointLabel(endpoint_id, org_id), secret)
        except ConfigurationError as error:
            raise Conflict(f"An endpoint's secret cannot be kept here: {error.message}.") from None


def _secret(given: str | None) -> str:
    secret = new_secret() if given is None else given
    key_of(secret)
    return secret


def _shown(row: Record) -> Endpoint:
    return Endpoint.model_validate(dict(row))


def _missing(endpoint_id: UUID) -> NotFound:
    return NotFound(f"There is no endpoint {endpoint_id}.")
