"""The audit log over HTTP: events sent, read and exported."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import aiohttp
import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.conftest import Servers, database_name
from tests.support import eventually
from tests.tenants.test_audit_intake import SENT
from tests.webhooks.audited import ORG, PATH, add_organisation, latest
from tests.webhooks.service import Answer, Service, serving
from tests.webhooks.test_steering import is_rung
from worker.jobs.ids import new_id

JSON = {"Content-Type": "application/json"}
FILL = """
INSERT INTO audit_events (id, org_id, event_id, action, actor_type, occurred_at, metadata)
SELECT gen_random_uuid(), $1, n::text, 'a', 'user', now() - make_interval(secs => n),
       jsonb_build_object('text', repeat('x', 1000))
FROM generate_series(1, $2) n
"""


@pytest.fixture(scope="module")
async def org(service: Service) -> None:
    """An organisation."""
    await add_organisation(service)


async def send(service: Service, *events: dict[str, Any], **more: Any) -> Answer:
    sent = [SENT | {"id": str(new_id()), "occurredAt": now(0)} | event for event in events]
    return await service.call("POST", PATH, json={"events": sent}, **more)


async def send_as_is(service: Service, events: list[Any]) -> Answer:
    body = BytesIO(json.dumps({"events": events}).encode())
    return await service.call("POST", PATH, data=body, headers=JSON)


def now(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


async def audit_jobs(service: Service) -> list[dict[str, Any]]:
    return await service.rows("SELECT * FROM jobs WHERE kind = 'audit_event' ORDER BY id")


async def test_events_are_jobs_before_the_answer(service: Service, org: None) -> None:
    before = len(await audit_jobs(service))
    answer = await send(service, {"id": "sent-1"}, {"id": "sent-2"})
    assert (answer.status, answer.body) == (202, {"accepted": 2, "duplicates": 0})
    jobs = (await audit_jobs(service))[before:]
    for job in jobs:
        await is_rung(service, "flagship:audit", str(job["id"]))
    assert [job["payload"]["event"]["id"] for job in jobs] == ["sent-1", "sent-2"]
    assert {job["org_id"] for job in jobs} == {ORG}
    again = await send(service, {"id": "sent-2"}, {"id": "sent-3"})
    assert (again.status, again.body) == (202, {"accepted": 1, "duplicates": 1})


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"occurredAt": now(60)}, "events.1.occurredAt"),
        ({"occurredAt": "soon"}, "events.1.occurredAt"),
        ({"actor": None}, "events.1.actor"),
        ({"orgId": "another"}, "events.1.orgId"),
        ({"metadata": {"x": "y" * 5000}}, "events.1.metadata"),
        ({"id": 5}, "events.1.id"),
    ],
)
async def test_one_wrong_event_refuses_all_and_is_named(
    service: Service, org: None, event: dict[str, Any], field: str
) -> None:
    before = len(await audit_jobs(service))
    answer = await send(service, {}, event)
    assert (answer.status, list(answer.error["fields"])) == (400, [field])
    assert len(await audit_jobs(service)) == before


async def test_a_hundred_thousand_events_are_refused_quickly(service: Service, org: None) -> None:
    before = len(await audit_jobs(service))
    answer = await send_as_is(service, [{"id": str(n)} for n in range(100_000)])
    assert (answer.status, list(answer.error["fields"])) == (400, ["events"])
    assert answer.seconds < 3
    large = await send_as_is(service, [SENT] * 100_000)
    assert (large.status, large.error["code"]) == (413, "too_large")
    assert len(await audit_jobs(service)) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[]", 400), (b"{", 400), (b'{"events": {}}', 400), (b'{"events": [], "events": []}', 400),
     (b'{"events": [null]}', 400)],
)  # fmt: skip
async def test_a_body_that_is_none_is_refused(
    service: Service, org: None, body: bytes, status: int
) -> None:
    answer = await service.call("POST", PATH, data=body, headers=JSON)
    assert answer.status == status
    wrong = await service.call("POST", PATH, data=body, headers={"Content-Type": "text/plain"})
    assert wrong.status == 415


@pytest.mark.parametrize("what", ["audit", "audit/export"])
@pytest.mark.parametrize("org_id", ["nobody", "%00", "a%2Fb"])
async def test_an_unknown_organisation_has_no_log(service: Service, what: str, org_id: str) -> None:
    path = f"/api/orgs/{org_id}/{what}"
    assert (await service.call("GET", path)).status == 404
    if what == "audit":
        body = {"events": [SENT | {"occurredAt": now(0)}]}
        assert (await service.call("POST", path, json=body)).status == 404


async def test_an_organisation_sends_with_its_own_key_and_reads_nothing(
    service: Service, org: None
) -> None:
    made = await service.call("POST", f"/api/orgs/{ORG}/keys", json={"name": "sender"})
    assert made.status == 201, made.text
    by_key = {"headers": {"Authorization": f"Bearer {made.body['key']}"}}
    assert (await send(service, {}, **by_key)).status == 202
    body = {"events": [SENT | {"occurredAt": now(0)}]}
    for path in ("/api/orgs/other/audit", f"/api/orgs/{ORG}%2F..%2Fother/audit"):
        assert (await service.call("POST", path, json=body, **by_key)).status == 403
    for path in (PATH, f"{PATH}/export", "/api/audit/events"):
        assert (await service.call("GET", path, **by_key)).status == 403
    event = await latest(service, PATH)
    assert (event["action"], event["target"]["id"]) == ("api_key.created", made.body["id"])
    assert made.body["key"] not in str(event)


async def test_pages_and_exports_show_the_same(service: Service, org: None) -> None:
    await service.resources.pool.execute(FILL, ORG, 30)
    seen, cursor = list[Any](), dict[str, Any]()
    while True:
        page = (await service.call("GET", PATH, params={"limit": 7, "action": "a"} | cursor)).body
        seen += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    exported = await service.call("GET", f"{PATH}/export?action=a")
    assert exported.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in exported.text.splitlines()]
    assert lines == seen[::-1]
    assert len(seen) == 30
    assert (await service.call("GET", f"{PATH}/export?action=none")).text == ""


@pytest.mark.parametrize(
    "query", ["cursor=!", "from=yesterday", "limit=0", "limit=201", "actor=x", "action=", "since=1"]
)
async def test_a_wrong_query_is_named(service: Service, org: None, query: str) -> None:
    for path in (PATH, "/api/audit/events"):
        answer = await service.call("GET", f"{path}?{query}")
        assert (answer.status, list(answer.error["fields"])) == (400, [query.partition("=")[0]])


@pytest.fixture
async def much(database_url: str, redis_url: str) -> AsyncIterator[Service]:
    """A service whose export of 40 MB cannot be sent before it is read."""
    async with serving(database_url, redis_url) as own:
        await add_organisation(own)
        await own.resources.pool.execute(FILL, ORG, 40_000)
        yield own


async def test_an_export_that_cannot_go_on_is_seen_to_be_cut(
    much: Service, servers: Servers, database_url: str
) -> None:
    with capture_logs() as logs:
        async with much.client.get(f"{PATH}/export") as response:
            assert (response.status, await response.content.readexactly(1)) == (200, b"{")
            await cut_off(servers.database_url, database_name(database_url))
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
    [told] = [entry["event"] for entry in logs if entry["log_level"] != "info"]
    assert told == "audit.export_cut"


async def cut_off(server_url: str, database: str) -> None:
    """End all connections to the database, and let nobody in any more."""
    connection = await asyncpg.connect(server_url)
    await connection.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database
    )
    await connection.close()


async def test_who_leaves_an_export_leaves_nothing_open(much: Service) -> None:
    with capture_logs() as logs:
        async with much.client.get(f"{PATH}/export") as response:
            await response.content.readexactly(1)
            response.close()
        pool = much.resources.pool
        await eventually(lambda: pool.get_idle_size() == pool.get_size())
        after: bool = await eventually(lambda: len(asyncio.all_tasks()) <= 5)
        assert after
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
    assert (await much.call("GET", f"{PATH}?limit=1")).status == 200
