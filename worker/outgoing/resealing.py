"""Sealing the secrets of endpoints anew when the key that seals them was changed."""

from uuid import UUID

from asyncpg import Record

from worker.cipher import Cipher, Unopenable
from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.views import View
from worker.outgoing.sealing import EndpointLabel, seal, unseal

SQL = queries.load(__file__)
AT_ONCE = 100


class Resealed(View):
    """How many endpoints have secrets that were sealed anew, and of which no key opens them."""

    key_id: str
    resealed: int
    unopenable: list[str]


class Resealing:
    """Raises RecordUnavailable without Postgres, ConfigurationError without a key."""

    def __init__(self, pool: Pool, cipher: Cipher) -> None:
        self._pool, self._cipher = pool, cipher

    async def run(self) -> Resealed:
        """Seal with the first key what another one sealed, so many at a time.

        It may be stopped at any moment and begun again; what is set meanwhile stays as set.
        """
        key_id, after, resealed, lost = self._cipher.key_id, None, 0, list[str]()
        while rows := await self._sealed_otherwise(key_id, after):
            for row in rows:
                try:
                    resealed += await self._reseal(row)
                except Unopenable as error:
                    lost.append(error.message)
            after = rows[-1]["id"]
        return Resealed(key_id=key_id, resealed=resealed, unopenable=lost)

    async def _sealed_otherwise(self, key_id: str, after: UUID | None) -> list[Record]:
        return await fetch(self._pool, SQL.sealed_otherwise, key_id, after, AT_ONCE)

    async def _reseal(self, row: Record) -> int:
        label = EndpointLabel(row["id"], row["org_id"])
        before = row["secret"], row["previous_secret"]
        new = [seal(self._cipher, label, s).data for s in unseal(self._cipher, label, *before)]
        after = [*new, None][:2]
        key_id = self._cipher.key_id
        done = await fetch(self._pool, SQL.reseal, row["id"], key_id, *before, *after)
        return len(done)
