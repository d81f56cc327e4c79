"""The OpenAPI document: valid, complete both ways, and true of what is answered."""

from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.jobs.records import WORKER, added, running
from tests.webhooks.service import Service, fresh, serving
from tests.webhooks.verdicts import Judged
from webhooks.api import DESCRIBED, openapi
from webhooks.app import create_app
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger

TOKEN = "a-token-of-the-api"
JSON = "application/json"
NOT_THERE: dict[str, Any] = {"responses": {"200": {"content": {}}}}


@pytest.fixture(scope="module")
async def document(service: Service) -> dict[str, Any]:
    """As it is served."""
    answer = await service.call("GET", openapi.PATH)
    assert answer.status == 200
    body: dict[str, Any] = answer.body
    return body


def schema_of(document: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    """What the document says that a call answers."""
    response = document["paths"][path][method]["responses"][str(status)]
    found: dict[str, Any] = response["content"]["application/json"]["schema"]
    return found


def check(document: dict[str, Any], schema: dict[str, Any], body: object) -> None:
    """Raise ValidationError unless a body fits a schema of the document."""
    resource = DRAFT202012.create_resource(document)
    registry = Registry[Any]().with_resource("urn:api", resource)
    validator = Draft202012Validator(
        {"$ref": f"urn:api{schema['$ref']}"},
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    validator.validate(body)


@pytest.mark.parametrize("guarded", [True, False])
def test_the_document_is_openapi_3_1(guarded: bool) -> None:
    validate(openapi.document(DESCRIBED, guarded))


def test_every_route_of_the_app_is_described_and_nothing_else(service: Service) -> None:
    routes = create_app(service.resources).router.routes()
    served = {(r.method, r.resource.canonical) for r in routes if r.resource}
    heads = {(m, p) for m, p in served if m == "HEAD"}
    paths = openapi.document(DESCRIBED, guarded=False)["paths"]
    told = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert told == served - heads


def test_operations_are_told_apart_by_their_ids() -> None:
    paths = openapi.document(DESCRIBED, guarded=True)["paths"]
    ids = [operation["operationId"] for item in paths.values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_no_schema_is_left_that_nothing_refers_to(document: dict[str, Any]) -> None:
    text = str(document)
    unused = [n for n in document["components"]["schemas"] if f"/schemas/{n}'" not in text]
    assert unused == []


def test_only_what_is_guarded_asks_for_the_token() -> None:
    paths = openapi.document(DESCRIBED, guarded=True)["paths"]
    open_to_all = {
        p for p, item in paths.items() if any(o.get("security") == [] for o in item.values())
    }
    assert open_to_all == {"/api/webhooks/github", "/health", "/livez", "/readyz", "/metrics"}
    assert "401" in paths["/api/jobs"]["get"]["responses"]


async def test_the_document_says_whether_a_token_is_needed(
    service: Service, database_url: str, redis_url: str
) -> None:
    assert "security" not in (await service.call("GET", openapi.PATH)).body
    async with serving(database_url, redis_url, API_TOKEN=TOKEN) as own:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        guarded = (await own.call("GET", openapi.PATH, headers=headers)).body
        assert guarded["security"] == [{"bearer": []}]
        assert guarded["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


async def test_the_parameters_of_a_list_are_those_that_it_takes(document: dict[str, Any]) -> None:
    told = document["paths"]["/api/jobs"]["get"]["parameters"]
    assert {p["name"] for p in told if p["in"] == "query"} == {
        "limit", "cursor", "queue", "state", "kind", "projectId", "orgId", "deliveryId",
        "createdAfter", "createdBefore",
    }  # fmt: skip
    state = next(p for p in told if p["name"] == "state")
    assert state["schema"] == {"$ref": "#/components/schemas/State"}


async def test_what_is_answered_is_what_the_document_says(
    service: Service, document: dict[str, Any]
) -> None:
    """Every `GET` that answers JSON, on a record where each list has something."""
    ids = await _fill(service)
    for path, item in document["paths"].items():
        if JSON not in item.get("get", NOT_THERE)["responses"]["200"]["content"]:
            continue
        for names in ids.get(path, [{}]):
            answer = await service.call("GET", path.format(**names))
            assert answer.status == 200, (path, answer.text)
            check(document, schema_of(document, "get", path, 200), answer.body)
            if "items" in answer.body:
                assert answer.body["items"], path


async def test_deliveries_are_answered_as_described(
    service: Service, document: dict[str, Any]
) -> None:
    push = fresh()
    answers = [
        await service.deliver(recorded)
        for recorded in (push, push, fresh("push_tag"), fresh("ping"))
    ]
    assert [a.status for a in answers] == [202, 202, 202, 200]
    for answer in answers:
        schema = schema_of(document, "post", "/api/webhooks/github", answer.status)
        check(document, schema, answer.body)


async def test_errors_are_answered_as_described(service: Service, document: dict[str, Any]) -> None:
    for path, described, status in (
        ("/api/jobs?limit=x", "/api/jobs", 400),
        ("/api/jobs/x", "/api/jobs/{id}", 404),
    ):
        answer = await service.call("GET", path)
        assert answer.status == status
        check(document, schema_of(document, "get", described, status), answer.body)


async def test_a_wrong_answer_would_be_noticed(document: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="'items' is a required property"):
        check(document, schema_of(document, "get", "/api/jobs", 200), {"next": None})


async def test_what_is_done_is_answered_as_described(
    service: Service, document: dict[str, Any]
) -> None:
    ledger = Ledger(service.resources.pool)
    waiting, busy = await added(ledger), await running(ledger)
    first, second, third = [await buried(ledger) for _ in range(3)]
    analysis = {"queue": "analysis", "data": {"projectId": str(new_id())}, "dedupeKey": "told"}
    judged = await Judged.enrolled(service)
    await judged.scanned()
    project = {"name": "n", "repoUrl": "https://example.org/x.git", "repository": "told/once"}
    usage = {"orgId": "acme-done", "batchId": "b", "events": [{"metric": "calls"}]}
    for method, path, id_, body, status in (
        ("post", "/api/jobs/enqueue", "", analysis, 200),
        ("post", "/api/jobs/enqueue", "", analysis, 200),
        ("delete", "/api/jobs/{id}", waiting.id, None, 200),
        ("delete", "/api/jobs/{id}", waiting.id, None, 409),
        ("delete", "/api/jobs/{id}", busy.id, None, 202),
        ("post", "/api/jobs/{id}/retry", first, None, 200),
        ("post", "/api/dead-letters/{id}/retry", second, None, 200),
        ("delete", "/api/dead-letters/{id}", third, None, 200),
        ("post", "/api/dead-letters/retry", "", {"queue": "cleanup"}, 200),
        ("post", "/api/dead-letters/discard", "", {"queue": "cleanup"}, 200),
        ("patch", "/api/queues/{name}", "cleanup", {"rate": {"count": 1, "seconds": 1}}, 200),
        ("post", "/api/queues/{name}/pause", "cleanup", {"reason": "x"}, 200),
        ("post", "/api/queues/{name}/resume", "cleanup", None, 200),
        ("patch", "/api/queues/{name}", "cleanup", {"rate": None}, 200),
        ("post", "/api/projects", "", project, 201),
        ("post", "/api/projects", "", project, 409),
        ("post", "/api/orgs", "", {"id": "acme-done", "name": "Acme"}, 201),
        ("post", "/api/orgs", "", {"id": "acme-done", "name": "Acme"}, 409),
        ("patch", "/api/orgs/{id}", "acme-done", {"timezone": "Asia/Tokyo"}, 200),
        ("post", "/api/orgs/{id}/keys", "acme-done", {"name": "CI"}, 201),
        ("post", "/api/keys/check", "", {"key": "sy_"}, 200),
        ("post", "/api/usage", "", usage, 202),
        ("post", "/api/usage", "", usage, 202),
        ("put", "/api/projects/{id}/gates/settings", judged.id, {"onPush": ["lint"]}, 200),
        ("post", "/api/projects/{id}/gates", judged.id, {"gateType": "lint"}, 202),
    ):
        at = path.replace("{id}", str(id_)).replace("{name}", str(id_))
        answer = await service.call(method.upper(), at, **({"json": body} if body else {}))
        assert answer.status == status, (path, answer.text)
        check(document, schema_of(document, method, path, status), answer.body)


async def _fill(service: Service) -> dict[str, list[dict[str, str]]]:
    """Something in every list; answers the names for each path that takes some."""
    ledger = Ledger(service.resources.pool)
    letter, job = str(await buried(ledger)), await running(ledger)
    await service.rows(
        "INSERT INTO workers (id, host, pid, queues) VALUES ($1, 'h', 1, '{}')"
        " ON CONFLICT DO NOTHING RETURNING id",
        WORKER,
    )
    schedule = {"name": "tidy", "queue": "cleanup", "cron": "@daily"}
    payload = {"payload": {"task": "old_clones"}}
    await service.call("POST", "/api/schedules", json=schedule | payload)
    await service.call("POST", "/api/schedules/tidy/run")
    jobs = [{"id": letter}, {"id": str(job.id)}]
    return (
        {
            "/api/jobs/{id}": jobs,
            "/api/jobs/{id}/why": jobs,
            "/api/schedules/{name}": [{"name": "tidy"}],
            "/api/dead-letters/{id}": jobs[:1],
            "/api/queues/{name}": [{"name": "artifact-scan"}, {"name": "analysis"}],
        }
        | await _judged(service)
        | await _tenants(service)
        | await _audited(service)
        | await _notified(service)
        | await _sent(service)
        | await _used(service)
        | await _limited(service)
    )


async def _tenants(service: Service) -> dict[str, list[dict[str, str]]]:
    """An organisation with a flag and an API key; answers the names for its paths."""
    base, names = "/api/orgs/{id}", {"id": "acme-described"}
    at = base.format(**names)
    for method, path, body in (
        ("POST", "/api/orgs", names | {"name": "Acme"}),
        ("PUT", f"{at}/flags/exports", {"enabled": True}),
        ("POST", f"{at}/keys", {"name": "CI"}),
    ):
        answer = await service.call(method, path, json=body)
        assert answer.status < 300, answer.text
    return {
        base: [names],
        f"{base}/flags": [names],
        f"{base}/flags/{{key}}": [names | {"key": "exports"}],
        f"{base}/keys": [names],
    }


async def _audited(service: Service) -> dict[str, list[dict[str, str]]]:
    """An event of an organisation and one of none; answers the names for its paths."""
    await service.rows(
        "WITH acme AS (INSERT INTO organisations (id, name) VALUES ('acme-audited', 'Acme'))"
        " INSERT INTO audit_events (id, org_id, event_id, action, actor_type, occurred_at)"
        " SELECT gen_random_uuid(), org_id, 'e', 'a', 'user', now()"
        " FROM unnest(ARRAY['acme-audited', NULL]) org_id RETURNING id"
    )
    return {"/api/orgs/{id}/audit": [{"id": "acme-audited"}]}


async def _notified(service: Service) -> dict[str, list[dict[str, str]]]:
    """A notification; answers the names for its paths."""
    org_id, id_ = "acme-notified", new_id()
    await service.rows(
        "WITH acme AS (INSERT INTO organisations (id, name) VALUES ($2, 'Acme'))"
        " INSERT INTO notifications (id, org_id, type, key, data, channels, state, job_id)"
        " VALUES ($1, $2, 'limit_exceeded', 'k', '{}', '{webhook}', 'unheard', $1) RETURNING id",
        id_,
        org_id,
    )
    names, base = {"id": org_id}, "/api/orgs/{id}"
    return {
        f"{base}/notifications": [names],
        f"{base}/notifications/{{notificationId}}": [names | {"notificationId": str(id_)}],
        f"{base}/notification-preferences": [names],
    }


async def _used(service: Service) -> dict[str, list[dict[str, str]]]:
    """Usage that was counted, reached and summed up; answers the names for its paths."""
    org_id = "acme-used"
    await service.rows("INSERT INTO organisations (id, name) VALUES ($1, 'Acme')", org_id)
    await service.rows(
        "INSERT INTO usage_counters (org_id, metric, period, period_start, period_end)"
        " SELECT $1, 'calls', 'month', d, d + interval '1 month'"
        " FROM date_trunc('month', now(), 'UTC') AS d",
        org_id,
    )
    await service.rows(
        "INSERT INTO usage_thresholds"
        " (org_id, metric, period, period_start, percent, quantity, quantity_limit)"
        " VALUES ($1, 'calls', 'month', now(), 80, 8, 10)",
        org_id,
    )
    await service.rows(
        "INSERT INTO usage_summaries"
        " (period, period_start, metric, organisations, quantity, events)"
        " VALUES ('day', now(), 'calls', 1, 8, 8)"
    )
    base, names = "/api/orgs/{id}/usage", {"id": org_id}
    return {path: [names] for path in (base, f"{base}/current", f"{base}/thresholds")}


async def _limited(service: Service) -> dict[str, list[dict[str, str]]]:
    """A limit that was set, and an action that was taken; answers the names for their paths."""
    org_id, action = "acme-limited", new_id()
    await service.rows("INSERT INTO organisations (id, name) VALUES ($1, 'Acme')", org_id)
    limits = "/api/orgs/{id}/limits"
    one, names = f"{limits}/{{metric}}/{{period}}", {"metric": "calls", "period": "day"}
    names["id"] = org_id
    answer = await service.call("PUT", one.format(**names), json={"quantity": 10})
    assert answer.status == 200, answer.text
    await service.rows(
        "INSERT INTO automatic_actions (id, org_id, job_id, action, target_id, reason, changed)"
        " VALUES ($1, $2, $1, 'disable_feature', 'exports', 'used up', true)",
        action,
        org_id,
    )
    actions = "/api/orgs/{id}/actions"
    return {
        limits: [names],
        one: [names],
        actions: [names],
        f"{actions}/{{actionId}}": [names | {"actionId": str(action)}],
    }


async def _sent(service: Service) -> dict[str, list[dict[str, str]]]:
    """An endpoint that was sent a message; answers the names for its paths."""
    org_id, id_ = "acme-sent", new_id()
    await service.rows(
        "WITH acme AS (INSERT INTO organisations (id, name) VALUES ($2, 'Acme'))"
        " INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id)"
        " VALUES ($1, $2, 'https://example.org/', '', '') RETURNING id",
        id_,
        org_id,
    )
    every = "/api/orgs/{id}/endpoints"
    one, names = f"{every}/{{endpointId}}", {"id": org_id, "endpointId": str(id_)}
    sent = await service.call("POST", f"{one}/test".format(**names))
    return {
        every: [names],
        one: [names],
        f"{one}/deliveries": [names],
        f"{one}/deliveries/{{messageId}}": [names | {"messageId": sent.body["messageId"]}],
    }


async def _judged(service: Service) -> dict[str, list[dict[str, str]]]:
    """A project with a document, a conflict and gates; answers the names for its paths."""
    judged = await Judged.enrolled(service)
    await judged.scanned()
    await judged.checked()
    await judged.document("docs/a.md", "a1", "story", "1.2", status="done", story="1.2")
    await judged.conflict("f1")
    counts = {"total": 1, "passed": 1, "failed": 0, "skipped": 0, "flaky": 0}
    done = await judged.gate(story="1.2", counts=counts)
    waiting = await judged.gate("awaiting_approval", None)
    project, base = {"id": str(judged.id)}, "/api/projects/{id}"
    return {
        base: [project],
        f"{base}/artifacts": [project],
        f"{base}/artifacts/{{kind}}/{{artifactId}}": [
            project | {"kind": "story", "artifactId": "1.2"}
        ],
        f"{base}/conflicts": [project],
        f"{base}/conflicts/{{fingerprint}}": [project | {"fingerprint": "f1"}],
        f"{base}/gates": [project],
        f"{base}/gates/settings": [project],
        f"{base}/gates/{{jobId}}": [project | {"jobId": str(j)} for j in (done, waiting)],
    }


async def buried(ledger: Ledger) -> UUID:
    """The id of a job that died."""
    job = await running(ledger)
    await ledger.bury(job, Failure("failed", "ValueError", "no", "Traceback"), ())
    return job.id


def test_an_organisation_is_known_by_a_text_and_all_else_by_a_uuid() -> None:
    paths = openapi.document(DESCRIBED, guarded=True)["paths"]
    told = {
        p["name"]: p["schema"] for p in paths["/api/orgs/{id}/keys/{keyId}"]["delete"]["parameters"]
    }
    assert told == {"id": {"type": "string"}, "keyId": {"type": "string", "format": "uuid"}}
    [project] = paths["/api/projects/{id}"]["get"]["parameters"]
    assert project["schema"]["format"] == "uuid"


def test_calls_that_have_a_limit_tell_it() -> None:
    paths = openapi.document(DESCRIBED, guarded=True)["paths"]
    check = paths["/api/keys/check"]["post"]["responses"]
    assert {"200", "400", "401", "403", "429", "503"} <= check.keys()
    for response in check.values():
        assert "RateLimit-Remaining" in response["headers"]
    unlimited = paths["/api/orgs"]["get"]["responses"]
    assert "429" not in unlimited
    assert "headers" not in unlimited["200"]
