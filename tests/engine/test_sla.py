"""The SLA: a job that runs past it is told of while it runs, and once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from structlog.testing import LogCapture

from tests.chaos.processes import until
from tests.engine.scene import Scene
from tests.engine.steered import steered
from tests.jobs.records import handle, new_job
from tests.support import eventually
from worker.database.pool import connect_pool
from worker.engine import alerts, overtime
from worker.engine.alerts import Alerts
from worker.engine.attempts import Held
from worker.engine.breaches import Breaches
from worker.engine.slots import Slots
from worker.jobs.cancelling import Cancelling
from worker.jobs.events import NewEvent
from worker.jobs.ids import new_id
from worker.jobs.model import StartedJob
from worker.metrics import REGISTRY


@dataclass
class Hook:
    """Somebody who wants to be told: what came, and what to answer."""

    url: str = ""
    status: int = 204
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        self.bodies.append(await request.json())
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def hooked() -> AsyncIterator[Hook]:
    """A server for alerts."""
    hook, app = Hook(), web.Application()
    app.router.add_post("/{path:.*}", hook.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()


def counted() -> float:
    return REGISTRY.get_sample_value("job_sla_breaches_total", {"queue": "watched"}) or 0.0


async def flagged(scene: Scene, job_id: UUID) -> dict[str, Any]:
    """The job once it was flagged."""

    async def there() -> bool:
        return (await scene.job(job_id))["sla_breached_at"] is not None

    await until(there)
    return await scene.job(job_id)


async def test_a_job_is_flagged_while_it_runs(
    scene: Scene, log: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overtime, "LOOK_SECONDS", 0.05)
    project, before = uuid4(), counted()
    async with hooked() as hook, steered(scene.pool, scene.redis, alert_url=hook.url) as engine:
        job_id = await scene.rung("late", {"seconds": 60}, queue="watched", project_id=project)
        assert (await flagged(scene, job_id))["state"] == "running"
        await eventually(lambda: hook.bodies)
        for _ in range(3):
            engine._overtime.look()
        await Cancelling(scene.pool, scene.redis).cancel(job_id)
        await scene.becomes(job_id, "cancelled")
    assert counted() == before + 1
    told = await scene.pool.fetch("SELECT * FROM events WHERE event = 'job_sla_breached'")
    [payload] = [row["payload"] for row in told]
    assert payload == {
        "jobId": str(job_id), "queue": "watched", "kind": "late", "slaSeconds": 0.2,
        "runningSeconds": payload["runningSeconds"],
    }  # fmt: skip
    assert payload["runningSeconds"] >= 0.2
    [alert] = hook.bodies
    assert (alert["event"], alert["projectId"]) == ("job_sla_breached", str(project))
    assert alert["payload"] == payload | {"eventId": str(told[0]["id"])}
    assert [e["event"] for e in log.entries].count("job.sla_breached") == 1


async def test_a_job_that_ends_between_two_looks_is_flagged_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overtime, "LOOK_SECONDS", 60.0)
    before = counted()
    async with steered(scene.pool, scene.redis):
        late = await scene.rung("late", {"seconds": 0.25}, queue="watched")
        timely = await scene.rung("late", {"seconds": 0.0}, queue="watched")
        await scene.becomes(late, "completed")
        await scene.becomes(timely, "completed")
    assert (await scene.job(late))["sla_breached_at"] is not None
    assert (await scene.job(timely))["sla_breached_at"] is None
    assert counted() == before + 1


async def test_of_two_late_attempts_one_is_told_of(scene: Scene) -> None:
    before = counted()
    async with steered(scene.pool, scene.redis):
        job_id = await scene.rung("late_failure", {"seconds": 0.25}, queue="watched",
                                  max_attempts=2, project_id=uuid4())  # fmt: skip
        await scene.becomes(job_id, "dead")
    assert counted() == before + 1
    told = await scene.pool.fetchval("SELECT count(*) FROM events WHERE event ~ 'sla'")
    assert told == 1


async def started(scene: Scene, **fields: Any) -> StartedJob:
    """A job that the record says is running, under attempt 1."""
    job = new_job(queue="watched", kind="late", **fields)
    await scene.add("late", id=job.id, queue="watched", project_id=job.project_id)
    await scene.pool.execute(
        "UPDATE jobs SET state = 'running', worker = 'w', attempt = 1 WHERE id = $1", job.id
    )
    return handle(job, attempt=1)


async def test_whoever_marks_the_job_tells_and_nobody_else(scene: Scene) -> None:
    events: list[NewEvent] = []
    rivals = [Breaches(scene.pool, events.append, Alerts(None)) for _ in range(3)]
    job, before = await started(scene, project_id=uuid4()), counted()
    await asyncio.gather(*(r.flag(job, 0.2, 1.0) for r in rivals for _ in range(3)))
    assert counted() == before + 1
    assert len(events) == 1
    recorded = await scene.pool.fetchval("SELECT id FROM events")
    assert recorded == events[0].id


async def test_an_attempt_that_lost_its_job_is_not_told_of(scene: Scene) -> None:
    job, before = await started(scene), counted()
    await scene.pool.execute("UPDATE jobs SET attempt = 2")
    await Breaches(scene.pool, lambda _: None, Alerts(None)).flag(job, 0.2, 1.0)
    assert counted() == before
    assert (await scene.job(job.id))["sla_breached_at"] is None


async def test_what_cannot_be_flagged_is_tried_again(
    scene: Scene, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overtime, "LOOK_SECONDS", 0.05)
    away = await connect_pool(database_url, size=1)
    away.terminate()
    async with steered(scene.pool, scene.redis) as engine:
        engine._breaches._pool = away
        job_id = await scene.rung("late", {"seconds": 60}, queue="watched")
        await eventually(lambda: job_id in engine.workers["watched"].held)
        held = engine.workers["watched"].held[job_id]
        await eventually(lambda: held.sla_at == float("inf"))
        await eventually(lambda: held.sla_at < float("inf"))
        engine._breaches._pool = scene.pool
        await flagged(scene, job_id)
        await Cancelling(scene.pool, scene.redis).cancel(job_id)


def test_a_look_at_ten_thousand_jobs_answers_each_late_one_once() -> None:
    slots = Slots()
    for n in range(10_000):
        slots.held[new_id()] = Held("t", sla_at=float(n))
    assert len(slots.past_sla(99.0)) == 100
    assert slots.past_sla(99.0) == []
    assert len(slots.past_sla(100.0)) == 1


async def test_an_alert_that_is_refused_or_redirected_is_told_without_the_address(
    log: LogCapture,
) -> None:
    async with hooked() as hook:
        sender = Alerts(hook.url)
        for status in (200, 302, 500):
            hook.status = status
            sender.post({"n": status})
            await sender.drain()
        assert [b["n"] for b in hook.bodies] == [200, 302, 500]
        assert hook.paths == ["/hook"] * 3
    sender.post({"n": 0})
    await sender.drain()
    failures = [e["error"] for e in log.entries if e["event"] == "alert.not_sent"]
    assert failures[:2] == ["the answer was 302", "the answer was 500"]
    assert len(failures) == 3
    assert not any("hook" in f or "127.0.0.1" in f for f in failures)


async def test_an_alert_that_is_not_answered_is_given_up(
    log: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "SECONDS", 0.1)
    closing = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closing.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    sender = Alerts(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    sender.post({})
    await sender.drain()
    closing.set()
    server.close()
    assert [e["event"] for e in log.entries] == ["alert.not_sent"]


async def test_too_many_alerts_are_dropped_and_none_is_sent_without_an_address(
    log: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "MOST_WAITING", 2)
    async with hooked() as hook:
        sender = Alerts(hook.url)
        for n in range(4):
            sender.post({"n": n})
        Alerts(None).post({"n": 5})
        await sender.drain()
        assert len(hook.bodies) == 2
    assert [e["error"] for e in log.entries] == ["too many are waiting"] * 2
