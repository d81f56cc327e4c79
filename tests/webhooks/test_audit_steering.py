"""Every steering call that succeeds is in the audit log before it is answered."""

from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tests.jobs.records import added, running
from tests.webhooks.audited import ORG, PATH, add_organisation, latest
from tests.webhooks.service import Service
from tests.webhooks.verdicts import Judged
from webhooks import api
from webhooks.audit import target_of
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.tenant_payloads import Party

# What changes nothing that anybody steers: what customers' systems send all day, and questions.
NOT_AUDITED = {
    ("POST", "/api/orgs/{id}/audit"),
    ("POST", "/api/usage"),
    ("POST", "/api/keys/check"),
}


@pytest.fixture(scope="module")
async def org(service: Service) -> None:
    """An organisation."""
    await add_organisation(service)


async def events(service: Service) -> int:
    [row] = await service.rows("SELECT count(*) AS n FROM audit_events")
    return int(row["n"])


def test_every_call_that_changes_something_is_audited() -> None:
    changing = {(r.method, r.path): r.audit for r in api.ROUTES if r.method != "GET"}
    assert {call for call, audit in changing.items() if audit is None} <= NOT_AUDITED
    assert {call for call, audit in changing.items() if audit} & NOT_AUDITED == set()
    assert [r.path for r in api.ROUTES if r.method == "GET" and r.audit] == []


@pytest.mark.parametrize(
    ("path", "given", "expected"),
    [
        ("/api/jobs/enqueue", {}, None),
        ("/api/jobs/{id}", {"id": "1"}, Party(type="job", id="1")),
        ("/api/dead-letters/{id}/retry", {"id": "1"}, Party(type="job", id="1")),
        ("/api/queues/{name}/pause", {"name": "x"}, Party(type="queue", id="x")),
        ("/api/projects/{id}/gates", {"id": "p"}, Party(type="project", id="p")),
        ("/api/projects/{id}/gates/{jobId}/approve", {"id": "p", "jobId": "j"},
         Party(type="gate", id="j")),
        ("/api/orgs/{id}", {"id": "o"}, Party(type="organisation", id="o")),
        ("/api/orgs/{id}/keys/{keyId}/unblock", {"id": "o", "keyId": "k"},
         Party(type="api_key", id="k")),
        ("/api/orgs/{id}/limits/{metric}/{period}", {"id": "o", "metric": "m", "period": "day"},
         Party(type="limit", id="m/day")),
    ],
)  # fmt: skip
def test_a_path_names_the_target(path: str, given: dict[str, str], expected: Party | None) -> None:
    assert target_of(path, given) == expected


async def test_who_did_what_from_where_is_recorded_before_the_answer(service: Service) -> None:
    answer = await service.call(
        "POST", "/api/queues/cleanup/pause", json={"reason": "a migration"},
        headers={"User-Agent": "curl/8 \u200b" + "x" * 300},
    )  # fmt: skip
    await service.call("POST", "/api/queues/cleanup/resume")
    resumed, paused = (await service.call("GET", "/api/audit/events?limit=2")).body["items"]
    assert resumed["action"] == "queue.resumed"
    assert (paused["orgId"], paused["action"]) == (None, "queue.paused")
    assert paused["actor"] == {"type": "anyone", "id": None}
    assert paused["target"] == {"type": "queue", "id": "cleanup"}
    assert paused["context"]["remoteAddress"] == "127.0.0.1"
    assert paused["context"]["requestId"] == answer.headers["X-Request-Id"]
    assert paused["context"]["userAgent"].startswith("curl/8 ?xxx")
    assert len(paused["context"]["userAgent"]) == 200
    assert paused["metadata"]["pausedReason"] == "a migration"


async def buried(service: Service, **fields: Any) -> UUID:
    ledger = Ledger(service.resources.pool)
    job = await running(ledger, **fields)
    await ledger.bury(job, Failure("failed", "ValueError", "no", "Traceback"), ())
    return job.id


async def test_every_steering_call_is_recorded_with_its_target_and_organisation(
    service: Service, org: None
) -> None:
    ledger = Ledger(service.resources.pool)
    waiting = await added(ledger, org_id=ORG)
    first, second, third = [await buried(service, org_id=ORG) for _ in range(3)]
    project = (await service.enrol("audited/project", orgId=ORG))["id"]
    analysis = {"queue": "analysis", "data": {"projectId": project}}
    tidy = {"name": "audited", "queue": "cleanup", "cron": "@daily"}
    judged = await Judged.enrolled(service)
    await judged.scanned()
    gates = f"/api/projects/{judged.id}/gates"
    calls: list[tuple[str, str, Any, tuple[str, str, str | None, str | None]]] = [
        ("DELETE", f"/api/jobs/{waiting.id}", None, ("job.cancelled", "job", str(waiting.id), ORG)),
        ("POST", f"/api/jobs/{first}/retry", None, ("job.retried", "job", str(first), ORG)),
        ("POST", f"/api/dead-letters/{second}/retry", None,
         ("job.retried", "job", str(second), ORG)),
        ("DELETE", f"/api/dead-letters/{third}", None, ("job.discarded", "job", str(third), ORG)),
        ("POST", "/api/dead-letters/retry", {"queue": "cleanup"},
         ("dead_letters.retried", "dead_letters", None, None)),
        ("POST", "/api/dead-letters/discard", {"queue": "cleanup"},
         ("dead_letters.discarded", "dead_letters", None, None)),
        ("PATCH", "/api/queues/cleanup", {"concurrency": 3},
         ("queue.resized", "queue", "cleanup", None)),
        ("PATCH", "/api/queues/cleanup", {"concurrency": None},
         ("queue.resized", "queue", "cleanup", None)),
        ("POST", "/api/schedules", tidy | {"payload": {"task": "old_clones"}},
         ("schedule.created", "schedule", "audited", None)),
        ("PATCH", "/api/schedules/audited", {"enabled": False},
         ("schedule.changed", "schedule", "audited", None)),
        ("POST", "/api/schedules/audited/run", None, ("schedule.run", "schedule", "audited", None)),
        ("DELETE", "/api/schedules/audited", None,
         ("schedule.deleted", "schedule", "audited", None)),
        ("PUT", f"{gates}/settings", {"trustedSenders": ["ann"]},
         ("gate_settings.changed", "project", str(judged.id), None)),
        ("POST", gates, {"gateType": "lint"}, ("gate.evaluated", "project", str(judged.id), None)),
    ]  # fmt: skip
    for method, path, body, expected in calls:
        answer = await service.call(method, path, **({"json": body} if body else {}))
        assert 200 <= answer.status < 300, answer.text
        event = await latest(service, PATH if expected[3] else "/api/audit/events")
        target = event["target"]
        assert (event["action"], target["type"], target["id"], event["orgId"]) == expected
    enqueued = (await service.call("POST", "/api/jobs/enqueue", json=analysis)).body["jobId"]
    event = await latest(service, PATH)
    assert (event["action"], event["target"]["id"]) == ("job.enqueued", enqueued)
    [enrolled] = (await service.call("GET", f"{PATH}?action=project.*")).body["items"]
    assert (enrolled["target"], enrolled["metadata"]["repository"]) == (
        {"type": "project", "id": project}, "audited/project",
    )  # fmt: skip


async def test_what_is_refused_or_only_read_is_not_recorded(service: Service) -> None:
    before = await events(service)
    for method, path, body, status in (
        ("POST", f"/api/jobs/{new_id()}/retry", None, 404),
        ("DELETE", "/api/jobs/x", None, 404),
        ("POST", "/api/schedules", {}, 400),
        ("POST", "/api/queues/nope/pause", None, 404),
        ("PATCH", "/api/queues/cleanup", {"concurrency": 0}, 400),
        ("PUT", "/api/queues/cleanup", {}, 405),
        ("GET", "/api/queues", None, 200),
    ):
        answer = await service.call(method, path, **({"json": body} if body is not None else {}))
        assert answer.status == status
    assert await events(service) == before


async def test_what_was_done_and_not_recorded_is_told_so(service: Service) -> None:
    job = await added(Ledger(service.resources.pool))
    pool = service.resources.pool
    await pool.execute("ALTER TABLE audit_events ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        with capture_logs() as logs:
            answer = await service.call("DELETE", f"/api/jobs/{job.id}")
    finally:
        await pool.execute("ALTER TABLE audit_events DROP CONSTRAINT never")
    assert (answer.status, answer.error["code"]) == (503, "not_audited")
    assert answer.error["message"].startswith("It was done (job.cancelled), but the audit log")
    [told] = [entry for entry in logs if entry["event"] == "audit.missed"]
    assert (told["action"], told["log_level"]) == ("job.cancelled", "error")
    [row] = await service.rows("SELECT state FROM jobs WHERE id = $1", job.id)
    assert row["state"] == "cancelled"
