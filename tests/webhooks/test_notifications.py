"""The JSON API of notifications, and of how organisations want to be told."""

from typing import Any

import pytest

from tests.webhooks.service import Service
from webhooks.api.notifications import ROUTES
from worker.jobs.ids import new_id
from worker.jobs.tenant_payloads import Notification
from worker.tenants.notifications.store import Notifications
from worker.tenants.organisations import NewOrganisation, Organisation, Organisations

DATA = {"metric": "api_calls", "percent": 80, "quantity": 8, "limit": 10}
TYPES = ("threshold_warning", "limit_exceeded", "feature_disabled", "endpoint_disabled")
EMAIL: dict[str, Any] = {type_: ["email"] for type_ in TYPES}


@pytest.fixture
async def org(service: Service) -> Organisation:
    """A new organisation with an address."""
    wanted = NewOrganisation(id=f"org-{new_id()}", name="Acme", email="ops@acme.example")
    return await Organisations(service.resources.pool).add(wanted)


async def tell(service: Service, org: Organisation, **more: Any) -> str:
    """The id of a notification that was made."""
    given = {"orgId": org.id, "type": "threshold_warning", "data": DATA} | more
    told = await Notifications(service.resources.pool).tell(
        Notification.model_validate(given), org, new_id()
    )
    return str(told.notification.id)


def preferences(org_id: str) -> str:
    return f"/api/orgs/{org_id}/notification-preferences"


async def test_preferences_are_replaced_and_shown(service: Service, org: Organisation) -> None:
    at = preferences(org.id)
    assert (await service.call("GET", at)).body == EMAIL
    chosen = {"threshold_warning": ["webhook", "email"], "limit_exceeded": "off"}
    changed = await service.call("PUT", at, json=chosen)
    assert changed.status == 200
    held = EMAIL | {"threshold_warning": ["email", "webhook"], "limit_exceeded": "off"}
    assert changed.body == held
    assert (await service.call("GET", at)).body == held
    assert (await service.call("PUT", at, json=held)).body == held
    one = await service.call("PUT", at, json={"endpoint_disabled": "webhook"})
    assert one.body == EMAIL | {"endpoint_disabled": ["webhook"]}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"threshold_warning": "sms"}, {"threshold_warning"}),
        ({"threshold_warning": ["email", "sms"], "limit_exceeded": 5},
         {"threshold_warning", "limit_exceeded"}),
        ({"threshold_warning": ["email"] * 100_000 + ["x"]}, {"threshold_warning"}),
        ({"weather_report": "email"}, {"weather_report"}),
        ({"thresholdWarning": "email"}, {"thresholdWarning"}),
    ],
)  # fmt: skip
async def test_wrong_preferences_are_named_and_change_nothing(
    service: Service, org: Organisation, body: dict[str, Any], named: set[str]
) -> None:
    answer = await service.call("PUT", preferences(org.id), json=body)
    assert answer.status == 400
    assert set(answer.error["fields"]) == named
    assert (await service.call("GET", preferences(org.id))).body == EMAIL


@pytest.mark.parametrize("body", [b"", b"[]", b"off", b'"off"', b"{"])
async def test_what_is_no_object_is_refused(
    service: Service, org: Organisation, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await service.call("PUT", preferences(org.id), data=body, headers=headers)
    assert answer.status == 400
    assert (await service.call("GET", preferences(org.id))).body == EMAIL


async def test_notifications_are_listed_newest_first(service: Service, org: Organisation) -> None:
    made = [await tell(service, org, key=f"k-{n}") for n in range(3)]
    await tell(service, org, key="k-2")
    at = f"/api/orgs/{org.id}/notifications"
    first = (await service.call("GET", f"{at}?limit=2")).body
    assert [n["id"] for n in first["items"]] == [made[2], made[1]]
    rest = (await service.call("GET", f"{at}?limit=2&cursor={first['next']}")).body
    assert [n["id"] for n in rest["items"]] == [made[0]]
    assert rest["next"] is None
    newest = first["items"][0]
    assert newest["repeats"] == 1
    assert (await service.call("GET", f"{at}/{made[2]}")).body == newest
    assert newest.keys() == {
        "id", "orgId", "type", "key", "data", "state", "channels", "emailTo", "emailId",
        "problem", "repeats", "jobId", "createdAt", "sentAt",
    }  # fmt: skip
    assert (newest["state"], newest["channels"], newest["data"]) == ("pending", ["email"], DATA)


async def test_notifications_are_filtered(service: Service, org: Organisation) -> None:
    await service.call("PUT", preferences(org.id), json={"limit_exceeded": "off"})
    warned = await tell(service, org)
    silent = await tell(service, org, type="limit_exceeded")
    at = f"/api/orgs/{org.id}/notifications"
    for query, found in (
        ("state=off", [silent]),
        ("state=pending", [warned]),
        ("type=threshold_warning", [warned]),
        ("type=limit_exceeded&state=sent", []),
    ):
        body = (await service.call("GET", f"{at}?{query}")).body
        assert [n["id"] for n in body["items"]] == found, query


@pytest.mark.parametrize("query", ["state=gone", "type=x", "limit=0", "cursor=x", "page=2"])
async def test_wrong_queries_are_named(service: Service, org: Organisation, query: str) -> None:
    answer = await service.call("GET", f"/api/orgs/{org.id}/notifications?{query}")
    assert answer.status == 400
    assert list(answer.error["fields"]) == [query.partition("=")[0]]


async def test_what_is_not_there_is_not_found(service: Service, org: Organisation) -> None:
    own = await tell(service, org)
    other = NewOrganisation(id=f"org-{new_id()}", name="Other")
    other_id = (await Organisations(service.resources.pool).add(other)).id
    for path in (
        f"/api/orgs/{other_id}/notifications/{own}",
        f"/api/orgs/{org.id}/notifications/{new_id()}",
        f"/api/orgs/{org.id}/notifications/x",
        "/api/orgs/nobody/notifications",
        f"/api/orgs/nobody/notifications/{own}",
        "/api/orgs/nobody/notification-preferences",
        "/api/orgs/a%00b/notifications",
    ):
        answer = await service.call("GET", path)
        assert answer.status == 404, (path, answer.text)
    assert (await service.call("PUT", preferences("nobody"), json={})).status == 404


async def test_a_key_reads_what_is_its_own_and_changes_nothing(
    service: Service, org: Organisation
) -> None:
    made = await service.call("POST", f"/api/orgs/{org.id}/keys", json={"name": "reader"})
    assert made.status == 201, made.text
    headers = {"Authorization": f"Bearer {made.body['key']}"}
    own = await tell(service, org)
    for route in ROUTES:
        path = route.path.replace("{notificationId}", own)
        mine = path.replace("{id}", org.id)
        body: dict[str, Any] = {"json": {}} if route.body else {}
        answer = await service.call(route.method, mine, headers=headers, **body)
        assert answer.status == (200 if route.method == "GET" else 403), (mine, answer.text)
        theirs = path.replace("{id}", "org-1")
        answer = await service.call(route.method, theirs, headers=headers, **body)
        assert answer.status == 403, theirs


def test_every_route_can_be_described() -> None:
    assert all(route.answer is not None for route in ROUTES)
    assert [r.audit for r in ROUTES if r.method != "GET"] == ["notification_preferences.changed"]
