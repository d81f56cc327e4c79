"""API keys by the API: shown once, listed without themselves, checked, revoked and unblocked."""

import re
from typing import Any

import pytest

from tests.webhooks.service import Service
from worker.jobs.ids import new_id
from worker.tenants import key_text

CHECK = "/api/keys/check"


@pytest.fixture
async def keys(service: Service) -> str:
    """The address of the keys of an organisation that has none yet."""
    org_id = f"org-{new_id()}"
    await service.call("POST", "/api/orgs", json={"id": org_id, "name": "Acme"})
    return f"/api/orgs/{org_id}/keys"


async def made(service: Service, keys: str, **more: object) -> Any:
    """A new key, as it is shown once."""
    answer = await service.call("POST", keys, json={"name": "CI"} | more)
    assert answer.status == 201, answer.text
    return answer.body


async def check(service: Service, key: object) -> Any:
    """What is told of a key."""
    answer = await service.call("POST", CHECK, json={"key": key})
    assert answer.status == 200, answer.text
    return answer.body


async def test_a_key_is_shown_once(service: Service, keys: str) -> None:
    key = await made(service, keys, expiresAt="2999-01-01T00:00:00Z")
    assert re.fullmatch(r"sy_[0-9A-Za-z]{49}", key["key"])
    assert (key["state"], key["expiresAt"][:10]) == ("active", "2999-01-01")
    listed = await service.call("GET", keys)
    assert listed.body["items"] == [{n: v for n, v in key.items() if n != "key"}]
    assert key["key"] not in listed.text
    rows = await service.rows("SELECT * FROM api_keys WHERE id = $1::text::uuid", key["id"])
    assert key["key"][11:] not in repr(rows)


async def test_a_key_is_checked(service: Service, keys: str) -> None:
    key = await made(service, keys)
    assert await check(service, key["key"]) == {
        "valid": True, "orgId": keys.split("/")[3], "keyId": key["id"], "name": "CI",
    }  # fmt: skip
    for unknown in (key_text.new(), key["key"][:-1], "", "é", "x" * 10_000):
        assert await check(service, unknown) == {"valid": False, "reason": "unknown"}


@pytest.mark.parametrize(
    ("reason", "change"),
    [("blocked", "blocked_at"), ("expired", "expires_at"), ("revoked", "revoked_at")],
)
async def test_a_key_that_is_no_good_says_why(
    service: Service, keys: str, reason: str, change: str
) -> None:
    key = await made(service, keys)
    await service.rows(f"UPDATE api_keys SET {change} = now() WHERE id = $1::text::uuid", key["id"])
    assert await check(service, key["key"]) == {
        "valid": False, "reason": reason, "orgId": keys.split("/")[3], "keyId": key["id"],
        "name": "CI",
    }  # fmt: skip
    await service.resources.key_use.drain()
    [listed] = (await service.call("GET", keys)).body["items"]
    assert (listed["state"], listed["lastUsedAt"]) == (reason, None)


async def test_a_check_counts_as_use(service: Service, keys: str) -> None:
    key = await made(service, keys)
    await check(service, key["key"])
    await service.resources.key_use.drain()
    [listed] = (await service.call("GET", keys)).body["items"]
    assert listed["lastUsedAt"] is not None


async def test_revoked_and_still_listed(service: Service, keys: str) -> None:
    key = await made(service, keys)
    first = await service.call("DELETE", f"{keys}/{key['id']}")
    again = await service.call("DELETE", f"{keys}/{key['id']}")
    assert (first.status, first.body["state"]) == (200, "revoked")
    assert again.body == first.body
    assert (await service.call("GET", keys)).body["items"] == [first.body]


async def test_unblocked(service: Service, keys: str) -> None:
    key = await made(service, keys)
    await service.rows(
        "UPDATE api_keys SET blocked_at = now(), blocked_reason = 'much' WHERE id = $1::text::uuid",
        key["id"],
    )
    assert (await check(service, key["key"]))["reason"] == "blocked"
    answer = await service.call("POST", f"{keys}/{key['id']}/unblock")
    assert (answer.status, answer.body["state"], answer.body["blockedReason"]) == (
        200, "active", None,
    )  # fmt: skip
    assert (await check(service, key["key"]))["valid"]


async def test_keys_of_others_and_of_nobody_are_not_found(service: Service, keys: str) -> None:
    key = await made(service, keys)
    elsewhere = f"org-{new_id()}"
    await service.call("POST", "/api/orgs", json={"id": elsewhere, "name": "Other"})
    for org_id in (elsewhere, "nobody"):
        for key_id in (key["id"], new_id(), "x"):
            at = f"/api/orgs/{org_id}/keys/{key_id}"
            assert (await service.call("DELETE", at)).status == 404
            assert (await service.call("POST", f"{at}/unblock")).status == 404
    assert (await service.call("POST", "/api/orgs/nobody/keys", json={"name": "x"})).status == 404
    assert (await service.call("GET", "/api/orgs/nobody/keys")).status == 404
    assert (await check(service, key["key"]))["valid"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"), ({"name": ""}, "name"), ({"name": 7}, "name"),
        ({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "x", "expiresAt": "2999-01-01T00:00:00"}, "expiresAt"),
        ({"name": "x", "expiresAt": "never"}, "expiresAt"), ({"name": "x", "orgId": "y"}, "orgId"),
    ],
)  # fmt: skip
async def test_bad_input_names_the_field_and_stores_nothing(
    service: Service, keys: str, body: dict[str, object], field: str
) -> None:
    answer = await service.call("POST", keys, json=body)
    assert (answer.status, set(answer.error["fields"])) == (400, {field})
    assert (await service.call("GET", keys)).body["items"] == []


@pytest.mark.parametrize(
    "body", [{}, {"key": 7}, {"key": ["x"]}, {"key": None}, {"key": "x", "x": 1}]
)
async def test_a_check_must_name_a_key(service: Service, body: object) -> None:
    answer = await service.call("POST", CHECK, json=body)
    assert (answer.status, answer.error["code"]) == (400, "invalid_input")
