"""Endpoints over HTTP: made, shown, steered, and what is refused leaves nothing behind."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from tests.conftest import Servers, scratch_database
from tests.webhooks.service import Answer, Service, serving
from worker.cipher import ENDPOINTS, Cipher
from worker.outgoing.sealing import EndpointLabel, unseal

KEY = Fernet.generate_key().decode()
URL = "https://hooks.example.org/switchyard"
SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
STEERED = (
    ("GET", "", None), ("PATCH", "", {"description": "x"}), ("DELETE", "", None),
    ("POST", "/rotate", None), ("POST", "/disable", None), ("POST", "/enable", None),
    ("POST", "/test", None), ("GET", "/deliveries", None),
    ("GET", "/deliveries/{message}", None), ("POST", "/deliveries/{message}/replay", None),
    ("POST", "/replay", {"since": "2020-01-01T00:00:00Z", "what": "all"}),
)  # fmt: skip


@pytest.fixture(scope="module")
async def keyed(
    servers: Servers, template_database: str, redis_database_url: str
) -> AsyncIterator[Service]:
    """A service that can keep endpoints' secrets."""
    async with (
        scratch_database(servers.database_url, template_database) as url,
        serving(url, redis_database_url, ENDPOINT_ENCRYPTION_KEY=KEY) as running,
    ):
        yield running


@pytest.fixture
async def org(keyed: Service) -> str:
    return await organisation(keyed)


async def organisation(service: Service) -> str:
    org_id = f"org-{uuid4()}"
    await service.rows("INSERT INTO organisations (id, name) VALUES ($1, $1)", org_id)
    return org_id


async def made(service: Service, org_id: str, **more: Any) -> Any:
    answer = await post(service, org_id, **more)
    assert answer.status == 201, answer.text
    return answer.body


async def post(service: Service, org_id: str, **more: Any) -> Answer:
    return await service.call("POST", f"/api/orgs/{org_id}/endpoints", json={"url": URL} | more)


async def ok(service: Service, method: str, path: str, status: int = 200, **options: Any) -> Any:
    answer = await service.call(method, path, **options)
    assert answer.status == status, answer.text
    return answer.body


async def stored(service: Service, org_id: str) -> list[dict[str, Any]]:
    return await service.rows("SELECT * FROM outgoing_endpoints WHERE org_id = $1", org_id)


def path_of(endpoint: Any) -> str:
    return f"/api/orgs/{endpoint['orgId']}/endpoints/{endpoint['id']}"


async def opened(service: Service, endpoint: Any) -> list[str]:
    """The secrets that sign what the endpoint is sent."""
    [row] = await stored(service, endpoint["orgId"])
    sealed = [s for s in (row["secret"], row["previous_secret"]) if s is not None]
    label = EndpointLabel(row["id"], row["org_id"])
    return unseal(Cipher([KEY], ENDPOINTS), label, *sealed)


async def test_an_endpoint_is_made_with_a_secret_of_its_own(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    assert endpoint["secret"].startswith("whsec_")
    assert len(base64.b64decode(endpoint["secret"].removeprefix("whsec_"))) == 32
    shown = {"orgId": org, "url": URL, "events": ["*"], "schedule": "short", "state": "enabled",
             "description": "", "failures": 0, "breaker": "closed"}  # fmt: skip
    assert endpoint | shown == endpoint
    nothing = ("disabledReason", "disabledAt", "failingSince", "openUntil", "slowUntil", "probeAt",
               "previousUntil", "lastDelivery")  # fmt: skip
    assert {endpoint[name] for name in nothing} == {None}
    assert await opened(keyed, endpoint) == [endpoint["secret"]]
    [row] = await stored(keyed, org)
    assert endpoint["secret"].encode() not in row["secret"]


async def test_an_endpoint_is_made_as_it_is_asked_for(keyed: Service, org: str) -> None:
    wanted = {
        "events": ["usage.*", "project.job_dead", "usage.*"], "schedule": "long",
        "description": "ours", "secret": SECRET,
    }  # fmt: skip
    endpoint = await made(keyed, org, **wanted)
    assert endpoint["events"] == ["project.job_dead", "usage.*"]
    assert (endpoint["schedule"], endpoint["description"]) == ("long", "ours")
    assert endpoint["secret"] == SECRET
    assert await opened(keyed, endpoint) == [SECRET]


async def test_the_secret_is_shown_once(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    secret = endpoint.pop("secret")
    one = await keyed.call("GET", path_of(endpoint))
    every = await keyed.call("GET", f"/api/orgs/{org}/endpoints")
    assert one.body == endpoint
    assert every.body == {"items": [endpoint], "next": None}
    audited = await keyed.rows("SELECT * FROM audit_events WHERE org_id = $1", org)
    assert secret not in one.text + every.text + repr(audited)


async def test_endpoints_come_in_pages(keyed: Service, org: str) -> None:
    ids = [(await made(keyed, org))["id"] for _ in range(3)]
    await made(keyed, await organisation(keyed))
    path = f"/api/orgs/{org}/endpoints?limit=2"
    first = await ok(keyed, "GET", path)
    rest = await ok(keyed, "GET", f"{path}&cursor={first['next']}")
    assert [e["id"] for e in first["items"] + rest["items"]] == ids
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "https://user:password@example.org/"),
        ("url", "https://127.0.0.1/"),
        ("url", "http://169.254.169.254/latest/meta-data"),
        ("url", "https://[::ffff:10.0.0.1]/"),
        ("url", "http://0x7f.1/"),
        ("url", "http://2130706433/"),
        ("url", "https://localhost/"),
        ("url", "ftp://example.org/"),
        ("url", "https://example.org/#part"),
        ("url", "https://example.org:22/"),
        ("url", "https://example.org/\u0007"),
        ("url", "https://example.org/" + "x" * 3000),
        ("url", "not a url"),
        ("url", ""),
        ("url", 7),
        ("url", None),
        ("events", []),
        ("events", "*"),
        ("events", ["project.*"] * 51),
        ("events", None),
        ("schedule", "never"),
        ("description", "x" * 501),
        ("description", "two\nlines"),
        ("secret", "whsec_"),
        ("secret", "whsec_!!!!"),
        ("secret", base64.b64encode(b"k" * 32).decode()),
        ("secret", "whsec_" + base64.b64encode(b"k" * 23).decode()),
        ("secret", "whsec_" + base64.b64encode(b"k" * 65).decode()),
        ("secret", "whsec_" + "A" * 1000),
        ("secret", 123456),
        ("surprise", 1),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_stored(
    keyed: Service, org: str, field: str, value: Any
) -> None:
    answer = await post(keyed, org, **{field: value})
    assert answer.status == 400, answer.text
    assert list(answer.error["fields"]) == [field]
    if field == "secret":
        assert str(value) not in answer.text.replace("whsec_ and", "")
    assert await stored(keyed, org) == []


@pytest.mark.parametrize("name", ["", "usage", "nothing.*", "usage.nothing", "**", "project.job_*"])
async def test_an_event_that_nobody_knows_is_refused_by_its_place(
    keyed: Service, org: str, name: str
) -> None:
    answer = await post(keyed, org, events=["*", name])
    assert answer.status == 400
    assert list(answer.error["fields"]) == ["events.1"]
    assert await stored(keyed, org) == []


async def test_without_a_key_to_keep_secrets_with_it_says_so(service: Service) -> None:
    org_id = await organisation(service)
    answer = await post(service, org_id)
    assert (answer.status, answer.error["code"]) == (409, "conflict")
    assert "ENDPOINT_ENCRYPTION_KEY" in answer.error["message"]
    assert "openssl rand" in answer.error["message"]
    assert await stored(service, org_id) == []


async def test_fifty_endpoints_are_the_most_however_many_come_at_once(
    keyed: Service, org: str
) -> None:
    await asyncio.gather(*(made(keyed, org) for _ in range(48)))
    answers = await asyncio.gather(*(post(keyed, org) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [201, 201, 409, 409, 409, 409]
    assert len(await stored(keyed, org)) == 50


async def test_an_organisation_that_does_not_exist_has_no_endpoints(keyed: Service) -> None:
    for name in ("nobody", "%00", "nobody%2F"):
        assert (await keyed.call("GET", f"/api/orgs/{name}/endpoints")).status == 404
        assert (await post(keyed, name)).status == 404


@pytest.mark.parametrize(("method", "path", "body"), STEERED)
async def test_anothers_endpoint_is_not_found(
    keyed: Service, org: str, method: str, path: str, body: Any
) -> None:
    endpoint = await made(keyed, org)
    other = await made(keyed, await organisation(keyed))
    message = (await ok(keyed, "POST", f"{path_of(endpoint)}/test", 202))["messageId"]
    before = await stored(keyed, org)
    for wrong in (
        f"/api/orgs/{other['orgId']}/endpoints/{endpoint['id']}",
        f"/api/orgs/{org}/endpoints/{other['id']}",
        f"/api/orgs/{org}/endpoints/{uuid4()}",
        f"/api/orgs/{org}/endpoints/no-id",
    ):
        answer = await keyed.call(method, wrong + path.format(message=message), json=body)
        assert answer.status == 404, answer.text
    assert await stored(keyed, org) == before


async def test_what_is_given_is_changed(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    del endpoint["secret"]
    changes = {"url": f"{URL}/2", "events": ["endpoint.*"], "schedule": "long"}
    changed = await ok(keyed, "PATCH", path_of(endpoint), json=changes)
    assert changed == endpoint | changes | {"updatedAt": changed["updatedAt"]}
    assert await ok(keyed, "PATCH", path_of(endpoint), json={"description": "x"}) == (
        await ok(keyed, "GET", path_of(endpoint))
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "(body)"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": None}, "url"),
        ({"events": ["x"]}, "events.0"),
        ({"secret": SECRET}, "secret"),
        ({"state": "disabled"}, "state"),
    ],
)
async def test_a_wrong_change_changes_nothing(
    keyed: Service, org: str, change: Any, field: str
) -> None:
    endpoint = await made(keyed, org)
    before = await stored(keyed, org)
    answer = await keyed.call("PATCH", path_of(endpoint), json=change)
    assert (answer.status, list(answer.error["fields"])) == (400, [field])
    assert await stored(keyed, org) == before


async def test_a_deleted_endpoint_is_gone_with_its_deliveries(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    await ok(keyed, "POST", f"{path_of(endpoint)}/test", 202)
    deleted = await ok(keyed, "DELETE", path_of(endpoint))
    assert (deleted["id"], "secret" in deleted) == (endpoint["id"], False)
    assert (await keyed.call("GET", path_of(endpoint))).status == 404
    left = await keyed.rows("SELECT FROM outgoing_deliveries WHERE endpoint_id = $1",
                            endpoint["id"])  # fmt: skip
    assert left == []


async def test_a_rotated_secret_signs_beside_the_one_before_for_a_day(
    keyed: Service, org: str
) -> None:
    endpoint = await made(keyed, org)
    rotated = await ok(keyed, "POST", f"{path_of(endpoint)}/rotate")
    assert rotated["secret"] != endpoint["secret"]
    assert await opened(keyed, endpoint) == [rotated["secret"], endpoint["secret"]]
    [row] = await keyed.rows(
        "SELECT previous_until - updated_at = interval '24 hours' AS a_day FROM outgoing_endpoints "
        "WHERE id = $1", endpoint["id"],
    )  # fmt: skip
    assert row["a_day"]
    shown = await ok(keyed, "GET", path_of(endpoint))
    assert shown["previousUntil"] == rotated["previousUntil"] is not None
    given = await ok(keyed, "POST", f"{path_of(endpoint)}/rotate", json={"secret": SECRET})
    assert given["secret"] == SECRET
    assert await opened(keyed, endpoint) == [SECRET, rotated["secret"]]


async def test_a_wrong_secret_rotates_nothing(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    before = await stored(keyed, org)
    answer = await keyed.call("POST", f"{path_of(endpoint)}/rotate", json={"secret": "whsec_x"})
    assert (answer.status, list(answer.error["fields"])) == (400, ["secret"])
    assert await stored(keyed, org) == before


async def test_an_endpoint_is_disabled_and_enabled_by_hand(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    for _ in range(2):
        disabled = await ok(keyed, "POST", f"{path_of(endpoint)}/disable")
        assert (disabled["state"], disabled["disabledReason"]) == ("disabled", "asked")
    await keyed.rows(
        "UPDATE outgoing_endpoints SET failures = 3, failing_since = now(), open_until = now() "
        "+ interval '1 hour' WHERE id = $1", endpoint["id"],
    )  # fmt: skip
    shown = await ok(keyed, "GET", path_of(endpoint))
    assert (shown["breaker"], shown["failures"], shown["openUntil"] is None) == ("open", 3, False)
    for _ in range(2):
        enabled = await ok(keyed, "POST", f"{path_of(endpoint)}/enable")
        assert (enabled["state"], enabled["failures"]) == ("enabled", 0)
        assert (enabled["breaker"], enabled["disabledReason"]) == ("closed", None)


async def test_a_breaker_that_was_open_is_probing(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    await keyed.rows(
        "UPDATE outgoing_endpoints SET open_until = now() - interval '1 s' WHERE id = $1",
        endpoint["id"],
    )
    shown = await ok(keyed, "GET", path_of(endpoint))
    assert (shown["breaker"], shown["openUntil"]) == ("probing", None)


async def test_a_test_goes_to_one_endpoint_alone(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org, events=["usage.*"])
    await made(keyed, org)
    told = await ok(keyed, "POST", f"{path_of(endpoint)}/test", 202)
    page = await ok(keyed, "GET", f"{path_of(endpoint)}/deliveries")
    [delivery] = page["items"]
    assert (delivery["messageId"], delivery["event"]) == (told["messageId"], "endpoint.test")
    assert (delivery["state"], delivery["attempts"]) == ("pending", 0)
    shown = await ok(keyed, "GET", f"{path_of(endpoint)}/deliveries/{told['messageId']}")
    body = json.loads(shown["body"])
    assert (body["type"], body["data"]) == ("endpoint.test", {"endpointId": endpoint["id"]})
    assert (shown["history"], page["next"]) == ([], None)
    deliveries = await keyed.rows(
        "SELECT FROM outgoing_deliveries WHERE message_id = $1", told["messageId"]
    )
    assert len(deliveries) == 1
    last = (await ok(keyed, "GET", path_of(endpoint)))["lastDelivery"]
    assert (last["messageId"], last["state"], last["event"]) == (
        told["messageId"], "pending", "endpoint.test",
    )  # fmt: skip


async def test_a_disabled_endpoint_is_neither_tested_nor_replayed_to(
    keyed: Service, org: str
) -> None:
    endpoint = await made(keyed, org)
    message = (await ok(keyed, "POST", f"{path_of(endpoint)}/test", 202))["messageId"]
    await ok(keyed, "POST", f"{path_of(endpoint)}/disable")
    replay = {"since": "2020-01-01T00:00:00Z", "what": "all"}
    for path, body in (
        ("/test", None), ("/replay", replay), (f"/deliveries/{message}/replay", None),
    ):  # fmt: skip
        answer = await keyed.call("POST", path_of(endpoint) + path, json=body)
        assert (answer.status, "enable it first" in answer.text) == (409, True), answer.text
    messages = await keyed.rows("SELECT FROM outgoing_messages WHERE org_id = $1", org)
    assert len(messages) == 1


async def test_what_was_sent_can_be_sent_again(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    message = (await ok(keyed, "POST", f"{path_of(endpoint)}/test", 202))["messageId"]
    one = f"{path_of(endpoint)}/deliveries/{message}/replay"
    assert (await ok(keyed, "POST", one, 202))["replayed"] is False
    await keyed.rows("UPDATE outgoing_deliveries SET state = 'failed' WHERE message_id = $1",
                     message)  # fmt: skip
    assert (await ok(keyed, "POST", one, 202))["replayed"] is True
    wanted = {"since": "2020-01-01T00:00:00Z", "what": "failed", "ratePerSecond": 5}
    many = f"{path_of(endpoint)}/replay"
    nothing = {"replayed": 0, "lastDueAt": None, "next": None}
    assert await ok(keyed, "POST", many, 202, json=wanted) == nothing
    await keyed.rows("UPDATE outgoing_deliveries SET state = 'failed' WHERE message_id = $1",
                     message)  # fmt: skip
    assert (await ok(keyed, "POST", many, 202, json=wanted))["replayed"] == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "2020-01-01T00:00:00"}, "since"),
        ({"what": "everything"}, "what"),
        ({"ratePerSecond": 0}, "ratePerSecond"),
        ({"ratePerSecond": -1}, "ratePerSecond"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": 5}, "limit"),
    ],
)
async def test_a_wrong_replay_is_named(keyed: Service, org: str, wrong: Any, field: str) -> None:
    endpoint = await made(keyed, org)
    body = {"since": "2020-01-01T00:00:00Z", "what": "all"} | wrong
    answer = await keyed.call("POST", f"{path_of(endpoint)}/replay", json=body)
    assert (answer.status, list(answer.error["fields"])) == (400, [field])


@pytest.mark.parametrize(
    "query", ["state=lost", "event=x", "from=now", "to=", "what=1", "cursor=x"]
)
async def test_a_wrong_filter_is_named(keyed: Service, org: str, query: str) -> None:
    endpoint = await made(keyed, org)
    answer = await keyed.call("GET", f"{path_of(endpoint)}/deliveries?{query}")
    assert (answer.status, list(answer.error["fields"])) == (400, [query.partition("=")[0]])


async def test_steering_is_audited(keyed: Service, org: str) -> None:
    endpoint = await made(keyed, org)
    await ok(keyed, "PATCH", path_of(endpoint), json={"description": "x"})
    for action in ("rotate", "disable", "enable"):
        await ok(keyed, "POST", f"{path_of(endpoint)}/{action}")
    message = (await ok(keyed, "POST", f"{path_of(endpoint)}/test", 202))["messageId"]
    await ok(keyed, "POST", f"{path_of(endpoint)}/deliveries/{message}/replay", 202)
    wanted = {"since": "2020-01-01T00:00:00Z", "what": "failed"}
    await ok(keyed, "POST", f"{path_of(endpoint)}/replay", 202, json=wanted)
    await ok(keyed, "DELETE", path_of(endpoint))
    rows = await keyed.rows(
        "SELECT action, target_type, target_id FROM audit_events WHERE org_id = $1 ORDER BY "
        "recorded_at", org,
    )  # fmt: skip
    of_it = ("endpoint", endpoint["id"])
    assert [tuple(row.values()) for row in rows] == [
        ("endpoint.created", *of_it), ("endpoint.changed", *of_it),
        ("endpoint.secret_rotated", *of_it), ("endpoint.disabled", *of_it),
        ("endpoint.enabled", *of_it), ("endpoint.tested", *of_it),
        ("delivery.replayed", "delivery", message), ("endpoint.replayed", *of_it),
        ("endpoint.deleted", *of_it),
    ]  # fmt: skip
