"""Probing endpoints that failed: real requests, and what the record says afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import asyncpg
import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from tests.handlers.scanning import opened
from tests.outgoing.receivers import Receiver, answer, receiving
from tests.outgoing.records import ORG, Rings, organisation, rows
from worker.cipher import ENDPOINTS, Cipher
from worker.database.pool import Pool, atomically
from worker.errors import PermanentError
from worker.git import Mirrors
from worker.handlers.context import Resources
from worker.handlers.endpoint_probe import endpoint_probe
from worker.jobs.ids import new_id
from worker.jobs.model import Completed, StartedJob
from worker.jobs.tenant_payloads import EndpointProbe
from worker.outgoing.endpoint_views import EndpointWithSecret, NewEndpoint, Rotation
from worker.outgoing.endpoints import Endpoints
from worker.outgoing.probing import Prober
from worker.outgoing.sending import Sender
from worker.outgoing.signing import sign
from worker.outgoing.switching import disable

LOOPBACK = [ip_network("127.0.0.0/8")]
HOUR = timedelta(hours=1)


@dataclass
class Scene:
    """A failing endpoint whose first probe is due, and the handler's surroundings."""

    pool: Pool
    resources: Resources
    endpoints: Endpoints
    receiver: Receiver
    endpoint: EndpointWithSecret

    async def run(self) -> Completed:
        context = self.resources.context(_job(), lambda *_: None)
        outcome = await endpoint_probe(EndpointProbe(endpoint_id=self.endpoint.id), context)
        assert isinstance(outcome, Completed)
        return outcome

    async def row(self) -> asyncpg.Record:
        [found] = await rows(self.pool, "outgoing_endpoints")
        return found

    async def age(self, by: timedelta) -> None:
        """As if it had been disabled, and its probe put off, so much earlier."""
        await self.pool.execute(
            "UPDATE outgoing_endpoints SET disabled_at = disabled_at - $1::interval, "
            "probe_at = probe_at - $1::interval", by,
        )  # fmt: skip

    async def planned(self) -> list[datetime]:
        """When probes are due, of all that were ever planned."""
        jobs = await self.pool.fetch(
            "SELECT run_at FROM jobs WHERE kind = 'endpoint_probe' ORDER BY id"
        )
        return [job["run_at"] for job in jobs]


@pytest.fixture
async def resources(pool: Pool, redis: Redis, tmp_path: Path) -> AsyncIterator[Resources]:
    found = opened(pool, redis, Mirrors(tmp_path / "mirrors", protocols=["file"]))
    yield found
    await found.close()


@asynccontextmanager
async def failing(pool: Pool, resources: Resources, *answers: bytes) -> AsyncIterator[Scene]:
    """An endpoint that failed, and gives these answers from now on."""
    cipher, sender = Cipher([Fernet.generate_key().decode()], ENDPOINTS), Sender(LOOPBACK)
    endpoints = Endpoints(pool, Rings(), cipher, LOOPBACK)
    probing = replace(resources, sender=sender, prober=Prober(pool, sender, cipher))
    async with receiving(*answers) as receiver:
        await organisation(pool)
        endpoint = await endpoints.add(ORG, NewEndpoint(url=receiver.url))
        await atomically(pool, lambda c: disable(c, endpoint.id, "failing"))
        scene = Scene(pool, probing, endpoints, receiver, endpoint)
        await scene.age(HOUR)
        yield scene
    await sender.close()


async def test_one_that_works_again_is_enabled_and_that_is_told(
    pool: Pool, resources: Resources
) -> None:
    async with failing(pool, resources, answer(204, b"")) as scene:
        assert (await scene.run()).data == {"works": True}
        left = await scene.row()
        assert (left["state"], left["probe_at"], left["disabled_at"]) == ("enabled", None, None)
        [told] = await rows(pool, "outgoing_messages")
        assert told["event"] == "endpoint.enabled"
        events = [
            j["payload"]["event"] for j in await rows(pool, "jobs") if j["kind"] == "audit_event"
        ]
        assert [e["action"] for e in events] == ["endpoint.disabled", "endpoint.enabled"]
        assert events[1]["actor"] == {"type": "switchyard"}
        assert len(await scene.planned()) == 1


async def test_a_probe_is_a_signed_test(pool: Pool, resources: Resources) -> None:
    async with failing(pool, resources) as scene:
        rotated = await scene.endpoints.rotate(ORG, scene.endpoint.id, Rotation())
        await scene.run()
        [request] = scene.receiver.received
    body = json.loads(request.body)
    assert (body["type"], body["data"]) == (
        "endpoint.test", {"endpointId": str(scene.endpoint.id), "probe": True},
    )  # fmt: skip
    expected = sign(
        [rotated.secret, scene.endpoint.secret],
        request.headers["webhook-id"], int(request.headers["webhook-timestamp"]), request.body,
    )  # fmt: skip
    assert request.headers["webhook-signature"] == expected


async def test_one_that_still_fails_is_probed_again_later(pool: Pool, resources: Resources) -> None:
    async with failing(pool, resources, answer(500)) as scene:
        outcome = await scene.run()
        left = await scene.row()
        assert outcome.data == {"works": False, "nextAt": left["probe_at"].isoformat()}
        assert (left["state"], left["disabled_reason"]) == ("disabled", "failing")
        assert (await scene.planned())[1:] == [left["probe_at"]]
        assert await rows(pool, "outgoing_messages") == []


async def test_probes_become_rarer_up_to_one_a_day(pool: Pool, resources: Resources) -> None:
    gaps = []
    async with failing(pool, resources, answer(500)) as scene:
        for _ in range(7):
            await scene.run()
            left = await scene.row()
            gap = left["probe_at"] - await pool.fetchval("SELECT now()")
            gaps.append(round(gap / HOUR))
            await scene.age(gap)
    assert gaps == [2, 4, 8, 16, 24, 24, 24]


async def test_after_thirty_days_it_is_given_up(pool: Pool, resources: Resources) -> None:
    async with failing(pool, resources, answer(500)) as scene:
        await scene.age(timedelta(days=30))
        outcome = await scene.run()
        assert "not probed any more" in outcome.message
        left = await scene.row()
        assert (left["state"], left["probe_at"]) == ("disabled", None)
        assert len(await scene.planned()) == 1
        assert "nothing to probe" in (await scene.run()).message
        assert len(scene.receiver.received) == 1


async def test_running_twice_plans_one_probe(pool: Pool, resources: Resources) -> None:
    async with failing(pool, resources, answer(500)) as scene:
        await asyncio.gather(scene.run(), scene.run(), scene.run())
        await scene.run()
        assert len(await scene.planned()) == 2


@pytest.mark.parametrize("how", ["enabled", "asked", "deleted"])
async def test_what_somebody_decided_meanwhile_stands(
    pool: Pool, resources: Resources, how: str
) -> None:
    async with failing(pool, resources) as scene:
        await _decide(scene, how)
        assert "nothing to probe" in (await scene.run()).message
        assert scene.receiver.accepted == 0


@pytest.mark.parametrize("status", [200, 500])
async def test_who_disables_it_during_the_probe_has_the_last_word(
    pool: Pool, resources: Resources, status: int
) -> None:
    async with failing(pool, resources) as scene:
        asked, go = asyncio.Event(), asyncio.Event()

        async def late() -> bytes:
            asked.set()
            await go.wait()
            return answer(status)

        scene.receiver._answer = late  # type: ignore[method-assign]
        running = asyncio.ensure_future(scene.run())
        await asyncio.wait_for(asked.wait(), 5)
        await scene.endpoints.disable(ORG, scene.endpoint.id)
        go.set()
        await running
        assert (await scene.row())["disabled_reason"] == "asked"
        assert len(await scene.planned()) == 1


async def test_without_the_key_the_job_says_what_to_do(pool: Pool, resources: Resources) -> None:
    async with failing(pool, resources) as scene:
        keyless = Prober(pool, scene.resources.sender, Cipher([], ENDPOINTS))
        scene.resources = replace(scene.resources, prober=keyless)
        with pytest.raises(PermanentError, match="ENDPOINT_ENCRYPTION_KEY"):
            await scene.run()
        assert scene.receiver.accepted == 0


async def _decide(scene: Scene, how: str) -> None:
    ids = (ORG, scene.endpoint.id)
    match how:
        case "enabled":
            await scene.endpoints.enable(*ids)
        case "asked":
            await scene.endpoints.disable(*ids)
        case "deleted":
            await scene.endpoints.delete(*ids)


def _job() -> StartedJob:
    return StartedJob(
        id=new_id(), queue="webhook-probes", kind="endpoint_probe", payload={}, attempt=1,
        failures=0, max_attempts=1, project_id=None, delivery_id=None, correlation_id=None,
        waited=0.0, token="t", worker="w", project=None,
    )  # fmt: skip
