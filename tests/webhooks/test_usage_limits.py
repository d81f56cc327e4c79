"""The JSON API of limits."""

from typing import Any

import pytest

from tests.webhooks.service import Answer, Service, serving
from worker.jobs.ids import new_id

RULES = [
    {"percent": 80, "action": "send_notification", "targetId": "threshold_warning"},
    {"percent": 100, "action": "disable_feature", "targetId": "search", "restore": "manual"},
]


async def organisation(service: Service) -> str:
    """A new organisation with a flag `search`; answers its path."""
    org_id = f"org-{new_id().hex}"
    made = await service.call("POST", "/api/orgs", json={"id": org_id, "name": "Acme"})
    assert made.status == 201, made.text
    path = f"/api/orgs/{org_id}"
    flag = await service.call("PUT", f"{path}/flags/search", json={"enabled": True})
    assert flag.status in (200, 201), flag.text
    return path


async def put(service: Service, path: str, **body: Any) -> Answer:
    return await service.call("PUT", f"{path}/limits/calls/month", json={"quantity": 10} | body)


async def test_a_limit_is_set_shown_replaced_and_deleted(service: Service) -> None:
    path = await organisation(service)
    answer = await put(service, path, rules=RULES)
    assert answer.status == 200, answer.text
    body = answer.body
    assert body.pop("updatedAt")
    first, second = RULES
    assert body == {
        "metric": "calls", "period": "month", "quantity": 10,
        "rules": [first | {"restore": "period_end"}, second],
    }  # fmt: skip
    shown = await service.call("GET", f"{path}/limits/calls/month")
    assert shown.body == answer.body
    replaced = await put(service, path, quantity=20)
    assert [(r["percent"], r["targetId"]) for r in replaced.body["rules"]] == [
        (80, "threshold_warning"), (100, "limit_exceeded"),
    ]  # fmt: skip
    assert (await put(service, path, rules=[])).body["rules"] == []
    gone = await service.call("DELETE", f"{path}/limits/calls/month")
    assert (gone.status, gone.body["metric"]) == (200, "calls")
    for method in ("GET", "DELETE"):
        assert (await service.call(method, f"{path}/limits/calls/month")).status == 404


async def test_limits_are_listed_in_pages(service: Service) -> None:
    path = await organisation(service)
    for place in ("seats/month", "calls/month", "calls/day"):
        await service.call("PUT", f"{path}/limits/{place}", json={"quantity": 5})
    first = (await service.call("GET", f"{path}/limits?limit=2")).body
    rest = (await service.call("GET", f"{path}/limits?limit=2&cursor={first['next']}")).body
    found = [(x["metric"], x["period"]) for x in first["items"] + rest["items"]]
    assert found == [("calls", "day"), ("calls", "month"), ("seats", "month")]
    assert rest["next"] is None
    assert (await service.call("GET", "/api/orgs/nobody/limits")).status == 404


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"quantity": 0}, {"quantity"}),
        ({"quantity": -5}, {"quantity"}),
        ({"quantity": 1.5}, {"quantity"}),
        ({"quantity": "10"}, {"quantity"}),
        ({"quantity": 2**53}, {"quantity"}),
        ({"quantity": None}, {"quantity"}),
        ({"rules": {}}, {"rules"}),
        ({"rules": RULES * 26}, {"rules"}),
        ({"rules": [RULES[0] | {"percent": 0}]}, {"rules.0.percent"}),
        ({"rules": [RULES[0] | {"percent": 1001}]}, {"rules.0.percent"}),
        ({"rules": [RULES[0] | {"percent": 80.5}]}, {"rules.0.percent"}),
        ({"rules": [RULES[0] | {"action": "explode"}]}, {"rules.0.action"}),
        ({"rules": [RULES[0] | {"restore": "never"}]}, {"rules.0.restore"}),
        ({"rules": [{"percent": 5, "action": "disable_feature"}]}, {"rules.0.targetId"}),
        ({"rules": [*RULES, RULES[1] | {"targetId": "nothing"}]}, {"rules.2.targetId"}),
        ({"rules": [RULES[1] | {"action": "block_api_key"}]}, {"rules.0.targetId"}),
        ({"rules": [*RULES, RULES[0]]}, {"rules.2"}),
        ({"more": 1}, {"more"}),
    ],
)
async def test_what_is_wrong_with_a_limit_is_named_and_nothing_stored(
    service: Service, body: dict[str, Any], named: set[str]
) -> None:
    path = await organisation(service)
    answer = await put(service, path, **body)
    assert answer.status == 400, answer.text
    assert set(answer.error["fields"]) == named
    assert (await service.call("GET", f"{path}/limits")).body["items"] == []


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("calls/week", {"period"}),
        ("9lives/month", {"metric"}),
        ("a%20b/month", {"metric"}),
        ("a%00b/month", {"metric"}),
        ("x" * 101 + "/month", {"metric"}),
    ],
)
async def test_what_cannot_be_a_limit_is_refused(
    service: Service, place: str, named: set[str]
) -> None:
    path = await organisation(service)
    answer = await service.call("PUT", f"{path}/limits/{place}", json={"quantity": 5})
    assert (answer.status, set(answer.error["fields"])) == (400, named)
    for method in ("GET", "DELETE"):
        assert (await service.call(method, f"{path}/limits/{place}")).status == 404


async def test_an_unknown_organisation_has_no_limits(service: Service) -> None:
    for org_id in ("nobody", "no%00body"):
        answer = await put(service, f"/api/orgs/{org_id}", rules=[])
        assert answer.status == 404, answer.text


async def test_what_a_new_limit_sets_off_is_rung(service: Service) -> None:
    path = await organisation(service)
    org_id = path.rpartition("/")[2]
    await put(service, path)
    await service.rows(
        "UPDATE usage_counters SET quantity = 8 WHERE org_id = $1 AND metric = 'calls'", org_id
    )
    assert (await put(service, path)).status == 200
    [job] = await service.rows("SELECT payload FROM jobs WHERE org_id = $1", org_id)
    assert job["payload"]["targetId"] == "threshold_warning"
    assert job["payload"]["threshold"]["percent"] == 80


async def test_an_organisations_key_may_read_its_limits_and_set_none(service: Service) -> None:
    path, other = await organisation(service), await organisation(service)
    await put(service, path)
    made = await service.call("POST", f"{path}/keys", json={"name": "k"})
    headers = {"Authorization": f"Bearer {made.body['key']}"}
    place = f"{path}/limits/calls/month"
    for call in (f"{path}/limits", place):
        assert (await service.call("GET", call, headers=headers)).status == 200
    assert (await service.call("GET", f"{other}/limits", headers=headers)).status == 403
    for method, body in (("PUT", {"quantity": 10**9}), ("DELETE", None)):
        refused = await service.call(method, place, json=body, headers=headers)
        assert refused.status == 403, refused.text
    assert (await service.call("GET", place)).body["quantity"] == 10


async def test_changes_are_audited(service: Service) -> None:
    path = await organisation(service)
    await put(service, path)
    await service.call("DELETE", f"{path}/limits/calls/month")
    found = (await service.call("GET", f"{path}/audit?action=limit.*")).body["items"]
    assert {e["action"] for e in found} == {"limit.set", "limit.deleted"}


async def test_limits_need_the_token(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url, API_TOKEN="a-token-of-the-api") as guarded:
        for method in ("GET", "PUT", "DELETE"):
            answer = await guarded.call(method, "/api/orgs/acme/limits/calls/month")
            assert answer.status == 401
