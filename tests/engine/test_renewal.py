"""A renewal and a settlement that cross each other leave no lease behind."""

from typing import Any
from uuid import UUID

import pytest
from arq.connections import ArqRedis

from worker.engine.claims import NEVER, Claims, Limits, Settlement
from worker.jobs.ids import new_id
from worker.jobs.ring import Bell, Ring, queue_keys
from worker.jobs.standing import Place, Standings


@pytest.mark.parametrize(
    ("delay_ms", "place"),
    [(NEVER, Place.UNKNOWN), (0, Place.READY), (60_000, Place.TIMED)],
)
async def test_a_job_that_ends_while_its_lease_is_renewed_has_none_afterwards(
    redis: ArqRedis, delay_ms: int, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims, job_id = Claims(redis, "work", "me", Limits(per_key=1)), new_id()
    await Bell(redis).ring([Ring(job_id, "work", key="k", tenant="acme")])
    [claim] = (await claims.claim(1)).claims
    renew, settled = claims._renew, Settlement(str(claim.id), claim.token, delay_ms)

    async def after_the_settlement(**call: Any) -> Any:
        claims.settle(settled)
        await claims.drain()
        return await renew(**call)

    monkeypatch.setattr(claims, "_renew", after_the_settlement)
    lost: list[UUID] = await claims.renew({claim.id: claim.token})
    await claims.drain()
    assert lost == []
    [spot] = await Standings(redis).spots("work", [str(job_id)])
    assert spot.place is place
    assert await redis.zcard(f"{queue_keys('work').times}:held:key:k") == 0


async def test_a_settlement_outside_of_a_renewal_is_made_once(
    redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims, made = Claims(redis, "work", "me"), 0
    script = claims._settle_script

    async def counted(**call: Any) -> Any:
        nonlocal made
        made += 1
        return await script(**call)

    monkeypatch.setattr(claims, "_settle_script", counted)
    await claims.renew({})
    claims.settle(Settlement(str(new_id()), "me:1"))
    await claims.drain()
    assert made == 1
