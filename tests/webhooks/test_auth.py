"""Who may call what: the operator everything, an organisation's key what is open to it."""

import re
import statistics
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tests.chaos.proxy import Proxy
from tests.conftest import Servers, scratch_database
from tests.support import eventually
from tests.webhooks.service import Answer, Service, fresh, serving
from webhooks.api import ROUTES
from worker.jobs.ids import new_id
from worker.tenants import key_text

TOKEN = "the-token-of-the-operator"
FLAG = "/api/orgs/acme/flags/exports"
CLOSED = [r for r in ROUTES if not r.open_to_keys]
OWN = [r for r in ROUTES if r.open_to_keys and r.path.startswith("/api/orgs/{id}")]


@dataclass(frozen=True)
class Tenants:
    """A service with a token, and the keys of two organisations that have a flag each."""

    service: Service
    key: str
    key_id: UUID
    others_key: str

    async def call(self, method: str, path: str, bearer: str | None, **options: Any) -> Answer:
        """A call with this token or key."""
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        return await self.service.call(method, path, headers=headers, **options)


async def enrol(service: Service, bearer: str | None, org_id: str) -> tuple[str, UUID]:
    """A new organisation with a flag; answers a key of it."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    for method, path, body in (
        ("POST", "/api/orgs", {"id": org_id, "name": org_id}),
        ("PUT", f"/api/orgs/{org_id}/flags/exports", {"enabled": True}),
    ):
        assert (await service.call(method, path, json=body, headers=headers)).status < 300
    made = await service.call(
        "POST", f"/api/orgs/{org_id}/keys", json={"name": "CI"}, headers=headers
    )
    assert made.status == 201, made.text
    return made.body["key"], UUID(made.body["id"])


@pytest.fixture(scope="module")
async def tenants(
    servers: Servers, template_database: str, redis_database_url: str
) -> AsyncIterator[Tenants]:
    """One service for all tests of this module."""
    async with (
        scratch_database(servers.database_url, template_database) as url,
        serving(url, redis_database_url, API_TOKEN=TOKEN) as service,
    ):
        key, key_id = await enrol(service, TOKEN, "acme")
        others_key, _ = await enrol(service, TOKEN, "other")
        yield Tenants(service, key, key_id, others_key)


async def changed(tenants: Tenants, **columns: str) -> None:
    """Set columns of acme's key to these expressions."""
    for name, expression in columns.items():
        await tenants.service.rows(
            f"UPDATE api_keys SET {name} = {expression} WHERE id = $1", tenants.key_id
        )


@pytest.fixture
async def restored(tenants: Tenants) -> AsyncIterator[Tenants]:
    """The same, where a test may change acme's key."""
    yield tenants
    await changed(
        tenants, blocked_reason="NULL", blocked_at="NULL", revoked_at="NULL", expires_at="NULL",
        last_used_at="NULL",
    )  # fmt: skip


def almost(key: str) -> str:
    """A key that nobody has and that differs from this one in its last random digit."""
    body = key[:-7] + ("0" if key[-7] != "0" else "1")
    return body + key_text.checksum(body)


def filled(path: str, org_id: str) -> str:
    """The path with something in the place of each parameter."""
    names = {"metric": "calls", "period": "day", "key": "exports", "name": "analysis"}
    return re.sub(
        r"\{(\w+)\}",
        lambda found: org_id if path.startswith("/api/orgs/{id}") and found[1] == "id"
        else names.get(found[1], str(new_id())),
        path,
    )  # fmt: skip


async def test_the_operator_may_do_everything(tenants: Tenants) -> None:
    for org_id in ("acme", "other"):
        answer = await tenants.call("GET", f"/api/orgs/{org_id}/flags/exports", TOKEN)
        assert (answer.status, answer.body["enabled"]) == (200, True)


async def test_a_key_does_for_its_own_organisation(tenants: Tenants) -> None:
    assert (await tenants.call("GET", FLAG, tenants.key)).body == {
        "key": "exports",
        "enabled": True,
    }
    refused = await tenants.call("GET", FLAG, tenants.others_key)
    assert (refused.status, refused.error["code"]) == (403, "forbidden")
    assert "another organisation" in refused.error["message"]


@pytest.mark.parametrize("route", CLOSED, ids=lambda r: f"{r.method} {r.path}")
async def test_a_key_opens_nothing_that_is_not_declared_open(tenants: Tenants, route: Any) -> None:
    path = filled(route.path, "acme")
    answer = await tenants.call(route.method, path, tenants.key, json={})
    assert (answer.status, answer.error["code"]) == (403, "forbidden"), path
    assert "API token" in answer.error["message"]


@pytest.mark.parametrize("route", OWN, ids=lambda r: f"{r.method} {r.path}")
async def test_a_key_opens_nothing_of_others(tenants: Tenants, route: Any) -> None:
    for org_id in ("other", "nobody", "Acme", "acme%00", "acme%20", "%6fther", "acme%2F..%2Fother"):
        path = filled(route.path, org_id)
        answer = await tenants.call(route.method, path, tenants.key, json={})
        assert answer.status in (403, 404), (path, answer.text)
        assert answer.status == 403 or "%2F" in org_id


async def test_paths_that_are_escaped_lead_nowhere_else(tenants: Tenants) -> None:
    """Sent as they are, since a client would tidy them up."""
    for path in (
        b"/api/orgs/acme/../other/flags/exports", b"/api/orgs/acme/%2e%2e/other/flags/exports",
        b"/api/orgs/%6f%74her/flags/exports", b"//api/orgs/other/flags/exports",
        b"/api/orgs/acme%2f..%2fother/flags/exports", b"/api/orgs/./other/flags/exports",
        b"/%61pi/orgs/other/flags/exports", b"/api/orgs/other/flags/exports;id=acme",
        b"/api/orgs/other/flags/exports?id=acme&orgId=acme",
        b"http://acme/api/orgs/other/flags/exports",
    ):  # fmt: skip
        head = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" % path
        sent = await tenants.service.raw(
            head + b"Authorization: Bearer %b\r\n\r\n" % tenants.key.encode()
        )
        status = int(sent.split(b" ", 2)[1])
        assert status in (400, 403, 404), (path, sent)
        assert b'"enabled"' not in sent
    own = b"GET /%61pi/orgs/%61cme/flags/exports HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = await tenants.service.raw(
        own + b"Authorization: Bearer %b\r\n\r\n" % tenants.key.encode()
    )
    assert b" 200 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "value",
    [
        "{key}", "Basic {key}", "Bearer", "Bearer ", "Bearer Bearer {key}", "Bearer {key} {key}",
        "Bearer {key}, Bearer {key}", "Bearer\u00a0{key}", 'Bearer "{key}"', "Bearer {key};",
        "Bearer token={key}", "Token {key}", "Bearer {key}\u00e9", "Bearer \udcff{key}",
        "Bearer {upper}", "Bearer {short}", "Bearer {long}", "Bearer sy_", "Bearer sy_\u0130",
    ],
)  # fmt: skip
async def test_odd_headers_are_no_key(tenants: Tenants, value: str) -> None:
    key = tenants.key
    sent = value.format(key=key, upper=key.upper(), short=key[:-1], long=f"{key}0")
    head = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " % FLAG.encode()
    answer = await tenants.service.raw(head + sent.encode("utf-8", "surrogateescape") + b"\r\n\r\n")
    assert b" 401 " in answer.split(b"\r\n")[0], answer
    assert b"WWW-Authenticate: Bearer" in answer
    assert key.encode() not in answer


async def test_there_is_one_authorization_header_or_none(tenants: Tenants) -> None:
    for first, second in (
        (tenants.key, tenants.others_key), (tenants.key, tenants.key), (TOKEN, tenants.key),
        (tenants.others_key, TOKEN), (TOKEN, TOKEN), ("", tenants.key),
    ):  # fmt: skip
        head = f"GET {FLAG} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        lines = f"Authorization: Bearer {first}\r\nAuthorization: Bearer {second}\r\n\r\n"
        answer = await tenants.service.raw((head + lines).encode())
        assert b" 401 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "name", ["X-Api-Key", "X-Authorization", "Proxy-Authorization", "Cookie", "X-Forwarded-User"]
)
async def test_other_headers_and_the_query_prove_nothing(tenants: Tenants, name: str) -> None:
    answer = await tenants.service.call(
        "GET", FLAG, headers={name: f"Bearer {tenants.key}"}, params={"key": tenants.key}
    )
    assert answer.status == 401


async def test_huge_headers_are_refused_at_once(tenants: Tenants) -> None:
    for size, statuses in ((7_000, {401}), (100_000, {400, 431}), (3_000_000, {400, 431})):
        head = f"GET {FLAG} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        try:
            answer = await tenants.service.raw(
                f"{head}Authorization: Bearer sy_{'a' * size}\r\n\r\n".encode()
            )
        except ConnectionError:
            continue  # cut off before all of it was sent
        assert int(answer.split(b" ", 2)[1]) in statuses
    assert (await tenants.call("GET", FLAG, tenants.key)).status == 200


async def test_without_anything_nobody_gets_in(tenants: Tenants) -> None:
    for route in ROUTES:
        answer = await tenants.call(route.method, filled(route.path, "acme"), None, json={})
        assert (answer.status, answer.error["code"]) == (401, "unauthorized"), route.path


async def test_a_key_that_ended_says_so(restored: Tenants) -> None:
    for columns, status, message in (
        ({"blocked_at": "now()", "blocked_reason": "'too much used'"}, 403, "too much used"),
        ({"expires_at": "now()", "blocked_reason": "NULL", "blocked_at": "NULL"}, 401, "expired"),
        ({"revoked_at": "now()"}, 401, "revoked"),
    ):
        await changed(restored, **columns)
        for path in (FLAG, "/api/orgs/other/flags/exports", "/api/jobs"):
            answer = await restored.call("GET", path, restored.key)
            assert (answer.status, message in answer.error["message"]) == (status, True)


async def test_unknown_and_malformed_keys_cannot_be_told_apart(tenants: Tenants) -> None:
    near = almost(tenants.key)
    keys = [
        key_text.new(), near, near[:-6], f"{tenants.key[:-1]}!", tenants.key[:20], "sy_",
        "sy_" + "0" * 100,
    ]  # fmt: skip
    answers = [await tenants.call("GET", FLAG, key) for key in keys]
    assert {(a.status, a.text) for a in answers} == {(401, answers[0].text)}


async def test_a_wrong_key_takes_as_long_as_an_unknown_one(tenants: Tenants) -> None:
    """One that shares all but its last digit with a real key is not looked up any differently."""
    near = almost(tenants.key)
    seconds: dict[str, list[float]] = {"near": [], "unknown": []}
    for _ in range(40):
        for name, key in (("near", near), ("unknown", key_text.new())):
            answer = await tenants.call("GET", FLAG, key)
            assert answer.status == 401
            seconds[name].append(answer.seconds)
    near_s, unknown_s = (min(v) for v in seconds.values())
    assert 0.4 < near_s / unknown_s < 2.5, {k: statistics.median(v) for k, v in seconds.items()}


async def test_a_key_is_never_written_down(restored: Tenants) -> None:
    with capture_logs() as logs:
        answers = [
            await restored.call("GET", FLAG, restored.key),
            await restored.call("GET", "/api/jobs", restored.key),
            await restored.call("POST", "/api/keys/check", TOKEN, json={"key": restored.key}),
            await restored.call("POST", "/api/keys/check", TOKEN, json={"keys": restored.key}),
            await restored.call("POST", "/api/keys/check", TOKEN, json={"key": [restored.key]}),
            await restored.call("POST", "/api/usage", restored.key, json={"orgId": restored.key}),
        ]
        await changed(restored, revoked_at="now()")
        answers.append(await restored.call("GET", FLAG, restored.key))
    shown = repr(logs) + "".join(a.text + repr(a.headers) for a in answers)
    assert restored.key not in shown
    assert restored.key[11:] not in shown


async def test_its_use_is_noted(restored: Tenants) -> None:
    await restored.call("GET", FLAG, restored.key)

    async def noted() -> Any:
        return await restored.service.rows(
            "SELECT last_used_at FROM api_keys WHERE id = $1 AND last_used_at IS NOT NULL",
            restored.key_id,
        )

    first: Any = await eventually(noted)
    await restored.call("GET", FLAG, restored.key)
    await restored.service.resources.key_use.drain()
    assert await noted() == first


async def test_without_the_record_no_key_is_good(database_url: str, redis_url: str) -> None:
    async with (
        Proxy.opened(database_url) as proxy,
        serving(proxy.url, redis_url, API_TOKEN=TOKEN) as own,
    ):
        key, _ = await enrol(own, TOKEN, "acme")
        await proxy.refuse()
        answer = await own.call("GET", FLAG, headers={"Authorization": f"Bearer {key}"})
        assert (answer.status, answer.error["code"]) == (503, "record_unavailable")
        refused = await own.call("GET", FLAG, headers={"Authorization": f"Bearer {key[:-1]}"})
        assert refused.status == 401
        proxy.heal()


async def test_a_token_may_look_like_a_key(database_url: str, redis_url: str) -> None:
    token = "sy_token-of-the-operator"
    async with serving(database_url, redis_url, API_TOKEN=token) as own:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await own.call("GET", "/api/jobs", headers=headers)).status == 200


async def test_where_no_token_is_set_a_key_that_is_sent_is_checked(
    database_url: str, redis_url: str
) -> None:
    async with serving(database_url, redis_url) as own:
        key, key_id = await enrol(own, None, "acme")
        await enrol(own, None, "other")

        async def status(path: str, *given: str) -> int:
            headers = [("Authorization", value) for value in given]
            return (await own.call("GET", path, headers=headers)).status

        theirs = "/api/orgs/other/flags/exports"
        assert await status(FLAG) == await status(theirs) == await status("/api/jobs") == 200
        assert await status("/api/jobs", "Bearer something", "Basic else") == 200
        assert await status(FLAG, f"Bearer {key}") == 200
        assert await status(theirs, f"Bearer {key}") == 403
        assert await status("/api/jobs", f"Bearer {key}") == 403
        assert await status("/api/nowhere", f"Bearer {key}") == 403
        assert await status("/health", f"Bearer {key}") == 200
        for odd in (f"Basic {key}", key, f"Bearer Bearer {key}", f"Bearer {key_text.new()}"):
            assert await status(FLAG, odd) == 401, odd
        assert await status(FLAG, f"Bearer {key}", "Bearer x") == 401
        await own.rows("UPDATE api_keys SET revoked_at = now() WHERE id = $1", key_id)
        assert await status(FLAG, f"Bearer {key}") == 401
        delivered = await own.deliver(fresh().with_headers(Authorization=f"Bearer {key}"))
        assert delivered.status == 202
