"""The API of usage: batches in, once each; what was counted, reached and summed up out."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.webhooks.service import Answer, Service, serving
from worker.database.pool import Pool
from worker.jobs.following import FollowUps
from worker.jobs.ids import made_at, new_id
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys
from worker.jobs.tenant_payloads import UsageEvent
from worker.tenants.usage.counting import Batch, tally
from worker.tenants.usage.store import UsageStore

NOW = datetime.now(UTC)
HOUR = NOW.replace(minute=0, second=0, microsecond=0)
EVENT = {"metric": "calls", "quantity": 3, "timestamp": "2026-01-01T00:00:00Z"}


async def organisation(service: Service, timezone: str = "UTC") -> str:
    """A new one."""
    org_id = f"org-{uuid4().hex}"
    await service.rows(
        "INSERT INTO organisations (id, name, timezone) VALUES ($1, 'O', $2)", org_id, timezone
    )
    return org_id


async def send(service: Service, org_id: Any, *events: Any, batch_id: Any = "b-1") -> Answer:
    body = {"orgId": org_id, "batchId": batch_id, "events": list(events)}
    return await service.call("POST", "/api/usage", json=body)


async def count(
    service: Service, org_id: str, at: datetime, quantity: int = 1, metric: str = "calls"
) -> None:
    """Have something counted, as a worker does."""
    events = [UsageEvent(metric=metric, quantity=quantity, timestamp=at)]
    follow_ups = FollowUps(service.resources.pool, service.resources.redis, QUEUES)
    store = UsageStore(service.resources.pool, follow_ups)
    assert await store.count(Batch(org_id, uuid4().hex, tally(events, at)))


async def jobs_of(service: Service, org_id: str) -> list[dict[str, Any]]:
    return await service.rows("SELECT * FROM jobs WHERE org_id = $1 ORDER BY id", org_id)


async def test_a_batch_is_a_committed_job_before_it_is_accepted(service: Service) -> None:
    org_id, at = await organisation(service), datetime.now(UTC)
    sent = {"metric": "calls", "quantity": 3, "timestamp": at.isoformat()}, {"metric": "calls"}
    answer = await send(service, org_id, *sent)
    [job] = await jobs_of(service, org_id)
    assert answer.status == 202
    assert answer.body == {"accepted": True, "jobId": str(job["id"]), "events": 2}
    assert (job["queue"], job["kind"]) == ("flagship:usage", "usage_ingestion")
    stored = job["payload"]["events"]
    assert [(e["metric"], e["quantity"]) for e in stored] == [("calls", 3), ("calls", 1)]
    assert datetime.fromisoformat(stored[0]["timestamp"]) == at
    await service.resources.ringer.drain()
    assert await service.resources.redis.hexists(queue_keys(job["queue"]).jobs, str(job["id"]))  # type: ignore[misc]


async def test_a_repeated_batch_is_answered_with_its_first_job(service: Service) -> None:
    org_id, other = await organisation(service), await organisation(service)
    first = await send(service, org_id, {"metric": "calls"})
    again = await send(service, org_id, {"metric": "other"})
    assert again.status == 202
    assert again.body == first.body | {"duplicate": True}
    elsewhere = await send(service, other, {"metric": "calls"})
    assert "duplicate" not in elsewhere.body
    assert len(await jobs_of(service, org_id)) == 1


async def test_a_batch_that_is_sent_again_runs_its_dead_job_again(service: Service) -> None:
    org_id = await organisation(service)
    first = await send(service, org_id, {"metric": "calls"})
    job_id = first.body["jobId"]
    await service.rows(
        "UPDATE jobs SET state = 'dead', attempt = 1, failures = 1, finished_at = now()"
        " WHERE id = $1 RETURNING id",
        UUID(job_id),
    )
    again = await send(service, org_id, {"metric": "calls"})
    assert again.body == first.body | {"duplicate": True}
    job = (await service.call("GET", f"/api/jobs/{job_id}")).body
    assert (job["state"], job["failures"]) == ("queued", 0)


async def test_many_repeats_at_once_make_one_job(service: Service) -> None:
    org_id = await organisation(service)
    answers = await asyncio.gather(*(send(service, org_id, {"metric": "c"}) for _ in range(20)))
    assert {a.status for a in answers} == {202}
    assert len({a.body["jobId"] for a in answers}) == len(await jobs_of(service, org_id)) == 1
    assert sum("duplicate" in a.body for a in answers) == 19


async def test_ids_with_colons_are_told_apart(service: Service) -> None:
    base = await organisation(service)
    await service.rows("INSERT INTO organisations (id, name) VALUES ($1, 'O')", f"{base}:b")
    first = await send(service, base, {"metric": "calls"}, batch_id="b:c")
    second = await send(service, f"{base}:b", {"metric": "calls"}, batch_id="c")
    assert "duplicate" not in second.body
    assert first.body["jobId"] != second.body["jobId"]


async def test_what_has_no_time_is_accepted_at_its_jobs(service: Service) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    answer = await send(service, await organisation(service), {"metric": "calls"})
    assert before <= made_at(UUID(answer.body["jobId"])) <= datetime.now(UTC)


def events(*more: Any) -> dict[str, Any]:
    """A body whose events these are."""
    return {"events": list(more)}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"orgId": "nobody"}, {"orgId"}),
        ({"orgId": ""}, {"orgId"}),
        ({"orgId": 7}, {"orgId"}),
        ({"orgId": "x" * 201}, {"orgId"}),
        ({"batchId": None}, {"batchId"}),
        ({"batchId": "a\nb"}, {"batchId"}),
        ({"more": 1}, {"more"}),
        ({"events": []}, {"events"}),
        ({"events": {"metric": "calls"}}, {"events"}),
        ({"events": "calls"}, {"events"}),
        (events("calls"), {"events.0"}),
        (events(EVENT, {}), {"events.1.metric"}),
        (events(EVENT | {"metric": "no spaces"}), {"events.0.metric"}),
        (events(EVENT | {"metric": "m" * 101}), {"events.0.metric"}),
        (events(EVENT | {"unit": "bytes"}), {"events.0.unit"}),
        (events(EVENT, EVENT, EVENT | {"quantity": -1}), {"events.2.quantity"}),
        (events(EVENT | {"quantity": 1.5}), {"events.0.quantity"}),
        (events(EVENT | {"quantity": 2.0}), {"events.0.quantity"}),
        (events(EVENT | {"quantity": "7"}), {"events.0.quantity"}),
        (events(EVENT | {"quantity": True}), {"events.0.quantity"}),
        (events(EVENT | {"quantity": None}), {"events.0.quantity"}),
        (events(EVENT | {"quantity": 10**9 + 1}), {"events.0.quantity"}),
        (events(EVENT | {"timestamp": "yesterday"}), {"events.0.timestamp"}),
        (events(EVENT | {"timestamp": "2026-01-01T00:00:00"}), {"events.0.timestamp"}),
        (events(EVENT | {"timestamp": 1_767_225_600}), {"events.0.timestamp"}),
        (events(EVENT | {"timestamp": "0001-01-01T00:00:00+14:00"}), {"events.0.timestamp"}),
        (events(EVENT | {"timestamp": (NOW + timedelta(hours=2)).isoformat()}),
         {"events.0.timestamp"}),
        (events({"metric": "a"}, EVENT | {"timestamp": (NOW - timedelta(days=401)).isoformat()}),
         {"events.1.timestamp"}),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_batch_is_named_and_nothing_stored(
    service: Service, fields: dict[str, Any], named: set[str]
) -> None:
    org_id = await organisation(service)
    jobs = await service.rows("SELECT count(*) FROM jobs")
    body = {"orgId": org_id, "batchId": "b", "events": [{"metric": "calls"}]} | fields
    answer = await service.call("POST", "/api/usage", json=body)
    assert answer.status == 400
    assert answer.error["fields"].keys() == named
    assert await service.rows("SELECT count(*) FROM jobs") == jobs


@pytest.mark.parametrize(
    ("event", "count", "status"),
    [
        ({"metric": "a"}, 100_000, 400),
        (EVENT, 200_000, 413),
        ({"metric": ""}, 10_000, 400),
        ({"metric": "a"}, 10_001, 400),
    ],
)
async def test_a_batch_that_is_far_too_large_is_refused_quickly(
    service: Service, event: dict[str, Any], count: int, status: int
) -> None:
    org_id = await organisation(service)
    body = json.dumps({"orgId": org_id, "batchId": "b", "events": [event] * count})
    headers = {"Content-Type": "application/json"}
    answer = await service.call("POST", "/api/usage", data=BytesIO(body.encode()), headers=headers)
    assert (answer.status, len(answer.text) < 1000) == (status, True)
    assert answer.seconds < 3
    assert not await jobs_of(service, org_id)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("application/json", b"[]", 400),
        ("application/json", b'{"orgId": "x"', 400),
        ("application/json", b'{"orgId": "a", "orgId": "b"}', 400),
        ("application/json", b"\xff\xfe", 400),
        ("application/json", b"", 400),
    ],
)
async def test_a_body_that_is_not_what_it_says(
    service: Service, content_type: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": content_type}
    answer = await service.call("POST", "/api/usage", data=body, headers=headers)
    assert answer.status == status


async def test_without_a_record_nothing_is_accepted(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        org_id = await organisation(own)
        pool: Pool = own.resources.pool
        await pool.close()
        answer = await send(own, org_id, {"metric": "calls"})
        assert (answer.status, answer.error["code"]) == (503, "record_unavailable")


async def test_usage_is_listed_by_period_in_pages(service: Service) -> None:
    org_id = await organisation(service)
    for hours in (0, 1, 2):
        await count(service, org_id, HOUR - timedelta(hours=hours), hours + 1)
    await count(service, org_id, HOUR, 9, metric="storage")
    path = f"/api/orgs/{org_id}/usage"
    found = (await service.call("GET", f"{path}?metric=calls&period=hour")).body["items"]
    assert found == [
        {
            "metric": "calls", "period": "hour", "quantity": hours + 1, "events": 1,
            "periodStart": (HOUR - timedelta(hours=hours)).isoformat(),
            "periodEnd": (HOUR - timedelta(hours=hours - 1)).isoformat(), "closed": False,
        }
        for hours in (2, 1, 0)
    ]  # fmt: skip
    everything = (await service.call("GET", f"{path}?limit=200")).body["items"]
    paged: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await service.call("GET", f"{path}?limit=2{cursor and f'&cursor={cursor}'}")
        paged += answer.body["items"]
        cursor = answer.body["next"]
    assert paged == everything
    assert {item["metric"] for item in everything} == {"calls", "storage"}


async def test_usage_is_filtered_by_when_its_period_begins(service: Service) -> None:
    org_id = await organisation(service)
    for hours in range(4):
        await count(service, org_id, HOUR - timedelta(hours=hours))
    since, until = HOUR - timedelta(hours=2), HOUR
    query = {"period": "hour", "from": since.isoformat(), "to": until.isoformat()}
    answer = await service.call("GET", f"/api/orgs/{org_id}/usage", params=query)
    starts = [datetime.fromisoformat(item["periodStart"]) for item in answer.body["items"]]
    assert starts == [since, since + timedelta(hours=1)]


async def test_open_and_archived_counters_are_one(service: Service) -> None:
    org_id, before = await organisation(service), HOUR - timedelta(hours=1)
    await count(service, org_id, before, 5)
    await service.rows(
        "WITH gone AS (DELETE FROM usage_counters WHERE org_id = $1 AND period = 'hour'"
        " RETURNING org_id, metric, period, period_start, period_end, quantity, events)"
        " INSERT INTO usage_history (org_id, metric, period, period_start, period_end, quantity,"
        " events) SELECT * FROM gone",
        org_id,
    )
    await count(service, org_id, before, 2)
    answer = await service.call("GET", f"/api/orgs/{org_id}/usage?period=hour")
    [item] = answer.body["items"]
    assert (item["quantity"], item["events"], item["closed"]) == (7, 2, True)


async def test_the_current_periods_are_shown_beside_their_limits(service: Service) -> None:
    org_id = await organisation(service, "Asia/Kathmandu")
    await service.rows(
        "INSERT INTO usage_limits (org_id, metric, period, quantity)"
        " VALUES ($1, 'calls', 'day', 300), ($1, 'unused', 'hour', 5)",
        org_id,
    )
    now = datetime.now(UTC)
    await count(service, org_id, now, 100)
    await count(service, org_id, now - timedelta(days=40), 1000)
    answer = await service.call("GET", f"/api/orgs/{org_id}/usage/current")
    shown = [
        (i["metric"], i["period"], i["quantity"], i["limit"], i["percent"])
        for i in answer.body["items"]
    ]
    assert shown == [
        ("calls", "day", 100, 300, 33), ("calls", "hour", 100, None, None),
        ("calls", "month", 100, None, None), ("unused", "hour", 0, 5, 0),
    ]  # fmt: skip
    for item in answer.body["items"]:
        start, end = (datetime.fromisoformat(item[f"period{side}"]) for side in ("Start", "End"))
        assert start <= now < end
        assert start.minute == 15
    second = await service.call("GET", f"/api/orgs/{org_id}/usage/current?limit=3")
    last = await service.call(
        "GET", f"/api/orgs/{org_id}/usage/current?cursor={second.body['next']}"
    )
    assert second.body["items"] + last.body["items"] == answer.body["items"]


async def test_reached_thresholds_are_listed_newest_first(service: Service) -> None:
    org_id = await organisation(service)
    await service.rows(
        "INSERT INTO usage_thresholds (org_id, metric, period, period_start, percent, quantity,"
        " quantity_limit, reached_at)"
        " SELECT $1, 'calls', 'hour', $2::timestamptz, p, p * 3, 300,"
        " $2::timestamptz + make_interval(secs => p / 50)"
        " FROM unnest('{50,80,90,100}'::int[]) AS p",
        org_id, HOUR,
    )  # fmt: skip
    path = f"/api/orgs/{org_id}/usage/thresholds"
    first = (await service.call("GET", f"{path}?limit=2&metric=calls")).body
    rest = (await service.call("GET", f"{path}?cursor={first['next']}")).body
    assert [item["percent"] for item in first["items"] + rest["items"]] == [100, 90, 80, 50]
    assert rest["items"][-1] == {
        "metric": "calls", "period": "hour", "periodStart": HOUR.isoformat(), "percent": 50,
        "quantity": 150, "limit": 300,
        "reachedAt": (HOUR + timedelta(seconds=1)).isoformat(),
    }  # fmt: skip


async def test_summaries_are_listed_newest_first(service: Service) -> None:
    metric = f"m.{new_id().hex}"
    await service.rows(
        "INSERT INTO usage_summaries"
        " (period, period_start, metric, organisations, quantity, events)"
        " SELECT 'hour', $1::timestamptz - make_interval(hours => n), $2, 2, 10::numeric ^ 20, 7"
        " FROM generate_series(0, 2) n",
        HOUR, metric,
    )  # fmt: skip
    path = f"/api/usage/summaries?period=hour&metric={metric}"
    first = (await service.call("GET", f"{path}&limit=2")).body
    rest = (await service.call("GET", f"{path}&cursor={first['next']}")).body
    items = first["items"] + rest["items"]
    assert [datetime.fromisoformat(i["periodStart"]) for i in items] == [
        HOUR - timedelta(hours=n) for n in range(3)
    ]
    assert (items[0]["quantity"], items[0]["organisations"]) == (2**63 - 1, 2)
    assert (await service.call("GET", f"/api/usage/summaries?metric={metric}")).body["items"] == []


@pytest.mark.parametrize("path", ["usage", "usage/current", "usage/thresholds"])
async def test_usage_of_an_unknown_organisation_is_not_found(service: Service, path: str) -> None:
    for org_id in ("nobody", "%00"):
        assert (await service.call("GET", f"/api/orgs/{org_id}/{path}")).status == 404


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("period=week", "period"), ("from=now", "from"), ("cursor=x", "cursor"),
        ("limit=0", "limit"), ("since=2026-01-01T00:00:00Z", "since"), ("metric=a b", "metric"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(service: Service, query: str, named: str) -> None:
    answer = await service.call("GET", f"/api/orgs/{await organisation(service)}/usage?{query}")
    assert answer.status == 400
    assert answer.error["fields"].keys() == {named}


async def test_a_key_opens_its_own_organisation_and_no_other(service: Service) -> None:
    own, other = await organisation(service), await organisation(service)
    made = await service.call("POST", f"/api/orgs/{own}/keys", json={"name": "CI"})
    headers = {"Authorization": f"Bearer {made.body['key']}"}
    for org_id, sent, read in ((own, 202, 200), (other, 403, 403)):
        body = {"orgId": org_id, "batchId": "b", "events": [{"metric": "calls"}]}
        answer = await service.call("POST", "/api/usage", json=body, headers=headers)
        assert answer.status == sent
        for path in ("usage", "usage/current", "usage/thresholds"):
            found = await service.call("GET", f"/api/orgs/{org_id}/{path}", headers=headers)
            assert found.status == read
    assert not await jobs_of(service, other)
    assert (await service.call("GET", "/api/usage/summaries", headers=headers)).status == 403
