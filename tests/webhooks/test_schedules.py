"""The JSON API of schedules."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support import eventually
from tests.webhooks.service import Answer, Service, serving
from webhooks.api.schedules import ROUTES
from worker.jobs.firing import Firing
from worker.jobs.ids import new_id
from worker.jobs.payloads import PAYLOADS
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys
from worker.jobs.timetable import BUILT_IN

TIDY = {"queue": "cleanup", "cron": "0 2 * * *", "payload": {"task": "old_clones"}}


async def make(service: Service, **more: Any) -> Answer:
    """A schedule of its own, with these fields besides."""
    wanted = TIDY | {"name": f"tidy-{new_id().hex}"} | more
    return await service.call("POST", "/api/schedules", json=wanted)


async def made(service: Service, **more: Any) -> str:
    answer = await make(service, **more)
    assert answer.status == 201, answer.text
    name: str = answer.body["name"]
    return name


async def test_a_schedule_is_made_and_shown(service: Service) -> None:
    answer = await make(service, name="warsaw", timezone="Europe/Warsaw", description="At night.")
    assert answer.status == 201
    shown = await service.call("GET", "/api/schedules/warsaw")
    assert shown.status == 200
    assert shown.body == answer.body
    body = shown.body
    times = {key: body.pop(key) for key in ("nextTick", "createdAt", "updatedAt")}
    assert body == {
        "name": "warsaw", "description": "At night.", "builtIn": False, "enabled": True,
        "queue": "cleanup", "kind": "cleanup", "payload": {"task": "old_clones", "days": 30},
        "cron": "0 2 * * *", "timezone": "Europe/Warsaw", "missed": "skip", "lastTick": None,
        "ticks": [],
    }  # fmt: skip
    assert datetime.fromisoformat(times["nextTick"]).astimezone(UTC).hour in (0, 1)


async def test_schedules_are_listed_with_the_built_in_ones(service: Service) -> None:
    await Firing(service.resources.pool, QUEUES, PAYLOADS).declare(BUILT_IN)
    mine = await made(service)
    first = (await service.call("GET", "/api/schedules?limit=2")).body
    assert len(first["items"]) == 2
    rest = await service.call("GET", f"/api/schedules?limit=200&cursor={first['next']}")
    items = {s["name"]: s for s in first["items"] + rest.body["items"]}
    assert items.keys() >= {mine, *(b.name for b in BUILT_IN)}
    assert rest.body["next"] is None
    assert not items[mine]["builtIn"]
    assert {n for n, s in items.items() if s["builtIn"]} == {b.name for b in BUILT_IN}
    assert all(s["nextTick"] for s in items.values())
    off = await service.call("PATCH", f"/api/schedules/{mine}", json={"enabled": False})
    assert off.body["nextTick"] is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": "No Spaces"}, {"name"}),
        ({"name": "x" * 101}, {"name"}),
        ({"queue": "nope"}, {"queue"}),
        ({"kind": "nope"}, {"kind"}),
        ({"queue": "flagship:maintenance"}, {"kind"}),
        ({"cron": "every day"}, {"cron"}),
        ({"cron": "0 0 30 2 *"}, {"cron"}),
        ({"cron": "* * * * * *"}, {"cron"}),
        ({"cron": 5, "enabled": "yes"}, {"cron", "enabled"}),
        ({"timezone": "Mars/Base"}, {"timezone"}),
        ({"missed": "sometimes"}, {"missed"}),
        ({"payload": {"task": "old_clones", "days": 0}}, {"payload.days"}),
        ({"payload": []}, {"payload"}),
        ({"nextTick": "2030-01-01T00:00:00Z"}, {"nextTick"}),
    ],
)
async def test_what_is_wrong_with_a_schedule_is_named(
    service: Service, fields: dict[str, Any], named: set[str]
) -> None:
    answer = await make(service, **fields)
    assert answer.status == 400
    assert answer.error["fields"].keys() == named


async def test_a_name_is_given_once(service: Service) -> None:
    answer = await make(service, name=await made(service))
    assert (answer.status, answer.error["code"]) == (409, "conflict")


async def test_a_schedule_is_changed_and_disabled(service: Service) -> None:
    path = f"/api/schedules/{await made(service)}"
    changed = await service.call("PATCH", path, json={"cron": "@hourly", "missed": "catch_up"})
    assert (changed.status, changed.body["cron"], changed.body["missed"]) == (
        200, "@hourly", "catch_up",
    )  # fmt: skip
    assert datetime.fromisoformat(changed.body["nextTick"]).minute == 0
    disabled = await service.call("PATCH", path, json={"enabled": False})
    assert (disabled.body["enabled"], disabled.body["nextTick"]) == (False, None)
    for body in ({}, {"cron": "no"}, {"name": "other"}, {"queue": "webhooks"}):
        assert (await service.call("PATCH", path, json=body)).status == 400
    assert (await service.call("GET", path)).body == disabled.body


async def test_a_schedule_is_run_now_and_rung(service: Service) -> None:
    name = await made(service, enabled=False)
    ran = await service.call("POST", f"/api/schedules/{name}/run")
    assert ran.status == 200
    assert ran.body.keys() == {"jobId", "queue", "data"}
    job = (await service.call("GET", f"/api/jobs/{ran.body['jobId']}")).body
    assert (job["state"], job["queue"], job["kind"]) == ("queued", "cleanup", "cleanup")
    jobs = queue_keys("cleanup").jobs
    await eventually(lambda: service.resources.redis.hexists(jobs, ran.body["jobId"]))
    [tick] = (await service.call("GET", f"/api/schedules/{name}")).body["ticks"]
    assert tick.keys() == {"tick", "byHand", "firedAt", "jobId", "state"}
    assert (tick["jobId"], tick["byHand"], tick["state"]) == (job["id"], True, "queued")


async def test_a_schedule_is_deleted(service: Service) -> None:
    path = f"/api/schedules/{await made(service)}"
    assert (await service.call("DELETE", path)).status == 200
    for method in ("GET", "DELETE"):
        assert (await service.call(method, path)).status == 404
    assert (await service.call("PATCH", path, json={"enabled": True})).status == 404
    assert (await service.call("POST", f"{path}/run")).status == 404


async def test_built_in_schedules_are_protected(service: Service) -> None:
    await Firing(service.resources.pool, QUEUES, PAYLOADS).declare(BUILT_IN)
    path = "/api/schedules/old-clones"
    assert (await service.call("DELETE", path)).status == 409
    refused = await service.call("PATCH", path, json={"cron": "@hourly"})
    assert (refused.status, refused.error["code"]) == (409, "conflict")
    switched = await service.call("PATCH", path, json={"enabled": False})
    assert (switched.status, switched.body["enabled"]) == (200, False)


async def test_every_call_needs_the_token_where_there_is_one(
    database_url: str, redis_url: str
) -> None:
    async with serving(database_url, redis_url, API_TOKEN="a-token-of-the-api") as guarded:
        for route in ROUTES:
            path = route.path.replace("{name}", "x")
            assert (await guarded.call(route.method, path)).status == 401
