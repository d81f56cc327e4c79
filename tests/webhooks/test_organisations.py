"""Organisations by the API."""

from typing import Any

import pytest

from tests.webhooks.service import Service
from worker.jobs.ids import new_id


def named(**more: object) -> dict[str, Any]:
    """An organisation that is not there yet."""
    return {"id": f"org-{new_id()}", "name": "Acme"} | more


async def test_added_read_and_changed(service: Service) -> None:
    wanted = named(timezone="Europe/Warsaw", email="ops@acme.example")
    added = await service.call("POST", "/api/orgs", json=wanted)
    assert added.status == 201, added.text
    assert added.body.items() >= wanted.items()
    assert set(added.body) == {"id", "name", "timezone", "email", "createdAt", "updatedAt"}
    at = f"/api/orgs/{wanted['id']}"
    assert (await service.call("GET", at)).body == added.body
    changed = await service.call("PATCH", at, json={"email": None, "name": "Acme Inc."})
    assert (changed.status, changed.body["email"], changed.body["name"]) == (200, None, "Acme Inc.")
    assert changed.body["timezone"] == "Europe/Warsaw"


async def test_an_id_is_taken_once(service: Service) -> None:
    wanted = named()
    assert (await service.call("POST", "/api/orgs", json=wanted)).status == 201
    again = await service.call("POST", "/api/orgs", json=wanted | {"name": "Other"})
    assert (again.status, again.error["code"]) == (409, "conflict")
    assert (await service.call("GET", f"/api/orgs/{wanted['id']}")).body["name"] == "Acme"


async def test_the_list_goes_on_after_its_cursor(service: Service) -> None:
    for _ in range(3):
        await service.call("POST", "/api/orgs", json=named())
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = (await service.call("GET", "/api/orgs", params=query)).body
        seen += [o["id"] for o in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == sorted(set(seen), key=seen.index)
    assert {r["id"] for r in await service.rows("SELECT id FROM organisations")} == set(seen)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "a b"}, "id"), ({"id": 1}, "id"), ({"name": ""}, "name"), ({"name": None}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"), ({"timezone": None}, "timezone"),
        ({"email": "x"}, "email"), ({"plan": "pro"}, "plan"), ({"time_zone": "UTC"}, "time_zone"),
    ],
)  # fmt: skip
async def test_bad_input_names_the_field_and_stores_nothing(
    service: Service, body: dict[str, object], field: str
) -> None:
    before = await service.rows("SELECT count(*) FROM organisations")
    answer = await service.call("POST", "/api/orgs", json=named() | body)
    assert (answer.status, set(answer.error["fields"])) == (400, {field})
    assert await service.rows("SELECT count(*) FROM organisations") == before


@pytest.mark.parametrize(
    ("body", "field"),
    [({"id": "other"}, "id"), ({}, "(body)"), ({"name": None}, "name"), ({"email": 7}, "email")],
)
async def test_a_bad_change_changes_nothing(
    service: Service, body: dict[str, object], field: str
) -> None:
    wanted = named()
    added = await service.call("POST", "/api/orgs", json=wanted)
    answer = await service.call("PATCH", f"/api/orgs/{wanted['id']}", json=body)
    assert (answer.status, set(answer.error["fields"])) == (400, {field})
    assert (await service.call("GET", f"/api/orgs/{wanted['id']}")).body == added.body


async def test_who_is_not_there_is_not_found(service: Service) -> None:
    for org_id in ("nobody", "%00", "a%2Fb", "%F0%9F%A6%80", "x" * 300):
        answer = await service.call("GET", f"/api/orgs/{org_id}")
        assert (answer.status, answer.error["code"]) == (404, "not_found")
        assert (
            await service.call("PATCH", f"/api/orgs/{org_id}", json={"name": "x"})
        ).status == 404


async def test_none_is_ever_deleted(service: Service) -> None:
    wanted = named()
    await service.call("POST", "/api/orgs", json=wanted)
    answer = await service.call("DELETE", f"/api/orgs/{wanted['id']}")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,PATCH")
