"""`GET /api/jobs/{id}/why` and `GET /api/audit`: what the services answer, on the wire."""

from uuid import uuid4

import pytest

from tests.jobs.records import added, running
from tests.webhooks.service import Service
from worker.jobs import conservation
from worker.jobs.ledger import Ledger


async def test_why_a_job_waits_is_answered(service: Service) -> None:
    ledger = Ledger(service.resources.pool)
    job = await added(ledger)
    await service.call("POST", "/api/queues/artifact-scan/pause", json={"reason": "a migration"})
    answer = await service.call("GET", f"/api/jobs/{job.id}/why")
    await service.call("POST", "/api/queues/artifact-scan/resume")
    assert answer.status == 200
    assert answer.body.keys() == {"jobId", "state", "waiting", "reasons"}
    assert (answer.body["jobId"], answer.body["state"]) == (str(job.id), "queued")
    assert answer.body["waiting"] is True
    paused = answer.body["reasons"][0]
    assert paused.keys() == {"code", "message", "reason", "since"}
    assert (paused["code"], paused["reason"]) == ("paused", "a migration")
    assert [r["code"] for r in answer.body["reasons"][1:]] == ["no_worker", "not_rung"]


async def test_a_running_job_does_not_wait(service: Service) -> None:
    job = await running(Ledger(service.resources.pool))
    why = (await service.call("GET", f"/api/jobs/{job.id}/why")).body
    # Its worker is not in the list of those that live.
    assert (why["waiting"], why["reasons"][0]["code"]) == (True, "worker_lost")


async def test_why_of_no_job_is_not_found(service: Service) -> None:
    for job_id in (uuid4(), "nonsense"):
        answer = await service.call("GET", f"/api/jobs/{job_id}/why")
        assert (answer.status, answer.error["code"]) == (404, "not_found")


async def test_an_audit_names_what_is_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conservation, "LOOK_AGAIN_SECONDS", 0.01)
    lost = await added(Ledger(service.resources.pool))
    await service.rows("UPDATE jobs SET run_at = now() - interval '1 hour' WHERE id = $1", lost.id)
    answer = await service.call("GET", "/api/audit?limit=1000")
    none = await service.call("GET", "/api/audit?limit=0")
    await service.rows("DELETE FROM jobs WHERE id = $1", lost.id)
    assert answer.status == 200
    assert answer.body["clean"] is False
    assert answer.body["counts"]["job_not_in_redis"] >= 1
    [offender] = [o for o in answer.body["offenders"] if o["id"] == str(lost.id)]
    assert offender.keys() == {"kind", "id", "queue", "since", "message", "remedy"}
    assert none.body["offenders"] == []
    assert none.body["counts"] == answer.body["counts"]


async def test_an_audit_takes_a_limit_that_makes_sense(service: Service) -> None:
    for query in ("limit=-1", "limit=9999", "limit=x", "depth=3"):
        answer = await service.call("GET", f"/api/audit?{query}")
        assert (answer.status, answer.error["code"]) == (400, "invalid_input")
