"""Tenants over the API alone, with real processes: usage to verdict, outcome to endpoint."""

import asyncio
import email
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from standardwebhooks.webhooks import Webhook

from tests.support import eventually
from worker.database.pool import connect_pool
from worker.demo.push import REPOSITORY, ZERO, push_body, push_headers
from worker.demo.receiver import Receiver, receiving
from worker.stack import Stack
from worker.tenants.periods.rollover import Rollover

SECONDS = 20.0
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack, as an operator starts it."""
    directory = tmp_path_factory.mktemp("stack")
    with (
        (directory / "log").open("wb") as output,
        Stack(directory, output, GIT_PROTOCOLS="file") as stack,
    ):
        yield stack


class Tenant:
    """An organisation, seen through the API."""

    def __init__(self, http: aiohttp.ClientSession, org: str, receiver: Receiver) -> None:
        self.http, self.org, self.receiver = http, org, receiver

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """The answer's JSON; an error fails the test."""
        path = path if path.startswith("/") else f"/api/orgs/{self.org}/{path}"
        async with self.http.request(method, path, json=body, **options) as response:
            answer = await response.json()
            assert response.status < 400, answer
            return answer

    async def told(self, event: str) -> Any:
        """The data of the next message of this type."""
        async with asyncio.timeout(SECONDS):
            return (await self.receiver.wait_for(event))["data"]

    async def actions(self) -> list[str]:
        """What the audit log has, oldest first."""
        page = await self.call("GET", "audit?limit=200")
        return [event["action"] for event in reversed(page["items"])]


@pytest.fixture
async def tenant(stack: Stack, request: pytest.FixtureRequest) -> AsyncIterator[Tenant]:
    """An organisation with an address, and an endpoint for everything."""
    org = request.node.name.replace("test_", "")[:60]
    async with aiohttp.ClientSession(stack.url) as http, receiving() as receiver:
        tenant = Tenant(http, org, receiver)
        wanted = {"id": org, "name": org, "timezone": "Asia/Kathmandu", "email": "o@acme.example"}
        await tenant.call("POST", "/api/orgs", wanted)
        made = await tenant.call("POST", "endpoints", {"url": receiver.url})
        receiver.secret = made["secret"]
        yield tenant


async def test_usage_past_its_limit_is_acted_on_and_a_new_month_resets_it(
    stack: Stack, tenant: Tenant
) -> None:
    key = (await tenant.call("POST", "keys", {"name": "backend"}))["key"]
    bearer = {"headers": {"Authorization": f"Bearer {key}"}}
    await tenant.call("PUT", "flags/exports", {"enabled": True})
    rules = [
        {"percent": 80, "action": "send_notification", "targetId": "threshold_warning"},
        {"percent": 100, "action": "send_notification", "targetId": "limit_exceeded"},
        {"percent": 100, "action": "disable_feature", "targetId": "exports"},
    ]
    await tenant.call("PUT", "limits/seats/month", {"quantity": 10, "rules": rules})

    for batch in ("one", "two", "one", "three"):
        usage = {
            "orgId": tenant.org, "batchId": batch, "events": [{"metric": "seats", "quantity": 4}],
        }  # fmt: skip
        await tenant.call("POST", "/api/usage", usage, **bearer)
    reached = [await tenant.told("usage.threshold_reached") for _ in range(2)]
    assert {r["percent"] for r in reached} == {80, 100}
    await tenant.told("feature.disabled")

    flag = await tenant.call("GET", "flags/exports", **bearer)
    assert flag["enabled"] is False
    [month] = (await tenant.call("GET", "usage?metric=seats&period=month"))["items"]
    assert (month["quantity"], month["events"], month["closed"]) == (12, 3, False)
    subjects = await eventually(lambda: _subjects(stack.outbox, tenant.org, 3), SECONDS)
    assert len(set(subjects)) == 3

    await _months_end(stack)
    closed = [await tenant.told("usage.period_closed") for _ in range(2)]
    assert {c["period"] for c in closed} == {"day", "month"}
    assert [c["totals"] for c in closed] == [[{"metric": "seats", "quantity": 12, "events": 3}]] * 2
    await tenant.told("feature.restored")
    assert (await tenant.call("GET", "flags/exports", **bearer))["enabled"] is True
    actions = await tenant.actions()
    for action in ("organisation.created", "endpoint.created", "api_key.created", "flag.changed",
                   "limit.set", "feature.disabled", "feature.restored"):  # fmt: skip
        assert actions.count(action) == 1, (action, actions)


async def test_what_becomes_of_a_push_reaches_the_endpoint_signed(
    stack: Stack, tenant: Tenant, tmp_path: Path
) -> None:
    enrolment = {
        "name": "x", "repository": REPOSITORY, "orgId": tenant.org,
        "repoUrl": (tmp_path / "nowhere").as_uri(),
    }  # fmt: skip
    project = await tenant.call("POST", "/api/projects", enrolment)
    body = push_body(ZERO, "1" * 40)
    async with tenant.http.post(
        "/api/webhooks/github", data=body, headers=push_headers(body, stack.secret)
    ) as response:
        assert response.status == 202
    died = await tenant.told("project.job_dead")
    assert died["projectId"] == project["id"]

    [endpoint] = (await tenant.call("GET", "endpoints"))["items"]
    delivered: Any = await eventually(lambda: _delivered(tenant, endpoint["id"]), SECONDS)
    one = await tenant.call(
        "GET", f"endpoints/{endpoint['id']}/deliveries/{delivered['messageId']}"
    )
    assert [a["status"] for a in one["history"]] == [204]
    assert json.loads(one["body"])["type"].startswith("project.")


async def test_a_signature_is_what_an_independent_verifier_expects(
    stack: Stack, tenant: Tenant
) -> None:
    [endpoint] = (await tenant.call("GET", "endpoints"))["items"]
    await tenant.call("POST", f"endpoints/{endpoint['id']}/test")
    async with asyncio.timeout(SECONDS):
        await tenant.receiver.wait_for("endpoint.test")
    headers, body = tenant.receiver.last
    verified = Webhook(tenant.receiver.secret).verify(body, headers)
    assert verified["type"] == "endpoint.test"
    with pytest.raises(Exception, match=r"[Nn]o matching signature"):
        Webhook(tenant.receiver.secret).verify(body + b" ", headers)


async def _months_end(stack: Stack) -> None:
    pool = await connect_pool(stack.servers.database_url, size=2)
    try:
        await Rollover(pool).run(datetime.now(UTC) + timedelta(days=32))
    finally:
        await pool.close()


def _subjects(outbox: Path, org: str, count: int) -> list[str]:
    emails = [email.message_from_bytes(f.read_bytes()) for f in outbox.glob("*.eml")]
    found = [e["Subject"] for e in emails]
    assert len(found) == count, found
    return found


async def _delivered(tenant: Tenant, endpoint_id: str) -> Any:
    page = await tenant.call("GET", f"endpoints/{endpoint_id}/deliveries?state=delivered")
    return page["items"] and page["items"][0]
