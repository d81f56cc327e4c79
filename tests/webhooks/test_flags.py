"""Feature flags by the API."""

import pytest

from tests.webhooks.service import Service
from worker.jobs.ids import new_id
from worker.tenants.flags import disable


@pytest.fixture
async def flags(service: Service) -> str:
    """The address of the flags of an organisation that has none yet."""
    org_id = f"org-{new_id()}"
    await service.call("POST", "/api/orgs", json={"id": org_id, "name": "Acme"})
    return f"/api/orgs/{org_id}/flags"


async def test_made_evaluated_switched_and_forgotten(service: Service, flags: str) -> None:
    wanted = {"enabled": True, "description": "CSV exports"}
    made = await service.call("PUT", f"{flags}/exports", json=wanted)
    assert made.status == 200, made.text
    assert made.body.items() >= {"key": "exports", "disabledReason": None, **wanted}.items()
    assert (await service.call("GET", f"{flags}/exports")).body == {
        "key": "exports", "enabled": True,
    }  # fmt: skip
    off = await service.call("PUT", f"{flags}/exports", json={"enabled": False})
    assert (off.body["enabled"], off.body["description"]) == (False, "CSV exports")
    assert (await service.call("GET", flags)).body == {"items": [off.body], "next": None}
    gone = await service.call("DELETE", f"{flags}/exports")
    assert (gone.status, gone.body) == (200, off.body)
    assert (await service.call("GET", f"{flags}/exports")).status == 404
    assert (await service.call("DELETE", f"{flags}/exports")).status == 404


async def test_an_automatic_action_is_told_until_somebody_decides(
    service: Service, flags: str
) -> None:
    await service.call("PUT", f"{flags}/exports", json={"enabled": True})
    async with service.resources.pool.acquire() as connection:
        await disable(connection, flags.split("/")[3], "exports", "over the limit")
    told = await service.call("GET", f"{flags}/exports")
    assert told.body == {"key": "exports", "enabled": False, "reason": "over the limit"}
    [listed] = (await service.call("GET", flags)).body["items"]
    assert listed["disabledReason"] == "over the limit"
    on = await service.call("PUT", f"{flags}/exports", json={"enabled": True})
    assert (on.body["enabled"], on.body["disabledReason"]) == (True, None)


@pytest.mark.parametrize(
    ("key", "body", "field"),
    [
        ("a%20b", {"enabled": True}, "key"), ("a%00", {"enabled": True}, "key"),
        ("x" * 101, {"enabled": True}, "key"), ("f", {}, "enabled"),
        ("f", {"enabled": "yes"}, "enabled"), ("f", {"enabled": 1}, "enabled"),
        ("f", {"enabled": None}, "enabled"), ("f", {"enabled": True, "reason": "x"}, "reason"),
        ("f", {"enabled": True, "description": "x" * 2001}, "description"),
        ("f", {"enabled": True, "description": 7}, "description"),
    ],
)  # fmt: skip
async def test_bad_input_names_the_field_and_stores_nothing(
    service: Service, flags: str, key: str, body: dict[str, object], field: str
) -> None:
    answer = await service.call("PUT", f"{flags}/{key}", json=body)
    assert (answer.status, set(answer.error["fields"])) == (400, {field})
    assert (await service.call("GET", flags)).body["items"] == []


async def test_flags_of_nobody_are_not_found(service: Service) -> None:
    nobody = "/api/orgs/nobody/flags"
    for method, path, body in (
        ("GET", nobody, None), ("GET", f"{nobody}/f", None), ("DELETE", f"{nobody}/f", None),
        ("PUT", f"{nobody}/f", {"enabled": True}),
    ):  # fmt: skip
        answer = await service.call(method, path, **({"json": body} if body else {}))
        assert (answer.status, answer.error["code"]) == (404, "not_found"), method
