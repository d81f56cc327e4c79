"""Replaying: the same messages under the same ids, by new jobs; never what is under way."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal
from uuid import UUID

import asyncpg
import pytest

from tests.outgoing.records import ORG, Rings, endpoint, rows
from worker.database.pool import Pool, atomically
from worker.errors import Conflict, NotFound
from worker.jobs.planning import Planner
from worker.jobs.queues import QUEUES
from worker.outgoing import replaying
from worker.outgoing.messages import NewMessage, emit
from worker.outgoing.replaying import Replayed, Replaying, WantedReplay

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Scene:
    """An endpoint that was sent messages."""

    def __init__(self, pool: Pool, to: UUID) -> None:
        self.pool, self.to, self.rings = pool, to, Rings()
        self.replaying = Replaying(pool, self.rings, Planner(QUEUES))

    async def sent(self, *states: str) -> list[UUID]:
        """Messages whose deliveries are in these states, and their jobs accordingly."""
        start = len(await rows(self.pool, "outgoing_messages"))
        for n in range(len(states)):
            message = NewMessage(ORG, "usage.period_closed", {"n": n}, f"k-{start + n}")
            await atomically(self.pool, lambda c, m=message: emit(c, [m]))  # type: ignore[misc]
        found = await self.pool.fetch("SELECT id FROM outgoing_messages ORDER BY id OFFSET $1",
                                      start)  # fmt: skip
        ids = [row["id"] for row in found]
        await self.become(ids, states)
        return ids

    async def become(self, ids: Sequence[UUID], states: Sequence[str]) -> None:
        await self.pool.execute(
            "UPDATE outgoing_deliveries d SET state = n.state, attempts = 1, "
            "delivered_at = CASE n.state WHEN 'delivered' THEN now() END "
            "FROM unnest($1::uuid[], $2::text[]) AS n(id, state) WHERE d.message_id = n.id",
            list(ids), list(states),
        )  # fmt: skip
        await self.pool.execute(
            "UPDATE jobs j SET state = 'cancelled', finished_at = now() "
            "FROM outgoing_deliveries d WHERE j.id = d.job_id AND d.state <> 'pending'"
        )

    async def many(
        self, what: Literal["failed", "skipped", "all"] = "all", **more: Any
    ) -> Replayed:
        wanted = WantedReplay.model_validate({"since": LONG_AGO, "what": what} | more)
        return await self.replaying.many(ORG, self.to, wanted)

    async def pending(self) -> list[UUID]:
        return [d["message_id"] for d in await self.deliveries() if d["state"] == "pending"]

    async def deliveries(self) -> list[asyncpg.Record]:
        return await self.pool.fetch("SELECT * FROM outgoing_deliveries ORDER BY message_id")

    async def jobs(self) -> list[asyncpg.Record]:
        """Those that wait, the first one due first."""
        return await self.pool.fetch(
            "SELECT * FROM jobs WHERE state = 'queued' ORDER BY run_at, id"
        )


@pytest.fixture
async def scene(pool: Pool) -> Scene:
    return Scene(pool, await endpoint(pool))


@pytest.mark.parametrize("state", ["delivered", "failed", "skipped"])
async def test_one_goes_out_again_by_a_new_job_and_as_the_same_message(
    scene: Scene, state: str
) -> None:
    [message] = await scene.sent(state)
    [before], stored = await scene.deliveries(), await rows(scene.pool, "outgoing_messages")
    told = await scene.replaying.one(ORG, scene.to, message)
    [delivery], [job] = await scene.deliveries(), await scene.jobs()
    assert (told.replayed, told.job_id, told.message_id) == (True, job["id"], message)
    assert (delivery["state"], delivery["delivered_at"]) == ("pending", None)
    assert delivery["job_id"] == job["id"] != before["job_id"]
    assert delivery["attempts"] == 1
    assert job["payload"]["messageId"] == str(message)
    assert job["dedupe_key"].startswith(f"delivery:{scene.to}:{message}:")
    assert [ring.id for ring in scene.rings.kept] == [job["id"]]
    assert await rows(scene.pool, "outgoing_messages") == stored


async def test_one_that_is_under_way_is_left_alone_and_said_to_be(scene: Scene) -> None:
    [message] = await scene.sent("failed")
    first = await scene.replaying.one(ORG, scene.to, message)
    again = await scene.replaying.one(ORG, scene.to, message)
    assert (again.replayed, again.job_id) == (False, first.job_id)
    assert len(await scene.jobs()) == len(scene.rings.kept) == 1


async def test_replaying_at_the_same_time_makes_one_job(scene: Scene) -> None:
    ids = await scene.sent("failed", "failed", "failed")
    one = [scene.replaying.one(ORG, scene.to, ids[0]) for _ in range(3)]
    many = [scene.many("failed") for _ in range(3)]
    await asyncio.gather(*one, *many)
    assert len(await scene.jobs()) == 3


async def test_one_whose_job_ended_without_a_word_can_be_replayed(scene: Scene) -> None:
    [message] = await scene.sent("pending")
    assert not (await scene.replaying.one(ORG, scene.to, message)).replayed
    await scene.pool.execute("UPDATE jobs SET state = 'cancelled', finished_at = now()")
    assert (await scene.replaying.one(ORG, scene.to, message)).replayed
    await scene.pool.execute("DELETE FROM jobs")
    assert (await scene.many("failed")).replayed == 1


async def test_what_is_not_there_is_not_found(scene: Scene) -> None:
    [message] = await scene.sent("failed")
    other = await endpoint(scene.pool, "other")
    for org_id, to, wanted in (
        (ORG, scene.to, UUID(int=1)), (ORG, UUID(int=1), message), (ORG, other, message),
        ("other", scene.to, message), ("other", other, message),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await scene.replaying.one(org_id, to, wanted)
    assert await scene.jobs() == []


async def test_nothing_is_replayed_to_a_disabled_endpoint(scene: Scene) -> None:
    [message] = await scene.sent("failed")
    await scene.pool.execute(
        "UPDATE outgoing_endpoints SET state = 'disabled', disabled_reason = 'asked', "
        "disabled_at = now()"
    )
    with pytest.raises(Conflict, match="enable it first"):
        await scene.replaying.one(ORG, scene.to, message)
    with pytest.raises(Conflict, match="enable it first"):
        await scene.many()
    assert await scene.pending() == []


@pytest.mark.parametrize(
    ("what", "replayed"), [("failed", [1]), ("skipped", [2]), ("all", [0, 1, 2])]
)
async def test_many_are_chosen_by_what_became_of_them(
    scene: Scene, what: Any, replayed: list[int]
) -> None:
    ids = await scene.sent("delivered", "failed", "skipped", "pending")
    told = await scene.many(what)
    assert (told.replayed, told.next) == (len(replayed), None)
    assert await scene.pending() == [ids[n] for n in [*replayed, 3]]
    assert (await scene.many(what)).replayed == 0


async def test_many_are_chosen_by_when_they_were_made(scene: Scene) -> None:
    ids = await scene.sent(*["failed"] * 4)
    made = [m["created_at"] for m in await rows(scene.pool, "outgoing_messages")]
    told = await scene.many("failed", since=made[1], until=made[3])
    assert told.replayed == 2
    assert await scene.pending() == ids[1:3]
    assert (await scene.many("failed", since=made[3] + timedelta(days=1))).replayed == 0


async def test_other_endpoints_are_left_alone(scene: Scene) -> None:
    other = await endpoint(scene.pool)
    await scene.sent("failed", "failed")
    assert (await scene.many()).replayed == 2
    states = {(d["endpoint_id"], d["state"]) for d in await scene.deliveries()}
    assert states == {(scene.to, "pending"), (other, "failed")}


async def test_many_are_spread_oldest_first_by_the_rate(scene: Scene) -> None:
    ids = await scene.sent(*["failed"] * 4)
    told = await scene.many(rate_per_second=2.0)
    jobs = await scene.jobs()
    assert [UUID(job["payload"]["messageId"]) for job in jobs] == ids
    gaps = [b["run_at"] - a["run_at"] for a, b in pairwise(jobs)]
    assert gaps == [timedelta(seconds=0.5)] * 3
    assert told.last_due_at == jobs[-1]["run_at"]
    due = {ring.id: ring.run_at_ms for ring in scene.rings.kept}
    assert due == {j["id"]: pytest.approx(j["run_at"].timestamp() * 1000) for j in jobs}


async def test_without_a_rate_all_are_due_at_once(scene: Scene) -> None:
    await scene.sent("failed", "failed")
    told = await scene.many()
    assert {job["run_at"] for job in await scene.jobs()} == {told.last_due_at}


async def test_more_than_a_call_takes_go_on_where_it_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(replaying, "CHUNK", 2)
    ids = await scene.sent(*["failed"] * 7)
    told, taken, cursors = await scene.many(), 0, 0
    while told.next:
        taken, cursors = taken + told.replayed, cursors + 1
        told = await scene.many(cursor=told.next)
    assert (taken + told.replayed, cursors) == (7, 2)
    assert await scene.pending() == ids
    assert len(await scene.jobs()) == 7


async def test_nothing_to_replay_is_said(scene: Scene) -> None:
    told = await scene.many()
    assert (told.replayed, told.last_due_at, told.next) == (0, None, None)
