"""The JSON API of automatic actions."""

from typing import Any

from tests.tenants.limiting import PLANNER
from tests.webhooks.service import Service, serving
from tests.webhooks.test_usage_limits import organisation
from worker.jobs.ids import new_id
from worker.jobs.tenant_payloads import AutoAction
from worker.tenants.actions import AutomaticActions

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


async def act(service: Service, path: str, **more: Any) -> str:
    """Have the flag `search` disabled by an automatic action; answers the action's id."""
    wanted = AutoAction.model_validate(
        {
            "orgId": path.rpartition("/")[2], "action": "disable_feature", "targetId": "search",
            "reason": "abuse",
        }
        | more
    )  # fmt: skip
    actions = AutomaticActions(service.resources.pool)
    return str((await actions.apply(new_id(), wanted, PLANNER.job)).action.id)


async def test_actions_are_listed_and_shown(service: Service) -> None:
    path = await organisation(service)
    disabled = await act(service, path, restoreAt="2099-01-01T00:00:00Z")
    told = await act(service, path, action="send_notification", targetId="limit_exceeded")
    items = (await service.call("GET", f"{path}/actions")).body["items"]
    assert [a["id"] for a in items] == [told, disabled]
    shown = (await service.call("GET", f"{path}/actions/{disabled}")).body
    assert shown == items[1]
    assert shown.pop("appliedAt")
    assert shown.pop("jobId")
    assert shown == {
        "id": disabled, "orgId": path.rpartition("/")[2], "action": "disable_feature",
        "targetId": "search", "reason": "abuse", "threshold": None, "active": True,
        "changed": True, "waits": False, "restoreAt": "2099-01-01T00:00:00+00:00",
        "revertedAt": None, "revertedBy": None,
    }  # fmt: skip
    active = (await service.call("GET", f"{path}/actions?active=true")).body["items"]
    assert [a["id"] for a in active] == [disabled]
    by_kind = (await service.call("GET", f"{path}/actions?action=send_notification")).body
    assert [a["id"] for a in by_kind["items"]] == [told]
    first = (await service.call("GET", f"{path}/actions?limit=1")).body
    rest = (await service.call("GET", f"{path}/actions?limit=1&cursor={first['next']}")).body
    assert [a["id"] for a in rest["items"]] == [disabled]


async def test_what_is_wrong_with_a_query_is_named(service: Service) -> None:
    path = await organisation(service)
    for query, named in (("action=explode", "action"), ("active=perhaps", "active"), ("x=1", "x")):
        answer = await service.call("GET", f"{path}/actions?{query}")
        assert (answer.status, set(answer.error["fields"])) == (400, {named})


async def test_an_action_is_reverted_once_and_audited(service: Service) -> None:
    path = await organisation(service)
    action = await act(service, path)
    assert not (await service.call("GET", f"{path}/flags/search")).body["enabled"]
    for _ in range(2):
        answer = await service.call("POST", f"{path}/actions/{action}/revert")
        assert answer.status == 200, answer.text
        body = answer.body
        assert (body["active"], body["heldBy"], bool(body["revertedAt"])) == (False, None, True)
    assert (await service.call("GET", f"{path}/flags/search")).body["enabled"]
    found = (await service.call("GET", f"{path}/audit")).body["items"]
    actions = [e["action"] for e in found]
    assert actions.count("feature.restored") == actions.count("feature.disabled") == 1
    assert "automatic_action.reverted" in actions


async def test_one_that_another_takes_the_place_of_says_so(service: Service) -> None:
    path = await organisation(service)
    first, second = await act(service, path), await act(service, path, reason="more abuse")
    refused = await service.call("POST", f"{path}/actions/{second}/revert")
    assert (refused.status, refused.error["code"]) == (409, "conflict")
    assert first in refused.error["message"]
    reverted = await service.call("POST", f"{path}/actions/{first}/revert")
    assert reverted.body["heldBy"] == second
    flag = (await service.call("GET", f"{path}/flags/search")).body
    assert (flag["enabled"], flag["reason"]) == (False, "more abuse")


async def test_what_was_changed_by_hand_since_is_a_conflict(service: Service) -> None:
    path = await organisation(service)
    action = await act(service, path)
    await service.call("PUT", f"{path}/flags/search", json={"enabled": True})
    refused = await service.call("POST", f"{path}/actions/{action}/revert")
    assert refused.status == 409
    assert "changed since" in refused.error["message"]


async def test_a_blocked_key_works_again_when_the_action_is_reverted(service: Service) -> None:
    path = await organisation(service)
    made = (await service.call("POST", f"{path}/keys", json={"name": "k"})).body
    headers = {"Authorization": f"Bearer {made['key']}"}
    action = await act(service, path, action="block_api_key", targetId=made["id"])
    refused = await service.call("GET", f"{path}/actions", headers=headers)
    assert refused.status == 403
    assert "abuse" in refused.error["message"]
    await service.call("POST", f"{path}/actions/{action}/revert")
    assert (await service.call("GET", f"{path}/actions", headers=headers)).status == 200
    own = await service.call("POST", f"{path}/actions/{action}/revert", headers=headers)
    assert own.status == 403, "nobody lifts what limits himself"


async def test_only_its_own_organisation_has_an_action(service: Service) -> None:
    path, other = await organisation(service), await organisation(service)
    action = await act(service, path)
    for place in (f"{other}/actions/{action}", f"{path}/actions/{UNKNOWN}", f"{path}/actions/x"):
        assert (await service.call("GET", place)).status == 404
        assert (await service.call("POST", f"{place}/revert")).status == 404
    for org_id in ("nobody", "no%00body"):
        assert (await service.call("GET", f"/api/orgs/{org_id}/actions")).status == 404


async def test_actions_need_the_token(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url, API_TOKEN="a-token-of-the-api") as guarded:
        for method, place in (("GET", ""), ("GET", f"/{UNKNOWN}"), ("POST", f"/{UNKNOWN}/revert")):
            answer = await guarded.call(method, f"/api/orgs/acme/actions{place}")
            assert answer.status == 401
